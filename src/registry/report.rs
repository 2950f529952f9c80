//! What people are told about clients: lines in the log when they come and go, and the answer to `sockwarden clients`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::network::{OwnNetworks, bare_address};
use super::{Registry, STALE, Shared, lock};
use crate::client::{ContainerId, Identity};
use crate::engine::OwnCall;
use crate::engine::own::{ContainerInspect, ContainerRow};
use crate::rule::body::mount_danger;
use crate::rule::labels::Rights;
use crate::startup::host_owner;

/// How many clients' last refusals are remembered.
const REMEMBERED_REFUSALS: usize = 4096;
/// How much of a refusal is remembered, in characters.
const LONGEST_REFUSAL: usize = 1024;
/// How many containers of one network are looked at for the warning about forged addresses.
const EXAMINED_NEIGHBOURS: usize = 64;

/// A client as `sockwarden clients` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientReport {
    /// The container's name.
    pub name: String,
    /// The first twelve digits of its id.
    pub id: String,
    /// `running`, `exited` and so on.
    pub state: String,
    /// Where it is attached.
    pub networks: Vec<NetworkReport>,
    /// What it may do, in plain words.
    pub rights: String,
    /// What it could do to the host, and what would end that.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How many connections it has to us.
    pub connections: usize,
    /// What it was refused last.
    pub last_refusal: Option<String>,
}

/// One attachment of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkReport {
    /// The network's name.
    pub network: String,
    /// Its addresses there.
    pub addresses: Vec<String>,
    /// Whether we are attached to it too, so that it can reach us there.
    pub shared: bool,
}

/// The last refusal of each client, a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<ContainerId, String>>);

impl Refusals {
    pub(super) fn forget(&self, id: ContainerId) {
        lock(&self.0).remove(&id);
    }
}

impl Registry {
    /// Remembers what a client was refused.
    pub fn refused(&self, identity: &Identity, what: &str) {
        let Identity::Containers(containers) = identity else { return };
        // A client may ask for something very long.
        let what: String = what.chars().take(LONGEST_REFUSAL).collect();
        let mut refusals = lock(&self.refusals.0);
        for container in containers.iter() {
            if refusals.len() < REMEMBERED_REFUSALS || refusals.contains_key(&container.id) {
                refusals.insert(container.id, what.clone());
            }
        }
    }

