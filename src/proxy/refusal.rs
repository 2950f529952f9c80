//! Why a request gets an answer of ours in place of the engine's, with one face for the client and one for the log.
//!
//! The client's is JSON with a `message`, which a Docker client shows: what was asked, why it was refused, what would allow it, and the id
//! under which the log has it.

use std::borrow::Cow;

use http::StatusCode;
use serde::Serializer as _;

use crate::audit::{Decision, Outcome, Record, RecordId};
use crate::bounds::Limit;
use crate::bounds::Limits;
use crate::clauses::Clause;
use crate::client::WhyUnknown;
use crate::engine::EngineError;
use crate::policy::DenyReason;
use crate::wording::{self, Explanation};

/// Why a request gets an answer of ours.
#[derive(Debug)]
pub enum Refusal {
    /// The gate found no single reading of its head.
    Gate(Unreadable),
    /// It takes more than it may.
    Limit(Limit),
    /// The policy does not allow it.
    Denied(Box<Denial>),
    /// Its body, which was to be judged, ended early.
    BrokenBody,
    /// The engine did not say what has to be known to judge it.
    Unjudged(EngineError),
    /// It was allowed, and the engine, or its own body on the way there, failed.
    Engine(EngineError),
}

/// What is wrong with a head that the gate stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What to answer.
    pub status: StatusCode,
    /// What was wrong and what to do.
    pub message: String,
}

/// What the policy does not allow, and what would change that.
#[derive(Debug)]
pub struct Denial {
    /// Why not.
    pub reason: DenyReason,
    /// The same in words.
    pub explanation: Explanation,
}

impl From<Limit> for Refusal {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl Refusal {
    /// What it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Gate(unreadable) => unreadable.status,
            Self::Limit(limit) => limit.status(),
            Self::Denied(denied) => status_of(&denied.reason),
            Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::Unjudged(error) | Self::Engine(error) => engine_status(error),
        }
    }

    /// What the client is told.
    pub fn for_client(&self, limits: &Limits) -> Cow<'_, str> {
        match self {
            Self::Gate(unreadable) => Cow::Borrowed(&unreadable.message),
            Self::Limit(limit) => Cow::Owned(limit.message(limits)),
            Self::Denied(denied) => Cow::Borrowed(&denied.explanation.message),
            Self::BrokenBody => Cow::Borrowed("the request body ended early; send it whole"),
            // Not by the name that was looked up: that may come from an answer which the client must not read.
            Self::Unjudged(error) => {
                format!("what this names cannot be judged: {}", engine_message(error)).into()
            }
            Self::Engine(error) => engine_message(error),
        }
    }

    /// What the log says of it.
    pub fn for_log(&self, limits: &Limits) -> Cow<'_, str> {
        match self {
            Self::Denied(denied) => wording::reason(&denied.reason).into(),
            Self::Engine(error) => with_sources(error).into(),
            Self::Gate(_) | Self::Limit(_) | Self::BrokenBody | Self::Unjudged(_) => {
                self.for_client(limits)
            }
        }
    }

    /// The limit that was reached, where one was.
    pub fn limit(&self) -> Option<Limit> {
        if let Self::Limit(limit) = self { Some(*limit) } else { None }
    }

    /// Whether it ends the connection, whatever came with the request: there may be no next message, or nobody whom we serve.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::Denied(denied) => is_stranger(&denied.reason),
            Self::Gate(_)
            | Self::Limit(_)
            | Self::BrokenBody
            | Self::Unjudged(_)
            | Self::Engine(_) => true,
        }
    }

    /// Writes into the request's record what became of it.
    pub fn note(self, record: &mut Record, limits: &Limits) {
        record.status = Some(self.status());
        record.outcome = self.outcome();
        let reason = self.for_log(limits).into_owned();
        match self {
            // It was allowed all the same.
            Self::Engine(_) => record.failure = Some(reason),
            Self::Denied(denied) => {
                record.is_stranger = is_stranger(&denied.reason);
                record.decision = Decision::Refused(reason);
                let Explanation { message, fix } = denied.explanation;
                record.told = Some(message);
                record.fix = Some(fix);
            }
            Self::Gate(_) | Self::Limit(_) | Self::BrokenBody | Self::Unjudged(_) => {
                record.decision = Decision::Refused(reason);
            }
        }
    }

    /// The body of the answer.
    pub fn body(&self, id: RecordId, limits: &Limits) -> Vec<u8> {
        let message = self.for_client(limits);
        let mut body = Vec::with_capacity(message.len() + 64);
        body.extend_from_slice(b"{\"message\":");
        // Memory takes what is written to it.
        let text = format_args!("sockwarden: {message} (id {id})");
        let _ = serde_json::Serializer::new(&mut body).collect_str(&text);
        body.extend_from_slice(b"}\n");
        body
    }

    /// The whole answer, for a connection from which nothing was read.
    pub fn whole_answer(&self, limits: &Limits) -> String {
        let status = self.status();
        let message = format!("sockwarden: {}", self.for_client(limits));
        let body = format!("{{\"message\":{}}}\n", serde_json::Value::String(message));
        format!(
            "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            body.len()
        )
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Gate(_) | Self::Limit(_) | Self::Denied(_) => Outcome::Refused,
            Self::BrokenBody | Self::Engine(EngineError::ClientBody) => Outcome::Aborted,
            Self::Unjudged(_) | Self::Engine(_) => Outcome::EngineFailed,
        }
    }
}

