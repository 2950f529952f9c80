//! What is true at the engine: containers, networks, and who has had which address at which time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use tokio::time::Instant;

use crate::client::ContainerId;

/// How many networks there are, and how many addresses each has for containers: few, so that they are used again.
pub(super) const NETWORKS: usize = 3;
const ADDRESSES: u8 = 5;
/// The last digit of a network's gateway.
const GATEWAY: u8 = 254;

/// The engine's state, and what it was.
pub(super) struct World {
    /// How often it has changed.
    pub(super) version: u64,
    pub(super) networks: [Network; NETWORKS],
    pub(super) containers: BTreeMap<ContainerId, Container>,
    /// Our own container.
    pub(super) ours: ContainerId,
    /// Who has each address, from which version on.
    history: HashMap<Ipv4Addr, Vec<(u64, Holder)>>,
    made: u64,
    /// Who was called what.
    names: Vec<Naming>,
}

/// A time for which a container had a name.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) from: Instant,
    /// When it was removed or got another name.
    pub(super) until: Option<Instant>,
    pub(super) is_removed: bool,
    pub(super) is_labelled: bool,
    /// Whether it can stand for what it created: it is no step of a build, nor was it created itself without getting labels.
    pub(super) stands: bool,
}

pub(super) struct Network {
    pub(super) number: u8,
    /// Its id; there is none while the network does not exist.
    pub(super) id: Option<String>,
}

/// A container.
pub(super) struct Container {
    pub(super) name: String,
    pub(super) is_labelled: bool,
    pub(super) made: Made,
    /// The name of who created it, by its label.
    pub(super) creator: Option<String>,
    pub(super) shares_with: Option<ContainerId>,
    pub(super) runs: bool,
    /// The version of the world that began with its start.
    pub(super) started: u64,
    /// The container whose network it shares was stopped since it started, so that it has no network any more.
    pub(super) is_cut_off: bool,
    /// The networks it is attached to, and its address there while it runs.
    pub(super) attached: BTreeMap<usize, Option<Ipv4Addr>>,
}

/// What a new container is to be.
#[derive(Debug, Default)]
pub(super) struct New {
    pub(super) is_labelled: bool,
    pub(super) made: Made,
    pub(super) creator: Option<String>,
    /// Its name; else it gets one that nobody had.
    pub(super) name: Option<String>,
}

/// How a container was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Made {
    /// By its image's name.
    #[default]
    ByName,
    /// By its image's id.
    ById,
    /// For a step of a build.
    ForStep,
}

impl Made {
    fn image(self) -> &'static str {
        if self == Self::ByName { "image" } else { "sha256:1" }
    }
}

/// Who has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// It is of no network.
    Unclaimed,
    Nobody,
    Container(ContainerId),
}

/// What the engine publishes of a change.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) action: &'static str,
    pub(super) container: Option<ContainerId>,
    pub(super) network: Option<String>,
}

impl Event {
    /// Whether a container may lose an address with it.
    pub(super) fn departs(&self) -> bool {
        matches!(self.action, "die" | "disconnect" | "destroy")
    }
}

fn container_event(action: &'static str, id: ContainerId) -> Event {
    Event { kind: "container", action, container: Some(id), network: None }
}

impl World {
    /// Our own container, on two of the networks.
    pub(super) fn new() -> Self {
        let mut world = Self {
            version: 0,
            networks: [0, 1, 2].map(|number| Network { number, id: None }),
            containers: BTreeMap::new(),
            ours: ContainerId::parse(&"0".repeat(64)).unwrap(),
            history: HashMap::new(),
            made: 0,
            names: Vec::new(),
        };
        for index in 0..NETWORKS {
            world.make_network(index);
        }
        let ours = world.create(New::default(), None, &[0, 1]).0;
        world.ours = ours;
        world.start(ours);
        world
    }

    fn id(&mut self) -> String {
        self.made += 1;
        format!("{:012x}{:052x}", self.made, 0)
    }

    /// Notes who has which address after a change.
    fn changed(&mut self) {
        self.version += 1;
        for network in 0..NETWORKS {
            for digit in 1..=ADDRESSES {
                let address = self.address(network, digit);
                let holder = self.look_up(network, address);
                let past = self.history.entry(address).or_default();
                if past.last().is_none_or(|(_, last)| *last != holder) {
                    past.push((self.version, holder));
                }
            }
        }
    }

