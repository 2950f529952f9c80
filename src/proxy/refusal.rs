//! Refusals and failures as a Docker client shows them: JSON with a `message` that says what was asked, why it was refused and what
//! would allow it, and the id under which the log has it.

use std::fmt::{self, Write as _};

use http::StatusCode;
use serde::Serializer as _;

use crate::audit::RecordId;
use crate::bounds::Limit;
use crate::client::{Client, Container, Identity, WhyUnknown};
use crate::config::Limits;
use crate::engine::EngineError;
use crate::policy::{Denied, DenyReason, MAX_QUESTIONS};
use crate::request::target::printable;
use crate::request::{ApiVersion, Head};
use crate::rule::body::Clause;
use crate::rule::labels::{LabelError, Rights};

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

/// Why it was refused, in the words of the log.
pub fn reason(reason: &DenyReason) -> String {
    let text = match reason {
        DenyReason::NotAdmitted => "client not in allowfrom",
        DenyReason::UnknownClient(why) => return why.to_string(),
        DenyReason::BrokenLabels(errors) => return joined(errors),
        DenyReason::NoMethod => "method not allowed",
        DenyReason::NoPath => "path not allowed",
        DenyReason::BodyNotTaken => "the operation takes no body",
        DenyReason::FormBody => "a form would override the query",
        DenyReason::UnknownBody => "a body of this type on an unknown operation",
        DenyReason::CodedBody => "the body is coded",
        DenyReason::UnclearBody(error) => return error.to_string(),
        DenyReason::TooManyNames => "it names too many objects",
        DenyReason::Violation(violation) => return violation.to_string(),
    };
    text.to_owned()
}

