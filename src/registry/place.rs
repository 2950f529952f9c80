//! Where our own container is: the networks it is attached to, or the host's network, or the network of another container.

use std::net::IpAddr;
use std::sync::Arc;

use super::network::OwnNetworks;
use super::own::OwnContainerError;
use super::{LabelPolicy, Shared};
use crate::clauses::{OwnTask, Protected, is_full_id};
use crate::client::ContainerId;
use crate::engine::own::{ContainerInspect, NetworkInspect};
use crate::engine::{Engine, OwnCall};

/// `network_mode: container:a` where `a` has `container:b`, and so on, is followed this often.
const LONGEST_CHAIN: usize = 8;

/// One look at our own container.
#[derive(Debug, Default)]
pub(super) struct OwnPlace {
    /// The networks on which we have addresses.
    pub(super) networks: OwnNetworks,
    /// We are on the host's network: the containers of every bridge reach us under their own addresses.
    pub(super) on_host: bool,
    /// The containers whose network we use (`network_mode: container:…`): who speaks from inside them speaks as we do.
    pub(super) companions: Vec<ContainerId>,
    /// What we are a task of, where a swarm runs us.
    task: Option<OwnTask>,
    /// How our network was chosen, for people.
    pub(super) mode: String,
    names: Vec<String>,
}

impl OwnPlace {
    /// Reads where a container is from what the engine says of it, and asks for what that leaves open.
    pub(super) async fn of(engine: &Engine, inspect: ContainerInspect) -> Result<Self, Shared> {
        let mode = inspect.host_config.network_mode.clone();
        let mut place = Self { mode, task: task(&inspect), ..Self::default() };
        let mut at = inspect;
        for _ in 0..LONGEST_CHAIN {
            place.names.push(at.name.trim_start_matches('/').to_owned());
            let Some(owner) = at.host_config.network_mode.strip_prefix("container:") else { break };
            let owner: Option<ContainerInspect> =
                engine.ask_for(OwnCall::Container(owner)).await.map_err(Arc::new)?;
            let Some(owner) = owner else { break };
            place.companions.extend(ContainerId::parse(&owner.id));
            at = owner;
        }
        place.on_host = at.host_config.network_mode == "host";
        for (name, endpoint) in at.network_settings.networks.iter_mut().flatten() {
            // Podman writes the network's name here; what is protected and compared is always the id.
            if !is_full_id(&endpoint.network_id) {
                let reference = Some(&endpoint.network_id).filter(|id| !id.is_empty());
                let network: Option<NetworkInspect> = engine
                    .ask_for(OwnCall::Network(reference.unwrap_or(name)))
                    .await
                    .map_err(Arc::new)?;
                if let Some(network) = network.filter(|network| !network.id.is_empty()) {
                    endpoint.network_id = network.id;
                }
            }
        }
        place.networks = OwnNetworks::new(&at);
        Ok(place)
    }

    /// Whether this container's addresses are ours.
    pub(super) fn is_us(&self, own: ContainerId, id: ContainerId) -> bool {
        id == own || self.companions.contains(&id)
    }

    /// Whether this address is the host's on one of our networks.
    pub(super) fn is_gateway(&self, address: IpAddr) -> bool {
        self.networks.is_gateway(address)
    }

    /// Whether clients can be told apart by their addresses from here.
    ///
    /// # Errors
    /// When the engine knows no address of ours, so that nobody could reach us under an address that it knows.
    pub(super) fn sees_clients(&self, own_name: &str) -> Result<(), OwnContainerError> {
        if self.on_host || !self.networks.is_empty() {
            return Ok(());
        }
        let mode = if self.mode.is_empty() { "unknown" } else { &self.mode };
        Err(OwnContainerError::NoAddress { name: own_name.to_owned(), mode: mode.to_owned() })
    }

    /// What no client may touch: our own container under all its names, and what its networks and labels decide.
    pub(super) fn protected(&self, own: ContainerId, labels: &LabelPolicy) -> Protected {
        // Clients find a service by its name.
        let service_name = self.task.as_ref().map(|task| &task.service_name);
        let names = self.networks.aliases().chain(&self.names).chain(service_name);
        Protected {
            container: own.to_string(),
            companions: self.companions.iter().map(ToString::to_string).collect(),
            names: names.cloned().collect(),
            networks: self.networks.names().to_vec(),
            every_network: self.on_host,
            prefixes: labels.prefixes.clone(),
            image_labels_count: labels.trust_image_labels,
            engine_sockets: Vec::new(),
            task: self.task.clone(),
        }
    }
}

/// What a container is a task of, where a swarm runs it.
fn task(inspect: &ContainerInspect) -> Option<OwnTask> {
    let labels = inspect.config.labels.as_ref().filter(|labels| !labels.service.is_empty())?;
    Some(OwnTask {
        service: labels.service.clone(),
        service_name: labels.service_name.clone(),
        node: labels.node.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_a_swarm_is_known_by_its_labels() {
        let place = |labels: serde_json::Value| {
            let inspect = serde_json::json!({ "Name": "/web.1.x", "Config": { "Labels": labels } });
            let inspect: ContainerInspect = serde_json::from_value(inspect).unwrap();
            OwnPlace { task: task(&inspect), ..OwnPlace::default() }
        };
        let labels = LabelPolicy {
            prefixes: vec!["sockwarden".to_owned()],
            trust_image_labels: false,
            limits: crate::clauses::Defaults::default(),
        };
        let id = ContainerId::parse(&"a1".repeat(32)).unwrap();
        let task = place(serde_json::json!({
            "com.docker.swarm.node.id": "n", "com.docker.swarm.service.id": "s",
            "com.docker.swarm.service.name": "stack_web", "other": "x"
        }));
        let protected = task.protected(id, &labels);
        assert!(protected.names.contains("stack_web"), "{:?}", protected.names);
        let own = OwnTask {
            service: "s".to_owned(),
            service_name: "stack_web".to_owned(),
            node: "n".to_owned(),
        };
        assert_eq!(protected.task, Some(own));
        for labels in
            [serde_json::json!({}), serde_json::json!(null), serde_json::json!({"a": "b"})]
        {
            assert_eq!(place(labels).task, None);
        }
    }
}
