//! The only room that says yes.
//!
//! [`Policy::judge`] turns a head and what it says of its body into [`Allowed`], which the engine room demands and nobody else can make;
//! into [`Denied`], which says what would have allowed it; or into [`Pending`], where body or engine have to be asked first.

mod pending;

use std::fmt;
use std::sync::Arc;

use crate::clauses::{Defaults, Protected, Terms, Violation};
use crate::client::{Admission, Client, Standing, WhyUnknown};
use crate::request::json::JsonError;
use crate::request::{BodyKind, Head};
use crate::rule::labels::LabelError;
use crate::rule::{Allowlist, Match, Rule};

pub use pending::{MAX_QUESTIONS, Pending};

/// What is allowed to those who bring no allowlist of their own, and what holds for all. Immutable: a request is judged by one policy
/// from start to end. The default denies.
#[derive(Debug, Default)]
pub struct Policy {
    default: Arc<Allowlist>,
    defaults: Arc<Defaults>,
}

impl Policy {
    /// A policy that gives admitted clients the default allowlist, within these defaults.
    pub fn new(default: Allowlist, defaults: Defaults) -> Self {
        Self { default: Arc::new(default), defaults: Arc::new(defaults) }
    }

    /// Judges a request by its head and by what its head says of the body. `protected` is what no client may touch, where rights come
    /// from labels.
    pub fn judge<B>(
        &self,
        client: &Client,
        protected: Option<Arc<Protected>>,
        head: Head,
        body: DeclaredBody<B>,
    ) -> Judgement<B> {
        let (grant, lists) = match self.lists(client, &head, &body) {
            Ok(allowed) => allowed,
            Err(reason) => return Judgement::Denied(Box::new(Denied { head, reason })),
        };
        match body_plan(head, body) {
            Ok((head, body)) => {
                let defaults = Arc::clone(&self.defaults);
                Pending::begin(head, body, grant, Terms { lists, defaults, protected })
            }
            Err(denied) => Judgement::Denied(denied),
        }
    }

    /// The lists that allow the head, each of which has to allow the rest too.
    fn lists<B>(
        &self,
        client: &Client,
        head: &Head,
        body: &DeclaredBody<B>,
    ) -> Result<(Grant, Vec<Arc<Allowlist>>), DenyReason> {
        let default = || match client.admission {
            Admission::Listed => Ok(&self.default),
            Admission::Unlisted => Err(DenyReason::NotAdmitted),
        };
        let one = |list: &Arc<Allowlist>| {
            allowed_by(list, head, body).map(|grant| (grant, vec![Arc::clone(list)]))
        };
        // Containers that share an address cannot be told apart, so what one of them may not do none may.
        client
            .identity
            .standings()
            .map(|standing| match standing {
                Standing::Default => one(default()?),
                Standing::Own(own) => one(own),
                Standing::Broken(errors) => Err(DenyReason::BrokenLabels(Arc::clone(errors))),
                Standing::Unknown(why) => Err(DenyReason::UnknownClient(why.clone())),
            })
            .reduce(|all, this| {
                let ((_, mut lists), (grant, list)) = (all?, this?);
                lists.extend(list);
                Ok((grant, lists))
            })
            .unwrap_or(Err(DenyReason::UnknownClient(WhyUnknown::NotFound)))
    }
}

