//! Lines that say the same again and again: the first one is written at once, the others are counted, and the counts are written every few
//! seconds. So nobody fills a disk by asking for what is refused.
//!
//! What is kept for that is limited. A client that is refused too many different things in a while, or too many clients that are refused
//! anything, are counted together.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use tracing::Event;
use tracing::field::{Field, Visit};

/// The fields of an event that may be folded: what makes it the same as another, and whose it is. Neither is written.
pub(super) const FOLD: [&str; 2] = ["fold", "fold_client"];
/// How long repeats of a line are counted before the count is written.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// How many lines are told apart for one client at a time.
const MOST_PER_CLIENT: usize = 16;
/// How many lines are told apart at a time.
const MOST: usize = 512;
/// The most of a value that is kept for the line with the count, in bytes.
const MOST_VALUE_BYTES: usize = 256;

/// What makes two lines the same, and whose they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The same for lines that say the same.
    pub(super) line: u64,
    /// The same for lines about one client.
    pub(super) client: u64,
}

impl Key {
    /// What an event says of that; `None` for one that is always written.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        event.metadata().fields().field(FOLD[0])?;
        let mut key = Self::default();
        event.record(&mut key);
        Some(key)
    }
}

impl Visit for Key {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "fold" => self.line = value,
            "fold_client" => self.client = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// A line that stands for others: its fields in order.
pub(super) type Sample = Vec<(&'static str, String)>;

/// The fields of an event.
pub(super) fn sample_of(event: &Event<'_>) -> Sample {
    let mut sample = Sample::default();
    event.record(&mut Values(&mut sample));
    sample
}

/// Keeps an event's values.
struct Values<'a>(&'a mut Sample);

impl Visit for Values<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

/// What was counted of one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeats {
    /// What the first of them said.
    pub(super) sample: Sample,
    /// How many there were that were not written.
    pub(super) count: u64,
    /// In how many seconds.
    pub(super) seconds: u64,
}

/// The lines of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Folds {
    lines: HashMap<Bucket, Fold>,
    /// How many lines are told apart for each client.
    clients: HashMap<u64, usize>,
    /// When counts were last looked at.
    looked: Option<Instant>,
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bucket {
    Line(u64),
    /// Whatever else is said of a client.
    OtherLines(u64),
    /// Whatever is said of other clients.
    OtherClients,
}

#[derive(Debug)]
struct Fold {
    client: u64,
    sample: Sample,
    count: u64,
    since: Instant,
}

impl Folds {
    /// Notes a line; says whether it is to be written.
    pub(super) fn note(&mut self, now: Instant, key: Key, sample: impl FnOnce() -> Sample) -> bool {
        if let Some(fold) = self.lines.get_mut(&Bucket::Line(key.line)) {
            fold.count += 1;
            return false;
        }
        let of_client = self.clients.get(&key.client).copied().unwrap_or_default();
        let bucket = match of_client {
            _ if self.clients.values().sum::<usize>() >= MOST => Bucket::OtherClients,
            MOST_PER_CLIENT.. => Bucket::OtherLines(key.client),
            _ => Bucket::Line(key.line),
        };
        let is_told_apart = bucket == Bucket::Line(key.line);
        let fold = self.lines.entry(bucket).or_insert_with(|| {
            let sample = summary(bucket, sample());
            Fold { client: key.client, sample, count: 0, since: now }
        });
        if is_told_apart {
            *self.clients.entry(key.client).or_default() += 1;
        } else {
            fold.count += 1;
        }
        is_told_apart
    }

    /// Whether anything is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The counts that are due, or all of them; a line that did not come again is forgotten.
    pub(super) fn take(&mut self, now: Instant, all: bool) -> Vec<Repeats> {
        const LOOK: Duration = Duration::from_secs(1);
        if !all && self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK) {
            return Vec::new();
        }
        self.looked = Some(now);
        let mut repeats = Vec::new();
        let clients = &mut self.clients;
        self.lines.retain(|bucket, fold| {
            let elapsed = now.duration_since(fold.since);
            if !all && elapsed < EVERY {
                return true;
            }
            let count = std::mem::take(&mut fold.count);
            if count > 0 {
                let seconds = elapsed.as_secs().max(1);
                repeats.push(Repeats { sample: fold.sample.clone(), count, seconds });
                fold.since = now;
            }
            // Another line of this kind is written at once.
            if (count == 0 || all)
                && matches!(bucket, Bucket::Line(_))
                && let Some(lines) = clients.get_mut(&fold.client)
            {
                *lines -= 1;
            }
            count > 0 && !all
        });
        clients.retain(|_, lines| *lines > 0);
        if self.lines.is_empty() {
            *self = Self { looked: self.looked, ..Self::default() };
        }
        repeats
    }
}

