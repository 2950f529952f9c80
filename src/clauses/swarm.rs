//! The proxy as a task of a swarm: whoever may change its service, its node or the swarm could stop it or put another in its place.
//!
//! Networks, secrets and configs of a service need no clause: a swarm does not let go of one that is in use (swarmkit `manager/controlapi`).

use crate::request::json::Json;

use super::look::Veil;
use super::{Clause, Protected, Question, Review, Verdict, is_plain, violation};

/// What the proxy's own container is a task of, by the labels that the swarm gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnTask {
    /// The id of its service.
    pub service: String,
    /// The name of its service.
    pub service_name: String,
    /// The id of its node.
    pub node: String,
}

const OWN_SERVICE: &str =
    "is the service of the proxy's own container, which no client may change or remove";
const OWN_NODE: &str =
    "is the node of the proxy's own container, which no client may change or remove";

impl Review<'_> {
    /// The clauses that keep the proxy's service running.
    pub(super) fn guard_swarm(&mut self, protected: &Protected) -> Verdict {
        let Some(task) = &protected.task else { return Ok(()) };
        match self.head.operation.id() {
            "ServiceUpdate" | "ServiceDelete" => self.not_own_service(task),
            "NodeUpdate" | "NodeDelete" => self.not_own_node(task),
            // With `ForceNewCluster`, an init begins anew as well.
            "SwarmInit" | "SwarmLeave" => {
                let place = format!("`{}`", self.head.operation);
                let problem = "ends or changes the swarm that runs the proxy's own container, which no client may do";
                Err(violation(Clause::OwnContainer, &place, problem))
            }
            _ => Ok(()),
        }
    }

    /// Engines look for the id, the name and a part of the id, in this order (moby `daemon/cluster/helpers.go`). What a part of the id means
    /// now may be gone in a moment, so every part of it counts.
    fn not_own_service(&self, task: &OwnTask) -> Verdict {
        let name = self.object();
        if task.service.starts_with(name) || task.service_name.eq_ignore_ascii_case(name) {
            return Err(violation(Clause::OwnContainer, "the path", OWN_SERVICE));
        }
        Ok(())
    }

    /// A node's name is the name of its host, which only the engine knows.
    fn not_own_node(&mut self, task: &OwnTask) -> Verdict {
        let name = self.object();
        let own = || Err(violation(Clause::OwnContainer, "the path", OWN_NODE));
        if task.node.starts_with(name) {
            return own();
        }
        if !is_plain(name) {
            return Ok(());
        }
        let veil = Veil { place: "the path", problem: OWN_NODE };
        self.look(&Question::Node(name.to_owned()), veil, |_, node| match node {
            None => Ok(()),
            Some(node) => match node.field("ID").and_then(Json::as_str) {
                Some(id) if id != task.node => Ok(()),
                _ => own(),
            },
        })
    }
}