fn joined(errors: &[LabelError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What the client is told; `label_prefix` is the one to suggest, where labels are in use.
pub fn message(client: &Client, denied: &Denied, label_prefix: Option<&str>) -> String {
    let Denied { head, reason } = denied;
    let method = head.method;
    let asked = fmt::from_fn(|f| write!(f, "{method} {}", printable(head.target.versioned_path())));
    match reason {
        DenyReason::NotAdmitted => match (&client.identity, label_prefix) {
            (Identity::Containers(_), Some(prefix)) => {
                let label = format!("{prefix}.allow.{}", method.as_str().to_ascii_lowercase());
                format!(
                    "container {client} may not ask {asked}: it has no label of its own and is not in `-allowfrom`; give it the label `{label}={}`",
                    suggested_pattern(head)
                )
            }
            _ => format!(
                "{client} may not ask {asked}; add it to `-allowfrom` (SP_ALLOWFROM) to admit it"
            ),
        },
        DenyReason::UnknownClient(why) => {
            let cure = match why {
                WhyUnknown::Stale => "try again once the engine answers",
                WhyUnknown::NotFound | WhyUnknown::Ambiguous => {
                    "connect from a container that is attached to this network under an address of its own"
                }
                WhyUnknown::LinkLocal => "connect to the proxy's global address",
            };
            format!("{client} may not ask {asked}: {why}; {cure}")
        }
        DenyReason::BrokenLabels(errors) => {
            format!(
                "container {client} may not ask {asked}, nor anything else, until its labels are mended: {}",
                joined(errors)
            )
        }
        DenyReason::NoMethod | DenyReason::NoPath => {
            let pattern = suggested_pattern(head);
            let what = fmt::from_fn(|f| {
                if *reason == DenyReason::NoMethod {
                    write!(f, "{client} may not use {method} at all, so {asked} is refused")
                } else {
                    write!(f, "{asked} is not allowed for {client}")
                }
            });
            let cure = fmt::from_fn(|f| match (own_list(client), label_prefix) {
                (Some(container), Some(prefix)) => {
                    let label = format!("{prefix}.allow.{}", method.as_str().to_ascii_lowercase());
                    write!(f, "the label `{label}.more={pattern}` on {container} would allow it")
                }
                _ => {
                    write!(f, "`-allow{method}='{pattern}'` (SP_ALLOW_{method}) would allow it")
                }
            });
            // The usual refusal, and a long one.
            let mut message = String::with_capacity(320);
            let _ = write!(message, "{what}; {cure}");
            message
        }
        DenyReason::BodyNotTaken => {
            format!(
                "{asked} takes no body but an unused JSON one; send its parameters in the query, without a body"
            )
        }
        DenyReason::FormBody => {
            format!(
                "{asked} takes no form, because its fields would override the query; send a JSON or tar body under its own content type"
            )
        }
        DenyReason::UnknownBody => {
            format!(
                "{asked} is no operation sockwarden knows, so its body must be `application/json` or `application/x-tar`"
            )
        }
        DenyReason::CodedBody => {
            format!(
                "the body of {asked} has a `Content-Encoding`; send it plain, so that it can be judged"
            )
        }
        DenyReason::UnclearBody(error) => format!("the body of {asked} cannot be judged: {error}"),
        DenyReason::TooManyNames => {
            format!(
                "{asked} names more than {MAX_QUESTIONS} containers, networks and volumes that have to be looked up; send fewer"
            )
        }
        DenyReason::Violation(violation) => match violation.clause {
            Clause::NoSuchObject => violation.told_problem().to_owned(),
            Clause::Unclear => format!("{asked} cannot be judged: {}", violation.told()),
            clause => format!(
                "{asked} is not allowed for {client}: {}; {}",
                violation.told(),
                cure(clause, client, label_prefix)
            ),
        },
    }
}

/// What would let a violation pass.
fn cure(clause: Clause, client: &Client, label_prefix: Option<&str>) -> String {
    let own = own_list(client).zip(label_prefix);
    let label_or = |label: &str, flag: &str| match own {
        Some((container, prefix)) => format!("the label `{prefix}.{label}` on {container}"),
        None => flag.to_owned(),
    };
    let may_label = || {
        let prefix = label_prefix.unwrap_or("sockwarden");
        let label = format!("the label `{prefix}.allow.labels=true` on the client");
        let label = label_or("allow.labels=true", &label);
        format!("{label}, with which the client can give itself any right")
    };
    match clause {
        Clause::MountSource => format!(
            "to allow it, list its directory in {}",
            label_or("allow.bindmountfrom", "`-allowbindmountfrom` (SP_ALLOWBINDMOUNTFROM)")
        ),
        Clause::NoMounts => "`-denyhostmounts` is set, so use a named volume instead".to_owned(),
        Clause::NetworkVolume => {
            "`-denynetworkvolumes` is set, so use a volume of this host instead".to_owned()
        }
        Clause::HostAccess => format!(
            "leave it out, or allow it by {}, with which the client owns the host",
            label_or("hostaccess=allow", "`-hostaccess=allow` (SP_HOSTACCESS)")
        ),
        // Labels are not read, and only names are guarded then.
        Clause::Labels if label_prefix.is_none() => {
            "choose another name; where access to the host is denied nothing allows this".to_owned()
        }
        Clause::Labels => format!("leave it out, or allow it by {}", may_label()),
        Clause::BuildsToo => format!(
            "take `POST /build` and `POST /grpc` out of the list, or allow both by {}",
            may_label()
        ),
        Clause::BuildNetwork => format!(
            "build with `networkmode=none` (`docker build --network none`), or allow it by {}",
            may_label()
        ),
        Clause::ExecElsewhere => {
            "a pattern that allows `POST` for the `exec` of that container would allow it"
                .to_owned()
        }
        Clause::OwnContainer | Clause::Identity | Clause::Unclear | Clause::NoSuchObject => {
            "nothing allows this through the proxy".to_owned()
        }
    }
}

/// The container whose own labels decide, if one's do.
fn own_list(client: &Client) -> Option<&Container> {
    match &client.identity {
        Identity::Containers(containers) => containers
            .iter()
            .find(|container| matches!(container.rights, Rights::Own(_)))
            .map(AsRef::as_ref),
        Identity::Plain | Identity::Unknown(_) => None,
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

/// The narrowest pattern that makes sense for what was asked: its operation on any object, under any API version.
fn suggested_pattern(head: &Head) -> String {
    let path = match head.operation.template() {
        Some(template) => fill(template),
        None => escape(head.target.path()),
    };
    let libpod = head.target.version().filter(|version| version.patch.is_some());
    let prefix = match libpod {
        Some(version) => format!("/v{}", escape(&version.to_string())),
        None => VERSION_PATTERN.to_owned(),
    };
    format!("{prefix}{path}")
}

/// Any version prefix, or none.
const VERSION_PATTERN: &str = r"(/v1\.\d+)?";
const _: () =
    assert!(ApiVersion::OLDEST.major == 1, "the suggested version prefix names major version 1");

/// A template as a pattern: an image's name may hold slashes, other names and ids do not.
fn fill(template: &str) -> String {
    let any = if template.starts_with("/images/")
        || template.starts_with("/plugins/")
        || template.starts_with("/distribution/")
    {
        ".+"
    } else {
        "[^/]+"
    };
    let mut pattern = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        pattern.push_str(&escape(before));
        pattern.push_str(any);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    pattern + &escape(rest)
}

/// Escapes what means something in a pattern; a quote is left out of the shell's hands too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' => escaped.push('.'),
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => {
                escaped.extend(['\\', c]);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Method, RequestTarget};
    use crate::rule::AnchoredRegex;

    #[track_caller]
    fn check(method: Method, target: &str, want: &str) {
        let head = Head::new(method, RequestTarget::parse(target).unwrap(), []);
        let pattern = suggested_pattern(&head);
        assert_eq!(pattern, want);
        assert!(
            AnchoredRegex::new(&pattern).unwrap().is_match(head.target.versioned_path()),
            "{pattern} does not allow {target}"
        );
    }

    #[test]
    fn the_suggested_pattern_would_allow_what_was_refused() {
        check(Method::Get, "/v1.41/containers/json?all=1", r"(/v1\.\d+)?/containers/json");
        check(Method::Get, "/containers/abc/logs", r"(/v1\.\d+)?/containers/[^/]+/logs");
        check(Method::Delete, "/v1.51/containers/abc", r"(/v1\.\d+)?/containers/[^/]+");
        check(
            Method::Get,
            "/v1.41/images/docker.io/library/x:1/json",
            r"(/v1\.\d+)?/images/.+/json",
        );
        check(Method::Get, "/v5.0.0/libpod/info", r"/v5\.0\.0/libpod/info");
        check(Method::Get, "/it's(odd)", r"(/v1\.\d+)?/it.s\(odd\)");
        check(Method::Get, "/v1.41/services/abc", r"(/v1\.\d+)?/services/[^/]+");
    }
}
