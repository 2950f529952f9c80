//! What a scenario saw, in words that are the same in every run: names, ids and addresses are replaced.

use std::sync::{Mutex, PoisonError};

/// A growing record of what a client saw.
#[derive(Debug, Default)]
pub struct Transcript {
    lines: Mutex<Vec<String>>,
    replace: Vec<(String, &'static str)>,
}

impl Transcript {
    /// A transcript that replaces each text by its stand-in.
    pub fn replacing(replace: Vec<(String, &'static str)>) -> Self {
        Self { lines: Mutex::default(), replace }
    }

    /// Adds to it.
    pub fn note(&self, text: &str) {
        let mut text = text.to_owned();
        for (from, to) in &self.replace {
            text = text.replace(from, to);
        }
        let text = without_ids(&text);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// Replaces hexadecimal words of the lengths that ids have.
fn without_ids(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_alphanumeric() => word.push(c),
            other => {
                let is_id = matches!(word.len(), 12 | 64)
                    && word.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
                out.push_str(if is_id { "ID" } else { &word });
                word.clear();
                out.extend(other);
            }
        }
    }
    out
}

/// Compares two transcripts and shows both where they part.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn same(direct: &str, through: &str) {
    if direct == through {
        return;
    }
    let at = direct.lines().zip(through.lines()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str| text.lines().skip(at.saturating_sub(3)).collect::<Vec<_>>().join("\n");
    panic!(
        "the clients saw different things, from line {} on\n--- straight on the engine\n{}\n--- through sockwarden\n{}",
        at + 1,
        rest(direct),
        rest(through)
    );
}
