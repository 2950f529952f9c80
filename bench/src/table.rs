//! Numbers of several contenders in several rounds, printed as medians and as ratios of pairs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::contender::Kind;

/// Which way is better.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Better {
    /// As for requests per second.
    More,
    /// As for time and memory.
    Less,
}

/// A figure that is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// What it is, with its unit.
    pub(crate) name: &'static str,
    /// Which way is better.
    pub(crate) better: Better,
    /// How many digits to print behind the point.
    pub(crate) digits: usize,
}

/// What was measured of several contenders, round by round.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    figures: &'static [Figure],
    rows: Vec<(String, Vec<Vec<f64>>)>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(title: impl Into<String>, figures: &'static [Figure]) -> Self {
        Self { title: title.into(), figures, rows: Vec::new() }
    }

    /// Adds a round of a contender, with a value for each figure.
    pub(crate) fn add(&mut self, who: &str, values: &[f64]) {
        assert_eq!(values.len(), self.figures.len(), "a value for each figure");
        let row = match self.rows.iter().position(|(name, _)| name == who) {
            Some(row) => row,
            None => {
                self.rows.push((who.to_owned(), vec![Vec::new(); values.len()]));
                self.rows.len() - 1
            }
        };
        for (column, value) in self.rows[row].1.iter_mut().zip(values) {
            column.push(*value);
        }
    }

    /// Prints medians, then how the first contender of each pair compares with the second.
    pub(crate) fn print(&self, pairs: &[(&str, &str)]) {
        let mut text = format!("{:<40}", self.title);
        for figure in self.figures {
            let _ = write!(text, "{:>16}", figure.name);
        }
        text.push('\n');
        for (who, columns) in &self.rows {
            let _ = write!(text, "  {who:<38}");
            for (figure, column) in self.figures.iter().zip(columns) {
                let _ = write!(text, "{:>16.*}", figure.digits, median(column));
            }
            text.push('\n');
        }
        let rows: BTreeMap<&str, &Vec<Vec<f64>>> =
            self.rows.iter().map(|(who, columns)| (who.as_str(), columns)).collect();
        for (ours, theirs) in pairs {
            let (Some(ours_columns), Some(theirs_columns)) = (rows.get(ours), rows.get(theirs))
            else {
                continue;
            };
            let _ = writeln!(text, "  {ours} / {theirs}:");
            for (index, figure) in self.figures.iter().enumerate() {
                let ratios: Vec<f64> = ours_columns[index]
                    .iter()
                    .zip(&theirs_columns[index])
                    .filter(|(_, theirs)| **theirs > 0.0)
                    .map(|(ours, theirs)| ours / theirs)
                    .collect();
                if ratios.is_empty() {
                    continue;
                }
                let middle = median(&ratios);
                let (least, most) =
                    ratios.iter().fold((f64::MAX, f64::MIN), |(least, most), it| {
                        (least.min(*it), most.max(*it))
                    });
                let good = match figure.better {
                    Better::More => middle >= 1.0,
                    Better::Less => middle <= 1.0,
                };
                let _ = writeln!(
                    text,
                    "    {:<20} {middle:.2}  ({least:.2}..{most:.2})  {}",
                    figure.name,
                    if good { "better or equal" } else { "worse" }
                );
            }
        }
        println!("{text}");
    }
}

/// The pairs that most programs print.
pub(crate) fn usual_pairs() -> Vec<(&'static str, &'static str)> {
    [Kind::Haproxy, Kind::HaproxyLog, Kind::Peer, Kind::Base]
        .into_iter()
        .map(|other| (Kind::Sockwarden.name(), other.name()))
        .collect()
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}
