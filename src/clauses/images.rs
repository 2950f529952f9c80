//! The images that a list names (`images`): which one a client may use, and which names it may write.

use crate::request::json::Json;
use crate::rule::words::{ImageName, ImagePattern, Uses, may_be_id, uses};
use crate::text::printable;

use super::host::look_at_previous;
use super::inquiry::{Inquiry, Looked};
use super::question::Question;
use super::values::{array, texts};
use super::violation::{Clause, Verdict, Violation, violation};
use super::written::names_elsewhere;

/// A client whose list names images uses those, and gives their names to no other.
pub(super) fn only_those_listed(inquiry: &mut Inquiry<'_>) -> Verdict {
    let Some(patterns) = inquiry.list.images.as_deref() else { return Ok(()) };
    match uses(inquiry.head.operation) {
        Uses::No => Ok(()),
        Uses::Container => {
            let images = images_of_create(inquiry)?;
            images.iter().try_for_each(|(image, at)| is_listed(inquiry, patterns, image, at))
        }
        Uses::Service => {
            service(inquiry, patterns, inquiry.body, "")?;
            if inquiry.parameter_or_empty("rollback").is_empty() {
                return Ok(());
            }
            look_at_previous(inquiry, |inquiry, previous| {
                service(inquiry, patterns, Some(previous), "PreviousSpec.")
            })
        }
        Uses::Pull => match (inquiry.parameter("fromImage"), inquiry.parameter("fromSrc")) {
            ("", _) => {
                writes_none(patterns, &[(inquiry.parameter("repo"), inquiry.parameter("tag"))])
            }
            (image, "") => {
                let tag = inquiry.parameter("tag");
                let name = ImageName::transferred(image, tag);
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
        Uses::Builds if names_elsewhere(inquiry) => Err(violation(
            Clause::Image,
            "the parameter `outputs`",
            "writes images under names that nobody sees here",
        )),
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

/// A service's specification. What each node resolves is not seen here, so the name itself must fit, and must not be taken for an id.
fn service(
    inquiry: &mut Inquiry<'_>,
    patterns: &[ImagePattern],
    spec: Option<&Json>,
    at: &str,
) -> Verdict {
    let task = spec.and_then(|it| it.field("TaskTemplate"));
    let container = task.and_then(|it| it.field("ContainerSpec"));
    let image = text(container, "Image");
    let name = ImageName::parse(image).filter(|_| !may_be_id(image));
    names_listed(patterns, name, image, &format!("`{at}TaskTemplate.ContainerSpec.Image`"))?;
    mounted(inquiry, patterns, container.and_then(|it| it.field("Mounts")))
}

/// The image that the engine would use: one of its names or digests must be listed. An id is judged by the names that the image has.
pub(super) fn is_listed(
    inquiry: &mut Inquiry<'_>,
    patterns: &[ImagePattern],
    image: &str,
    place: &str,
) -> Verdict {
    // Engines up to 20.10 make a container of no image.
    if image.is_empty() {
        return Err(not_listed(image, place));
    }
    let answer = match inquiry.answer(&Question::Image(image.to_owned())) {
        Looked::NotYet => return Ok(()),
        // The engine says that it has none, and a pull meanwhile would bring what the name says.
        Looked::Missing => return names_listed(patterns, ImageName::parse(image), image, place),
        Looked::Found(answer) => answer,
    };
    if is_called_so(answer, patterns) { Ok(()) } else { Err(not_listed(image, place)) }
}

/// Whether one of an image's names or digests is among these.
pub(super) fn is_called_so(image: &Json, patterns: &[ImagePattern]) -> bool {
    let names = |field: &str| image.field(field).map(texts).unwrap_or_default();
    let all = names("RepoTags").into_iter().chain(names("RepoDigests"));
    let takes = |name: ImageName| patterns.iter().any(|pattern| pattern.takes(&name));
    all.filter_map(ImageName::parse).any(takes)
}

/// The images that a new container is made of: its own, and those that it mounts; each with its place.
pub(super) fn images_of_create<'a>(
    inquiry: &Inquiry<'a>,
) -> Result<Vec<(&'a str, String)>, Violation> {
    let mut images = vec![(text(inquiry.body, "Image"), "`Image`".to_owned())];
    for of in [inquiry.body, inquiry.field("HostConfig")] {
        images.extend(mounts_of_images(of.and_then(|it| it.field("Mounts")))?);
    }
    Ok(images)
}

fn mounts_of_images(mounts: Option<&Json>) -> Result<Vec<(&str, String)>, Violation> {
    let mounts = array(mounts, "Mounts")?.iter().enumerate();
    let of_images = mounts.filter(|(_, mount)| text(Some(mount), "Type") == "image");
    let source =
        |(index, mount)| (text(Some(mount), "Source"), format!("`Mounts[{index}].Source`"));
    Ok(of_images.map(source).collect())
}

/// Mounts of images (`"Type": "image"`).
fn mounted(inquiry: &mut Inquiry<'_>, patterns: &[ImagePattern], mounts: Option<&Json>) -> Verdict {
    let images = mounts_of_images(mounts)?;
    images.iter().try_for_each(|(image, at)| is_listed(inquiry, patterns, image, at))
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

fn not_listed(shown: &str, place: &str) -> Violation {
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
