//! What the engine tells us, as far as we read it. Nothing else of it is kept, so each type stands beside the list of its fields.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::ContainerId;
use crate::request::ApiVersion;
use crate::request::json::keep::{Keep, WORD};

/// An answer of the engine to a question of ours.
pub trait Told: DeserializeOwned {
    /// What is kept of it.
    const KEPT: &'static Keep;
}

/// `die` and the like; an exec's event holds a whole command line, and says nothing to us.
const EVENT_WORD: Keep = Keep::Text(128);

/// What is kept of an event.
pub(super) const EVENT: Keep = Keep::Fields(&[
    ("Type", EVENT_WORD),
    ("Action", EVENT_WORD),
    ("Actor", Keep::Fields(&[("ID", WORD), ("Attributes", Keep::Fields(&[("container", WORD)]))])),
]);

const NETWORKS: Keep = Keep::Fields(&[(
    "Networks",
    Keep::Each(&Keep::Fields(&[
        ("NetworkID", WORD),
        ("IPAddress", WORD),
        ("GlobalIPv6Address", WORD),
        ("Gateway", WORD),
        ("IPv6Gateway", WORD),
        ("Aliases", Keep::Each(&WORD)),
    ])),
)]);

const HOST_CONFIG: Keep = Keep::Fields(&[
    ("NetworkMode", WORD),
    ("Privileged", Keep::Whole),
    ("CapAdd", Keep::Each(&WORD)),
    ("CapDrop", Keep::Each(&WORD)),
]);

const SWARM_LABELS: Keep = Keep::Fields(&[
    ("com.docker.swarm.service.id", WORD),
    ("com.docker.swarm.service.name", WORD),
    ("com.docker.swarm.node.id", WORD),
]);

/// What is kept of a row of a list of containers.
pub(super) const CONTAINER_ROW: Keep = Keep::Fields(&[
    ("Id", WORD),
    ("Names", Keep::Each(&WORD)),
    ("Image", WORD),
    ("ImageID", WORD),
    ("Labels", Keep::Labels),
    ("State", WORD),
    ("HostConfig", HOST_CONFIG),
    ("NetworkSettings", NETWORKS),
]);

impl Told for EngineVersion {
    const KEPT: &'static Keep = &Keep::Fields(&[
        ("Version", WORD),
        ("ApiVersion", WORD),
        ("MinAPIVersion", WORD),
        ("Components", Keep::Each(&Keep::Fields(&[("Name", WORD)]))),
    ]);
}

impl Told for ContainerInspect {
    const KEPT: &'static Keep = &Keep::Fields(&[
        ("Id", WORD),
        ("Name", WORD),
        ("State", Keep::Fields(&[("Running", Keep::Whole), ("Restarting", Keep::Whole)])),
        ("Config", Keep::Fields(&[("Labels", SWARM_LABELS)])),
        ("HostConfig", HOST_CONFIG),
        ("NetworkSettings", NETWORKS),
        ("Mounts", Keep::Each(&Keep::Fields(&[("Source", WORD), ("Destination", WORD)]))),
    ]);
}

impl Told for Made {
    const KEPT: &'static Keep = &Keep::Fields(&[
        ("Config", Keep::Fields(&[("Image", WORD)])),
        ("HostConfig", Keep::Fields(&[("LogConfig", Keep::Fields(&[("Type", WORD)]))])),
    ]);
}

impl Told for Vec<NetworkInspect> {
    const KEPT: &'static Keep = &Keep::Each(NetworkInspect::KEPT);
}

impl Told for NetworkInspect {
    const KEPT: &'static Keep = &Keep::Fields(&[
        ("Id", WORD),
        ("Name", WORD),
        (
            "IPAM",
            Keep::Fields(&[(
                "Config",
                Keep::Each(&Keep::Fields(&[("Subnet", WORD), ("Gateway", WORD)])),
            )]),
        ),
        (
            "Containers",
            Keep::Each(&Keep::Fields(&[
                ("Name", WORD),
                ("IPv4Address", WORD),
                ("IPv6Address", WORD),
            ])),
        ),
    ]);
}

impl Told for ImageInspect {
    const KEPT: &'static Keep =
        &Keep::Fields(&[("Config", Keep::Fields(&[("Labels", Keep::Labels)]))]);
}

