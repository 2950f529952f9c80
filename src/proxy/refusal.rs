//! Refusals and failures as a Docker client shows them: JSON with a `message` that says what was asked, why it was refused and what
//! would allow it, and the id under which the log has it.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use http::StatusCode;
use serde::Serializer as _;

use crate::audit::RecordId;
use crate::bounds::Limit;
use crate::bounds::Limits;
use crate::clauses::{Clause, builds_unlabelled, starts_containers};
use crate::client::{Client, Container, Identity, WhyUnknown};
use crate::engine::EngineError;
use crate::policy::{Denied, DenyReason, MAX_QUESTIONS};
use crate::request::{ApiVersion, Head};
use crate::rule::labels::{LabelError, Rights};
use crate::rule::{Allowlist, Origin};
use crate::text::printable;

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

/// What is known of the way things are set up, for advice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setting<'a> {
    /// The label prefix to suggest, where labels are in use.
    pub label_prefix: Option<&'a str>,
    /// Whether the engine says that the client's address is a network's gateway.
    pub is_gateway: bool,
}

/// A refusal in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub message: String,
    /// What would allow it, for the log: short, and the same as in the message.
    pub fix: String,
}

/// What the client is told, and what the log says would allow it.
pub fn explain(client: &Client, denied: &Denied, setting: Setting<'_>) -> Refusal {
    let Denied { head, reason } = denied;
    let method = head.method;
    let asked = fmt::from_fn(|f| write!(f, "{method} {}", printable(head.target.versioned_path())));
    let (message, fix) = match reason {
        DenyReason::NotAdmitted => not_admitted(client, head, &asked, setting),
        DenyReason::UnknownClient(why) => {
            let cure = match why {
                WhyUnknown::Stale => "try again once the engine answers",
                WhyUnknown::NotFound | WhyUnknown::Ambiguous => {
                    "connect from a container that is attached to this network under an address of its own"
                }
                WhyUnknown::LinkLocal => "connect to the proxy's global address",
            };
            (format!("{client} may not ask {asked}: {why}; {cure}"), cure.to_owned())
        }
        DenyReason::BrokenLabels(errors) => {
            let message = format!(
                "container {client} may not ask {asked}, nor anything else, until you fix its labels: {}",
                joined(errors)
            );
            (message, format!("fix the labels of {client}"))
        }
        DenyReason::NoMethod | DenyReason::NoPath => {
            let what = fmt::from_fn(|f| {
                if *reason == DenyReason::NoMethod {
                    write!(f, "{client} may not use {method} at all, so {asked} is refused")
                } else {
                    write!(f, "{asked} is not allowed for {client}")
                }
            });
            let fix = match (own_list(client), setting.label_prefix) {
                (Some((container, list)), Some(prefix)) => {
                    format!(
                        "the label `{}` on {container}",
                        suggested_label(head, prefix, Some(list))
                    )
                }
                _ => {
                    format!("`-allow{method}='{}'` (SP_ALLOW_{method})", suggested_pattern(head))
                }
            };
            // The usual refusal, and a long one.
            let mut message = String::with_capacity(320);
            let _ = write!(message, "{what}; {fix} would allow it");
            if let Some(price) = setting.label_prefix.and_then(|_| price(head, client)) {
                let _ = write!(message, ", but {price}");
            }
            (message, fix)
        }
        DenyReason::BodyNotTaken => with_cure(
            format_args!("{asked} takes no body but an unused JSON one"),
            "send its parameters in the query, without a body",
        ),
        DenyReason::FormBody => with_cure(
            format_args!("{asked} takes no form, because its fields would override the query"),
            "send a JSON or tar body under its own content type",
        ),
        DenyReason::UnknownBody => with_cure(
            format_args!("{asked} is not an operation sockwarden knows"),
            "its body must be `application/json` or `application/x-tar`",
        ),
        DenyReason::CodedBody => with_cure(
            format_args!("the body of {asked} has a `Content-Encoding`"),
            "send it plain, so that it can be judged",
        ),
        DenyReason::UnclearBody(error) => {
            (format!("the body of {asked} cannot be judged: {error}"), String::new())
        }
        DenyReason::TooManyNames => with_cure(
            format_args!(
                "{asked} names more than {MAX_QUESTIONS} containers, networks and volumes that have to be looked up"
            ),
            "send fewer",
        ),
        DenyReason::Violation(violation) => match violation.clause {
            Clause::NoSuchObject => (violation.told_problem().to_owned(), String::new()),
            Clause::Unclear => {
                (format!("{asked} cannot be judged: {}", violation.told()), String::new())
            }
            clause => with_cure(
                format_args!("{asked} is not allowed for {client}: {}", violation.told()),
                &cure(clause, client, setting.label_prefix),
            ),
        },
    };
    Refusal { message, fix }
}

