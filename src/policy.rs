//! The only room that says yes.
//!
//! [`Policy::judge`] turns a head and a body into [`Allowed`], which the engine room demands and nobody else can make, or into
//! [`Denied`], which says what would have allowed it.

use std::sync::Arc;

use http::{HeaderValue, header};

use crate::client::{Admission, Client, Identity, WhyUnknown};
use crate::request::{BodyKind, Head, Method, Operation};
use crate::rule::labels::{LabelError, Rights};
use crate::rule::{Allowlist, Match, Rule};

/// What is allowed to those who bring no allowlist of their own. Immutable: a request is judged by one policy from start to end. The
/// default denies.
#[derive(Debug, Default)]
pub struct Policy {
    default: Allowlist,
}

impl Policy {
    /// A policy that gives admitted clients the default allowlist.
    pub fn new(default: Allowlist) -> Self {
        Self { default }
    }

    /// Judges a request by its head and by what its head says of the body.
    pub fn judge<B>(&self, client: &Client, head: Head, body: DeclaredBody<B>) -> Judgement<B> {
        match self.reason(client, &head, &body) {
            Ok(grant) => body_plan(head, body, grant),
            Err(reason) => Judgement::Denied(Box::new(Denied { head, reason })),
        }
    }

    fn reason<B>(
        &self,
        client: &Client,
        head: &Head,
        body: &DeclaredBody<B>,
    ) -> Result<Grant, DenyReason> {
        let default = || match client.admission {
            Admission::Listed => Ok(&self.default),
            Admission::Unlisted => Err(DenyReason::NotAdmitted),
        };
        match &client.identity {
            Identity::Plain => allowed_by(default()?, head, body),
            Identity::Unknown(why) => Err(DenyReason::UnknownClient(why.clone())),
            // Containers that share an address cannot be told apart, so what one of them may not do none may.
            Identity::Containers(containers) => containers
                .iter()
                .map(|container| match &container.rights {
                    Rights::Own(own) => allowed_by(own, head, body),
                    Rights::Unlabelled => allowed_by(default()?, head, body),
                    Rights::Broken(errors) => Err(DenyReason::BrokenLabels(Arc::clone(errors))),
                })
                .reduce(Result::and)
                .unwrap_or(Err(DenyReason::UnknownClient(WhyUnknown::NotFound))),
        }
    }
}

/// Looks for what allows the request in one allowlist.
fn allowed_by<B>(
    list: &Allowlist,
    head: &Head,
    body: &DeclaredBody<B>,
) -> Result<Grant, DenyReason> {
    // Without its version negotiation a client picks an API version of its own and breaks, so a ping is open to all admitted.
    if head.operation.is_ping() && !body.is_present() {
        return Ok(Grant::Ping);
    }
    match list.rules.find(head.method, head.target.versioned_path()) {
        Match::Rule(_) if list.bind_mount_from.is_some() && mounts(head.operation) => {
            Err(DenyReason::BindMountsUnread)
        }
        Match::Rule(rule) => Ok(Grant::Rule(Arc::clone(rule))),
        Match::NoPath => Err(DenyReason::NoPath),
        Match::NoMethod => Err(DenyReason::NoMethod),
    }
}

/// A body as the head declares it.
#[derive(Debug)]
pub struct DeclaredBody<B> {
    /// The body itself; `None` when the head announces none (no length, or a length of zero).
    pub body: Option<B>,
}

impl<B> DeclaredBody<B> {
    fn is_present(&self) -> bool {
        self.body.is_some()
    }
}

/// The verdict on a request.
#[must_use]
#[derive(Debug)]
pub enum Judgement<B> {
    /// It may go to the engine.
    Allowed(Allowed<B>),
    /// It may not.
    Denied(Box<Denied>),
}

/// A request that was judged and may be sent, exactly as it is.
///
/// ```compile_fail
/// // Only the judge makes one; tests/forge holds the cases with their errors.
/// let allowed: sockwarden::policy::Allowed<()> = sockwarden::policy::Allowed {};
/// ```
#[derive(Debug)]
pub struct Allowed<B> {
    head: Head,
    body: Body<B>,
    grant: Grant,
}