/// One event. The engine copies a container's labels over the attributes of its events, so of those only the ones of networks are read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Event {
    /// `container` or `network`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What happened, for example `die`.
    pub action: String,
    /// What it happened to.
    pub actor: Actor,
}

/// What an event happened to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// The full id of the container or network.
    #[serde(rename = "ID")]
    pub id: String,
    /// What else is told of it.
    #[serde(rename = "Attributes")]
    pub attributes: Attributes,
}

impl Event {
    /// What happened, in Docker's word where Podman has another.
    pub fn docker_action(&self) -> &str {
        match self.action.as_str() {
            "died" => "die",
            "remove" => "destroy",
            action => action,
        }
    }

    /// The container that came to a network or left it, and the network. Docker's events are about the network and name the container
    /// beside it; Podman's are about the container and do not say which network it was.
    pub fn member(&self) -> Option<(ContainerId, Option<&str>)> {
        let Actor { id, attributes } = &self.actor;
        if attributes.container.is_empty() {
            return Some((ContainerId::parse(id)?, None));
        }
        Some((ContainerId::parse(&attributes.container)?, Some(id)))
    }
}

/// What a network event tells besides the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// The full id of the container that was connected or disconnected.
    pub container: String,
}

/// What `GET /version` says of the engine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EngineVersion {
    /// The engine's version, for example `28.5.2`.
    pub version: String,
    /// Its newest API version, for example `1.51`.
    pub api_version: String,
    /// The oldest API version it accepts.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// The programs that it is made of.
    pub components: Option<Vec<Component>>,
}

impl EngineVersion {
    /// Whether it is Docker's engine, and not another that speaks its API.
    pub fn is_docker(&self) -> bool {
        self.components.iter().flatten().any(|component| component.name == "Engine")
    }
}

/// A program that an engine is made of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Component {
    /// `Engine` is Docker's, `Podman Engine` Podman's.
    pub name: String,
}

/// A row of `GET /containers/json`. `null` is what Go writes for an empty map.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerRow {
    /// The full id.
    pub id: String,
    /// Names with a leading slash; link aliases have two.
    pub names: Option<Vec<String>>,
    /// Its image as it was named when it was created, if that still means the same image; else the image's full id.
    pub image: String,
    /// The full id of its image.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Its labels that speak of rights, the image's merged in; `None` for one that is too long to be read.
    pub labels: Option<BTreeMap<String, Option<String>>>,
    /// `running`, `exited` and so on.
    pub state: String,
    /// How it was created.
    pub host_config: HostConfig,
    /// Where it is attached.
    pub network_settings: NetworkSettings,
    /// There was more to say of it than is kept; some of it is missing.
    #[serde(skip)]
    pub is_cut: bool,
}

impl ContainerRow {
    /// Its own name: the one that is not a link's alias.
    pub fn name(&self) -> &str {
        let names = self.names.as_deref().unwrap_or_default().iter();
        names
            .filter_map(|name| name.strip_prefix('/'))
            .find(|name| !name.contains('/'))
            .unwrap_or_default()
    }
}

/// `GET /containers/{id}/json`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerInspect {
    /// The full id.
    pub id: String,
    /// The name with a leading slash.
    pub name: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// What it was created with.
    pub config: ContainerConfig,
    /// How it was created.
    pub host_config: HostConfig,
    /// Where it is attached.
    pub network_settings: NetworkSettings,
    /// What it mounts.
    pub mounts: Option<Vec<Mount>>,
}

/// What `GET /containers/{id}/json` says of the way a container was made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Made {
    /// What it runs.
    pub config: MadeFrom,
    /// How it was created.
    pub host_config: MadeAs,
}

/// What a container was made from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MadeFrom {
    /// Its image, as its creator named it.
    pub image: String,
}

/// How a container was made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MadeAs {
    /// What happens to its output.
    pub log_config: LogConfig,
}

/// What happens to a container's output.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// The log driver.
    #[serde(rename = "Type")]
    pub kind: String,
}

/// Whether an image is named in the way that builds name it: by its full id, or not at all for one that begins from nothing.
pub fn is_named_by_build(image: &str) -> bool {
    image.is_empty() || image.starts_with("sha256:")
}