/// What else would have to change, or would, where one list may not both build and start containers.
fn price(head: &Head, client: &Client) -> Option<&'static str> {
    let list = own_list(client).map(|(_, list)| list);
    if list.is_some_and(|list| list.may_label) {
        return None;
    }
    if matches!(head.operation.id(), "ImageBuild" | "Grpc") {
        return Some(
            "a client that may build may neither make nor start containers, unless `allow.labels=true` lets it give itself any right",
        );
    }
    let is_closed = starts_containers(head.operation) && list.is_some_and(builds_unlabelled);
    is_closed.then_some(
        "only in a list that allows no builds, or that has `allow.labels=true`, with which the client can give itself any right",
    )
}

/// The message and the fix for a client that no list is for.
fn not_admitted(
    client: &Client,
    head: &Head,
    asked: &dyn fmt::Display,
    setting: Setting<'_>,
) -> (String, String) {
    match (&client.identity, setting.label_prefix) {
        (Identity::Containers(containers), Some(prefix)) => {
            let label = suggested_label(head, prefix, None);
            let unlabelled =
                containers.iter().find(|container| matches!(container.rights, Rights::Unlabelled));
            let fix = match unlabelled {
                Some(container) => format!("the label `{label}` on {container}"),
                None => format!("the label `{label}`"),
            };
            let message = format!(
                "container {client} may not ask {asked}: it has no label of its own and is not in `-allowfrom`; give it the label `{label}`"
            );
            (message, fix)
        }
        _ if setting.is_gateway || looks_like_gateway(client) => {
            let fix = "connect the client to a network of the proxy and use the proxy's own address there; in `-allowfrom` (SP_ALLOWFROM) this address admits everybody behind it".to_owned();
            let is = if setting.is_gateway { "is" } else { "looks like" };
            (
                format!(
                    "{client} may not ask {asked}: it {is} the gateway of a network, which stands for everybody who comes through a published port or from the host, so nobody can say who asks; {fix}"
                ),
                fix,
            )
        }
        _ => (
            format!(
                "{client} may not ask {asked}; add it to `-allowfrom` (SP_ALLOWFROM) to admit it"
            ),
            format!("add {} to `-allowfrom` (SP_ALLOWFROM)", client.peer),
        ),
    }
}

fn with_cure(what: fmt::Arguments<'_>, cure: &str) -> (String, String) {
    (format!("{what}; {cure}"), cure.to_owned())
}

/// Whether an address is one that engines give to gateways: the first one of a private network. Without labels nobody asks the engine.
fn looks_like_gateway(client: &Client) -> bool {
    match client.peer.ip() {
        Some(IpAddr::V4(address)) => address.is_private() && address.octets()[3] == 1,
        Some(IpAddr::V6(address)) => {
            address.is_unique_local() && address.segments().iter().rev().take(3).eq(&[1, 0, 0])
        }
        None => false,
    }
}