/// What happens to the body of an allowed request.
#[derive(Debug)]
pub enum Body<B> {
    /// There is none.
    None,
    /// It goes to the engine as it comes.
    Forward(B),
    /// It is read and thrown away: JSON that some client libraries add to every POST and that the operation never reads.
    Discard(B),
}

impl<B> Allowed<B> {
    /// What allowed it.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The head that will be sent.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Takes it apart for sending; the engine room is the only caller.
    pub(crate) fn into_parts(self) -> (Head, Body<B>) {
        (self.head, self.body)
    }
}

/// What allowed a request.
#[derive(Debug, Clone)]
pub enum Grant {
    /// A rule.
    Rule(Arc<Rule>),
    /// `GET` and `HEAD /_ping` are open to every admitted client.
    Ping,
}

/// A request that may not be sent, and why.
#[derive(Debug)]
pub struct Denied {
    /// What was asked.
    pub head: Head,
    /// Why not.
    pub reason: DenyReason,
}

/// Why a request may not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenyReason {
    /// The client is not in `allowfrom`.
    NotAdmitted,
    /// It might be a container, and nobody can say which.
    UnknownClient(WhyUnknown),
    /// Its container's labels are wrong.
    BrokenLabels(Arc<[LabelError]>),
    /// No rule is for the method.
    NoMethod,
    /// No rule is for the path.
    NoPath,
    /// The operation reads no body, and the client sent one that is not JSON.
    BodyNotTaken,
    /// The body is a form, whose fields would override the query that was judged.
    FormBody,
    /// We do not know the operation, and the content type is none whose reading we know.
    UnknownBody,
    /// `allowbindmountfrom` limits what may be mounted, and nothing reads the body that says it.
    BindMountsUnread,
}

/// Whether an operation can mount a directory of the host.
fn mounts(operation: Operation) -> bool {
    matches!(
        operation.id(),
        "ContainerCreate"
            | "ContainerUpdate"
            | "VolumeCreate"
            | "ServiceCreate"
            | "ServiceUpdate"
            | "Unknown"
    ) && operation.method().is_none_or(|method| method == Method::Post)
}

/// Decides about the body by what the operation does with one: on every POST, PUT and PATCH a form overrides the query, and on `/build` a
/// multipart form does too (moby `ParseForm`, `FormValue`), so the content type is ours to set wherever the operation is known.
fn body_plan<B>(mut head: Head, declared: DeclaredBody<B>, grant: Grant) -> Judgement<B> {
    let deny = |head, reason| Judgement::Denied(Box::new(Denied { head, reason }));
    let content = Content::of(&head);
    let Some(body) = declared.body else {
        // Engines up to 20.10 want the type even where there is nothing of it.
        if !(head.operation.body() == BodyKind::Json && content == Content::Json) {
            head.fields.remove(header::CONTENT_TYPE);
        }
        return Judgement::Allowed(Allowed { head, body: Body::None, grant });
    };
    if content == Content::Form {
        return deny(head, DenyReason::FormBody);
    }
    let body = match head.operation.body() {
        BodyKind::None if content == Content::Json => {
            head.fields.remove(header::CONTENT_TYPE);
            Body::Discard(body)
        }
        BodyKind::None => return deny(head, DenyReason::BodyNotTaken),
        BodyKind::Json => {
            head.fields.set(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Body::Forward(body)
        }
        BodyKind::Tar => {
            head.fields.set(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
            Body::Forward(body)
        }
        BodyKind::Unknown if matches!(content, Content::Json | Content::Tar) => Body::Forward(body),
        BodyKind::Unknown => return deny(head, DenyReason::UnknownBody),
    };
    Judgement::Allowed(Allowed { head, body, grant })
}

/// The content types that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Json,
    Tar,
    Form,
    Other,
}

impl Content {
    fn of(head: &Head) -> Self {
        let mut values = head.fields.all(&header::CONTENT_TYPE);
        let Some(value) = values.next() else { return Self::Other };
        // Two content types have two readings; a form is the worse one.
        if values.next().is_some() {
            return Self::Form;
        }
        let text = value.to_str().unwrap_or("multipart/");
        let media_type =
            text.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" => Self::Json,
            "application/x-tar" | "application/tar" | "application/octet-stream" => Self::Tar,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.starts_with("multipart/") => Self::Form,
            _ if text.to_ascii_lowercase().contains("form") => Self::Form,
            _ => Self::Other,
        }
    }
}
