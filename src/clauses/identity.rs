//! What keeps a client from enlarging its own rights, where rights come from labels: no labels that carry any, no hand on the proxy's own
//! container, no identity of another.
//!
//! The names that decide who is let in are guarded in `names.rs`.
//!
//! A client whose list says `allow.labels=true` may hand out rights. It may set such labels, take names that the policy uses, and move other
//! containers between the proxy's networks, as a program does that creates containers anew. The proxy's own container, fixed addresses
//! and the network namespaces of others stay out of its reach all the same.

use std::collections::BTreeSet;

use crate::request::json::{Json, Keys, Object};
use crate::rule::labels::is_reserved;
use crate::rule::labels::keys::CREATOR_LABEL as CREATOR;
use crate::text::printable;

use super::look::Veil;
use super::mounts::array;
use super::swarm::OwnTask;
use super::{Clause, Question, Review, Verdict, Violation, violation};

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
    /// What its own container is a task of, where a swarm runs it.
    pub task: Option<OwnTask>,
}

impl Protected {
    /// Whether a reference may mean a network on which clients are recognised.
    pub fn is_network(&self, reference: &str) -> bool {
        if self.every_network { reference != "none" } else { self.is_own_network(reference) }
    }

    /// Whether a reference may mean one of the proxy's own networks, now or when the engine looks: its id, any part of it, or its name. A
    /// network that is called like a part of the id today may be gone when the container starts.
    fn is_own_network(&self, reference: &str) -> bool {
        let reference = if matches!(reference, "default" | "") { "bridge" } else { reference };
        self.networks.iter().any(|(id, name)| name == reference || id.starts_with(reference))
    }

    /// Whether joining this network is joining the proxy's own network namespace.
    fn is_own_namespace(&self, reference: &str) -> bool {
        self.every_network && !reference.is_empty() && self.is_own_network(reference)
    }

    /// Why no client may touch the container with this full id, if none may.
    fn why_untouchable(&self, id: &str) -> Option<&'static str> {
        if self.companions.contains(id) {
            return Some(COMPANION);
        }
        (id == self.container).then_some(OWN)
    }

    /// Whether a label's key may carry rights.
    fn is_label(&self, key: &str) -> bool {
        is_reserved(key, &self.prefixes)
    }
}

/// The operations on a container that only look at it, or wait.
const LOOKS: &[&str] = &[
    "ContainerChanges",
    "ContainerInspect",
    "ContainerLogs",
    "ContainerStats",
    "ContainerTop",
    "ContainerWait",
    "CheckpointList",
];

