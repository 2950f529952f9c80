//! What a client asks for, before its body: method, target, operation and the fields that travel.
//!
//! Pure: text in, values or a reason out. Nothing here knows who asks or what is allowed.

pub mod fields;
pub mod json;
pub mod operation;
pub mod target;

use std::fmt;

pub use fields::Fields;
pub use operation::{AnswerKind, BodyKind, ObjectKind, Operation, Parameter, Reading, Upgrade};
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
    /// What the connection may change to, whether the client asked or not.
    pub can_upgrade: Option<Upgrade>,
}

impl Head {
    /// Puts a head together; the operation follows from method and target, so the two cannot disagree. What is no field is left out.
    pub fn new<'a>(
        method: Method,
        target: RequestTarget,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8]), IntoIter: Clone>,
    ) -> Self {
        let operation = Operation::find(method, target.path());
        let fields = fields.into_iter();
        let asks = || fields.clone().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
        let can_upgrade =
            operation.upgrade().or_else(|| operation::libpod_upgrade(method, target.path()));
        let upgrade = can_upgrade.filter(|_| asks());
        let fields = EndToEndFields::from_client(fields);
        Self { method, target, operation, fields, upgrade, can_upgrade }
    }

    /// How the answer comes.
    pub fn answer(&self) -> AnswerKind {
        self.can_upgrade.map_or_else(|| self.operation.answer(), AnswerKind::Upgrade)
    }

    /// Whether it is of Podman's own API, of which we know no operations.
    pub fn is_libpod(&self) -> bool {
        target::is_libpod(self.target.path())
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
#[derive(Debug, Clone, Default)]
pub struct EndToEndFields(Fields);

impl EndToEndFields {
    fn from_client<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Self {
        let options = fields.clone().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        let named: Vec<&[u8]> =
            options.flat_map(|(_, value)| fields::connection_options(value)).collect();
        let is_named = |name: &str| named.iter().any(|it| it.eq_ignore_ascii_case(name.as_bytes()));
        let mut kept = Fields::with_capacity(USUAL_BYTES);
        for (name, value) in fields {
            if !fields::is_hop_by_hop(name) && !is_ours_to_set(name) && !is_named(name) {
                let _ = kept.push(name, value);
            }
        }
        Self(kept)
    }

    /// The fields as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Every value of a field, whatever the case of its name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.all(name)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(|it| it.eq_ignore_ascii_case(name));
    }

    /// Sets a field that sockwarden decides about, such as the content type of a body it knows.
    pub fn set(&mut self, name: &'static str, value: &'static str) {
        self.remove(name);
        let _ = self.0.push(name, value.as_bytes());
    }
}

/// What the fields of most requests need, in bytes.
const USUAL_BYTES: usize = 192;

/// `Host` is ours because the authority never decides anything; the length is written from the body there is; `Expect` is
/// answered by us; the rest would carry a claim about who asks.
fn is_ours_to_set(name: &str) -> bool {
    const OURS: [&str; 5] = ["host", "content-length", "expect", "http2-settings", "forwarded"];
    const CLAIMS: &str = "x-forwarded-";
    OURS.iter().any(|it| it.eq_ignore_ascii_case(name))
        || name.get(..CLAIMS.len()).is_some_and(|start| start.eq_ignore_ascii_case(CLAIMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[(&str, &str)], kept: &[&str]) {
        let sent = sent.iter().map(|(name, value)| (*name, value.as_bytes()));
        let fields = EndToEndFields::from_client(sent);
        assert_eq!(fields.0.iter().map(|(name, _)| name).collect::<Vec<_>>(), kept);
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
