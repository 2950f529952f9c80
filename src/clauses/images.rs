//! The images that a list names (`images`): which one a client may use, and which names it may write.

use crate::request::json::Json;
use crate::rule::words::{ImageName, ImagePattern, Uses, uses};
use crate::text::printable;

use super::inquiry::{Inquiry, Looked};
use super::question::Question;
use super::values::{array, texts};
use super::violation::{Clause, Verdict, violation};

/// A client whose list names images uses those, and gives their names to no other.
pub(super) fn only_those_listed(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(patterns) = inquiry.list.images.as_deref() else { return Ok(()) };
    match uses(inquiry.head.operation) {
        Uses::No => Ok(()),
        Uses::Container => {
            let image = text(inquiry.body, "Image");
            is_listed(inquiry, patterns, image, "`Image`")?;
            let config = inquiry.field("HostConfig");
            for of in [inquiry.body, config] {
                mounted(inquiry, patterns, of.and_then(|it| it.field("Mounts")))?;
            }
            Ok(())
        }
        Uses::Service => {
            let spec = inquiry.field("TaskTemplate").and_then(|it| it.field("ContainerSpec"));
            let image = text(spec, "Image");
            // What each node resolves is not seen here, so the name itself must fit.
            names_listed(
                patterns,
                ImageName::parse(image),
                image,
                "`TaskTemplate.ContainerSpec.Image`",
            )?;
            mounted(inquiry, patterns, spec.and_then(|it| it.field("Mounts")))
        }
        Uses::Pull => match (inquiry.parameter("fromImage"), inquiry.parameter("fromSrc")) {
            ("", _) => {
                writes_none(patterns, &[(inquiry.parameter("repo"), inquiry.parameter("tag"))])
            }
            (image, "") => {
                let tag = inquiry.parameter("tag");
                let name = ImageName::parse(image).map(|it| it.with_version(tag));
                names_listed(patterns, name, image, "the parameter `fromImage`")
            }
            _ => Err(violation(
                Clause::Unclear,
                "the parameters `fromImage` and `fromSrc`",
                "are both given; send one of them",
            )),
        },
        Uses::Writes => {
            writes_none(patterns, &[(inquiry.parameter("repo"), inquiry.parameter("tag"))])
        }
        Uses::Builds => {
            let names: Vec<_> =
                inquiry.head.target.query().all("t").map(|name| (name, "")).collect();
            writes_none(patterns, &names)
        }
        Uses::Loads => Err(violation(
            Clause::Image,
            &format!("`{}`", inquiry.head.operation),
            "writes images under names that nobody sees here",
        )),
    }
}

/// The image that the engine would use: one of its names or digests must be listed. An id is judged by the names that the image has.
pub(super) fn is_listed(
    inquiry: &mut Inquiry<'_>,
    patterns: &[ImagePattern],
    image: &str,
    place: &str,
) -> Verdict {
    if image.is_empty() {
        return Ok(());
    }
    let answer = match inquiry.answer(&Question::Image(image.to_owned())) {
        Looked::NotYet => return Ok(()),
        // The engine says that it has none, and whoever pulls it meanwhile pulled what the name says.
        Looked::Missing => return names_listed(patterns, ImageName::parse(image), image, place),
        Looked::Found(answer) => answer,
    };
    let names = |field: &str| answer.field(field).map(texts).unwrap_or_default();
    let all = names("RepoTags").into_iter().chain(names("RepoDigests"));
    let takes = |name: ImageName| patterns.iter().any(|pattern| pattern.takes(&name));
    if all.filter_map(ImageName::parse).any(takes) {
        return Ok(());
    }
    Err(not_listed(image, place))
}

/// Mounts of images (`"Type": "image"`).
fn mounted(inquiry: &mut Inquiry<'_>, patterns: &[ImagePattern], mounts: Option<&Json>) -> Verdict {
    for (index, mount) in array(mounts, "Mounts")?.iter().enumerate() {
        if text(Some(mount), "Type") == "image" {
            let place = format!("`Mounts[{index}].Source`");
            is_listed(inquiry, patterns, text(Some(mount), "Source"), &place)?;
        }
    }
    Ok(())
}

fn names_listed(
    patterns: &[ImagePattern],
    name: Option<ImageName>,
    shown: &str,
    place: &str,
) -> Verdict {
    match name {
        Some(name) if patterns.iter().any(|pattern| pattern.takes(&name)) => Ok(()),
        _ => Err(not_listed(shown, place)),
    }
}

fn not_listed(shown: &str, place: &str) -> super::violation::Violation {
    let problem =
        format!("is `{}`, which is none of the images that the client may use", printable(shown));
    violation(Clause::Image, place, &problem)
}

/// Nothing else gets a name that is listed.
fn writes_none(patterns: &[ImagePattern], names: &[(&str, &str)]) -> Verdict {
    for (name, tag) in names.iter().filter(|(name, _)| !name.is_empty()) {
        let written = ImageName::parse(name).map(|it| it.with_version(tag));
        let is_listed = |name: &ImageName| patterns.iter().any(|pattern| pattern.takes(name));
        // What cannot be read might be any name.
        if written.as_ref().is_none_or(is_listed) {
            let problem = format!(
                "gives an image the name `{}`, which is one of those that the client may use",
                printable(name)
            );
            return Err(violation(Clause::Image, "the request", &problem));
        }
    }
    Ok(())
}

fn text<'a>(of: Option<&'a Json>, field: &str) -> &'a str {
    of.and_then(|of| of.field(field)).and_then(Json::as_str).unwrap_or_default()
}