/// The fields of a `HostConfig` that may name another container.
pub(super) const MODES: &[&str] =
    &["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "Cgroup"];

/// The length of the ids that people are shown.
const SHORT_ID: usize = 12;

/// The spellings of the platform that we run on, which is the engine's: we share its host.
const OWN_PLATFORMS: &[&str] = if cfg!(target_arch = "aarch64") {
    &["linux", "linux/arm64", "linux/arm64/v8", "linux/aarch64"]
} else {
    &["linux", "linux/amd64", "linux/x86_64"]
};

const OWN: &str = "is the proxy's own container, which no client may touch";
const COMPANION: &str = "is the container whose network the proxy uses, which no client may touch";

impl<'a> Review<'a> {
    /// The clauses that hold for everyone who is judged where rights come from labels.
    pub(super) fn guard(&mut self, protected: &'a Protected) -> Verdict {
        let id = self.head.operation.id();
        let template = self.head.operation.template().unwrap_or_default();
        if template.starts_with("/containers/{name}") && !LOOKS.contains(&id) {
            self.not_own_container(protected, self.object(), "the path")?;
        }
        self.guard_swarm(protected)?;
        self.guard_operation(protected)?;
        self.starts_nothing_built()
    }

    fn guard_operation(&mut self, protected: &'a Protected) -> Verdict {
        match self.head.operation.id() {
            "ContainerCreate" => self.guard_create(protected),
            "ExecStart" | "ExecResize" => self.guard_exec(protected),
            "ImageCommit" => self.guard_commit(protected),
            "ImageCreate" => {
                self.no_labelled_image(protected)?;
                self.changes_set_no_label(protected)
            }
            "ImageBuild" => self.guard_build(protected),
            "Grpc" => {
                self.no_labelled_image(protected)?;
                self.guard_hidden_build(protected)
            }
            "ImageLoad" | "ImageTag" | "Session" => self.no_labelled_image(protected),
            "NetworkConnect" | "NetworkDisconnect" => self.guard_network(protected),
            "NetworkCreate" => self.guard_new_network(protected),
            "ServiceCreate" => self.guard_service(protected, self.body, ""),
            "ServiceUpdate" => self.guard_service_update(protected),
            _ => Ok(()),
        }
    }

    fn guard_create(&mut self, protected: &'a Protected) -> Verdict {
        let Some(body) = self.body else { return Ok(()) };
        self.platform_is_ours()?;
        self.image_carries_no_label(protected, body.field("Image"))?;
        self.labels_carry_none(protected, body.field("Labels"), "Labels")?;
        let mut joins = false;
        // Engines up to 26 read these at the top level as well.
        for (config, at) in [(Some(body), ""), (body.field("HostConfig"), "HostConfig.")] {
            let Some(config) = config else { continue };
            for mode in MODES {
                self.guard_mode(protected, config, mode, at)?;
            }
            let from = config.field("VolumesFrom");
            for from in array(from, &format!("{at}VolumesFrom"))? {
                let name =
                    from.as_str().and_then(|from| from.split(':').next()).unwrap_or_default();
                self.not_own_container(protected, name, &format!("`{at}VolumesFrom`"))?;
            }
            for link in array(config.field("Links"), &format!("{at}Links"))? {
                let name =
                    link.as_str().and_then(|link| link.split(':').next()).unwrap_or_default();
                let name = name.trim_start_matches('/');
                self.not_own_container(protected, name, &format!("`{at}Links`"))?;
            }
            let network = config.field("NetworkMode").and_then(Json::as_str).unwrap_or_default();
            joins |= protected.is_network(network);
        }
        let endpoints =
            body.field("NetworkingConfig").and_then(|config| config.field("EndpointsConfig"));
        for (network, endpoint) in
            endpoints.and_then(Json::as_object).into_iter().flat_map(Object::iter)
        {
            let place = format!("NetworkingConfig.EndpointsConfig.{}", printable(network));
            joins |= joins_clients(protected, network, endpoint);
            self.guard_endpoint(protected, network, endpoint, &place)?;
        }
        match body.field("MacAddress") {
            Some(address) if joins && !address.is_zero() && !self.limits.may_label => {
                Err(fixed("`MacAddress`"))
            }
            _ => Ok(()),
        }
    }

    /// In the containerd image store an image has variants for several platforms, and the engine tells the labels of the host's own variant
    /// only (moby `daemon/containerd/image_inspect.go`): labels of another could not be told from the container's own.
    fn platform_is_ours(&self) -> Verdict {
        // Docker reads the first of several, Podman the last.
        let is_ours = |platform: &str| platform.is_empty() || OWN_PLATFORMS.contains(&platform);
        if self.limits.may_label || self.head.target.query().all("platform").all(is_ours) {
            return Ok(());
        }
        let problem = "asks for an image of another platform, whose labels cannot be told from the container's own";
        Err(violation(Clause::Labels, "the parameter `platform`", problem))
    }

    /// A namespace of the proxy's container is the proxy; a network namespace of another is its address, and so its rights.
    fn guard_mode(
        &mut self,
        protected: &Protected,
        config: &'a Json,
        mode: &str,
        at: &str,
    ) -> Verdict {
        let value = config.field(mode).and_then(Json::as_str).unwrap_or_default();
        // Podman takes addresses and paths of namespaces behind the colon.
        if mode == "NetworkMode" && value.contains(':') && !value.starts_with("container:") {
            let problem = "names a network that cannot be one";
            return Err(violation(Clause::Identity, &format!("`{at}{mode}`"), problem));
        }
        let place = format!("`{at}{mode}`");
        if mode == "NetworkMode" {
            self.not_own_namespace(protected, value, &place)?;
        }
        let Some(name) = value.strip_prefix("container:") else { return Ok(()) };
        self.not_own_container(protected, name, &place)?;
        if mode == "NetworkMode" && !self.limits.may_label {
            let problem = "joins the network namespace of another container, whose address is its identity; choose a network";
            return Err(violation(Clause::Identity, &place, problem));
        }
        Ok(())
    }

    fn guard_endpoint(
        &self,
        protected: &Protected,
        network: &str,
        endpoint: &'a Json,
        at: &str,
    ) -> Verdict {
        self.not_own_namespace(protected, network, &format!("`{at}`"))?;
        if !joins_clients(protected, network, endpoint) {
            return Ok(());
        }
        let addresses = endpoint.field("IPAMConfig").and_then(Json::as_object);
        let fixes = addresses.into_iter().flat_map(Object::iter).any(|(_, value)| !value.is_zero());
        if fixes {
            return Err(fixed(&format!("`{at}.IPAMConfig`")));
        }
        // Docker reads no address here and Podman does. Whoever may label sends them along when it creates a container anew.
        for field in ["MacAddress", "IPAddress", "GlobalIPv6Address"] {
            let is_set = endpoint.field(field).is_some_and(|address| !address.is_zero());
            if is_set && !self.limits.may_label {
                return Err(fixed(&format!("`{at}.{field}`")));
            }
        }
        Ok(())
    }

    /// Who is connected to the proxy's networks is who has which rights; the proxy's own container stays where it is.
    fn guard_network(&mut self, protected: &'a Protected) -> Verdict {
        let network = self.object();
        let name = self.field("Container").and_then(Json::as_str).unwrap_or_default();
        self.not_own_container(protected, name, "`Container`")?;
        let endpoint = self.field("EndpointConfig");
        if joins_clients(protected, network, endpoint.unwrap_or(&Json::Null))
            && !self.limits.may_label
        {
            let problem = "is a network of the proxy's clients, on which nobody may connect or disconnect containers";
            return Err(violation(Clause::Identity, &format!("`{}`", printable(network)), problem));
        }
        match endpoint {
            Some(endpoint) => self.guard_endpoint(protected, network, endpoint, "EndpointConfig"),
            None => Ok(()),
        }
    }

    /// Engines up to 24 take a name twice, and then nobody finds either network by it; a name also goes before the start of an id.
    fn guard_new_network(&self, protected: &Protected) -> Verdict {
        let name = self.field("Name").and_then(Json::as_str).unwrap_or_default();
        let taken = |(id, known): &(String, String)| {
            known == name || (name.len() >= SHORT_ID && id.starts_with(name))
        };
        // Whoever chooses a network's addresses chooses those of its containers.
        let chosen = |field: &str| match self.field(field) {
            Some(Json::Object(ipam)) => ipam
                .iter()
                .any(|(key, value)| !key.eq_ignore_ascii_case("Driver") && !value.is_zero()),
            Some(other) => !other.is_zero(),
            None => false,
        };
        if protected.every_network
            && !self.limits.may_label
            && let Some(field) = ["IPAM", "ConfigFrom"].into_iter().find(|field| chosen(field))
        {
            return Err(fixed(&format!("`{field}`")));
        }
        if self.limits.may_label || !protected.networks.iter().any(taken) {
            return Ok(());
        }
        let problem =
            format!("takes the name of a network of the proxy's clients (`{}`)", printable(name));
        Err(violation(Clause::Identity, "`Name`", &problem))
    }

    fn guard_exec(&mut self, protected: &Protected) -> Verdict {
        const PLACE: &str = "the container of the exec";
        let veil = Veil { place: PLACE, problem: OWN };
        self.look(&Question::Exec(self.object().to_owned()), veil, |_, exec| {
            let Some(exec) = exec else { return Ok(()) };
            let id = exec.field("ContainerID").and_then(Json::as_str);
            match id.map_or(Some(OWN), |id| protected.why_untouchable(id)) {
                None => Ok(()),
                Some(why) => Err(violation(Clause::OwnContainer, PLACE, why)),
            }
        })
    }

    fn guard_commit(&mut self, protected: &'a Protected) -> Verdict {
        self.no_labelled_image(protected)?;
        let name = self.parameter("container");
        self.not_own_container(protected, name, "the parameter `container`")?;
        self.labels_carry_none(protected, self.field("Labels"), "Labels")?;
        self.changes_set_no_label(protected)
    }

    fn guard_build(&mut self, protected: &Protected) -> Verdict {
        self.no_labelled_image(protected)?;
        let labels = self.parameter("labels");
        if !labels.is_empty() {
            let parsed = Json::parse(labels.as_bytes(), Keys::Entries).map_err(|error| {
                violation(
                    Clause::Unclear,
                    "the parameter `labels`",
                    &format!("is unclear: {error}"),
                )
            })?;
            self.labels_carry_none(protected, Some(&parsed), "labels")?;
        }
        if !self.parameter("nsoptions").is_empty() {
            let problem = "chooses namespaces for the build, which cannot be judged; leave it out";
            return Err(violation(Clause::Unclear, "the parameter `nsoptions`", problem));
        }
        self.guard_build_network(protected)
    }

    fn guard_service(&self, protected: &Protected, spec: Option<&Json>, at: &str) -> Verdict {
        let Some(spec) = spec else { return Ok(()) };
        // The engine fetches a service's image by itself.
        self.no_labelled_image(protected)?;
        self.labels_carry_none(protected, spec.field("Labels"), &format!("{at}Labels"))?;
        let task = spec.field("TaskTemplate");
        for (networks, at) in [
            (spec.field("Networks"), format!("{at}Networks")),
            (task.and_then(|task| task.field("Networks")), format!("{at}TaskTemplate.Networks")),
        ] {
            for network in array(networks, &at)? {
                let target = network.field("Target").and_then(Json::as_str).unwrap_or_default();
                self.not_own_namespace(protected, target, &format!("`{at}.Target`"))?;
            }
        }
        let container = task.and_then(|task| task.field("ContainerSpec"));
        let Some(container) = container else { return Ok(()) };
        let at = format!("{at}TaskTemplate.ContainerSpec.Labels");
        self.labels_carry_none(protected, container.field("Labels"), &at)
    }

    fn guard_service_update(&mut self, protected: &Protected) -> Verdict {
        self.guard_service(protected, self.body, "")?;
        if self.parameter("rollback").is_empty() {
            return Ok(());
        }
        self.look_at_previous(|review, previous| {
            review.guard_service(protected, Some(previous), "PreviousSpec.")
        })
    }

    /// Whatever the engine finds under this reference must not be the proxy.
    fn not_own_container(
        &mut self,
        protected: &Protected,
        reference: &str,
        place: &str,
    ) -> Verdict {
        let own = |why| Err(violation(Clause::OwnContainer, place, why));
        if let Some(why) = protected.why_untouchable(reference) {
            return own(why);
        }
        if protected.names.contains(reference) {
            return own(OWN);
        }
        // A full id is nobody else's, now or later.
        if is_full_id(reference) {
            return Ok(());
        }
        self.look_at_container(reference, place, OWN, |_, inspect| {
            let id = inspect.field("Id").and_then(Json::as_str);
            match id.map_or(Some(OWN), |id| protected.why_untouchable(id)) {
                None => Ok(()),
                Some(why) => own(why),
            }
        })
    }

    fn labels_carry_none(&self, protected: &Protected, labels: Option<&Json>, at: &str) -> Verdict {
        let Some(labels) = labels.filter(|labels| !labels.is_zero() && !self.limits.may_label)
        else {
            return Ok(());
        };
        let Some(labels) = labels.as_object() else {
            return Err(violation(Clause::Unclear, &format!("`{at}`"), "is no object; send one"));
        };
        match labels.iter().find(|(key, _)| protected.is_label(key)) {
            None => Ok(()),
            Some((key, _)) => {
                let problem = format!("sets `{}`, a label that carries rights", printable(key));
                Err(violation(Clause::Labels, &format!("`{at}`"), &problem))
            }
        }
    }

    /// The `changes` of a commit or an import are lines of a Dockerfile. What they mean depends on quotes, escapes and variables, so a line
    /// that could set a label of ours, read in the worst way, counts as one that does.
    fn changes_set_no_label(&self, protected: &Protected) -> Verdict {
        if self.limits.may_label {
            return Ok(());
        }
        for change in self.head.target.query().all("changes") {
            let bare: String = change
                .chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '\\' | '`' | '"' | '\''))
                .map(|c| c.to_ascii_lowercase())
                .collect();
            let mut prefixes = protected.prefixes.iter().map(String::as_str).chain([CREATOR]);
            let ours = prefixes.any(|prefix| bare.contains(&prefix.to_ascii_lowercase()));
            if bare.contains("label") && (ours || bare.contains('$')) {
                let problem =
                    format!("may set a label that carries rights (`{}`)", printable(change));
                return Err(violation(Clause::Labels, "the parameter `changes`", &problem));
            }
        }
        Ok(())
    }

    /// Where the labels of images count, whoever makes or fetches an image hands out rights.
    fn no_labelled_image(&self, protected: &Protected) -> Verdict {
        if protected.image_labels_count && !self.limits.may_label {
            let place = format!("`{}`", self.head.operation.id());
            let problem = "makes or fetches an image, whose labels carry rights because `-trustimagelabels` is set";
            return Err(violation(Clause::Labels, &place, problem));
        }
        Ok(())
    }

    /// Where the labels of images count, whoever starts from an image takes the rights in its labels.
    fn image_carries_no_label(&mut self, protected: &Protected, image: Option<&Json>) -> Verdict {
        let image = image.and_then(Json::as_str).unwrap_or_default();
        if !protected.image_labels_count || self.limits.may_label || image.is_empty() {
            return Ok(());
        }
        let veil = Veil { place: "`Image`", problem: "sets a label that carries rights" };
        self.look(&Question::Image(image.to_owned()), veil, |review, inspect| {
            let config = inspect.and_then(|inspect| inspect.field("Config"));
            let labels = config.and_then(|config| config.field("Labels"));
            review.labels_carry_none(protected, labels, "Image")
        })
    }

    /// A container on the host's network is the host, and where the proxy uses that network too, it is the proxy.
    fn not_own_namespace(&self, protected: &Protected, network: &str, place: &str) -> Verdict {
        if self.limits.may_label || !protected.is_own_namespace(network) {
            return Ok(());
        }
        let problem = "joins the host's network, which is the proxy's own";
        Err(violation(Clause::Identity, place, problem))
    }
}

/// Whether an endpoint may lie on a network of the proxy's clients. Engines prefer the id in it to the name it stands under (moby
/// `daemon/container_operations.go`, `getNetworkID`).
fn joins_clients(protected: &Protected, network: &str, endpoint: &Json) -> bool {
    let id = endpoint.field("NetworkID").filter(|id| !id.is_zero());
    protected.is_network(network)
        || id.is_some_and(|id| protected.is_network(id.as_str().unwrap_or_default()))
}

/// Whether it is a container's full id, which nothing can shadow.
pub fn is_full_id(reference: &str) -> bool {
    reference.len() == 64 && reference.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn fixed(place: &str) -> Violation {
    let problem = "fixes an address on a network of the proxy's clients, where addresses are identities; leave it to the engine";
    violation(Clause::Identity, place, problem)
}
