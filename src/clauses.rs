//! What a list demands of what a request carries besides method and path: its body, its parameters, and the names in both.
//!
//! [`examine`] goes through the clauses, each of which reads its column of `decisions.rs`. It is called until it asks no more: if a clause needs to
//! know something of the engine (which container a name means, what a volume mounts), it leaves a [`Question`], and the next call has the
//! answer. A violation that shows without an answer ends it at once.
//!
//! Clauses are functions over an `Inquiry`, which stands beneath them and knows none.

mod answers;
mod builds;
mod columns;
mod creator;
mod decisions;
mod equal;
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
mod past;
mod pin;
mod protected;
mod question;
mod reach;
mod recreate;
mod references;
mod settings;
mod sides;
mod starts;
mod swarm;
mod terms;
#[cfg(test)]
mod tests;
mod values;
mod violation;
mod written;

use crate::request::json::Json;
use crate::request::{Head, Method, Operation};
use crate::rule::words::{Uses, uses};
use crate::rule::{Allowlist, HostAccess, Match};
use crate::text::printable;

pub use answers::Answers;
pub use creator::{mark, needs_creator};
pub use decisions::Gains;
pub use mounts::mount_danger;
pub use names::Names;
pub use past::{Effect, Made, Past, Remembered, TakenDown, needs_past};
pub use pin::pin;
pub use protected::{OwnTask, Protected, is_full_id};
pub use question::Question;
pub use recreate::{memory_is_full, replaced_already};
pub use terms::{By, Defaults, ListLimits, Mounts, Terms};
pub use violation::{Clause, Violation};

use decisions::{Body, Decision, Limited};
use inquiry::Inquiry;
use violation::{Verdict, violation};

/// What one look at a request came to, for one of the lists that have to allow it.
#[derive(Debug)]
pub struct Examined {
    /// What has to be asked before the next look. Nothing of it allows anything.
    pub questions: Vec<Question>,
    /// Which of the list's grants allow the request so far.
    pub by: By,
    /// What has to be remembered before it is sent.
    pub effect: Option<Effect>,
}

/// Goes through the clauses for one of the lists that have to allow a request. What a word gives is judged on the terms of words; if it fails
/// them and a pattern matches as well, the pattern's terms decide. So a pattern never widens a word, and a word takes no pattern away. What
/// `recreate` gives comes before both: what is made in place of an equal container is that container again, whatever else is allowed.
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
        let effect = inquiry.effect.take();
        Ok(Examined { questions: inquiry.into_questions(), by, effect })
    };
    let recreates = list.words.replaces(head.operation).is_some();
    let by_word = list.words.find(head).is_some();
    let by_pattern =
        matches!(list.rules.find(head.method, head.target.versioned_path()), Match::Rule(_));
    let mut violation = None;
    let grants = [(By::Recreate, recreates), (By::Words, by_word), (By::Patterns, by_pattern)];
    for (by, _) in grants.into_iter().filter(|(_, gives)| *gives) {
        match look(by) {
            Ok(examined) => return Ok(examined),
            // What a pattern says is told last. Why a container cannot come back is told first: the rest is no way to get it back.
            Err(new) => {
                violation = Some(match violation {
                    Some(told) if by == By::Words && recreate::is_told(&told) => told,
                    _ => new,
                });
            }
        }
    }
    // A ping needs no grant.
    violation.map_or_else(|| look(By::Patterns), Err)
}

fn all_hold(inquiry: &mut Inquiry<'_>) -> Verdict {
    body_is_there(inquiry)?;
    if inquiry.by == By::Recreate
        && let Some((step, _)) = inquiry.list.words.step(inquiry.head.operation)
    {
        recreate::steps(inquiry, step)?;
        return recreate::guard(inquiry);
    }
    parameters_are_known(inquiry)?;
    if inquiry.is_by_words() {
        granted::one_grant_holds(inquiry)?;
        granted::safe_terms_hold(inquiry)?;
    }
    granted::names_of_conditions_stay(inquiry)?;
    written::no_names_in_use(inquiry)?;
    images::only_those_listed(inquiry)?;
    within_limits(inquiry)?;
    if let Some(protected) = &inquiry.terms.protected {
        identity::guard(inquiry, protected)?;
    }
    free_names::names_are_free(inquiry)?;
    recreate::guard(inquiry)
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
    let limits_images = (inquiry.list.images.is_some() || inquiry.list.words.may_recreate())
        && matches!(uses(operation), Uses::Pull | Uses::Writes | Uses::Builds);
    let judged = inquiry.denies_host()
        || (!inquiry.mounts_are_free() && mounts_something(operation))
        || limits_images;
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
            let clause = if inquiry.denies_host() {
                Clause::HostAccess
            } else if limits_images {
                Clause::Image
            } else {
                Clause::MountSource
            };
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
    let limits_images = inquiry.list.images.is_some();
    let is_free = inquiry.limits.are_none() && inquiry.terms.protected.is_none();
    if reads || (is_free && !limits_images && !inquiry.list.words.may_recreate()) {
        return Ok(());
    }
    let clause = match inquiry.limits.mounts {
        _ if limits_images => Clause::Image,
        _ if inquiry.list.words.may_recreate() => Clause::Recreate,
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
