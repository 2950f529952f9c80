//! One record per request, and those who take it once it is whole: the log, and what `sockwarden clients` and `sockwarden why` show.

mod line;
mod recent;
mod record;
mod refusals;
mod sameness;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::client::ContainerId;
use recent::Recent;
use refusals::Refusals;

pub use record::{Decision, Outcome, Record, RecordId};
pub use refusals::RefusalReport;

/// Takes records. A new sink is a field here and a line in `Audit::take`.
#[derive(Debug, Default)]
pub struct Audit {
    recent: Recent,
    refusals: Refusals,
}

impl Audit {
    /// Opens the record of a request.
    pub fn open(self: &Arc<Self>, client: Arc<str>) -> OpenRecord {
        OpenRecord { record: Record::new(client), audit: Arc::clone(self) }
    }

    /// What a container was refused last, as far as it is remembered.
    pub fn last_refusal(&self, id: ContainerId) -> Option<String> {
        self.recent.of(id)
    }

    /// The last refusals, the newest first; those that repeat are one, with a count.
    pub fn refusals(&self) -> Vec<RefusalReport> {
        self.refusals.all()
    }

    /// Hands a record to every sink. None of them allocates for a request that was allowed, unless the log is at `DEBUG`.
    fn take(&self, record: &Record) {
        line::write(record);
        self.recent.take(record);
        self.refusals.take(record);
    }
}

/// The record of a request that goes on.
///
// INVARIANT: every request has exactly one, and its drop hands it to the sinks; an outcome nobody set is `Aborted`.
#[derive(Debug)]
pub struct OpenRecord {
    record: Record,
    audit: Arc<Audit>,
}

impl Deref for OpenRecord {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for OpenRecord {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        // A task that panics drops what it holds on its way out, and so it is the request's own record that tells.
        if self.record.outcome == Outcome::Aborted && std::thread::panicking() {
            self.record.outcome = Outcome::Panicked;
        }
        self.audit.take(&self.record);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is in the log after this was done.
    fn logged(act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_request_that_panics_is_logged_with_its_id_and_one_that_ended_before_is_not_blamed() {
        let audit = Arc::new(Audit::default());
        let mut id = String::new();
        let log = logged(|| {
            let mut finished = audit.open("b".into());
            finished.outcome = Outcome::Answered;
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let record = audit.open("a".into());
                id = record.id.to_string();
                let _dropped_on_the_way_out = (record, finished);
                panic!("for the test");
            }));
            assert!(panicked.is_err());
        });
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 1, "{log}");
        for part in ["ERROR", &id, "panicked", "please report"] {
            assert!(lines[0].contains(part), "`{part}` is not in {log}");
        }
    }
}
