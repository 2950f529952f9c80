//! What no client may touch, whatever its list says.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::rule::labels::creator::Maker;
use crate::rule::labels::is_reserved;

pub(super) const OWN: &str = "is the proxy's own container, which no client may touch";
pub(super) const COMPANION: &str =
    "is the container whose network the proxy uses, which no client may touch";

/// What no client may touch.
#[derive(Debug, Clone, Default)]
pub struct Protected {
    /// The full id of the proxy's own container.
    pub container: String,
    /// The full ids of the containers whose network namespace it uses.
    pub companions: BTreeSet<String>,
    /// The names under which it is found: its own and its aliases.
    pub names: BTreeSet<String>,
    /// The networks that it is attached to, by full id, with their names.
    pub networks: Vec<(String, String)>,
    /// Clients are recognised on every network, also on those that are made later: the proxy uses the host's.
    pub every_network: bool,
    /// The prefixes of labels that carry rights.
    pub prefixes: Vec<String>,
    /// Whether labels of an image carry rights too.
    pub image_labels_count: bool,
    /// Where the engine's socket lies on the host, as its own container mounts it.
    pub engine_sockets: Vec<String>,
    /// What its own container is a task of, where a swarm runs it.
    pub task: Option<OwnTask>,
    /// Who created other containers, or has rights of its own, by the names that say so; nobody may take one.
    pub makers: Arc<BTreeSet<Maker>>,
}

impl Protected {
    /// Whether a reference may mean a network on which clients are recognised.
    pub fn is_network(&self, reference: &str) -> bool {
        if self.every_network { reference != "none" } else { self.is_own_network(reference) }
    }

    /// Whether a reference may mean one of the proxy's own networks, now or when the engine looks: its id, any part of it, or its name. A
    /// network that is called like a part of the id today may be gone when the container starts.
    pub(super) fn is_own_network(&self, reference: &str) -> bool {
        let reference = if matches!(reference, "default" | "") { "bridge" } else { reference };
        self.networks.iter().any(|(id, name)| name == reference || id.starts_with(reference))
    }

    /// Whether joining this network is joining the proxy's own network namespace.
    pub(super) fn is_own_namespace(&self, reference: &str) -> bool {
        self.every_network && !reference.is_empty() && self.is_own_network(reference)
    }

    /// Why no client may touch the container with this full id, if none may.
    pub(super) fn why_untouchable(&self, id: &str) -> Option<&'static str> {
        if self.companions.contains(id) {
            return Some(COMPANION);
        }
        (id == self.container).then_some(OWN)
    }

    /// Whether a label's key may carry rights.
    pub(super) fn is_label(&self, key: &str) -> bool {
        is_reserved(key, &self.prefixes)
    }
}

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

/// Whether it is a container's full id, which nothing can shadow.
pub fn is_full_id(reference: &str) -> bool {
    reference.len() == 64 && reference.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
