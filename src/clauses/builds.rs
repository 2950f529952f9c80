//! Builds, where rights come from labels. A step of the classic builder runs in a container of the engine's making, which carries the
//! labels that the client wrote into its Dockerfile, and an image's variants may differ in labels. Neither can be told from labels that
//! were given. So nobody both builds and makes or starts containers, and no build reaches the proxy, unless the client may hand out
//! labels anyway.

use crate::request::json::Json;
use crate::request::{ApiVersion, Operation};
use crate::rule::Allowlist;
use crate::text::printable;

use super::identity::Protected;
use super::look::Veil;
use super::{Clause, Question, Review, Verdict, is_plain, violation};

/// What makes or starts containers, also by way of the swarm. An update does with a restart policy.
const STARTS: &[&str] = &[
    "ContainerCreate",
    "ContainerRestart",
    "ContainerStart",
    "ContainerUpdate",
    "NodeUpdate",
    "ServiceCreate",
    "ServiceUpdate",
    "SwarmInit",
    "SwarmJoin",
    "SwarmUnlock",
];

/// Whether this is an operation that a client that builds may not use without `allow.labels`.
pub fn starts_containers(operation: Operation) -> bool {
    STARTS.contains(&operation.id())
}

const REACHES: &str =
    "lets the build reach the proxy from a container whose labels the client chooses";

impl Review<'_> {
    /// Nobody starts what builds leave behind. It comes last, because whoever is told this may take the builds out of the list, and should
    /// not learn only then what else is wrong.
    pub(super) fn starts_nothing_built(&self) -> Verdict {
        let operation = self.head.operation;
        if !self.questions.is_empty()
            || !starts_containers(operation)
            || !builds_unlabelled(self.list)
            || (operation.id() == "ContainerUpdate" && !self.sets_restart_policy())
        {
            return Ok(());
        }
        let problem = "makes or starts a container, and the list allows builds as well, which make images and containers with labels of the client's choice";
        Err(violation(Clause::BuildsToo, &format!("`{operation}`"), problem))
    }

    fn sets_restart_policy(&self) -> bool {
        let policy = self.field("RestartPolicy").filter(|policy| !policy.is_zero());
        policy.is_some_and(|policy| {
            let name = policy.field("Name").map_or("", |name| name.as_str().unwrap_or("?"));
            !matches!(name, "" | "no")
        })
    }

    /// Where a build runs.
    pub(super) fn guard_build_network(&mut self, protected: &Protected) -> Verdict {
        const PLACE: &str = "the parameter `networkmode`";
        let mode = self.parameter("networkmode");
        if mode.starts_with("container:") {
            let problem =
                "builds under an address that is somebody's identity; choose another network";
            return Err(violation(Clause::Identity, PLACE, problem));
        }
        if self.limits.may_label {
            return Ok(());
        }
        // The list was searched for builds under the versions below this one.
        if self.head.target.version().is_some_and(|version| version >= ApiVersion::new(2, 0)) {
            let problem = "is one that no engine speaks";
            return Err(violation(Clause::Unclear, "the API version", problem));
        }
        if mode == "none" {
            return Ok(());
        }
        let reaches = |problem: &str| Err(violation(Clause::BuildNetwork, PLACE, problem));
        if mode == "host" || protected.is_reached_by_builds(mode) {
            let mode = if mode.is_empty() { "default" } else { mode };
            return reaches(&format!("is `{}`, which {REACHES}", printable(mode)));
        }
        if matches!(mode, "" | "default" | "bridge") {
            return Ok(());
        }
        let none = "names a network that the engine does not have; name one that it has, or `none`";
        if !is_plain(mode) {
            return Err(violation(Clause::Unclear, PLACE, none));
        }
        // What a part of the host network's id means now may be gone when the build begins.
        let veil = Veil { place: PLACE, problem: REACHES };
        self.look(&Question::Network("host".to_owned()), veil, |_, network| {
            match network.and_then(|it| it.field("Id")).and_then(Json::as_str) {
                Some(id) if id.starts_with(mode) => reaches(REACHES),
                _ => Ok(()),
            }
        })?;
        self.look(&Question::Network(mode.to_owned()), veil, |_, network| {
            let Some(network) = network else {
                return Err(violation(Clause::Unclear, PLACE, none).veiled(PLACE, none));
            };
            let text = |name: &str| network.field(name).and_then(Json::as_str).unwrap_or("host");
            if text("Driver") == "host" || protected.is_network(text("Id")) {
                return reaches(REACHES);
            }
            Ok(())
        })
    }

    /// A build by `BuildKit`'s own protocol chooses its network where nobody sees it.
    pub(super) fn guard_hidden_build(&self, protected: &Protected) -> Verdict {
        if self.limits.may_label || !protected.is_reached_by_builds("") {
            return Ok(());
        }
        let place = format!("`{}`", self.head.operation);
        let problem = "builds on a network that cannot be seen, and so may reach the proxy";
        Err(violation(Clause::BuildNetwork, &place, problem))
    }
}

/// Whether a list allows builds and not the labels that come with them.
pub fn builds_unlabelled(list: &Allowlist) -> bool {
    !list.may_label && list.rules.allows_builds()
}

impl Protected {
    /// Whether a build in this network reaches the proxy: it is there too, or on the network of the host, which is reached from all. Builds
    /// that name none are on the default bridge, which Podman calls `podman`.
    pub fn is_reached_by_builds(&self, network: &str) -> bool {
        let is_default = matches!(network, "" | "bridge" | "default");
        // A proxy of which no network is known may be on any of them.
        self.networks.is_empty()
            || self.is_network(network)
            || self.networks.iter().any(|(_, name)| name == "host")
            || (is_default && self.networks.iter().any(|(_, name)| name == "podman"))
    }
}
