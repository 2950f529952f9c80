//! A record as a line in the log: refusals and failures always, what was allowed at `DEBUG`.

use std::time::Duration;

use super::record::{Decision, Outcome, Record};
use super::sameness::sameness;
use crate::policy::Grant;
use crate::request::Method;
use crate::text::printable;

/// The longest advice that is logged. A pattern for a path of kilobytes is in the answer alone.
const LONGEST_FIX_BYTES: usize = 1024;

/// Writes the line, if the log takes one like it.
pub(super) fn write(record: &Record) {
    let failed = matches!(record.outcome, Outcome::EngineFailed | Outcome::Panicked);
    let quiet = !failed && !matches!(record.decision, Decision::Refused(_));
    if quiet && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let (verdict, reason) = match &record.decision {
        Decision::Unjudged => ("none", String::new()),
        Decision::Allowed(Grant::Ping) => ("allowed", "ping is open".to_owned()),
        Decision::Allowed(Grant::Word(rule)) => {
            ("allowed", format!("{} {}", rule.origin, rule.text))
        }
        Decision::Allowed(Grant::Rule(rule)) => {
            ("allowed", format!("{} {}", rule.origin, rule.path.as_str()))
        }
        Decision::Refused(reason) => ("refused", reason.clone()),
    };
    let reason = record.failure.clone().unwrap_or(reason);
    let fix = record.fix.as_deref().filter(|fix| (1..=LONGEST_FIX_BYTES).contains(&fix.len()));
    /// The level must be known at compile time, so the same line is spelled for each.
    macro_rules! write_at {
        ($level:expr, $message:literal $(, $field:ident = $value:expr)*) => {
            tracing::event!(
                $level,
                client = &*record.client,
                method = record.method.map_or("-", Method::as_str),
                path = &*printable(&record.path),
                operation = record.operation.id(),
                verdict,
                reason,
                fix,
                status = record.status.map_or(0, |status| status.as_u16()),
                outcome = record.outcome.as_str(),
                bytes = record.bytes_out,
                duration_ms = milliseconds(record.elapsed()),
                id = %record.id,
                $($field = $value,)*
                $message
            )
        };
    }
    match (&record.decision, record.outcome) {
        (_, Outcome::Panicked) => {
            write_at!(tracing::Level::ERROR, "sockwarden failed; please report this");
        }
        (Decision::Refused(_), _) => {
            let (fold, fold_client) = sameness(record, &reason);
            write_at!(
                tracing::Level::WARN,
                "blocked request",
                fold = fold,
                fold_client = fold_client
            );
        }
        (_, Outcome::EngineFailed) => write_at!(tracing::Level::ERROR, "engine failed"),
        (Decision::Allowed(_), _) => write_at!(tracing::Level::DEBUG, "allowed request"),
        (Decision::Unjudged, _) => write_at!(tracing::Level::DEBUG, "aborted request"),
    }
}

/// With three digits behind the point.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
