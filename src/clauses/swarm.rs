//! The proxy as a task of a swarm: whoever may change its service, its node or the swarm could stop it or put another in its place.
//!
//! Networks, secrets and configs of a service need no clause: a swarm does not let go of one that is in use (swarmkit `manager/controlapi`).

use crate::request::json::Json;

use super::decisions::{Decision, Swarm};
use super::inquiry::{Inquiry, Veil};
use super::names::is_plain;
use super::protected::{OwnTask, Protected};
use super::question::Question;
use super::violation::{Clause, Verdict, violation};

const OWN_SERVICE: &str =
    "is the service of the proxy's own container, which no client may change or remove";
const OWN_NODE: &str =
    "is the node of the proxy's own container, which no client may change or remove";

/// The clauses that keep the proxy's service running.
pub(super) fn guard_swarm(inquiry: &mut Inquiry<'_>, protected: &Protected) -> Verdict {
    let Some(task) = &protected.task else { return Ok(()) };
    match Decision::of(inquiry.head.operation).swarm {
        Swarm::Service => not_own_service(inquiry, task),
        Swarm::Node => not_own_node(inquiry, task),
        // With `ForceNewCluster`, an init begins anew as well.
        Swarm::Whole => {
            let place = format!("`{}`", inquiry.head.operation);
            let problem = "ends or changes the swarm that runs the proxy's own container, which no client may do";
            Err(violation(Clause::OwnContainer, &place, problem))
        }
        Swarm::No => Ok(()),
    }
}

/// Engines look for the id, the name and a part of the id, in this order (moby `daemon/cluster/helpers.go`). What a part of the id means
/// now may be gone in a moment, so every part of it counts.
fn not_own_service(inquiry: &Inquiry<'_>, task: &OwnTask) -> Verdict {
    let name = inquiry.object();
    if task.service.starts_with(name) || task.service_name.eq_ignore_ascii_case(name) {
        return Err(violation(Clause::OwnContainer, "the path", OWN_SERVICE));
    }
    Ok(())
}

/// A node's name is the name of its host, which only the engine knows.
fn not_own_node(inquiry: &mut Inquiry<'_>, task: &OwnTask) -> Verdict {
    let name = inquiry.object();
    let own = || Err(violation(Clause::OwnContainer, "the path", OWN_NODE));
    if task.node.starts_with(name) {
        return own();
    }
    if !is_plain(name) {
        return Ok(());
    }
    let veil = Veil { place: "the path", problem: OWN_NODE };
    inquiry.look(&Question::Node(name.to_owned()), veil, |_, node| match node {
        None => Ok(()),
        Some(node) => match node.field("ID").and_then(Json::as_str) {
            Some(id) if id != task.node => Ok(()),
            _ => own(),
        },
    })
}