    pub(super) fn address(&self, network: usize, digit: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.networks[network].number, 0, digit)
    }

    fn look_up(&self, network: usize, address: Ipv4Addr) -> Holder {
        if self.networks[network].id.is_none() {
            return Holder::Unclaimed;
        }
        let has =
            |it: &(&ContainerId, &Container)| it.1.attached.get(&network) == Some(&Some(address));
        self.containers.iter().find(has).map_or(Holder::Nobody, |(id, _)| Holder::Container(*id))
    }

    /// Who has an address now.
    pub(super) fn holder(&self, address: Ipv4Addr) -> Holder {
        let past = self.history.get(&address).and_then(|past| past.last());
        past.map_or(Holder::Unclaimed, |(_, holder)| *holder)
    }

    /// Whether an address had such a holder at some time from this version until now.
    pub(super) fn was(&self, address: Ipv4Addr, since: u64, is: impl Fn(Holder) -> bool) -> bool {
        let past = self.history.get(&address).map_or(&[][..], Vec::as_slice);
        past.iter().enumerate().any(|(index, (_, holder))| {
            let until = past.get(index + 1).map_or(u64::MAX, |(until, _)| *until);
            until > since && is(*holder)
        })
    }

    fn free(&self, network: usize) -> Option<Ipv4Addr> {
        let mut addresses = (1..=ADDRESSES).map(|digit| self.address(network, digit));
        addresses.find(|address| self.look_up(network, *address) == Holder::Nobody)
    }

    pub(super) fn make_network(&mut self, index: usize) {
        let id = self.id();
        self.networks[index].id = Some(id);
        self.changed();
    }

    /// Takes a network away on which nobody runs.
    pub(super) fn destroy_network(&mut self, index: usize) -> Vec<Event> {
        let Some(id) = self.networks[index].id.take() else { return Vec::new() };
        for container in self.containers.values_mut() {
            container.attached.remove(&index);
        }
        self.changed();
        vec![Event { kind: "network", action: "destroy", container: None, network: Some(id) }]
    }

    /// Whether nobody has an address there.
    pub(super) fn is_empty(&self, index: usize) -> bool {
        self.containers.values().all(|it| it.attached.get(&index).is_none_or(Option::is_none))
    }

    pub(super) fn create(
        &mut self,
        new: New,
        shares_with: Option<ContainerId>,
        networks: &[usize],
    ) -> (ContainerId, Vec<Event>) {
        let New { is_labelled, made, creator, name } = new;
        let id = ContainerId::parse(&self.id()).unwrap();
        let name = name.unwrap_or_else(|| format!("c{}", self.made));
        let attached = networks.iter().filter(|_| shares_with.is_none()).map(|it| (*it, None));
        let attached = attached.collect();
        let container = Container {
            name,
            is_labelled,
            made,
            creator,
            shares_with,
            runs: false,
            started: 0,
            is_cut_off: false,
            attached,
        };
        self.call(id, &container);
        self.containers.insert(id, container);
        self.changed();
        (id, vec![container_event("create", id)])
    }

    /// Starts a container; it can speak as soon as this returns.
    pub(super) fn start(&mut self, id: ContainerId) -> Vec<Event> {
        let mut events = Vec::new();
        let networks: Vec<usize> = self.containers[&id].attached.keys().copied().collect();
        for network in networks {
            let address = self.free(network);
            let container = self.containers.get_mut(&id).unwrap();
            match (address, &self.networks[network].id) {
                (Some(_), Some(name)) => events.push(attachment("connect", id, name)),
                _ => continue,
            }
            container.attached.insert(network, address);
        }
        let container = self.containers.get_mut(&id).unwrap();
        (container.runs, container.is_cut_off) = (true, false);
        container.started = self.version + 1;
        self.changed();
        events.push(container_event("start", id));
        events
    }

    /// Frees what a container had while it ran.
    pub(super) fn stopped(&mut self, id: ContainerId) -> Vec<Event> {
        let mut events = Vec::new();
        for sharer in self.running_together(id) {
            self.containers.get_mut(&sharer).unwrap().is_cut_off = sharer != id;
        }
        let container = self.containers.get_mut(&id).unwrap();
        container.runs = false;
        for (network, address) in &mut container.attached {
            if address.take().is_some() {
                let name = self.networks[*network].id.as_deref().unwrap_or_default();
                events.push(attachment("disconnect", id, name));
            }
        }
        self.changed();
        events
    }

    fn call(&mut self, id: ContainerId, container: &Container) {
        self.names.push(Naming {
            id,
            name: container.name.clone(),
            from: Instant::now(),
            until: None,
            is_removed: false,
            is_labelled: container.is_labelled,
            stands: container.made != Made::ForStep
                && (container.is_labelled || container.creator.is_none()),
        });
    }

    fn end_name(&mut self, id: ContainerId, is_removed: bool) {
        let last = self.names.iter_mut().rev().find(|it| it.id == id);
        let last = last.expect("each container has a name");
        (last.until, last.is_removed) = (Some(Instant::now()), is_removed);
    }

    /// Who was called like this, and when.
    pub(super) fn called<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Naming> {
        self.names.iter().filter(move |it| it.name == name)
    }

    /// Names that lead to nobody, though labels say that who had them created something.
    pub(super) fn free_names(&self) -> Vec<String> {
        let is_free = |name: &&String| self.containers.values().all(|it| it.name != **name);
        self.containers
            .values()
            .filter_map(|it| it.creator.as_ref())
            .filter(is_free)
            .cloned()
            .collect()
    }

    pub(super) fn remove(&mut self, id: ContainerId) -> Vec<Event> {
        self.end_name(id, true);
        self.containers.remove(&id);
        self.changed();
        vec![container_event("destroy", id)]
    }

    pub(super) fn rename(&mut self, id: ContainerId) -> Vec<Event> {
        self.made += 1;
        self.end_name(id, false);
        let mut container = self.containers.remove(&id).unwrap();
        container.name = format!("r{}", self.made);
        self.call(id, &container);
        self.containers.insert(id, container);
        vec![container_event("rename", id)]
    }

    /// Attaches a container; one that does not run gets an address when it starts, and nothing is published.
    pub(super) fn connect(&mut self, id: ContainerId, network: usize) -> Vec<Event> {
        let Some(name) = self.networks[network].id.clone() else { return Vec::new() };
        let free = self.free(network);
        let container = self.containers.get_mut(&id).unwrap();
        let address = if container.runs { free } else { None };
        if container.attached.contains_key(&network) || (container.runs && address.is_none()) {
            return Vec::new();
        }
        container.attached.insert(network, address);
        let events = address.map(|_| attachment("connect", id, &name));
        self.changed();
        events.into_iter().collect()
    }

    /// Takes a container off a network. The engine says so twice.
    pub(super) fn disconnect(&mut self, id: ContainerId, network: usize) -> Vec<Event> {
        let container = self.containers.get_mut(&id).unwrap();
        let had = container.attached.remove(&network).flatten();
        self.changed();
        let Some(name) = had.and(self.networks[network].id.as_deref()) else { return Vec::new() };
        vec![attachment("disconnect", id, name); 2]
    }

    /// The container whose addresses this one uses: its own, or those of the one it shares with, by whatever way.
    pub(super) fn speaks_as(&self, id: ContainerId) -> ContainerId {
        let mut at = id;
        while let Some(owner) = self.containers.get(&at).and_then(|it| it.shares_with) {
            at = owner;
        }
        at
    }

    /// Whether a container that speaks from an address of ours reaches us over this network.
    pub(super) fn our_address(&self, network: usize) -> Option<IpAddr> {
        let ours = self.containers.get(&self.ours)?;
        ours.attached.get(&network).copied().flatten().map(IpAddr::V4)
    }

    /// What the engine answers to `GET` of this path; `None` where it has no such object.
    pub(super) fn answer(&self, path: &str, is_docker: bool) -> Option<Value> {
        if let Some(id) = path.strip_prefix("/networks/") {
            let index = self.networks.iter().position(|it| it.id.as_deref() == Some(id))?;
            return Some(self.network(index, true));
        }
        if let Some((_, rest)) = path.split_once("%7B%22id%22%3A%5B%22") {
            let id = ContainerId::parse(rest.get(..64)?)?;
            let row = self.containers.get(&id).map(|_| self.row(id));
            return Some(Value::Array(row.into_iter().collect()));
        }
        match path {
            "/version" => {
                let name = if is_docker { "Engine" } else { "Podman Engine" };
                Some(json!({"Components": [{"Name": name}], "ApiVersion": "1.51"}))
            }
            "/networks" => {
                let all = (0..NETWORKS).filter(|index| self.networks[*index].id.is_some());
                Some(all.map(|index| self.network(index, false)).collect())
            }
            "/containers/json?all=1" => {
                Some(self.containers.keys().map(|id| self.row(*id)).collect())
            }
            "/images/sha256:1/json" => Some(json!({"Config": {"Labels": null}})),
            path => {
                let name = path.strip_prefix("/containers/")?.strip_suffix("/json")?;
                let is_it = |(id, it): &(&ContainerId, &Container)| {
                    it.name == name || id.to_string() == name
                };
                let (id, container) = self.containers.iter().find(is_it)?;
                Some(json!({
                    "Id": id.to_string(), "Name": format!("/{}", container.name), "State": {"Running": container.runs},
                    "Config": {"Image": container.made.image()},
                    "HostConfig": {"NetworkMode": mode(container), "LogConfig": {"Type": if container.made == Made::ForStep { "none" } else { "local" }}},
                    "NetworkSettings": {"Networks": self.attachments(container)},
                }))
            }
        }
    }

    fn network(&self, index: usize, with_members: bool) -> Value {
        let network = &self.networks[index];
        let members: BTreeMap<String, Value> = self
            .containers
            .iter()
            .filter(|_| with_members)
            .filter_map(|(id, it)| Some((id, it, it.attached.get(&index).copied().flatten()?)))
            .map(|(id, it, address)| {
                (id.to_string(), json!({"Name": it.name, "IPv4Address": format!("{address}/24")}))
            })
            .collect();
        json!({
            "Id": network.id, "Name": format!("n{index}"), "Containers": members,
            "IPAM": {"Config": [{"Subnet": format!("10.{}.0.0/24", network.number), "Gateway": self.address(index, GATEWAY)}]},
        })
    }

    fn row(&self, id: ContainerId) -> Value {
        let container = &self.containers[&id];
        let mut labels = BTreeMap::new();
        if container.is_labelled {
            labels.insert("sockwarden.allow.get", "/info".to_owned());
        }
        if let Some(creator) = &container.creator {
            labels.insert("sockwarden.creator", format!("name:{creator}"));
        }
        json!({
            "Id": id.to_string(), "Names": [format!("/{}", container.name)], "Image": container.made.image(), "ImageID": "sha256:1", "Labels": labels,
            "State": if container.runs { "running" } else { "exited" },
            "HostConfig": {"NetworkMode": mode(container)},
            "NetworkSettings": {"Networks": self.attachments(container)},
        })
    }

    fn attachments(&self, container: &Container) -> BTreeMap<String, Value> {
        let attached = container.attached.iter();
        attached
            .map(|(index, address)| {
                let address = address.map(|it| it.to_string()).unwrap_or_default();
                (
                    format!("n{index}"),
                    json!({"NetworkID": self.networks[*index].id, "IPAddress": address, "Gateway": self.address(*index, GATEWAY)}),
                )
            })
            .collect()
    }

    /// The containers that share one's addresses and run.
    pub(super) fn running_together(&self, id: ContainerId) -> BTreeSet<ContainerId> {
        let all = self.containers.iter();
        all.filter(|(it, container)| container.runs && self.speaks_as(**it) == id)
            .map(|(it, _)| *it)
            .collect()
    }
}

/// What is published of the end of a container's process. Older engines say it before the addresses are free, newer ones after.
pub(super) fn death(id: ContainerId) -> Event {
    container_event("die", id)
}

fn attachment(action: &'static str, id: ContainerId, network: &str) -> Event {
    Event { kind: "network", action, container: Some(id), network: Some(network.to_owned()) }
}

fn mode(container: &Container) -> String {
    container.shares_with.map_or_else(|| "n0".to_owned(), |owner| format!("container:{owner}"))
}
