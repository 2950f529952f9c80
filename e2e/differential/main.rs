//! Whether our reader of JSON and the engine's find the same in a document. A model of ours would only agree with itself, so random
//! documents go through Go's `encoding/json` (`oracle.go`), and a sample of them through the engine.
//!
//! | variable | meaning |
//! |---|---|
//! | `SOCKWARDEN_TEST_DOCUMENTS` | how many documents Go is asked about; a full run has 1000000 |
//! | `SOCKWARDEN_TEST_CONTAINERS` | how many the engine is asked to create containers from; a full run has 2000 |
//! | `SOCKWARDEN_TEST_SEED` | the seed of the random documents; a failure names it |
//! | `SOCKWARDEN_TEST_GO` | the `go` to build `oracle.go` with; default the one in `target/go`, else in `PATH` |

mod document;
mod dump;
mod engine;
mod fields;
mod generate;
mod oracle;
mod random;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, thread};

use oracle::{Answer, Oracle};
use random::Random;
use sockwarden::request::json::{Json, Keys};

const SEED: u64 = 20_261_125;
const DOCUMENTS: u64 = 10_000;
/// So many go to one run of the Go program.
const BATCH: u64 = 5_000;

#[test]
fn go_finds_what_we_find() {
    let Some(oracle) = Oracle::build() else { return };
    let (seed, documents) =
        (number("SOCKWARDEN_TEST_SEED", SEED), number("SOCKWARDEN_TEST_DOCUMENTS", DOCUMENTS));
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= documents {
                        return;
                    }
                    let mut batch = Tally::default();
                    batch.compare(&oracle, seed, first..documents.min(first + BATCH));
                    tally.lock().expect("no thread panicked").add(batch);
                }
            });
        }
    });
    let tally = tally.into_inner().expect("no thread panicked");
    say(&format!("seed {seed}, {}\n{tally}", oracle.version));
    assert!(tally.differences.is_empty(), "differences:\n{}", tally.differences.join("\n"));
    assert!(tally.both * 4 >= documents, "fewer than a quarter are accepted by both");
}

/// What became of the documents.
#[derive(Debug, Default)]
struct Tally {
    documents: u64,
    both: u64,
    only_we: u64,
    only_go: u64,
    neither: u64,
    refused: BTreeMap<String, u64>,
    differences: Vec<String>,
}

impl Tally {
    fn compare(&mut self, oracle: &Oracle, seed: u64, numbers: std::ops::Range<u64>) {
        let documents: Vec<_> = numbers
            .clone()
            .map(|number| generate::document(&mut Random::of(seed, number)))
            .collect();
        let ours: Vec<_> =
            documents.iter().map(|(_, bytes)| Json::parse(bytes, Keys::Fields)).collect();
        let canonical: Vec<Option<String>> =
            ours.iter().map(|ours| ours.as_ref().ok().map(Json::to_text)).collect();
        let mut questions: Vec<(u8, &[u8])> =
            documents.iter().map(|(body, bytes)| (body.letter, bytes.as_slice())).collect();
        questions.extend(documents.iter().zip(&canonical).map(|((body, _), canonical)| {
            (body.letter, canonical.as_deref().unwrap_or("null").as_bytes())
        }));
        let answers = oracle.ask(&questions);
        let (answers, to_canonical) = answers.split_at(documents.len());
        for (index, number) in numbers.enumerate() {
            let (body, bytes) = &documents[index];
            let mut differ = |what: &str| {
                self.differences.push(format!(
                    "document {number}: {what}\n  sent: {:?}\n  go:   {:?}\n  ours: {:?}",
                    String::from_utf8_lossy(bytes),
                    answers[index],
                    ours[index].as_ref().map(|ours| dump::dump(ours, body.members)),
                ));
            };
            self.documents += 1;
            match (&ours[index], &answers[index]) {
                (Ok(ours), Ok(go)) => {
                    self.both += 1;
                    if dump::dump(ours, body.members) != *go {
                        differ("Go finds something else in it");
                    }
                }
                (Ok(_), Err(_)) => self.only_we += 1,
                (Err(_), Ok(_)) => self.only_go += 1,
                (Err(_), Err(_)) => self.neither += 1,
            }
            match (&ours[index], &canonical[index]) {
                (Ok(ours), Some(canonical)) => {
                    if Json::parse(canonical.as_bytes(), Keys::Fields).as_ref() != Ok(ours) {
                        differ("what we would send reads differently to ourselves");
                    }
                    if !same(&to_canonical[index], &answers[index]) {
                        differ("what we would send reads differently to Go");
                    }
                }
                (Err(error), _) => {
                    let reason = format!("{error:?}");
                    let reason = reason.split([' ', '{']).next().unwrap_or_default();
                    *self.refused.entry(reason.to_owned()).or_default() += 1;
                }
                (Ok(_), None) => {}
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.both += other.both;
        self.only_we += other.only_we;
        self.only_go += other.only_go;
        self.neither += other.neither;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.differences.extend(other.differences);
        self.differences.truncate(20);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} documents: accepted by both {}, refused by us {} (of which Go accepts {}), refused by Go alone {}, differences {}",
            self.documents,
            self.both,
            self.only_go + self.neither,
            self.only_go,
            self.only_we,
            self.differences.len(),
        )?;
        write!(f, "refused by us:")?;
        self.refused.iter().try_for_each(|(reason, count)| write!(f, " {reason} {count}"))
    }
}

/// Whether Go makes the same of two documents; the text of its errors holds places in them.
fn same(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`; give a number"))
        }
        Err(_) => default,
    }
}

/// Past the test harness's capture, so that the numbers of a run that passes are seen.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