/// What would let a violation pass.
fn cure(clause: Clause, client: &Client, label_prefix: Option<&str>) -> String {
    let own = own_list(client).zip(label_prefix);
    let label_or = |label: &str, flag: &str| match own {
        Some(((container, _), prefix)) => {
            format!("the label `{prefix}.{label}` on {container}")
        }
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

/// The container whose own labels decide, if one's do, and what they say.
fn own_list(client: &Client) -> Option<(&Container, &Allowlist)> {
    let Identity::Containers(containers) = &client.identity else { return None };
    containers.iter().find_map(|container| match &container.rights {
        Rights::Own(list) => Some((&**container, &**list)),
        Rights::Unlabelled | Rights::Broken(_) => None,
    })
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
const VERSION_PATTERN: &str = "(/v1[.][0-9]+)?";
const _: () =
    assert!(ApiVersion::OLDEST.major == 1, "the suggested version prefix names major version 1");

/// How long the last part of a suggested label's key may be.
const LONGEST_NAME: usize = 60;

/// The label that would allow what was asked. Its key is named after the operation, so that two suggestions do not replace each other, and
/// is not one that the container has.
fn suggested_label(head: &Head, prefix: &str, list: Option<&Allowlist>) -> String {
    let method = head.method.as_str().to_ascii_lowercase();
    let stem = format!("{prefix}.allow.{method}.{}", label_name(head));
    let is_taken = |key: &str| {
        let mut rules = list.iter().flat_map(|list| list.rules.of(head.method));
        rules.any(|rule| rule.origin == Origin::Label(key.to_owned()))
    };
    let key = if is_taken(&stem) {
        (2..100).map(|number| format!("{stem}.{number}")).find(|key| !is_taken(key))
    } else {
        None
    };
    format!("{}={}", key.unwrap_or(stem), suggested_pattern(head))
}

/// A name for what was asked: the operation's, or the words of its path.
fn label_name(head: &Head) -> String {
    if head.operation.template().is_some() {
        return head.operation.id().to_ascii_lowercase();
    }
    let path = head.target.path();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    // What was left out must not make two paths one name.
    if name.len() > LONGEST_NAME
        || !path.bytes().all(|byte| byte == b'/' || byte.is_ascii_alphanumeric())
    {
        name.truncate(LONGEST_NAME);
        let _ = write!(name, "-{:08x}", checksum(path));
    }
    if name.is_empty() { "root".to_owned() } else { name }
}

/// FNV-1a, which is the same in every process.
fn checksum(text: &str) -> u32 {
    text.bytes()
        .fold(0x811c_9dc5, |sum: u32, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

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

/// Escapes what means something in a pattern, by a class: JSON, YAML and logs double a backslash, and the copy would match nothing. What a
/// shell, YAML or Compose would read in its own way is any character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\'' | '"' | '`' | '$' | '^' | '\\' => escaped.push('.'),
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ' ' | '#' => {
                escaped.extend(['[', c, ']']);
            }
            // At the end of a line of YAML it makes a key of what stands before it.
            ':' if at + 1 == text.len() => escaped.push_str("[:]"),
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
        let version = "(/v1[.][0-9]+)?";
        for (method, target, want) in [
            (Method::Get, "/v1.41/containers/json?all=1", "/containers/json"),
            (Method::Get, "/containers/abc/logs", "/containers/[^/]+/logs"),
            (Method::Delete, "/v1.51/containers/abc", "/containers/[^/]+"),
            (Method::Get, "/v1.41/images/docker.io/library/x:1/json", "/images/.+/json"),
            (Method::Get, "/it's(odd)", "/it.s[(]odd[)]"),
            (Method::Get, "/a.b+c*d[e]f{g}|h", "/a[.]b[+]c[*]d[[]e[]]f[{]g[}][|]h"),
            (Method::Get, "/a$b^c\"d`e", "/a.b.c.d.e"),
            (Method::Get, "/a%20b:c:", "/a[ ]b:c[:]"),
            (Method::Get, "/v1.41/services/abc", "/services/[^/]+"),
        ] {
            check(method, target, &format!("{version}{want}"));
        }
        check(Method::Get, "/v5.0.0/libpod/info", "/v5[.]0[.]0/libpod/info");
    }

    /// It is copied out of JSON or a log into YAML, a shell, or JSON again.
    #[track_caller]
    fn survives(text: &str) {
        assert!(!text.contains(['\\', '\'', '"', '$', '`', '\n', '\t']), "{text}");
        assert!(!text.contains(": ") && !text.contains(" #") && !text.ends_with(':'), "{text}");
        assert_eq!(text, text.trim());
        assert_eq!(serde_json::to_string(text).unwrap(), format!("\"{text}\""));
        // A plain scalar of YAML may not begin with these (YAML 1.2 section 7.3.3).
        assert!(!text.starts_with(|c| "-?:,[]{}#&*!|>'\"%@` ".contains(c)), "{text}");
    }

    #[test]
    fn a_suggestion_can_be_copied() {
        for method in [Method::Get, Method::Post] {
            let odd = (b'!'..=b'~').map(|byte| format!("/a%{byte:02X}"));
            let paths = ["/v1.41/containers/json", "/containers/x/logs", "/v5.0.0/libpod/a.b", "/"];
            let paths = paths.into_iter().map(str::to_owned).chain(odd);
            for target in paths.filter_map(|path| RequestTarget::parse(&path).ok()) {
                let head = Head::new(method, target, []);
                let pattern = suggested_pattern(&head);
                survives(&pattern);
                assert_eq!(AnchoredRegex::new(&pattern).unwrap().slip(), None, "{pattern}");
                let label = suggested_label(&head, "sockwarden", None);
                let (key, value) = label.split_once('=').unwrap();
                assert_eq!(value, pattern);
                let is_key =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                assert!(key.chars().all(is_key) && key.len() < 100, "{key}");
            }
        }
    }

    #[test]
    fn every_suggestion_has_a_key_of_its_own() {
        let label = |method, target: &str, list: Option<&Allowlist>| {
            let head = Head::new(method, RequestTarget::parse(target).unwrap(), []);
            let label = suggested_label(&head, "sockwarden", list);
            label.split_once('=').unwrap().0.to_owned()
        };
        let of = |target| label(Method::Get, target, None);
        assert_eq!(of("/v1.41/containers/json"), "sockwarden.allow.get.containerlist");
        assert_eq!(of("/containers/json"), of("/v1.41/containers/json"));
        assert_eq!(of("/containers/x/json"), "sockwarden.allow.get.containerinspect");
        assert_eq!(label(Method::Post, "/x/y", None), "sockwarden.allow.post.x-y");
        assert_eq!(of("/"), "sockwarden.allow.get.root");
        let long = "x".repeat(200);
        let others = ["/a/b", "/a-b", "/a.b", "/a_b", &format!("/{long}"), &format!("/{long}y")];
        let keys: std::collections::BTreeSet<String> = others.iter().map(|it| of(it)).collect();
        assert_eq!(keys.len(), others.len(), "{keys:?}");
        // A key that the container has would be replaced.
        let mut list = Allowlist::default();
        for key in ["sockwarden.allow.get.containerlist", "sockwarden.allow.get.containerlist.2"] {
            list.rules.add(crate::rule::Rule {
                origin: Origin::Label(key.to_owned()),
                method: Method::Get,
                path: std::sync::Arc::new(AnchoredRegex::new("/x").unwrap()),
            });
        }
        assert_eq!(
            label(Method::Get, "/containers/json", Some(&list)),
            "sockwarden.allow.get.containerlist.3"
        );
        let keys: Vec<String> = crate::request::Operation::all()
            .map(|operation| operation.id().to_ascii_lowercase())
            .collect();
        assert!(keys.iter().all(|key| key.chars().all(|c| c.is_ascii_alphanumeric())));
    }

    fn refused(peer: &str, setting: Setting<'_>) -> Refusal {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let client = Client {
            peer: crate::client::Peer::tcp(peer, "172.18.0.2".parse().unwrap()),
            admission: crate::client::Admission::Unlisted,
            identity: Identity::Plain,
        };
        let head = Head::new(Method::Get, RequestTarget::parse("/info").unwrap(), []);
        explain(&client, &Denied { head, reason: DenyReason::NotAdmitted }, setting)
    }

    #[test]
    fn a_gateway_is_not_admitted_without_a_word_of_warning() {
        for gateway in ["172.18.0.1:5", "10.0.0.1:5", "192.168.65.1:5", "[fd00:1::1]:5"] {
            let Refusal { message, fix } = refused(gateway, Setting::default());
            assert!(message.contains("looks like the gateway of a network"), "{message}");
            assert!(message.contains("everybody who comes through a published port"), "{message}");
            assert!(fix.contains("admits everybody behind it") && message.contains(&fix), "{fix}");
        }
        let known = Setting { is_gateway: true, ..Setting::default() };
        let message = refused("10.9.8.7:5", known).message;
        assert!(message.contains("it is the gateway of a network"), "{message}");
        for client in ["172.18.0.3:5", "127.0.0.1:5", "8.8.8.1:5", "[fd00::2]:5", "[::1]:5"] {
            let Refusal { message, fix } = refused(client, Setting::default());
            assert!(!message.contains("gateway"), "{message}");
            assert!(message.contains("add it to `-allowfrom` (SP_ALLOWFROM)"), "{message}");
            assert!(fix.starts_with("add ") && fix.ends_with("to `-allowfrom` (SP_ALLOWFROM)"));
        }
    }

    /// What one piece of advice gives, another clause may take away.
    #[test]
    fn advice_to_build_or_to_start_says_its_price() {
        let told = |pattern: &str, may_label: bool, line: &str| {
            let rule = crate::rule::Rule {
                origin: Origin::Label("x".to_owned()),
                method: Method::Post,
                path: std::sync::Arc::new(AnchoredRegex::new(pattern).unwrap()),
            };
            let rules = [rule].into_iter().collect();
            let list = Allowlist { rules, may_label, ..Allowlist::default() };
            let id = crate::client::ContainerId::parse(&"a".repeat(64)).unwrap();
            let rights = Rights::Own(list.into());
            let container = std::sync::Arc::new(Container { id, name: "web".to_owned(), rights });
            let address = IpAddr::from([10, 0, 0, 2]);
            let client = Client {
                peer: crate::client::Peer::tcp((address, 5).into(), address),
                admission: crate::client::Admission::Unlisted,
                identity: Identity::Containers([container].into()),
            };
            price(&Head::new(Method::Post, RequestTarget::parse(line).unwrap(), []), &client)
        };
        assert!(told("/x", false, "/build").is_some_and(|it| it.contains("neither make")));
        assert!(
            told("/build", false, "/containers/create").is_some_and(|it| it.contains("no builds"))
        );
        assert_eq!(told("/x", false, "/containers/create"), None);
        assert_eq!(told("/build", false, "/containers/x/stop"), None);
        assert_eq!(told("/build", true, "/containers/create"), None);
        assert_eq!(told("/x", true, "/build"), None);
    }
}
