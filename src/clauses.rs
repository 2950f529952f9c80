//! What a list demands of what a request carries besides method and path: its body, its parameters, and the names in both.
//!
//! [`examine`] goes through the clauses, each of which reads its column of `decisions.rs`. It is called until it asks no more: if a clause needs to
//! know something of the engine (which container a name means, what a volume mounts), it leaves a [`Question`], and the next call has the
//! answer. A violation that shows without an answer ends it at once.
//!
//! Clauses are functions over an `Inquiry`, which stands beneath them and knows none.

mod answers;
mod builds;
mod creator;
mod decisions;
mod execs;
mod fields;
mod free_names;
mod granted;
mod host;
mod identity;
mod image;
mod images;
mod inquiry;
mod known;
mod mounts;
mod names;
mod pin;
mod protected;
mod question;
mod reach;
mod references;
mod starts;
mod swarm;
mod terms;
#[cfg(test)]
mod tests;
mod values;
mod violation;

use crate::request::json::Json;
use crate::request::{Head, Method, Operation};
use crate::rule::{Allowlist, HostAccess, Match};
use crate::text::printable;

pub use answers::Answers;
pub use creator::{mark, needs_creator};
pub use decisions::Gains;
pub use mounts::mount_danger;
pub use names::Names;
pub use pin::pin;
pub use protected::{OwnTask, Protected, is_full_id};
pub use question::Question;
pub use terms::{By, Defaults, ListLimits, Mounts, Terms};
pub use violation::{Clause, Violation};

use decisions::{Body, Decision, Limited};
use inquiry::Inquiry;
use violation::{Verdict, violation};

/// What one look at a request came to, for one of the lists that have to allow it.
#[derive(Debug, PartialEq, Eq)]
pub struct Examined {
    /// What has to be asked before the next look. Nothing of it allows anything.
    pub questions: Vec<Question>,
    /// Which of the list's grants allow the request so far.
    pub by: By,
}

/// Goes through the clauses for one of the lists that have to allow a request. What a word gives is judged on the terms of words; if it fails
/// them and a pattern matches as well, the pattern's terms decide. So a pattern never widens a word, and a word takes no pattern away.
///
/// # Errors
/// The first violation.
pub fn examine(
    head: &Head,
    body: Option<&Json>,
    terms: &Terms,
    list: &Allowlist,
    answers: &Answers,
) -> Result<Examined, Violation> {
    let look = |by| {
        let mut inquiry = Inquiry::new(head, body, terms, list, by, answers);
        all_hold(&mut inquiry)?;
        Ok(Examined { questions: inquiry.into_questions(), by })
    };
    if list.words.find(head).is_none() {
        return look(By::Patterns);
    }
    let violation = match look(By::Words) {
        Ok(examined) => return Ok(examined),
        Err(violation) => violation,
    };
    match list.rules.find(head.method, head.target.versioned_path()) {
        Match::Rule(_) => look(By::Patterns),
        Match::NoPath | Match::NoMethod => Err(violation),
    }
}

fn all_hold(inquiry: &mut Inquiry<'_>) -> Verdict {
    body_is_there(inquiry)?;
    parameters_are_known(inquiry)?;
    if inquiry.is_by_words() {
        granted::one_grant_holds(inquiry)?;
        granted::safe_terms_hold(inquiry)?;
    }
    images::only_those_listed(inquiry)?;
    within_limits(inquiry)?;
    if let Some(protected) = &inquiry.terms.protected {
        identity::guard(inquiry, protected)?;
    }
    free_names::names_are_free(inquiry)
}