    /// The clients there are: containers with labels of ours, and those that share a network with us.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn clients(&self) -> Result<Vec<ClientReport>, Shared> {
        let own = lock(&self.own_networks).clone();
        let keep = move |row: ContainerRow| {
            let networks = networks_of(&own, &row);
            Some((ContainerId::parse(&row.id)?, row.name().to_owned(), row.state, networks))
        };
        let rows = self.engine.containers(keep).await.map_err(Arc::new)?;
        let mut clients = Vec::new();
        for (id, name, state, networks) in rows {
            let known = lock(&self.known).containers.get(&id).cloned();
            let known = match known {
                Some(container) => Some(container),
                None => self.learn(id).await?,
            };
            let Some(container) = known.filter(|_| id != self.own_id) else { continue };
            let labelled = !matches!(container.rights, Rights::Unlabelled);
            if labelled || networks.iter().any(|network| network.shared) {
                clients.push(ClientReport {
                    name,
                    id: id.short(),
                    state,
                    networks,
                    rights: container.rights.to_string(),
                    warnings: self.warnings(&container.rights),
                    connections: self.sessions.count(id),
                    last_refusal: lock(&self.refusals.0).get(&id).cloned(),
                });
            }
        }
        clients.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(clients)
    }

    /// What a client with these rights could do to the host.
    fn warnings(&self, rights: &Rights) -> Vec<String> {
        let Rights::Own(list) = rights else { return Vec::new() };
        let access = list.host_access.unwrap_or(self.labels.limits.host_access);
        let prefix = self.suggested_prefix();
        let owner = host_owner(&list.rules, access).map(|operation| {
            format!("may use {operation}, and so owns the host; the label `{prefix}.hostaccess=deny` ends that")
        });
        let directories = list.bind_mount_from.iter().flatten().filter_map(|directory| {
            let danger = mount_danger(directory)?;
            Some(format!("may mount `{}`, which {danger}", directory.display()))
        });
        owner.into_iter().chain(directories).collect()
    }

    /// Whether our knowledge follows the engine's events right now.
    pub fn is_fresh(&self) -> bool {
        self.epoch.load(Ordering::SeqCst) != STALE
    }

    pub(super) async fn report_clients(&self) {
        let clients = match self.clients().await {
            Ok(clients) => clients,
            Err(error) => {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "the clients cannot be listed"
                );
                return;
            }
        };
        tracing::info!(
            container = self.own_name,
            clients = clients.len(),
            "per-container allowlists are in force"
        );
        for client in &clients {
            report(client, "client");
        }
        if let Err(error) = self.warn_of_neighbours().await {
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "the containers on our networks cannot be examined"
            );
        }
    }

    /// Tells what is in force for a client that runs, after something happened to it.
    pub(super) async fn tell(&self, id: ContainerId, what: &'static str) -> Result<(), Shared> {
        let Some(container) = self.container(id).await? else { return Ok(()) };
        // A container that is starting or stopping has its own lines for that.
        let row = self.engine.container_row(id).await.map_err(Arc::new)?;
        let Some(row) = row.filter(|row| row.state == "running") else { return Ok(()) };
        let networks = networks_of(&lock(&self.own_networks), &row);
        if matches!(container.rights, Rights::Unlabelled)
            && !networks.iter().any(|network| network.shared)
        {
            return Ok(());
        }
        let client = ClientReport {
            name: container.name.clone(),
            id: id.short(),
            state: row.state,
            networks,
            rights: container.rights.to_string(),
            warnings: self.warnings(&container.rights),
            connections: self.sessions.count(id),
            last_refusal: None,
        };
        report(&client, what);
        Ok(())
    }

    pub(super) fn report_stopped(&self, id: ContainerId) {
        let known = lock(&self.known).containers.get(&id).cloned();
        if let Some(container) =
            known.filter(|container| !matches!(container.rights, Rights::Unlabelled))
        {
            tracing::info!(name = container.name, container = id.short(), "client stopped");
        }
    }

    /// Warns once per network of ours on which several containers live and one could forge the others' addresses.
    pub(super) async fn warn_of_neighbours(&self) -> Result<(), Shared> {
        let networks = lock(&self.own_networks).ids();
        for network in networks {
            let members = self.look(&network).await?.containers();
            for id in members.into_iter().filter(|id| *id != self.own_id).take(EXAMINED_NEIGHBOURS)
            {
                self.warn_of_neighbour(id, &network).await?;
            }
        }
        Ok(())
    }

    /// Looks at one container on a network of ours for what would make it another: forged addresses, or our own name as an alias.
    pub(super) async fn warn_of_neighbour(
        &self,
        id: ContainerId,
        network: &str,
    ) -> Result<(), Shared> {
        if id == self.own_id {
            return Ok(());
        }
        let view = self.look(network).await?;
        let others = view.containers().into_iter().filter(|other| *other != self.own_id).count();
        let full = id.to_string();
        let inspect: Option<ContainerInspect> =
            self.engine.ask_for(OwnCall::Container(&full)).await.map_err(Arc::new)?;
        let Some(inspect) = inspect else { return Ok(()) };
        let name = inspect.name.trim_start_matches('/');
        if others > 1 && can_forge(&inspect) && lock(&self.warned).insert((id, network.to_owned()))
        {
            tracing::warn!(
                network = view.name,
                container = name,
                "this container shares a client network with others and can forge their addresses; give each client a network of its own, or the container `cap_drop: [NET_RAW]`"
            );
        }
        let aliases = inspect.network_settings.networks.iter().flat_map(BTreeMap::values);
        let aliases = aliases
            .filter(|endpoint| endpoint.network_id == network)
            .flat_map(|endpoint| endpoint.aliases.iter().flatten());
        let taken = {
            let own = lock(&self.own_networks);
            aliases.into_iter().find(|alias| **alias == self.own_name || own.has_alias(alias))
        };
        if let Some(alias) = taken {
            tracing::warn!(
                network = view.name,
                container = name,
                alias,
                "this container has a name of ours as an alias: clients that look us up may talk to it instead; remove the alias"
            );
        }
        Ok(())
    }
}

fn networks_of(own: &OwnNetworks, row: &ContainerRow) -> Vec<NetworkReport> {
    let attachments = row.network_settings.networks.iter().flatten();
    attachments
        .map(|(name, endpoint)| NetworkReport {
            network: name.clone(),
            addresses: [&endpoint.ip_address, &endpoint.global_ipv6_address]
                .into_iter()
                .filter_map(|address| bare_address(address))
                .map(|address| address.to_string())
                .collect(),
            shared: own.has(&endpoint.network_id),
        })
        .collect()
}

/// Whether a container can send packets from another's address: `CAP_NET_RAW`, which the engine gives by default, is enough.
fn can_forge(inspect: &ContainerInspect) -> bool {
    let named = |list: &Option<Vec<String>>, wanted: &str| {
        list.iter().flatten().any(|capability| {
            let capability = capability.to_ascii_uppercase();
            capability.strip_prefix("CAP_").unwrap_or(&capability) == wanted
        })
    };
    let host = &inspect.host_config;
    let dropped = named(&host.cap_drop, "ALL") || named(&host.cap_drop, "NET_RAW");
    let added =
        ["ALL", "NET_RAW", "NET_ADMIN"].iter().any(|capability| named(&host.cap_add, capability));
    host.privileged || added || !dropped
}

fn report(client: &ClientReport, message: &'static str) {
    let networks: Vec<String> = client
        .networks
        .iter()
        .map(|network| format!("{}={}", network.network, network.addresses.join("+")))
        .collect();
    tracing::info!(
        name = client.name,
        container = client.id,
        networks = networks.join(","),
        rights = client.rights,
        "{message}"
    );
    for warning in &client.warnings {
        tracing::warn!(name = client.name, container = client.id, "client {warning}");
    }
}
