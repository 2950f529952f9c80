//! What a clause has to know of an object that a request only names.

use crate::request::json::Json;

/// Something about the engine that a clause needs to know. With each stands what is read of its answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The container that this name, id or part of an id means: `Id`, `Name`; `Type`, `Name`, `Source`, `Destination` and `RW` of its `Mounts`; of its
    /// `HostConfig` what `reach.rs` looks at; the names of its `Networks`, and the label that says who created it.
    Container(String),
    /// The same container, by its full id: the labels in its `Config`, if conditions have to be judged.
    Labels(String),
    /// The exec with this id: `ContainerID`; of its `ProcessConfig` what it runs, as whom, and `privileged`.
    Exec(String),
    /// The image that this reference means: `RepoTags`, `RepoDigests`; of its `Config` the `Labels`, `WorkingDir` and `Env`.
    Image(String),
    /// How the engine is set up (`GET /info`): `CgroupVersion`, `SecurityOptions`.
    Info,
    /// The network that this name, id or part of an id means: `Id`, `Driver`.
    Network(String),
    /// The node of the swarm that this name, id or part of an id means: `ID`.
    Node(String),
    /// The service that this name or id means: `PreviousSpec`, all of it.
    Service(String),
    /// Which engine it is (`GET /version`): its `Version`, and the `Name` of its `Components`.
    Version,
    /// What is in force in the container with this id, wherever it was set: `WorkingDir` and `Env` of its `Config`; and `Id`, `Name`.
    Settings(String),
    /// The volume of this name: `Driver`, `Options`.
    Volume(String),
}

impl Question {
    /// What it is about, as it was named.
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name)
            | Self::Labels(name)
            | Self::Exec(name)
            | Self::Image(name)
            | Self::Network(name)
            | Self::Node(name)
            | Self::Service(name)
            | Self::Settings(name)
            | Self::Volume(name) => name,
            Self::Info | Self::Version => "the engine",
        }
    }

    /// The paths whose answers say what the answer to this says.
    pub(super) fn paths(&self, answer: Option<&Json>) -> Vec<String> {
        let one = |path: &str| vec![path.to_owned()];
        let or_listed =
            |kind: &str, name: &str| vec![format!("/{kind}/{name}"), format!("/{kind}")];
        match self {
            Self::Container(name) | Self::Labels(name) | Self::Settings(name) => callings(answer)
                .iter()
                .chain([name])
                .map(|name| format!("/containers/{name}/json"))
                .collect(),
            Self::Exec(id) => vec![format!("/exec/{id}/json")],
            Self::Image(name) => vec![format!("/images/{name}/json")],
            Self::Info => one("/info"),
            Self::Network(name) => or_listed("networks", name),
            Self::Node(name) => or_listed("nodes", name),
            Self::Service(name) => or_listed("services", name),
            Self::Version => one("/version"),
            Self::Volume(name) => or_listed("volumes", name),
        }
    }
}

/// What a container can be called in a path: its full id, the twelve digits that people are shown, its name.
pub(super) fn callings(inspect: Option<&Json>) -> Vec<String> {
    let text = |name: &str| inspect.and_then(|it| it.field(name)).and_then(Json::as_str);
    let id = text("Id").unwrap_or_default();
    let name = text("Name").unwrap_or_default().trim_start_matches('/');
    let all = [id, id.get(..12).unwrap_or_default(), name];
    all.into_iter().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}