/// The clauses about mounts, network volumes and access to the host.
fn within_limits(inquiry: &mut Inquiry<'_>) -> Verdict {
    match Decision::of(inquiry.head.operation).limited {
        Limited::No => Ok(()),
        Limited::ContainerCreate => {
            host::container_create(inquiry)?;
            image::inherited_stays_inside(inquiry)
        }
        Limited::ContainerUpdate => {
            host::container_update(inquiry)?;
            starts::own_stays_inside(inquiry)
        }
        Limited::Start => {
            mounts::checkpoint_parameter(inquiry, "checkpoint-dir")?;
            starts::own_stays_inside(inquiry)
        }
        Limited::Restart => starts::own_stays_inside(inquiry),
        Limited::ContainerExec => host::container_exec(inquiry),
        Limited::Target => reach::target_stays_inside(inquiry),
        Limited::ExecRead => execs::exec(inquiry, true),
        Limited::ExecUse => execs::exec(inquiry, false),
        Limited::CheckpointCreate => mounts::checkpoint_create(inquiry),
        Limited::Directory(parameter) => mounts::checkpoint_parameter(inquiry, parameter),
        Limited::VolumeCreate => mounts::volume_create(inquiry),
        Limited::Service => host::service_spec(inquiry, inquiry.body, ""),
        Limited::ServiceUpdate => host::service_update(inquiry),
        Limited::NetworkCreate => host::network_create(inquiry),
        Limited::NetworkConnect => host::network_connect(inquiry),
        Limited::Build => host::image_build(inquiry),
        Limited::ImageCreate => host::image_create(inquiry),
        Limited::SecretCreate => host::secret_create(inquiry),
        Limited::Plugin => host::plugin(inquiry),
        Limited::Denied(why) => inquiry.denied(why),
        Limited::Unknown => unknown(inquiry),
    }
}

/// The daemon reads a missing body as one that sets nothing, or refuses it; where the body says what is created, an empty one is
/// nothing that anybody would send on purpose.
fn body_is_there(inquiry: &Inquiry<'_>) -> Verdict {
    let body = Decision::of(inquiry.head.operation).body;
    match (body, inquiry.body) {
        (Body::Any, _) | (Body::Needed, Some(Json::Object(_))) => Ok(()),
        (Body::Needed, None) => {
            Err(violation(Clause::Unclear, "the body", "is missing; send a JSON object"))
        }
        (Body::Needed, Some(_)) => {
            Err(violation(Clause::Unclear, "the body", "is no JSON object; send one"))
        }
    }
}

/// A parameter that is in no table means nothing to the engines we know, and anything to those that come: Podman has more of them with each
/// version, and some of those reach the host.
fn parameters_are_known(inquiry: &Inquiry<'_>) -> Verdict {
    let operation = inquiry.head.operation;
    let judged =
        inquiry.denies_host() || (!inquiry.mounts_are_free() && mounts_something(operation));
    // What is no known operation has no table; it is judged as a whole.
    if !judged || Decision::of(operation).limited == Limited::Unknown {
        return Ok(());
    }
    let is_known = |key: &str| operation.parameters().iter().any(|(name, _)| *name == key);
    match inquiry.head.target.query().iter().find(|(key, _)| !is_known(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let place = format!("the parameter `{}`", printable(key));
            let problem = "is not one that sockwarden knows of this operation; leave it out";
            let clause =
                if inquiry.denies_host() { Clause::HostAccess } else { Clause::MountSource };
            Err(violation(clause, &place, problem))
        }
    }
}

/// Whether an operation can mount something of the host.
fn mounts_something(operation: Operation) -> bool {
    match Decision::of(operation).limited {
        Limited::ContainerCreate
        | Limited::ContainerUpdate
        | Limited::VolumeCreate
        | Limited::Service
        | Limited::ServiceUpdate
        | Limited::Build
        | Limited::Plugin => true,
        Limited::No
        | Limited::Start
        | Limited::Restart
        | Limited::ContainerExec
        | Limited::Target
        | Limited::ExecRead
        | Limited::ExecUse
        | Limited::CheckpointCreate
        | Limited::Directory(_)
        | Limited::NetworkCreate
        | Limited::NetworkConnect
        | Limited::ImageCreate
        | Limited::SecretCreate
        | Limited::Denied(_)
        | Limited::Unknown => false,
    }
}

/// An operation we do not know: what it carries cannot be judged, so it is refused where anything would have to be.
fn unknown(inquiry: &Inquiry<'_>) -> Verdict {
    let reads = matches!(inquiry.head.method, Method::Get | Method::Head | Method::Options);
    if reads || (inquiry.limits.are_none() && inquiry.terms.protected.is_none()) {
        return Ok(());
    }
    let clause = match inquiry.limits.mounts {
        Mounts::Denied => Clause::NoMounts,
        Mounts::From(_) => Clause::MountSource,
        _ if inquiry.limits.host_access == HostAccess::Deny => Clause::HostAccess,
        _ if !inquiry.limits.network_volumes => Clause::NetworkVolume,
        _ => Clause::Unclear,
    };
    Err(violation(
        clause,
        "the path",
        "is no operation that sockwarden knows, so what it asks for cannot be judged",
    ))
}
