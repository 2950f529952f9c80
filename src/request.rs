//! What a client asks for, before its body: method, target, operation and the fields that travel.
//!
//! Pure: text in, values or a reason out. Nothing here knows who asks or what is allowed.

pub mod json;
pub mod operation;
pub mod target;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};

pub use operation::{AnswerKind, BodyKind, Operation, Upgrade};
pub use target::{ApiVersion, Query, RequestTarget, TargetError};

/// The request head as it is judged and as it is sent on; nothing of the client's raw bytes is left in it.
#[derive(Debug, Clone)]
pub struct Head {
    /// The method, RFC 9110 section 9.
    pub method: Method,
    /// Where it is sent; prints only its canonical form.
    pub target: RequestTarget,
    /// The Engine API operation that method and path mean.
    pub operation: Operation,
    /// The fields that go on to the engine.
    pub fields: EndToEndFields,
    /// Whether the client asked to leave HTTP on an operation that can.
    pub upgrade: Option<Upgrade>,
}

impl Head {
    /// Puts a head together; the operation follows from method and target, so the two cannot disagree.
    pub fn new(method: Method, target: RequestTarget, fields: &HeaderMap) -> Self {
        let operation = Operation::find(method, target.path());
        let upgrade = operation.upgrade().filter(|_| fields.contains_key(header::UPGRADE));
        Self { method, target, operation, fields: EndToEndFields::from_client(fields), upgrade }
    }
}

/// The methods of RFC 9110 section 9.3 and PATCH (RFC 5789). Anything else is no method to us.
///
/// Methods are case-sensitive, and the Docker daemon routes no others (moby `daemon/server/router`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the methods")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Connect,
    Trace,
    Options,
}

impl Method {
    /// Every method, in the order reports list them.
    pub const ALL: [Self; 9] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Connect,
        Self::Trace,
        Self::Options,
    ];

    /// The method as it stands on a request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Trace => "TRACE",
            Self::Options => "OPTIONS",
        }
    }

    /// The method a request line names; `None` for an extension method or another spelling of a known one.
    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == token)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The client's fields without those that belong to its own connection (RFC 9110 section 7.6.1), and without those that
/// would let it speak past the judge.
#[derive(Clone, Default)]
pub struct EndToEndFields(HeaderMap);

impl fmt::Debug for EndToEndFields {
    /// The names alone: credentials travel in values (`X-Registry-Auth`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl EndToEndFields {
    fn from_client(fields: &HeaderMap) -> Self {
        let named: Vec<HeaderName> = connection_options(fields);
        let kept = fields
            .iter()
            .filter(|(name, _)| {
                !is_hop_by_hop(name) && !is_ours_to_set(name) && !named.contains(name)
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self(kept)
    }

    /// The fields, for the engine room to send.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter()
    }

    /// Every value of a field.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.get_all(name).iter()
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: HeaderName) {
        self.0.remove(name);
    }

    /// Sets a field that sockwarden decides about, such as the content type of a body it knows.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.insert(name, value);
    }
}

/// Writes a field as it stands in a head, with a capital letter at the start of each word of its name, as Go writes names.
pub fn write_field(wire: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let mut starts = true;
    wire.extend(name.as_str().bytes().map(|byte| {
        let byte = if starts { byte.to_ascii_uppercase() } else { byte };
        starts = byte == b'-';
        byte
    }));
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value.as_bytes());
    wire.extend_from_slice(b"\r\n");
}

const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field belongs to one connection only, RFC 9110 section 7.6.1.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// `Host` is ours because the authority never decides anything; the length is hyper's to write from the body it has; `Expect` is
/// answered by us; the rest would carry a claim about who asks.
fn is_ours_to_set(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "host" | "content-length" | "expect" | "http2-settings" | "forwarded")
        || name.starts_with("x-forwarded-")
}

fn connection_options(fields: &HeaderMap) -> Vec<HeaderName> {
    fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|option| option.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[(&str, &str)], kept: &[&str]) {
        let mut fields = HeaderMap::new();
        for (name, value) in sent {
            fields.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let names: Vec<String> =
            EndToEndFields::from_client(&fields).0.keys().map(ToString::to_string).collect();
        assert_eq!(names, kept);
    }

    #[test]
    fn only_end_to_end_fields_travel() {
        check(
            &[("user-agent", "Docker-Client"), ("x-registry-auth", "e30=")],
            &["user-agent", "x-registry-auth"],
        );
        check(&[("connection", "x-a, X-B"), ("x-a", "1"), ("x-b", "2"), ("x-c", "3")], &["x-c"]);
        check(
            &[
                ("te", "trailers"),
                ("trailer", "x"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABk"),
            ],
            &[],
        );
        check(
            &[
                ("expect", "100-continue"),
                ("host", "a"),
                ("content-length", "3"),
                ("x-forwarded-for", "1.2.3.4"),
            ],
            &[],
        );
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        assert_eq!(Method::parse("get"), None);
        assert_eq!(Method::parse("PRI"), None);
    }
}
