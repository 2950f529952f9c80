//! Refusals and failures as a Docker client shows them: JSON with a `message` that says what was asked, why it was refused and what
//! would allow it, and the id under which the log has it.

use http::StatusCode;
use serde::Serializer as _;

use crate::audit::RecordId;
use crate::bounds::Limit;
use crate::clauses::Clause;
use crate::client::WhyUnknown;
use crate::config::Limits;
use crate::engine::EngineError;
use crate::policy::DenyReason;

/// The status a refusal is answered with; method and path as the peer's users know them.
pub fn status(reason: &DenyReason) -> StatusCode {
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
        | DenyReason::NoPath => StatusCode::FORBIDDEN,
    }
}

/// What the client is told when the engine failed it.
pub fn engine_failure(error: &EngineError) -> (StatusCode, String) {
    match error {
        EngineError::Slow(_) => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
        EngineError::NoDescriptor(_) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        EngineError::ClientBody => (
            StatusCode::BAD_REQUEST,
            "the request body ended early or is too long; send it whole".to_owned(),
        ),
        EngineError::Unreachable { .. }
        | EngineError::Broken(_)
        | EngineError::TooLarge
        | EngineError::NotHttp(_)
        | EngineError::Unexpected(_)
        | EngineError::Refused(_) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

/// The body of an answer of ours.
pub fn body(message: &str, id: RecordId) -> Vec<u8> {
    let mut body = Vec::with_capacity(message.len() + 64);
    body.extend_from_slice(b"{\"message\":");
    // Memory takes what is written to it.
    let text = format_args!("sockwarden: {message} (id {id})");
    let _ = serde_json::Serializer::new(&mut body).collect_str(&text);
    body.extend_from_slice(b"}\n");
    body
}

/// The answer on a connection for which there is no place; nothing was read from it.
pub fn turned_away(limit: Limit, limits: &Limits) -> String {
    let status = limit.status();
    let message = format!("sockwarden: {}", limit.message(limits));
    let body = format!("{{\"message\":{}}}\n", serde_json::Value::String(message));
    format!(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len()
    )
}
