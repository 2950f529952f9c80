//! One record per request: written when it is dropped, whatever happened.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::StatusCode;

use crate::policy::Grant;
use crate::request::{Method, Operation};
use crate::text::printable;

/// The longest advice that is logged. A pattern for a path of kilobytes is in the answer alone.
const LONGEST_FIX_BYTES: usize = 1024;

/// What happened to one request.
///
// INVARIANT: every request has exactly one, and its drop writes it; an outcome nobody set is `Aborted`.
#[derive(Debug)]
pub struct Record {
    /// What ties a refusal to its log line.
    pub id: RecordId,
    /// Who asked, by name or address.
    pub client: Arc<str>,
    /// The method, where one was read.
    pub method: Option<Method>,
    /// The decoded path with its version prefix, or what was sent in its place; never the query.
    pub path: String,
    /// What the path means.
    pub operation: Operation,
    /// Why it was allowed or refused.
    pub verdict: Verdict,
    /// The status the client was answered.
    pub status: Option<StatusCode>,
    /// How it ended.
    pub outcome: Outcome,
    /// What would have allowed it, where it was refused.
    pub fix: Option<String>,
    /// What failed, where the engine did.
    pub failure: Option<String>,
    /// Whether it came from somebody we do not serve, so that it does not matter what was asked.
    pub is_stranger: bool,
    /// Bytes of the answer that went to the client behind its head.
    pub bytes_out: u64,
    began: Instant,
}

impl Record {
    /// Opens the record of a request.
    pub fn open(client: Arc<str>) -> Self {
        Self {
            id: RecordId::next(),
            client,
            method: None,
            path: String::new(),
            operation: Operation::Unknown,
            verdict: Verdict::Unjudged,
            status: None,
            outcome: Outcome::Aborted,
            fix: None,
            failure: None,
            is_stranger: false,
            bytes_out: 0,
            began: Instant::now(),
        }
    }
}

impl Record {
    /// What refusals have in common that are counted as one in the log, and the same for the client alone.
    fn sameness(&self, reason: &str) -> (u64, u64) {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        // A Unix client's process may live for one request.
        let client = self.client.split(" pid ").next().unwrap_or_default();
        let asked = (!self.is_stranger).then(|| {
            // The object does not matter; of what is no operation, the first words of the path do.
            let path = (self.operation == Operation::Unknown).then(|| first_words(&self.path));
            (self.method, self.operation, path, self.status.map(|status| status.as_u16()), reason)
        });
        (KEYS.hash_one((client, asked)), KEYS.hash_one(client))
    }
}

/// The first segments of a path, its version among them.
fn first_words(path: &str) -> &str {
    const SEGMENTS: usize = 3;
    let end = path.match_indices('/').nth(SEGMENTS).map_or(path.len(), |(at, _)| at);
    path.get(..end).unwrap_or_default()
}

/// What was decided.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Nothing yet.
    Unjudged,
    /// Allowed, and by what.
    Allowed(Grant),
    /// Refused, and why.
    Refused(String),
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer went to the client.
    Answered,
    /// The connection left HTTP, and both directions ended.
    Hijacked,
    /// We refused it.
    Refused,
    /// The engine could not be reached, or broke off.
    EngineFailed,
    /// The client went away, or we were told to stop.
    Aborted,
    /// We panicked: a bug of ours.
    Panicked,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Hijacked => "hijacked",
            Self::Refused => "refused",
            Self::EngineFailed => "engine failed",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // A task that panics drops what it holds on its way out, and so it is the request's own record that tells.
        if self.outcome == Outcome::Aborted && std::thread::panicking() {
            self.outcome = Outcome::Panicked;
        }
        let failed = matches!(self.outcome, Outcome::EngineFailed | Outcome::Panicked);
        let quiet = !failed && !matches!(self.verdict, Verdict::Refused(_));
        if quiet && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (verdict, reason) = match &self.verdict {
            Verdict::Unjudged => ("none", String::new()),
            Verdict::Allowed(Grant::Ping) => ("allowed", "ping is open".to_owned()),
            Verdict::Allowed(Grant::Rule(rule)) => {
                ("allowed", format!("{} {}", rule.origin, rule.path.as_str()))
            }
            Verdict::Refused(reason) => ("refused", reason.clone()),
        };
        let reason = self.failure.clone().unwrap_or(reason);
        let fix = self.fix.as_deref().filter(|fix| (1..=LONGEST_FIX_BYTES).contains(&fix.len()));
        /// The level must be known at compile time, so the same line is spelled for each.
        macro_rules! write_at {
            ($level:expr, $message:literal $(, $field:ident = $value:expr)*) => {
                tracing::event!(
                    $level,
                    client = &*self.client,
                    method = self.method.map_or("-", Method::as_str),
                    path = &*printable(&self.path),
                    operation = self.operation.id(),
                    verdict,
                    reason,
                    fix,
                    status = self.status.map_or(0, |status| status.as_u16()),
                    outcome = self.outcome.as_str(),
                    bytes = self.bytes_out,
                    duration_ms = milliseconds(self.began.elapsed()),
                    id = %self.id,
                    $($field = $value,)*
                    $message
                )
            };
        }
        match (&self.verdict, self.outcome) {
            (_, Outcome::Panicked) => {
                write_at!(tracing::Level::ERROR, "sockwarden failed; please report this");
            }
            (Verdict::Refused(_), _) => {
                let (fold, fold_client) = self.sameness(&reason);
                write_at!(
                    tracing::Level::WARN,
                    "blocked request",
                    fold = fold,
                    fold_client = fold_client
                );
            }
            (_, Outcome::EngineFailed) => write_at!(tracing::Level::ERROR, "engine failed"),
            (Verdict::Allowed(_), _) => write_at!(tracing::Level::DEBUG, "allowed request"),
            (Verdict::Unjudged, _) => write_at!(tracing::Level::DEBUG, "aborted request"),
        }
    }
}

/// With three digits behind the point.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Eight hexadecimal digits that name a request until the counter has gone round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordId(u32);

impl RecordId {
    fn next() -> Self {
        // A random start keeps the ids of two runs apart in one log.
        static NEXT: LazyLock<AtomicU64> =
            LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the id")]
        Self(NEXT.fetch_add(1, Ordering::Relaxed) as u32)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
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
        let mut id = String::new();
        let log = logged(|| {
            let mut finished = Record::open("b".into());
            finished.outcome = Outcome::Answered;
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let record = Record::open("a".into());
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
