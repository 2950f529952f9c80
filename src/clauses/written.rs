//! A client that replaces containers gives no image a name that a container of somebody else uses: what it made would run in its place. A
//! container may come back from another tag of its repository, so the repository decides.

use crate::request::json::Json;
use crate::rule::labels::creator::CREATOR_LABEL;
use crate::rule::words::{ImageName, Uses, uses};
use crate::text::printable;

use super::inquiry::{Inquiry, Looked};
use super::question::Question;
use super::violation::{Clause, Verdict, violation};

/// Nothing gets a name that another's container uses.
pub(super) fn no_names_in_use(inquiry: &mut Inquiry<'_>) -> Verdict {
    if !inquiry.list.words.may_recreate() {
        return Ok(());
    }
    let query = inquiry.head.target.query();
    let repository = || vec![(inquiry.parameter("repo"), inquiry.parameter("tag"))];
    let names: Vec<(&str, &str)> = match uses(inquiry.head.operation) {
        Uses::No | Uses::Container | Uses::Service => return Ok(()),
        Uses::Pull if inquiry.parameter("fromSrc").is_empty() => return Ok(()),
        Uses::Pull | Uses::Writes => repository(),
        Uses::Builds if names_elsewhere(inquiry) => {
            let problem = "writes images under names that nobody sees here, and with `recreate` the client could make containers of others run them";
            return Err(violation(Clause::Recreate, "the parameter `outputs`", problem));
        }
        Uses::Builds => query.all("t").map(|name| (name, "")).collect(),
        Uses::Loads => {
            let problem = "writes images under names that nobody sees here, and with `recreate` the client could make containers of others run them";
            let place = format!("`{}`", inquiry.head.operation);
            return Err(violation(Clause::Recreate, &place, problem));
        }
    };
    let names: Vec<_> = names.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let rows = match inquiry.answer(&Question::Containers) {
        Looked::NotYet => return Ok(()),
        Looked::Missing => &[],
        Looked::Found(rows) => rows.as_array().unwrap_or_default(),
    };
    let creator = inquiry.terms.creator.as_ref().map(ToString::to_string);
    let is_own = |labels: Option<&Json>| {
        let made_by = labels.and_then(|it| it.field(CREATOR_LABEL)).and_then(Json::as_str);
        made_by.is_some() && made_by == creator.as_deref()
    };
    let mut used: Vec<ImageName> = Vec::new();
    // What this client took down is in no list any more, and may come back.
    for taken_down in &inquiry.terms.past.taken_down {
        let config = taken_down.old.inspect.field("Config");
        let field = |name: &str| config.and_then(|it| it.field(name));
        if !is_own(field("Labels")) {
            let image = field("Image").and_then(Json::as_str).unwrap_or_default();
            used.extend(ImageName::parse(image));
        }
    }
    for row in rows {
        let text = |name: &str| row.field(name).and_then(Json::as_str).unwrap_or_default();
        if is_own(row.field("Labels")) {
            continue;
        }
        let image = text("Image");
        // The list shows an id where the name means another image by now; the container has the name still.
        let name = match ImageName::parse(image).filter(|_| !is_like_an_id(image)) {
            Some(name) => Some(name),
            None => match inquiry.answer(&Question::Replaced(text("Id").to_owned())) {
                Looked::NotYet => continue,
                Looked::Missing => None,
                Looked::Found(inspect) => {
                    let Some(config) = inspect.field("Config") else {
                        let problem = "may be given to the image of a container that has more to say of itself than is read";
                        return Err(violation(Clause::Recreate, "the request", problem));
                    };
                    let image = config.field("Image").and_then(Json::as_str);
                    ImageName::parse(image.unwrap_or_default())
                }
            },
        };
        used.extend(name);
    }
    for (name, tag) in &names {
        let written = ImageName::parse(name).map(|it| it.with_version(tag));
        // What cannot be read might be any name.
        let is_it = |used: &ImageName| written.as_ref().is_none_or(|it| it.is_of_repository(used));
        if used.iter().any(is_it) {
            let problem = format!(
                "gives an image the name `{}`, of which a container runs that this client did not create, and with `recreate` it could make that container run the image",
                printable(name)
            );
            return Err(violation(Clause::Recreate, "the request", &problem));
        }
    }
    Ok(())
}

/// Whether a build may give names besides those in `t`: `BuildKit` also takes them from `outputs`.
pub(super) fn names_elsewhere(inquiry: &Inquiry<'_>) -> bool {
    inquiry.head.target.query().all("outputs").any(|it| !matches!(it, "" | "[]" | "null"))
}

fn is_like_an_id(image: &str) -> bool {
    let digits = image.strip_prefix("sha256:").unwrap_or(image);
    digits.len() >= 12 && digits.bytes().all(|it| it.is_ascii_hexdigit())
}
