//! Our own container: where it is (on networks of its own, on the host's network, or on the network of another container), and what of it
//! no client may touch.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::directory::LabelPolicy;
use super::fresh::Fresh;

use super::own_container::{self, OwnContainer, OwnContainerError};
use super::own_networks::OwnNetworks;
use super::shared::{Shared, inspect, lock};
use crate::clauses::{OwnTask, Protected, is_full_id};
use crate::client::ContainerId;
use crate::engine::questions::{ContainerInspect, Mount, NetworkInspect};
use crate::engine::{Engine, EngineError, OwnCall};
use crate::rule::labels::creator::Maker;

/// `network_mode: container:a` where `a` has `container:b`, and so on, is followed this often.
const LONGEST_CHAIN: usize = 8;

/// What is known of our own container.
#[derive(Debug)]
pub(super) struct Ourselves {
    engine: Engine,
    labels: Arc<LabelPolicy>,
    /// Its id.
    pub(super) id: ContainerId,
    /// Its name.
    pub(super) name: String,
    look: Mutex<Arc<Look>>,
    protected: Mutex<Arc<Protected>>,
    query: Fresh<Result<(), Shared>>,
}

impl Ourselves {
    /// Finds our own container.
    pub(super) async fn find(
        engine: Engine,
        own: &OwnContainer,
        labels: Arc<LabelPolicy>,
    ) -> Result<Self, OwnContainerError> {
        let inspect = own_container::find(&engine, own).await?;
        let id = ContainerId::parse(&inspect.id).ok_or(OwnContainerError::from(
            EngineError::Unexpected("its container has an odd id"),
        ))?;
        let name = inspect.name.trim_start_matches('/').to_owned();
        let look = Look::of(&engine, inspect).await?;
        let protected = look.protected(id, &labels);
        Ok(Self {
            engine,
            labels,
            id,
            name,
            look: Mutex::new(Arc::new(look)),
            protected: Mutex::new(Arc::new(protected)),
            query: Fresh::default(),
        })
    }

    /// The last look at it.
    pub(super) fn look(&self) -> Arc<Look> {
        Arc::clone(&lock(&self.look))
    }

    /// What no client may touch, as of the last look, and the names of these makers.
    pub(super) fn protected_with(&self, makers: Arc<BTreeSet<Maker>>) -> Arc<Protected> {
        let mut protected = lock(&self.protected);
        if !Arc::ptr_eq(&protected.makers, &makers) {
            *protected = Arc::new(Protected { makers, ..Protected::clone(&protected) });
        }
        Arc::clone(&protected)
    }

    /// Whether this container's addresses are ours.
    pub(super) fn is_us(&self, id: ContainerId) -> bool {
        id == self.id || self.look().companions.contains(&id)
    }

    /// Looks again.
    pub(super) async fn refresh(&self) -> Result<(), Shared> {
        self.query
            .get(|| async {
                let inspect = inspect(&self.engine, self.id).await?;
                let Some(inspect) = inspect else {
                    // It is being removed; what nobody may touch stays what it was.
                    *lock(&self.look) = Arc::default();
                    return Ok(());
                };
                let look = Look::of(&self.engine, inspect).await?;
                *lock(&self.protected) = Arc::new(look.protected(self.id, &self.labels));
                *lock(&self.look) = Arc::new(look);
                Ok(())
            })
            .await
    }

    /// Makes sure that clients can be told apart by their addresses from here, with a few tries.
    ///
    /// # Errors
    /// When the engine knows no address of ours, so that nobody could reach us under an address that it knows, or does not answer.
    pub(super) async fn sees_clients(&self) -> Result<(), OwnContainerError> {
        for _ in 1..own_container::TRIES {
            if self.look().sees_clients(&self.name).is_ok() {
                return Ok(());
            }
            tokio::time::sleep(own_container::PAUSE).await;
            self.refresh().await?;
        }
        self.look().sees_clients(&self.name)
    }
}

/// One look at our own container.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The networks on which we have addresses.
    pub(super) networks: OwnNetworks,
    /// We are on the host's network: the containers of every bridge reach us under their own addresses.
    pub(super) on_host: bool,
    /// The containers whose network we use (`network_mode: container:…`): who speaks from inside them speaks as we do.
    companions: Vec<ContainerId>,
    /// What we are a task of, where a swarm runs us.
    task: Option<OwnTask>,
    /// How our network was chosen, for people.
    mode: String,
    names: Vec<String>,
    /// Where the engine's socket lies on the host.
    engine_sockets: Vec<String>,
}

