//! What happens to a body, as far as the head says.

use crate::request::{BodyKind, Head};

use super::judgement::{Body, Denied, DenyReason};

/// A body as the head declares it.
#[derive(Debug)]
pub struct DeclaredBody<B> {
    /// The body itself; `None` when the head announces none (no length, or a length of zero).
    pub body: Option<B>,
}

/// Decides about the body by what the operation does with one: on every POST, PUT and PATCH a form overrides the query, and on `/build` a
/// multipart form does too (moby `ParseForm`, `FormValue`), so the content type is ours to set wherever the operation is known.
pub(super) fn plan<B>(
    mut head: Head,
    declared: DeclaredBody<B>,
) -> Result<(Head, Body<B>), Box<Denied>> {
    let deny = |head, reason| Err(Box::new(Denied { head, reason, by: None }));
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
pub(super) fn must_be_empty(head: &Head) -> bool {
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
