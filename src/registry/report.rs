//! What people are told about clients: lines in the log when they come and go, and the answer to `sockwarden clients`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::directory::{Directory, LabelPolicy};
use super::network::bare_address;
use super::networks::Networks;
use super::ourselves::{Look, Ourselves};
use super::sessions::Sessions;
use super::shared::{Shared, inspect, lock};
use crate::clauses::mount_danger;
use crate::client::{Container, ContainerId, Step};
use crate::engine::Engine;
use crate::engine::questions::{ContainerInspect, ContainerRow, Endpoint};
use crate::risks::{dangers, host_owner};
use crate::rule::Allowlist;
use crate::rule::HostAccess;
use crate::rule::labels::Rights;
use crate::setting::SettingName;
use crate::text::printable;

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
    /// Whether its labels are wrong, so that it has no rights.
    #[serde(default)]
    pub broken: bool,
    /// What it could do to others, what would end that, and what of its labels cannot work.
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

/// Tells people of clients.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) engine: Engine,
    pub(super) labels: Arc<LabelPolicy>,
    pub(super) ourselves: Arc<Ourselves>,
    pub(super) networks: Arc<Networks>,
    pub(super) directory: Arc<Directory>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) told: Told,
}

/// What was told before.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Whom we have warned of, so that it is said once.
    warned: Mutex<BTreeSet<(ContainerId, String)>>,
}

impl Reporter {
    /// A container is gone for good.
    pub(super) fn forget(&self, id: ContainerId) {
        lock(&self.told.warned).retain(|(warned, _)| *warned != id);
    }

    /// The label prefix that messages suggest.
    pub(super) fn suggested_prefix(&self) -> &str {
        self.labels.prefixes.last().map_or("sockwarden", String::as_str)
    }

