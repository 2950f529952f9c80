//! A request's head, as it is judged and sent.

use super::end_to_end::EndToEndFields;
use super::method::Method;
use super::operation::{self, AnswerKind, Operation, Upgrade};
use super::target::{self, RequestTarget};

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
        let operation = target.operation(method);
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