impl Look {
    /// Reads where a container is from what the engine says of it, and asks for what that leaves open.
    async fn of(engine: &Engine, inspect: ContainerInspect) -> Result<Self, Shared> {
        let mode = inspect.host_config.network_mode.clone();
        let mut look = Self { mode, task: task(&inspect), ..Self::default() };
        look.engine_sockets = host_paths(engine.socket(), inspect.mounts.iter().flatten());
        let mut at = inspect;
        for _ in 0..LONGEST_CHAIN {
            look.names.push(at.name.trim_start_matches('/').to_owned());
            let Some(owner) = at.host_config.network_mode.strip_prefix("container:") else { break };
            let owner: Option<ContainerInspect> =
                engine.ask_for(OwnCall::Container(owner)).await.map_err(Arc::new)?;
            let Some(owner) = owner else { break };
            look.companions.extend(ContainerId::parse(&owner.id));
            at = owner;
        }
        look.on_host = at.host_config.network_mode == "host";
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
        look.networks = OwnNetworks::new(&at);
        Ok(look)
    }

    /// Whether clients can be told apart by their addresses from here.
    ///
    /// # Errors
    /// When the engine knows no address of ours, so that nobody could reach us under an address that it knows.
    fn sees_clients(&self, own_name: &str) -> Result<(), OwnContainerError> {
        if self.on_host || !self.networks.is_empty() {
            return Ok(());
        }
        let mode = if self.mode.is_empty() { "unknown" } else { &self.mode };
        Err(OwnContainerError::NoAddress { name: own_name.to_owned(), mode: mode.to_owned() })
    }

    /// What no client may touch: our own container under all its names, and what its networks and labels decide.
    fn protected(&self, own: ContainerId, labels: &LabelPolicy) -> Protected {
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
            engine_sockets: self.engine_sockets.clone(),
            task: self.task.clone(),
            makers: Arc::default(),
        }
    }
}

/// Where a path in a container lies on the host, by what the container mounts: the path itself, or a directory above it.
fn host_paths<'a>(path: &Path, mounts: impl Iterator<Item = &'a Mount>) -> Vec<String> {
    // `/var/run` is a link to `/run` nearly everywhere.
    let plain = |path: &Path| match path.strip_prefix("/var/run") {
        Ok(rest) => Path::new("/run").join(rest),
        Err(_) => path.to_owned(),
    };
    let path = plain(path);
    let lies = |mount: &Mount| {
        let rest = path.strip_prefix(plain(Path::new(&mount.destination))).ok()?;
        let source = Path::new(&mount.source);
        let whole = if rest.as_os_str().is_empty() { source.to_owned() } else { source.join(rest) };
        (!mount.source.is_empty()).then(|| whole.to_string_lossy().into_owned())
    };
    mounts.filter_map(lies).collect()
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
    fn the_engines_socket_is_known_by_our_own_mounts() {
        let mount = |source: &str, destination: &str| Mount {
            source: source.to_owned(),
            destination: destination.to_owned(),
        };
        let mounts = [
            mount("/srv/engine/own.sock", "/run/docker.sock"),
            mount("/srv/run", "/var/run"),
            mount("/etc/x", "/etc/x"),
            mount("", "/var/run/docker.sock"),
            mount("/srv/other", "/var/run/docker"),
        ];
        let paths = host_paths(Path::new("/var/run/docker.sock"), mounts.iter());
        assert_eq!(paths, ["/srv/engine/own.sock", "/srv/run/docker.sock"]);
    }

    #[test]
    fn a_task_of_a_swarm_is_known_by_its_labels() {
        let look = |labels: serde_json::Value| {
            let inspect = serde_json::json!({ "Name": "/web.1.x", "Config": { "Labels": labels } });
            let inspect: ContainerInspect = serde_json::from_value(inspect).unwrap();
            Look { task: task(&inspect), ..Look::default() }
        };
        let labels = LabelPolicy {
            prefixes: vec!["sockwarden".to_owned()],
            trust_image_labels: false,
            limits: crate::clauses::Defaults::default(),
        };
        let id = ContainerId::parse(&"a1".repeat(32)).unwrap();
        let task = look(serde_json::json!({
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
            assert_eq!(look(labels).task, None);
        }
    }
}