    /// The clients there are: containers with labels of ours, and those that share a network with us. What each was refused last is
    /// somebody else's knowledge.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub(super) async fn clients(
        &self,
        last_refusal: impl Fn(ContainerId) -> Option<String>,
    ) -> Result<Vec<ClientReport>, Shared> {
        let own = self.ourselves.look();
        let keep = move |row: ContainerRow| {
            let networks = networks_of(&own, &row);
            Some((ContainerId::parse(&row.id)?, row.name().to_owned(), row.state, networks))
        };
        let rows = self.engine.containers(keep).await.map_err(Arc::new)?;
        let mut clients = Vec::new();
        for (id, name, state, networks) in rows {
            let known = self.directory.container(id).await?;
            let Some(container) = known.filter(|_| id != self.ourselves.id) else { continue };
            let labelled = !container.is_unlabelled();
            if labelled || networks.iter().any(|network| network.shared) {
                let container = self.directory.looked_at(container).await;
                clients.push(ClientReport {
                    name,
                    id: id.short(),
                    state,
                    networks,
                    rights: rights_of(&container),
                    broken: matches!(container.rights, Rights::Broken(_)),
                    warnings: self.warnings(&container),
                    connections: self.sessions.count(id),
                    last_refusal: last_refusal(id),
                });
            }
        }
        clients.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(clients)
    }

    /// What a client could do to the host, and what of its labels cannot work.
    fn warnings(&self, container: &Container) -> Vec<String> {
        let Rights::Own(list) = &container.rights else { return Vec::new() };
        if container.lineage.step != Step::No {
            return Vec::new();
        }
        let access = self.labels.limits.host_access;
        let prefix = self.suggested_prefix();
        list.remarks.get_or_init(|| remarks(list, access, prefix)).clone()
    }

    pub(super) async fn report_clients(&self) {
        let clients = match self.clients(|_| None).await {
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
            container = self.ourselves.name,
            clients = clients.len(),
            "per-container allowlists are in force"
        );
        if self.ourselves.look().on_host {
            tracing::warn!(
                "sockwarden uses the host's network: containers on every network of the engine are recognised by their addresses there, but those with `network_mode: host`, like processes of the host, are judged by the default allowlist, if {} admits their address",
                SettingName::AllowFrom
            );
        }
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
        let Some(container) = self.directory.container(id).await? else { return Ok(()) };
        // A container that is starting or stopping has its own lines for that.
        let row = self.engine.container_row(id).await.map_err(Arc::new)?;
        let Some(row) = row.filter(|row| row.state == "running") else { return Ok(()) };
        let networks = networks_of(&self.ourselves.look(), &row);
        if container.is_unlabelled() && !networks.iter().any(|network| network.shared) {
            return Ok(());
        }
        let container = self.directory.looked_at(container).await;
        let client = ClientReport {
            name: container.name.clone(),
            id: id.short(),
            state: row.state,
            networks,
            rights: rights_of(&container),
            broken: matches!(container.rights, Rights::Broken(_)),
            warnings: self.warnings(&container),
            connections: self.sessions.count(id),
            last_refusal: None,
        };
        report(&client, what);
        Ok(())
    }

    pub(super) fn report_stopped(&self, id: ContainerId) {
        let known = self.directory.known().container(id);
        if let Some(container) = known.filter(|container| !container.is_unlabelled()) {
            tracing::info!(name = container.name, container = id.short(), "client stopped");
        }
    }

    /// Warns once per network of ours on which several containers live and one could forge the others' addresses.
    pub(super) async fn warn_of_neighbours(&self) -> Result<(), Shared> {
        let look = self.ourselves.look();
        let networks = if look.on_host {
            self.networks.list().await?.iter().map(|network| network.id.clone()).collect()
        } else {
            look.networks.ids()
        };
        for network in networks {
            let members = self.networks.look(&network).await?.containers();
            for id in
                members.into_iter().filter(|id| *id != self.ourselves.id).take(EXAMINED_NEIGHBOURS)
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
        if self.ourselves.is_us(id) {
            return Ok(());
        }
        let view = self.networks.look(network).await?;
        let others =
            view.containers().into_iter().filter(|other| *other != self.ourselves.id).count();
        let inspect = inspect(&self.engine, id).await?;
        let Some(inspect) = inspect else { return Ok(()) };
        let name = inspect.name.trim_start_matches('/');
        if others > 1
            && can_forge(&inspect)
            && lock(&self.told.warned).insert((id, network.to_owned()))
        {
            tracing::warn!(
                network = view.name,
                container = name,
                "this container shares a client network with others and can forge their addresses; give each client a network of its own, or the container `cap_drop: [NET_RAW]`"
            );
        }
        let is_here = |name: &String, endpoint: &Endpoint| {
            endpoint.network_id == network || (*name == view.name && endpoint.network_id == *name)
        };
        let look = self.ourselves.look();
        let taken = inspect
            .network_settings
            .networks
            .iter()
            .flatten()
            .filter(|(name, endpoint)| is_here(name, endpoint))
            .flat_map(|(_, endpoint)| endpoint.aliases.iter().flatten())
            .find(|alias| **alias == self.ourselves.name || look.networks.has_alias(alias));
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

/// What a container may do, in plain words.
fn rights_of(container: &Container) -> String {
    match (container.lineage.step, &container.lineage.creator) {
        (Step::Yes, _) => "nothing, because a build made it for one of its steps".to_owned(),
        (Step::Unclear, _) => "nothing until the engine says whether a build made it".to_owned(),
        (Step::No, Some(creator)) => {
            format!("{}; and no more than its creator may: {creator}", container.rights)
        }
        (Step::No, None) => container.rights.to_string(),
    }
}

pub(super) fn networks_of(own: &Look, row: &ContainerRow) -> Vec<NetworkReport> {
    let attachments = row.network_settings.networks.iter().flatten();
    attachments
        .map(|(name, endpoint)| NetworkReport {
            network: name.clone(),
            addresses: [&endpoint.ip_address, &endpoint.global_ipv6_address]
                .into_iter()
                .filter_map(|address| bare_address(address))
                .map(|address| address.to_string())
                .collect(),
            shared: own.networks.has_endpoint(name, &endpoint.network_id)
                || (own.on_host && !matches!(name.as_str(), "host" | "none")),
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

/// What a client with this list could do to others, and what of its labels cannot work.
fn remarks(list: &Allowlist, access: HostAccess, prefix: &str) -> Vec<String> {
    let owner = host_owner(list, access).map(|operation| {
        format!("may use {operation}, and so owns the host; the label `{prefix}.hostaccess=deny` ends that")
    });
    let given = dangers(list, access)
        .into_iter()
        .map(|(operation, sentence)| format!("may use {operation}: {sentence}"));
    let slips = list.rules.iter().filter_map(|rule| {
        let pattern = printable(rule.path.as_str());
        Some(format!("has the label `{}`: `{pattern}` {}", rule.origin, rule.path.slip()?))
    });
    let directories = list.bind_mount_from.iter().flatten().filter_map(|directory| {
        let danger = mount_danger(directory)?;
        Some(format!("may mount `{}`, which {danger}", directory.display()))
    });
    owner.into_iter().chain(given).chain(slips).chain(directories).collect()
}

fn report(client: &ClientReport, message: &'static str) {
    let networks: Vec<String> = client
        .networks
        .iter()
        .map(|network| format!("{}={}", network.network, network.addresses.join("+")))
        .collect();
    let networks = networks.join(",");
    let (name, container, rights) = (&*client.name, &*client.id, &*client.rights);
    if client.broken {
        tracing::warn!(
            name,
            container,
            networks,
            rights,
            fix = "fix its labels and create it again",
            "{message}"
        );
    } else {
        tracing::info!(name, container, networks, rights, "{message}");
    }
    for warning in &client.warnings {
        tracing::warn!(name = client.name, container = client.id, "client {warning}");
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::rule::labels::LabelReader;

    fn rights(labels: &[(&str, &str)]) -> Rights {
        let labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        LabelReader::default().rights(&labels, &["sockwarden".to_owned()])
    }

    #[track_caller]
    fn check(labels: &[(&str, &str)], access: HostAccess, want: &[&str]) {
        let Rights::Own(list) = rights(labels) else { panic!("{labels:?}") };
        let told = remarks(&list, access, "sockwarden");
        assert_eq!(told.len(), want.len(), "{told:?}");
        for (told, want) in told.iter().zip(want) {
            assert!(told.starts_with(want), "{told}");
        }
    }

    #[test]
    fn what_a_labelled_client_may_read_is_told_as_for_the_default_list() {
        use HostAccess::{Allow, Deny};
        let all =
            [("sockwarden.allow.get", "(/v1[.][0-9]+)?/containers/[^/]+/(json|archive|export)")];
        for access in [Allow, Deny] {
            let want = ["may use ContainerExport: reads", "may use ContainerArchive: reads"];
            check(&all, access, &want);
        }
        check(&[("sockwarden.allow.get", "/containers/json")], Allow, &[]);
        let create = [("sockwarden.allow.post", "/containers/create")];
        check(
            &create,
            Allow,
            &["may use ContainerCreate, and so owns the host", "may use ContainerCreate: "],
        );
        check(&create, Deny, &[]);
    }

    #[test]
    fn a_pattern_that_cannot_work_is_told() {
        check(
            &[("sockwarden.allow.get.x", r"(/v1\\.\\d+)?/info"), ("sockwarden.allow.get", "info")],
            HostAccess::Allow,
            &[
                "has the label `sockwarden.allow.get`: `info` matches nothing",
                r"has the label `sockwarden.allow.get.x`: `(/v1\\.\\d+)?/info` does not mean",
            ],
        );
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn broken_labels_are_a_warning() {
        for (labels, level) in
            [(("sockwarden.get", "/a"), "WARN"), (("sockwarden.allow.get", "/a"), "INFO")]
        {
            let rights = rights(&[labels]);
            let client = ClientReport {
                name: "web".to_owned(),
                id: "0123456789ab".to_owned(),
                state: "running".to_owned(),
                networks: Vec::new(),
                rights: rights.to_string(),
                broken: matches!(rights, Rights::Broken(_)),
                warnings: Vec::new(),
                connections: 0,
                last_refusal: None,
            };
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
            tracing::subscriber::with_default(subscriber, || {
                tracing::callsite::rebuild_interest_cache();
                report(&client, "client");
            });
            let log = String::from_utf8(lock(&lines.0).clone()).unwrap();
            assert!(log.contains(level) && log.contains("web"), "{log}");
        }
    }
}
