//! Why a container may not do what its creator may not, and what to do about it.

use crate::client::{Bound, WhyBound};
use crate::request::Head;
use crate::rule::labels::LabelError;
use crate::text::{escaped, printable};

use super::suggestion::suggested_label;

const WITHOUT_CREATOR: &str =
    "create it again outside the proxy, without the label `sockwarden.creator`";

/// What is the matter.
pub(super) fn what(bound: &Bound) -> String {
    let (child, creator) = (escaped(&bound.child), printable(&bound.creator));
    match &bound.why {
        WhyBound::Gone => format!(
            "container `{child}` was created by `{creator}`, which no longer exists, so it may do nothing"
        ),
        WhyBound::Unreadable => format!(
            "nobody can say who created container `{child}`, because its label `sockwarden.creator` cannot be read, so it may do nothing"
        ),
        WhyBound::NotAdmitted => format!(
            "container `{child}` was created by `{creator}`, which is not in allowfrom, so it may do nothing"
        ),
        WhyBound::Broken(container, errors) => {
            let errors: Vec<_> = errors.iter().map(LabelError::to_string).collect();
            format!(
                "container `{child}` was created by `{}`, whose labels are wrong, so neither may do anything: {}",
                escaped(container),
                errors.join("; ")
            )
        }
        WhyBound::MayNot(container) => format!(
            "container `{child}` was created by `{}`, which may not do this either",
            escaped(container)
        ),
    }
}

/// What to do about it.
pub(super) fn cure(bound: &Bound, head: &Head, prefix: Option<&str>) -> String {
    match &bound.why {
        WhyBound::Gone | WhyBound::Unreadable | WhyBound::NotAdmitted => WITHOUT_CREATOR.to_owned(),
        WhyBound::Broken(container, _) => format!("fix the labels of {}", escaped(container)),
        WhyBound::MayNot(container) => {
            let label = suggested_label(head, prefix.unwrap_or("sockwarden"), None);
            format!("the label `{label}` on {} would allow it to both", escaped(container))
        }
    }
}
