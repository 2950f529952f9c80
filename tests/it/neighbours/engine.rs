//! An engine with several networks, which describes its containers as Docker does or as Podman does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::fake_engine::{CHUNKED, Feed, Reply, Request, Step, docker_like};

/// In whose words the engine describes itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tongue {
    #[default]
    Docker,
    /// Podman 5.
    Podman,
    /// Lists whoever shares a container's network beside it, under the same address.
    Podman4,
}

impl Tongue {
    fn is_podman(self) -> bool {
        self != Self::Docker
    }
}

/// What there is.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) tongue: Tongue,
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) networks: BTreeMap<String, Network>,
    /// The labels of everybody's image.
    pub(crate) image: Value,
    /// How many of the next questions about an image or a volume fail.
    pub(crate) failures: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Container {
    pub(crate) labels: Value,
    pub(crate) mode: String,
    /// Its addresses, by the names of networks.
    pub(crate) on: Vec<(&'static str, &'static str)>,
    /// What it is called, if not like the digit of its id.
    pub(crate) name: String,
    /// The classic builder made it.
    pub(crate) is_step: bool,
    /// How its image was named, if not by a name; `none` if it has none.
    pub(crate) image: &'static str,
    /// Its log driver, if not the usual one.
    pub(crate) driver: &'static str,
}

impl Container {
    fn image(&self) -> &str {
        match self.image {
            "none" => "",
            _ if self.is_step => "sha256:1",
            "" => "x",
            image => image,
        }
    }

    fn driver(&self) -> &str {
        match self.driver {
            _ if self.is_step => "none",
            "" => "json-file",
            driver => driver,
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) subnets: Vec<(&'static str, &'static str)>,
}

/// A full id that begins with this digit.
pub(crate) fn id(digit: &str) -> String {
    digit.repeat(64)
}

/// Its first digit.
fn name_of(id: &str) -> &str {
    id.get(..1).unwrap_or_default()
}

impl World {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn network(
        &self,
        name: &str,
        digit: &str,
        subnets: &[(&'static str, &'static str)],
    ) {
        let network = Network { id: id(digit), subnets: subnets.to_vec() };
        self.lock().networks.insert(name.to_owned(), network);
    }

    /// A container that is called like the digit of its id.
    pub(crate) fn container(
        &self,
        digit: &str,
        mode: &str,
        labels: Value,
        on: &[(&'static str, &'static str)],
    ) {
        let mode = mode.to_owned();
        let container = Container { labels, mode, on: on.to_vec(), ..Container::default() };
        self.lock().containers.insert(id(digit), container);
    }

    pub(crate) fn answer(&self, request: &Request, feed: &Feed) -> Reply {
        let mut state = self.lock();
        let may_fail = ["/images/", "/volumes/"].iter().any(|it| request.path().starts_with(it));
        if may_fail && state.failures > 0 {
            state.failures -= 1;
            return Reply::json("500 Internal Server Error", "{}");
        }
        let body = match request.path() {
            "/events" => {
                return Reply::steps([Step::send(CHUNKED), Step::Follow(feed.clone())]);
            }
            "/containers/json" => {
                let all = !request.head.contains("filters=");
                let wanted = |id: &&String| all || request.head.contains(id.as_str());
                Some(state.containers.keys().filter(wanted).map(|id| state.row(id)).collect())
            }
            "/networks" => Some(state.networks.keys().map(|name| state.network(name)).collect()),
            "/version" if state.tongue.is_podman() => Some(json!({
                "Components": [{"Name": "Podman Engine"}],
                "Version": "5.4.2", "ApiVersion": "1.41", "MinAPIVersion": "1.24",
            })),
            "/images/sha256:1/json" => Some(json!({"Config": {"Labels": state.image}})),
            path => match path.split('/').collect::<Vec<_>>().as_slice() {
                ["", "networks", reference] => state
                    .networks
                    .iter()
                    .find(|(name, it)| name == reference || it.id == *reference)
                    .map(|(name, _)| {
                        let mut network = state.network(name);
                        network["Containers"] = state.members(name);
                        network
                    }),
                ["", "containers", reference, "json"] if request.method() == "GET" => state
                    .containers
                    .keys()
                    .find(|id| id.as_str() == *reference || name_of(id) == *reference)
                    .map(|id| state.inspect(id)),
                _ => return docker_like(request),
            },
        };
        body.map_or_else(Reply::not_found, |body| Reply::json("200 OK", &body.to_string()))
    }
}

impl State {
    fn network(&self, name: &str) -> Value {
        let network = &self.networks[name];
        let pools: Vec<Value> = network
            .subnets
            .iter()
            .map(|(subnet, gateway)| json!({"Subnet": subnet, "Gateway": gateway}))
            .collect();
        json!({"Id": network.id, "Name": name, "Driver": "bridge", "IPAM": {"Config": pools}})
    }

    fn members(&self, network: &str) -> Value {
        let mut members = serde_json::Map::new();
        for (id, container) in &self.containers {
            let host =
                container.mode.strip_prefix("container:").and_then(|it| self.containers.get(it));
            let on =
                host.filter(|_| self.tongue == Tongue::Podman4).map_or(&container.on, |it| &it.on);
            for (_, address) in on.iter().filter(|(on, _)| *on == network) {
                let member = members.entry(id.clone()).or_insert(json!({"Name": name_of(id)}));
                let (key, bits) =
                    if address.contains(':') { ("IPv6Address", 64) } else { ("IPv4Address", 24) };
                member[key] = json!(format!("{address}/{bits}"));
            }
        }
        members.into()
    }

    fn endpoints(&self, id: &str) -> Value {
        let container = &self.containers[id];
        let mut endpoints = serde_json::Map::new();
        if container.mode == "host" || container.mode == "none" {
            endpoints.insert(container.mode.clone(), json!({"NetworkID": "f".repeat(64)}));
        }
        for (network, address) in &container.on {
            let id = match self.tongue {
                Tongue::Docker => self.networks.get(*network).map(|it| it.id.clone()),
                Tongue::Podman | Tongue::Podman4 => Some((*network).to_owned()),
            };
            let endpoint = endpoints.entry(*network).or_insert(json!({"NetworkID": id}));
            let key = if address.contains(':') { "GlobalIPv6Address" } else { "IPAddress" };
            endpoint[key] = json!(address);
        }
        endpoints.into()
    }

    fn row(&self, id: &str) -> Value {
        let container = &self.containers[id];
        let mode = if self.tongue.is_podman() { "host" } else { &container.mode };
        let name = if container.name.is_empty() { name_of(id) } else { &container.name };
        json!({
            "Id": id, "Names": [format!("/{name}")], "Image": container.image(),
            "ImageID": if container.image().is_empty() { "" } else { "sha256:1" },
            "Labels": container.labels, "State": "running", "HostConfig": {"NetworkMode": mode},
            "NetworkSettings": {"Networks": self.endpoints(id)},
        })
    }

    fn inspect(&self, id: &str) -> Value {
        let container = &self.containers[id];
        json!({
            "Id": id, "Name": format!("/{}", name_of(id)), "State": {"Running": true},
            "Config": {"Image": container.image()},
            "HostConfig": {"NetworkMode": container.mode, "LogConfig": {"Type": container.driver()}},
            "NetworkSettings": {"Networks": self.endpoints(id)},
        })
    }
}
