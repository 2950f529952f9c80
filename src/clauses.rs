//! What a list demands of what a request carries besides method and path: its body, its parameters, and the names in both.
//!
//! [`examine`] goes through the clauses, each of which reads its column of [`decisions`]. It is called until it asks no more: if a clause needs to
//! know something of the engine (which container a name means, what a volume mounts), it leaves a [`Question`], and the next call has the
//! answer. A violation that shows without an answer ends it at once.
//!
//! Clauses are functions over an [`Inquiry`], which stands beneath them and knows none.

mod answers;
mod builds;
mod decisions;
mod execs;
mod free_names;
mod host;
mod identity;
mod inquiry;
mod inside;
mod known;
mod mounts;
mod names;
mod pin;
mod protected;
mod question;
mod references;
mod swarm;
mod terms;
#[cfg(test)]
mod tests;
mod values;
mod violation;

use crate::request::json::{Json, fold};
use crate::request::target::printable;
use crate::request::{Head, Method};
use crate::rule::{Allowlist, HostAccess};

pub use answers::Answers;
pub use builds::{builds_unlabelled, starts_containers};
pub use mounts::mount_danger;
pub use names::Names;
pub use pin::pin;
pub use protected::{OwnTask, Protected, is_full_id};
pub use question::Question;
pub use terms::{Defaults, ListLimits, Mounts, Terms};
pub use violation::{Clause, Violation};

use decisions::{Body, Decision, Limited};
use inquiry::Inquiry;
use violation::{Verdict, violation};

/// The parameters that clauses read.
const JUDGED_PARAMETERS: &[&str] = &[
    "additionalbuildcontexts",
    "addcaps",
    "apparmor",
    "cgroupparent",
    "changes",
    "checkpoint-dir",
    "container",
    "devices",
    "dir",
    "fromSrc",
    "idmappingoptions",
    "isolation",
    "labelopts",
    "labels",
    "name",
    "networkmode",
    "nsoptions",
    "outputs",
    "platform",
    "remote",
    "rollback",
    "rusagelogfile",
    "seccomp",
    "securityopt",
    "transientRunMounts",
    "version",
    "volume",
];

/// Goes through the clauses for one of the lists that have to allow a request; what is returned has to be asked before the next time, and
/// nothing of it allows anything.
///
/// # Errors
/// The first violation.
pub fn examine(
    head: &Head,
    body: Option<&Json>,
    terms: &Terms,
    list: &Allowlist,
    answers: &Answers,
) -> Result<Vec<Question>, Violation> {
    let mut inquiry = Inquiry::new(head, body, terms, list, answers);
    body_is_there(&inquiry)?;
    parameters_are_spelled(&inquiry)?;
    within_limits(&mut inquiry)?;
    if let Some(protected) = &terms.protected {
        identity::guard(&mut inquiry, protected)?;
    }
    free_names::names_are_free(&mut inquiry)?;
    Ok(inquiry.into_questions())
}

/// The clauses about mounts, network volumes and access to the host.
fn within_limits(inquiry: &mut Inquiry<'_>) -> Verdict {
    match Decision::of(inquiry.head.operation).limited {
        Limited::No => Ok(()),
        Limited::ContainerCreate => host::container_create(inquiry),
        Limited::ContainerUpdate => host::container_update(inquiry),
        Limited::ContainerExec => host::container_exec(inquiry),
        Limited::Target => inside::target_stays_inside(inquiry),
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

/// Docker tells parameters apart by case and Podman does not, so another spelling of one that is judged would be read there, unjudged.
fn parameters_are_spelled(inquiry: &Inquiry<'_>) -> Verdict {
    if inquiry.limits.are_none() && inquiry.terms.protected.is_none() {
        return Ok(());
    }
    let is_other = |key: &str| {
        let folded = fold(key);
        JUDGED_PARAMETERS.iter().any(|judged| *judged != key && fold(judged) == folded)
    };
    match inquiry.head.target.query().iter().find(|(key, _)| is_other(key)) {
        None => Ok(()),
        Some((key, _)) => {
            let place = format!("the parameter `{}`", printable(key));
            let problem = "is one that engines spell in another case; spell it as they do";
            Err(violation(Clause::Unclear, &place, problem))
        }
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