/// Looks for what allows the head in one allowlist.
fn allowed_by<B>(
    list: &Allowlist,
    head: &Head,
    body: &DeclaredBody<B>,
) -> Result<Grant, DenyReason> {
    // Without its version negotiation a client picks an API version of its own and breaks, so a ping is open to all admitted.
    if head.operation.is_ping() && (body.body.is_none() || must_be_empty(head)) {
        return Ok(Grant::Ping);
    }
    match list.rules.find(head.method, head.target.versioned_path()) {
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

/// The verdict on a request.
#[must_use]
#[derive(Debug)]
pub enum Judgement<B> {
    /// It may go to the engine.
    Allowed(Allowed<B>),
    /// Its head is allowed; what it carries has to be looked at.
    Pending(Box<Pending<B>>),
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
pub enum Body<B> {
    /// There is none.
    None,
    /// It goes to the engine as it comes.
    Forward(B),
    /// It was read and judged, and this is what was understood.
    Judged(String),
    /// It is read and thrown away: JSON that some client libraries add to every POST and that the operation never reads.
    Discard(B),
}

impl<B> fmt::Debug for Body<B> {
    /// Not what is in it: a container's environment is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Forward(_) => "Forward",
            Self::Judged(_) => "Judged",
            Self::Discard(_) => "Discard",
        })
    }
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

    /// What happens to its body.
    pub fn body(&self) -> &Body<B> {
        &self.body
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
    /// The body is coded, so that what is judged would not be what the engine reads.
    CodedBody,
    /// The body has not one reading.
    UnclearBody(JsonError),
    /// It names more objects than are looked up for one request.
    TooManyNames,
    /// What it carries goes beyond what its rule allows.
    Violation(Violation),
}

/// Decides about the body by what the operation does with one: on every POST, PUT and PATCH a form overrides the query, and on `/build` a
/// multipart form does too (moby `ParseForm`, `FormValue`), so the content type is ours to set wherever the operation is known.
fn body_plan<B>(mut head: Head, declared: DeclaredBody<B>) -> Result<(Head, Body<B>), Box<Denied>> {
    let deny = |head, reason| Err(Box::new(Denied { head, reason }));
    let content = Content::of(&head);
    let Some(body) = declared.body else {
        // Engines up to 20.10 want the type even where there is nothing of it.
        if head.operation.body() == BodyKind::Json && content == Content::Json {
            head.fields.set("content-type", "application/json");
        } else {
            head.fields.remove("content-type");
        }
        return Ok((head, Body::None));
    };
    if content == Content::Form {
        return deny(head, DenyReason::FormBody);
    }
    let body = match head.operation.body() {
        BodyKind::None if content == Content::Json => {
            head.fields.remove("content-type");
            Body::Discard(body)
        }
        // `Pending` finds out whether there is anything of it, and forwards none.
        BodyKind::None => {
            head.fields.remove("content-type");
            Body::Forward(body)
        }
        BodyKind::Json if is_coded(&head) => return deny(head, DenyReason::CodedBody),
        BodyKind::Json => {
            head.fields.remove("content-encoding");
            head.fields.set("content-type", "application/json");
            Body::Forward(body)
        }
        BodyKind::Tar => {
            head.fields.set("content-type", "application/x-tar");
            Body::Forward(body)
        }
        BodyKind::Unknown => match content {
            Content::Json | Content::Tar => Body::Forward(body),
            // Go reads no form in a body without a type. Podman's own client sends its JSON and tar like that.
            Content::Absent if head.is_libpod() => Body::Forward(body),
            _ => return deny(head, DenyReason::UnknownBody),
        },
    };
    Ok((head, body))
}

/// Whether a body may only be one of which nothing comes: some clients send an empty one in chunks where the operation reads none.
fn must_be_empty(head: &Head) -> bool {
    head.operation.body() == BodyKind::None
        && matches!(Content::of(head), Content::Absent | Content::Tar | Content::Other)
}

/// Whether the body goes through a coding first (RFC 9110 section 8.4). The daemon ignores the field and reads the coded bytes.
fn is_coded(head: &Head) -> bool {
    let mut codings = head.fields.all("content-encoding");
    codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// The content types that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// There is none, which Go takes for `application/octet-stream`.
    Absent,
    Json,
    Tar,
    Form,
    Other,
}

impl Content {
    /// What all the values say together. Some clients send two: of a known operation the engine gets ours, so only a form among them is
    /// dangerous. What an unknown operation makes of two is unknown too, so none of them is taken.
    fn of(head: &Head) -> Self {
        let mut contents = head.fields.all("content-type").map(Self::of_value);
        let Some(first) = contents.next() else { return Self::Absent };
        contents.fold(first, |all, this| match (all, this) {
            (Self::Form, _) | (_, Self::Form) => Self::Form,
            _ if head.operation.body() == BodyKind::Unknown => Self::Other,
            (all, this) if all == this => all,
            _ => Self::Other,
        })
    }

    fn of_value(value: &[u8]) -> Self {
        // A value beyond ASCII has several readings.
        let Some(text) = std::str::from_utf8(value).ok().filter(|text| text.is_ascii()) else {
            return Self::Form;
        };
        let text = text.to_ascii_lowercase();
        let media_type = text.split([';', ',']).next().unwrap_or_default().trim();
        match media_type {
            _ if text.contains("form") || text.contains("multipart") => Self::Form,
            "application/json" => Self::Json,
            "application/x-tar" | "application/tar" | "application/octet-stream" => Self::Tar,
            _ => Self::Other,
        }
    }
}
