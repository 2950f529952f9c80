//! The last refusals, for `sockwarden why`. Those that repeat are one with a count, and no client has more than its share, so that one that
//! asks again and again does not push out what others were refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::record::{Decision, Record};
use super::sameness::sameness;
use crate::request::Method;
use crate::text::shortened;

/// How many refusals are remembered of all clients.
const MOST: usize = 256;
/// How many of one client; of all strangers together as many.
const MOST_PER_CLIENT: usize = 32;
/// How much of each text is remembered, in characters. All texts together stay below 3 MiB, whatever their alphabet.
const LONGEST_TEXT: usize = 512;
/// How many ids of one refusal are remembered besides the first: those of the newest.
const NEWEST_IDS: usize = 7;

/// One refusal, or several that are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// Under which ids the log and the answers have it: the first, and the last ones.
    pub ids: Vec<String>,
    /// How long ago the last one was, in seconds.
    pub seconds_ago: u64,
    /// How often it happened.
    pub count: u64,
    /// Who asked.
    pub client: String,
    /// The method, or `-`.
    pub method: String,
    /// The path that was asked for last, without its query.
    pub path: String,
    /// The operation.
    pub operation: String,
    /// The status that was answered.
    pub status: u16,
    /// Why it was refused.
    pub reason: String,
    /// What the client was told, if it was judged.
    pub told: Option<String>,
    /// What would allow it, if something does.
    pub fix: Option<String>,
}

/// The last refusals.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// By what makes them the same.
    kept: HashMap<u64, Kept>,
    /// The keys of those, the oldest first.
    order: BTreeMap<u64, u64>,
    /// How many there have been.
    count: u64,
}

#[derive(Debug)]
struct Kept {
    /// How many there had been before the last one.
    number: u64,
    /// What its client has in common with the same client, or all strangers.
    client: u64,
    at: Instant,
    report: RefusalReport,
}

impl Refusals {
    /// Remembers a record if it is of a refusal.
    pub(super) fn take(&self, record: &Record) {
        let Decision::Refused(reason) = &record.decision else { return };
        let (key, client) = sameness(record, reason);
        // Nobody counts how many strangers there are.
        let client = if record.is_stranger { 0 } else { client };
        self.lock().put(key, client, record, reason);
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<RefusalReport> {
        let ring = self.lock();
        let newest = ring.order.values().rev().filter_map(|key| ring.kept.get(key));
        newest
            .map(|kept| RefusalReport {
                seconds_ago: kept.at.elapsed().as_secs(),
                ..kept.report.clone()
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic inside leaves at worst one refusal too many or too few.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn put(&mut self, key: u64, client: u64, record: &Record, reason: &str) {
        let number = self.count;
        self.count += 1;
        let id = record.id.to_string();
        if let Some(kept) = self.kept.get_mut(&key) {
            self.order.remove(&kept.number);
            (kept.number, kept.at) = (number, Instant::now());
            kept.report.count += 1;
            let path = short(&record.path);
            if kept.report.path != path {
                kept.report.path = path;
                kept.report.told = record.told.as_deref().map(short);
                kept.report.fix = record.fix.as_deref().and_then(fix);
            }
            if kept.report.ids.len() > NEWEST_IDS {
                kept.report.ids.remove(1);
            }
            kept.report.ids.push(id);
            self.order.insert(number, key);
            return;
        }
        let report = RefusalReport {
            ids: vec![id],
            seconds_ago: 0,
            count: 1,
            client: short(&record.client),
            method: record.method.map_or("-", Method::as_str).to_owned(),
            path: short(&record.path),
            operation: record.operation.to_string(),
            status: record.status.map_or(0, |status| status.as_u16()),
            reason: short(reason),
            told: record.told.as_deref().map(short),
            fix: record.fix.as_deref().and_then(fix),
        };
        self.kept.insert(key, Kept { number, client, at: Instant::now(), report });
        self.order.insert(number, key);
        let of_client = |key: &&u64| self.kept.get(key).is_some_and(|kept| kept.client == client);
        let own = self.order.values().filter(of_client).count();
        let oldest = if own > MOST_PER_CLIENT {
            self.order.values().find(of_client).copied()
        } else if self.kept.len() > MOST {
            self.order.values().next().copied()
        } else {
            None
        };
        if let Some(kept) = oldest.and_then(|oldest| self.kept.remove(&oldest)) {
            self.order.remove(&kept.number);
        }
    }
}

fn short(text: &str) -> String {
    shortened(text, LONGEST_TEXT).into_owned()
}

/// A fix that is cut off would be a wrong one.
fn fix(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.chars().count() <= LONGEST_TEXT;
    fits.then(|| short(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Operation;

    fn refused(client: &str, path: &str) -> Record {
        let mut record = Record::new(client.into());
        record.method = Some(Method::Get);
        path.clone_into(&mut record.path);
        record.operation = Operation::find(Method::Get, path);
        record.decision = Decision::Refused("path not allowed".to_owned());
        record.told = Some(format!("GET {path} is not allowed"));
        record.fix = Some(format!("allow {path}"));
        record
    }

    #[test]
    fn what_repeats_is_one_with_a_count_and_the_newest_is_first() {
        let refusals = Refusals::default();
        let (first, other) = (refused("a", "/containers/x/json"), refused("b", "/info"));
        refusals.take(&first);
        refusals.take(&other);
        let mut last = String::new();
        for number in 0..100 {
            let again = refused("a", &format!("/containers/{number}/json"));
            last = again.id.to_string();
            refusals.take(&again);
        }
        let all = refusals.all();
        let shown: Vec<_> = all.iter().map(|it| (&*it.client, it.count, &*it.path)).collect();
        assert_eq!(shown, [("a", 101, "/containers/99/json"), ("b", 1, "/info")]);
        assert_eq!(all[0].ids.len(), 1 + NEWEST_IDS);
        assert_eq!(
            (&all[0].ids[0], all[0].ids.last()),
            (&first.id.to_string(), Some(&last)),
            "the log has the first, the client the last"
        );
        assert_eq!(all[0].fix.as_deref(), Some("allow /containers/99/json"));
        // What was allowed or never judged is none.
        refusals.take(&Record::new("c".into()));
        assert_eq!(refusals.all().len(), 2);
    }

    #[test]
    fn nobody_pushes_out_what_others_were_refused() {
        let refusals = Refusals::default();
        let quiet = "quiet";
        refusals.take(&refused(quiet, "/info"));
        for number in 0..1000 {
            refusals.take(&refused("loud", &format!("/x{number}/y/z")));
            let mut stranger = refused(&format!("10.0.0.{number}"), "/info");
            stranger.is_stranger = true;
            refusals.take(&stranger);
        }
        let all = refusals.all();
        assert!(all.iter().any(|it| it.client == quiet), "{}", all.len());
        assert_eq!(all.iter().filter(|it| it.client == "loud").count(), MOST_PER_CLIENT);
        assert_eq!(all.len(), 2 * MOST_PER_CLIENT + 1);
        assert_eq!(all[1].path, "/x999/y/z");
    }

    #[test]
    fn what_is_remembered_is_limited() {
        let refusals = Refusals::default();
        for number in 0..3 * MOST {
            let mut record = refused(&number.to_string(), &"é".repeat(5000));
            record.fix = record.told.clone();
            refusals.take(&record);
        }
        let ring = refusals.lock();
        assert_eq!((ring.kept.len(), ring.order.len()), (MOST, MOST));
        for kept in ring.kept.values() {
            assert!(kept.report.path.chars().count() <= LONGEST_TEXT + 1);
            assert_eq!(kept.report.fix, None, "half a fix is none");
        }
    }
}