impl Made {
    /// Whether it was made for a step of a build, on an engine that speaks this version.
    ///
    /// The classic builder always names the image by its full id and sets the log driver `none` (moby `builder/dockerfile`:
    /// `updateRunConfig`, `hostConfigFromOptions`), and nothing that a Dockerfile, a base image, its triggers or a later request says changes
    /// either. Before API 1.29 it did not set the driver. Labels, the command and the name prove nothing: the Dockerfile chooses the first two, and
    /// a rename the last. Steps of `BuildKit` and of Podman are no containers of the engine.
    pub fn is_step(&self, api: ApiVersion) -> bool {
        let driver = self.host_config.log_config.kind.as_str();
        is_named_by_build(&self.config.image)
            && (matches!(driver, "" | "none") || api < ApiVersion::new(1, 29))
    }
}

/// Something that a container mounts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Mount {
    /// Where it lies on the host.
    pub source: String,
    /// Where the container sees it.
    pub destination: String,
}

/// What a container was created with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// The labels that a swarm gives to its tasks; of others nothing is kept.
    pub labels: Option<SwarmLabels>,
}

/// The labels by which a container is known as the task of a swarm; empty where it is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SwarmLabels {
    /// The id of its service.
    #[serde(rename = "com.docker.swarm.service.id")]
    pub service: String,
    /// The name of its service.
    #[serde(rename = "com.docker.swarm.service.name")]
    pub service_name: String,
    /// The id of its node.
    #[serde(rename = "com.docker.swarm.node.id")]
    pub node: String,
}

/// Whether a container runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerState {
    /// It has a process, paused or not.
    pub running: bool,
    /// It will have one again in a moment.
    pub restarting: bool,
}

/// How a container was created.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// A network, `host`, `none`, or `container:<full id>`.
    pub network_mode: String,
    /// Whether it has every capability.
    pub privileged: bool,
    /// Capabilities it has on top of the default ones.
    pub cap_add: Option<Vec<String>>,
    /// Capabilities it lacks.
    pub cap_drop: Option<Vec<String>>,
}

impl HostConfig {
    /// The container whose network namespace it joins.
    pub fn shares_with(&self) -> Option<ContainerId> {
        self.network_mode.strip_prefix("container:").and_then(ContainerId::parse)
    }
}

/// Where a container is attached.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkSettings {
    /// By network name, which need not be unique; the id is inside.
    pub networks: Option<BTreeMap<String, Endpoint>>,
}

/// A container's place on one network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Endpoint {
    /// The network's full id.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// Its IPv4 address, or nothing.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Its IPv6 address, or nothing.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// The IPv4 gateway, or nothing.
    pub gateway: String,
    /// The IPv6 gateway, or nothing.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// The names it answers to there besides its own.
    pub aliases: Option<Vec<String>>,
}

/// `GET /networks/{id}`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkInspect {
    /// The full id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Its addresses.
    #[serde(rename = "IPAM")]
    pub ipam: Ipam,
    /// Who is attached, by full container id; endpoints without a container have keys that start with `ep-`.
    pub containers: Option<BTreeMap<String, Member>>,
}

/// A network's addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ipam {
    /// One entry per address pool.
    pub config: Option<Vec<IpamPool>>,
}

/// One pool of a network's addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IpamPool {
    /// For example `172.18.0.0/16`.
    pub subnet: String,
    /// The bridge's own address, sometimes with a prefix length.
    pub gateway: String,
}

/// A container on a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its IPv4 address with prefix length, or nothing.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// Its IPv6 address with prefix length, or nothing.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}

/// `GET /images/{id}/json`, as far as we read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageInspect {
    /// What containers get from it.
    pub config: Option<ImageConfig>,
}

/// What containers get from an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// Its labels that speak of rights; `None` for one that is too long to be read.
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_a_build_is_known_by_what_no_dockerfile_says() {
        let is_step = |image: &str, driver: &str, minor: u16| {
            let config = MadeFrom { image: image.to_owned() };
            let log_config = LogConfig { kind: driver.to_owned() };
            let made = Made { config, host_config: MadeAs { log_config } };
            made.is_step(ApiVersion::new(1, minor))
        };
        let id = format!("sha256:{}", "a".repeat(64));
        assert!(is_step(&id, "none", 41) && is_step("", "none", 51));
        // What was not told may be anything.
        assert!(is_step("", "", 41) && is_step(&id, "", 41));
        assert!(!is_step("alpine", "none", 41) && !is_step("alpine", "", 28));
        assert!(!is_step(&id, "json-file", 41) && !is_step("", "journald", 41));
        assert!(is_step(&id, "json-file", 28));
    }
}