/// What the line with the count says: the fields of the first line, or only what all that is counted there has in common.
fn summary(bucket: Bucket, sample: Sample) -> Sample {
    let common: &[&str] = match bucket {
        Bucket::Line(_) => {
            &["client", "method", "path", "operation", "verdict", "reason", "fix", "status", "id"]
        }
        Bucket::OtherLines(_) => &["client", "verdict"],
        Bucket::OtherClients => &["verdict"],
    };
    let kept = sample.into_iter().filter(|(name, _)| common.contains(name));
    let mut kept: Sample = kept.map(|(name, value)| (name, shortened(value))).collect();
    let reason = match bucket {
        Bucket::Line(_) => return kept,
        Bucket::OtherLines(_) => "more different refusals than are logged one by one",
        Bucket::OtherClients => "refusals of more clients than are logged one by one",
    };
    kept.push(("reason", reason.to_owned()));
    kept
}

fn shortened(mut value: String) -> String {
    if value.len() > MOST_VALUE_BYTES {
        let end = (0..=MOST_VALUE_BYTES).rev().find(|end| value.is_char_boundary(*end));
        value.truncate(end.unwrap_or_default());
        value.push('…');
        value.shrink_to_fit();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: u64, client: u64) -> Key {
        Key { line, client }
    }

    fn sample(client: &str) -> Sample {
        [("client", client), ("reason", "r"), ("verdict", "refused"), ("bytes", "0")]
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    }

    #[test]
    fn the_first_line_is_written_and_the_others_are_counted() {
        let mut folds = Folds::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(folds.note(at(0), key(1, 1), || sample("a")));
        for _ in 0..1000 {
            assert!(!folds.note(at(1), key(1, 1), || panic!("it is known")));
        }
        assert!(folds.note(at(1), key(2, 1), || sample("a")), "another line is another matter");
        assert_eq!(folds.take(at(4), false), []);
        let told = folds.take(at(5), false);
        let want: Sample = ["client", "reason", "verdict"]
            .map(|name| sample("a").into_iter().find(|(it, _)| *it == name).unwrap())
            .into();
        assert_eq!(told, [Repeats { sample: want, count: 1000, seconds: 5 }]);
        // It goes on, and then it does not.
        assert!(!folds.note(at(6), key(1, 1), || panic!("it is known")));
        assert_eq!(folds.take(at(10), false)[0].count, 1);
        assert_eq!(folds.take(at(15), false), []);
        assert!(folds.is_empty() && folds.clients.is_empty());
        assert!(folds.note(at(16), key(1, 1), || sample("a")), "it is news again");
    }

    #[test]
    fn nothing_is_lost_at_the_end() {
        let mut folds = Folds::default();
        let now = Instant::now();
        for line in [1, 1, 2, 2, 2] {
            folds.note(now, key(line, 1), || sample("a"));
        }
        let mut counts: Vec<_> = folds.take(now, true).iter().map(|it| it.count).collect();
        counts.sort_unstable();
        assert_eq!((counts, folds.is_empty()), (vec![1, 2], true));
    }

    #[test]
    fn what_is_kept_is_limited() {
        let mut folds = Folds::default();
        let now = Instant::now();
        let written =
            (0..1000).filter(|line| folds.note(now, key(*line, 1), || sample("a"))).count();
        assert_eq!((written, folds.lines.len()), (MOST_PER_CLIENT, MOST_PER_CLIENT + 1));
        // One client leaves room for others, and then they are counted together.
        let others = 1000..100_000;
        let written = others.filter(|it| folds.note(now, key(*it, *it), || sample("b"))).count();
        assert_eq!(written, MOST - MOST_PER_CLIENT);
        assert_eq!((folds.lines.len(), folds.clients.len()), (MOST + 2, 1 + written));
        let told = folds.take(now, true);
        let count = |client: Option<&str>| {
            let of_client = |it: &&Repeats| {
                it.sample.iter().find(|(name, _)| *name == "client").map(|(_, it)| it.as_str())
                    == client
            };
            told.iter().find(of_client).unwrap().count
        };
        assert_eq!(count(Some("a")), 1000 - MOST_PER_CLIENT as u64);
        assert_eq!(count(None), 99_000 - written as u64);
        let long = summary(Bucket::Line(1), vec![("reason", "é".repeat(10_000))]);
        assert!(long[0].1.len() <= MOST_VALUE_BYTES + 3);
    }
}