/// The status of what is denied; method and path as the peer's users know them.
pub fn status_of(reason: &DenyReason) -> StatusCode {
    match reason {
        DenyReason::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
        // Ask again: the engine may be back.
        DenyReason::UnknownClient(WhyUnknown::Stale) => StatusCode::SERVICE_UNAVAILABLE,
        DenyReason::CodedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        DenyReason::BodyNotTaken
        | DenyReason::FormBody
        | DenyReason::UnknownBody
        | DenyReason::UnclearBody(_)
        | DenyReason::TooManyNames => StatusCode::BAD_REQUEST,
        DenyReason::Violation(violation) => match violation.clause {
            Clause::Unclear => StatusCode::BAD_REQUEST,
            Clause::NoSuchObject => StatusCode::NOT_FOUND,
            _ => StatusCode::FORBIDDEN,
        },
        DenyReason::NotAdmitted
        | DenyReason::UnknownClient(_)
        | DenyReason::BrokenLabels(_)
        | DenyReason::Creator(_)
        | DenyReason::NoPath
        | DenyReason::NoWord
        | DenyReason::Step(_) => StatusCode::FORBIDDEN,
    }
}

/// Whether it came from somebody we do not serve, whatever was asked.
fn is_stranger(reason: &DenyReason) -> bool {
    matches!(reason, DenyReason::NotAdmitted | DenyReason::UnknownClient(_))
}

fn engine_status(error: &EngineError) -> StatusCode {
    match error {
        EngineError::Slow(_) => StatusCode::GATEWAY_TIMEOUT,
        EngineError::NoDescriptor(_) => StatusCode::SERVICE_UNAVAILABLE,
        EngineError::ClientBody => StatusCode::BAD_REQUEST,
        EngineError::Unreachable { .. }
        | EngineError::Broken(_)
        | EngineError::TooLarge
        | EngineError::NotHttp(_)
        | EngineError::Unexpected(_)
        | EngineError::Refused(_) => StatusCode::BAD_GATEWAY,
    }
}

fn engine_message(error: &EngineError) -> Cow<'static, str> {
    match error {
        EngineError::ClientBody => {
            "the request body ended early or is too long; send it whole".into()
        }
        error => error.to_string().into(),
    }
}

/// An error and what caused it, on one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn record_of(refusal: Refusal) -> Record {
        let mut record = Record::new("a".into());
        refusal.note(&mut record, &Limits::default());
        record
    }

    #[track_caller]
    fn check(refusal: Refusal, status: u16, outcome: Outcome, client: &str, log: &str) {
        let limits = Limits::default();
        assert_eq!(refusal.status().as_u16(), status);
        assert_eq!(refusal.for_client(&limits), client);
        assert_eq!(refusal.for_log(&limits), log);
        let was_allowed = matches!(refusal, Refusal::Engine(_));
        let record = record_of(refusal);
        assert_eq!((record.status.map(|it| it.as_u16()), record.outcome), (Some(status), outcome));
        match &record.decision {
            Decision::Refused(reason) => assert_eq!((reason.as_str(), was_allowed), (log, false)),
            _ => assert_eq!((record.failure.as_deref(), was_allowed), (Some(log), true)),
        }
    }

    #[test]
    fn a_refusal_has_a_face_for_the_client_and_one_for_the_log() {
        let message = "send it again".to_owned();
        let gate = Refusal::Gate(Unreadable { status: StatusCode::BAD_REQUEST, message });
        check(gate, 400, Outcome::Refused, "send it again", "send it again");
        let streams =
            "this client has 900 streams open; close some, or raise `-maxstreamsperclient`";
        check(Limit::StreamsPerClient.into(), 429, Outcome::Refused, streams, streams);
        let early = "the request body ended early; send it whole";
        check(Refusal::BrokenBody, 400, Outcome::Aborted, early, early);
        // The log has the causes; the client of a request that could not be judged has no more than the log.
        let broken = || EngineError::Broken(Box::new(io::Error::other("reset")));
        let told = "the engine ended the connection before it answered; look at the engine's log";
        check(
            Refusal::Engine(broken()),
            502,
            Outcome::EngineFailed,
            told,
            &format!("{told}: reset"),
        );
        let unjudged = format!("what this names cannot be judged: {told}");
        check(Refusal::Unjudged(broken()), 502, Outcome::EngineFailed, &unjudged, &unjudged);
        let early = "the request body ended early or is too long; send it whole";
        let log = "the request body ended early";
        check(Refusal::Engine(EngineError::ClientBody), 400, Outcome::Aborted, early, log);
    }

    #[test]
    fn only_a_denial_lets_the_connection_go_on_and_only_for_those_we_serve() {
        let denied = |reason| {
            let explanation = Explanation { message: "no".to_owned(), fix: "yes".to_owned() };
            Refusal::Denied(Box::new(Denial { reason, explanation }))
        };
        assert!(!denied(DenyReason::NoPath).ends_connection());
        assert!(denied(DenyReason::NotAdmitted).ends_connection());
        assert!(Refusal::from(Limit::Waiting).ends_connection());
        assert!(Refusal::BrokenBody.ends_connection());
        let record = record_of(denied(DenyReason::NotAdmitted));
        assert_eq!((record.is_stranger, record.fix.as_deref()), (true, Some("yes")));
        assert!(!record_of(denied(DenyReason::NoPath)).is_stranger);
    }
}
