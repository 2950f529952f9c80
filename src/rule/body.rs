//! What a rule demands of what a request carries besides method and path: its body, and the parameters and references that say the same.
//!
//! [`Review::run`] is the list of clauses, by operation. It is run until it asks no more: where a clause needs to know something of the
//! engine (which container a name means, what a volume mounts) it leaves a [`Question`], and the next run has the answer. A violation
//! that shows without an answer ends it at once.

mod answers;
mod host;
mod known;
mod mounts;
mod own;
mod pin;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::path::PathBuf;

use crate::request::json::Json;
use crate::request::target::printable;
use crate::request::{Head, Method};

use super::Allowlist;
pub use answers::Answers;
pub use mounts::mount_danger;
pub use own::Protected;
pub use pin::pin;

/// Whether a client may reach past its containers: into the host's namespaces, devices and kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAccess {
    /// What reaches the host is refused.
    Deny,
    /// Only the other limits count.
    Allow,
}

impl HostAccess {
    /// Reads `deny` or `allow`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [("deny", Self::Deny), ("allow", Self::Allow)]
            .into_iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
            .map(|(_, access)| access)
    }
}

/// What holds for every client, whatever its own list says.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The directories host mounts may come from, for clients whose own list names none; `None` puts no limit.
    pub bind_mount_from: Option<Vec<PathBuf>>,
    /// Nothing of the host may be mounted at all.
    pub deny_host_mounts: bool,
    /// NFS and CIFS volumes are refused.
    pub deny_network_volumes: bool,
    /// The access to the host of clients whose own list does not say.
    pub host_access: HostAccess,
}

impl Default for Defaults {
    /// The strictest: everything is denied.
    fn default() -> Self {
        Self {
            bind_mount_from: Some(Vec::new()),
            deny_host_mounts: true,
            deny_network_volumes: true,
            host_access: HostAccess::Deny,
        }
    }
}

/// What one list allows, the defaults considered.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// What of the host may be mounted.
    pub mounts: Mounts<'a>,
    /// Whether NFS and CIFS volumes may be.
    pub network_volumes: bool,
    /// Whether the host may be reached otherwise.
    pub host_access: HostAccess,
    /// Whether labels that carry rights may be set (`allow.labels`).
    pub may_label: bool,
}

/// What of the host's files may be mounted.
#[derive(Debug, Clone, Copy)]
pub enum Mounts<'a> {
    /// Everything.
    All,
    /// These directories and what is below them.
    From(&'a [PathBuf]),
    /// Nothing, because of `-denyhostmounts`.
    Denied,
    /// Nothing, because access to the host is denied and no directory is listed.
    Unlisted,
}

impl<'a> Limits<'a> {
    /// The limits of those who are judged by this list.
    pub fn of(list: &'a Allowlist, defaults: &'a Defaults) -> Self {
        let host_access = list.host_access.unwrap_or(defaults.host_access);
        let listed = list.bind_mount_from.as_deref().or(defaults.bind_mount_from.as_deref());
        let mounts = match listed {
            _ if defaults.deny_host_mounts => Mounts::Denied,
            Some(directories) => Mounts::From(directories),
            None if host_access == HostAccess::Deny => Mounts::Unlisted,
            None => Mounts::All,
        };
        Self {
            mounts,
            network_volumes: !defaults.deny_network_volumes,
            host_access,
            may_label: list.may_label,
        }
    }

    /// Whether nothing a body could say would be refused.
    fn are_none(&self) -> bool {
        matches!(self.mounts, Mounts::All)
            && self.network_volumes
            && self.host_access == HostAccess::Allow
    }
}

/// Something about the engine that a clause needs to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The container that this name, id or part of an id means.
    Container(String),
    /// The exec with this id.
    Exec(String),
    /// The image that this reference means.
    Image(String),
    /// The network that this name, id or part of an id means.
    Network(String),
    /// The service that this name or id means.
    Service(String),
    /// The volume of this name.
    Volume(String),
}

impl Question {
    /// What it is about, as the client named it.
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name)
            | Self::Exec(name)
            | Self::Image(name)
            | Self::Network(name)
            | Self::Service(name)
            | Self::Volume(name) => name,
        }
    }
}

/// What a request asks for that its rule does not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause that refuses it.
    pub clause: Clause,
    /// Where it stands: a field, a parameter, or what the path names.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The clauses, by what would have to be changed for the request to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause {
    /// A mount from outside the listed directories (`bindmountfrom`); none are listed where only `hostaccess` denies it.
    MountSource,
    /// A mount, where none is allowed (`-denyhostmounts`).
    NoMounts,
    /// An NFS or CIFS volume (`-denynetworkvolumes`).
    NetworkVolume,
    /// It reaches the host (`hostaccess`).
    HostAccess,
    /// It sets a label that carries rights, or takes a name that does (`allow.labels`).
    Labels,
    /// It touches the proxy's own container. Nothing allows that.
    OwnContainer,
    /// It would take another's identity. Nothing allows that.
    Identity,
    /// The body or parameter cannot be understood, so nobody can say what it asks for.
    Unclear,
    /// The engine has no such container or exec.
    NoSuchObject,
    /// An exec in a container in which the list allows no exec.
    ExecElsewhere,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.problem)
    }
}

/// One look at a request, for one list.
#[derive(Debug)]
pub struct Review<'a> {
    head: &'a Head,
    body: Option<&'a Json>,
    limits: Limits<'a>,
    list: &'a Allowlist,
    protected: Option<&'a Protected>,
    answers: &'a Answers,
    questions: Vec<Question>,
}

type Verdict = Result<(), Violation>;

/// What a look at the engine gave.
#[derive(Debug, Clone, Copy)]
enum Looked<'a> {
    /// It was not asked yet; a question is left for it.
    NotYet,
    /// It has no such object.
    Missing,
    /// It describes the object.
    Found(&'a Json),
}

impl<'a> Review<'a> {
    /// A look at this request with what is known so far; `protected` is there where rights come from labels.
    pub fn new(
        head: &'a Head,
        body: Option<&'a Json>,
        list: &'a Allowlist,
        defaults: &'a Defaults,
        protected: Option<&'a Protected>,
        answers: &'a Answers,
    ) -> Self {
        let limits = Limits::of(list, defaults);
        Self { head, body, limits, list, protected, answers, questions: Vec::new() }
    }

    /// Goes through the clauses; what is returned has to be asked before the next run, and nothing of it allows anything.
    ///
    /// # Errors
    /// The first violation.
    pub fn run(mut self) -> Result<Vec<Question>, Violation> {
        self.body_is_there()?;
        self.operation()?;
        if let Some(protected) = self.protected {
            self.guard(protected)?;
        }
        Ok(self.questions)
    }

    /// The clauses of each operation. Those that guard the proxy and its clients' identities are in [`own`].
    fn operation(&mut self) -> Verdict {
        let id = self.head.operation.id();
        match id {
            "ContainerCreate" => self.container_create(),
            "ContainerUpdate" => self.container_update(),
            "ContainerExec" => self.container_exec(),
            "ContainerAttach" | "ContainerAttachWebsocket" => self.target_stays_inside(),
            "PutContainerArchive" => self.denied("writes files as root, also through mounts"),
            "ExecStart" | "ExecResize" => self.exec_start(),
            "ContainerStart" => self.checkpoint_parameter("checkpoint-dir"),
            "CheckpointCreate" => self.checkpoint_create(),
            "CheckpointDelete" | "CheckpointList" => self.checkpoint_parameter("dir"),
            "VolumeCreate" => self.volume_create(),
            "VolumeUpdate" => self.denied("changes a volume of the whole swarm"),
            "ServiceCreate" => self.service(self.body, ""),
            "ServiceUpdate" => self.service_update(),
            "NetworkCreate" => self.network_create(),
            "NetworkConnect" => self.network_connect(),
            "ImageBuild" => self.build(),
            "ImageCreate" => self.image_create(),
            "Session" | "Grpc" => {
                self.denied("is BuildKit's own protocol, which nobody can inspect")
            }
            "SwarmInit" | "SwarmJoin" | "SwarmUpdate" | "SwarmUnlock" | "SwarmLeave" => {
                self.denied("changes who commands this host")
            }
            "NodeUpdate" => self.denied("changes who commands the swarm"),
            "SecretCreate" => self.secret_create(),
            "PluginPull" | "PluginCreate" | "PluginEnable" | "PluginSet" | "PluginUpgrade" => {
                self.plugin()
            }
            "PluginDisable" | "PluginDelete" => self
                .denied("switches off a plugin, which may be one that limits the engine's clients"),
            "Unknown" => self.unknown(),
            _ => Ok(()),
        }
    }

    /// The daemon reads a missing body as one that sets nothing, or refuses it; where the body says what is created, an empty one is
    /// nothing that anybody would send on purpose.
    fn body_is_there(&self) -> Verdict {
        const NEEDED: &[&str] = &[
            "ContainerCreate",
            "ContainerExec",
            "ContainerUpdate",
            "NetworkConnect",
            "NetworkCreate",
            "NetworkDisconnect",
            "ServiceCreate",
            "ServiceUpdate",
            "VolumeCreate",
        ];
        match self.body {
            _ if !NEEDED.contains(&self.head.operation.id()) => Ok(()),
            Some(Json::Object(_)) => Ok(()),
            None => Err(violation(Clause::Unclear, "the body", "is missing; send a JSON object")),
            Some(_) => Err(violation(Clause::Unclear, "the body", "is no JSON object; send one")),
        }
    }

    /// An operation we do not know: what it carries cannot be judged, so it is refused where anything would have to be.
    fn unknown(&self) -> Verdict {
        let reads = matches!(self.head.method, Method::Get | Method::Head | Method::Options);
        if reads || (self.limits.are_none() && self.protected.is_none()) {
            return Ok(());
        }
        let clause = match self.limits.mounts {
            Mounts::Denied => Clause::NoMounts,
            Mounts::From(_) => Clause::MountSource,
            _ if self.limits.host_access == HostAccess::Deny => Clause::HostAccess,
            _ if !self.limits.network_volumes => Clause::NetworkVolume,
            _ => Clause::Unclear,
        };
        Err(violation(
            clause,
            "the path",
            "is no operation that sockwarden knows, so what it asks for cannot be judged",
        ))
    }

    /// What the engine says of something.
    fn ask(&mut self, question: Question) -> Looked<'a> {
        let answers = self.answers;
        match answers.get(&question) {
            Some(Some(answer)) => Looked::Found(answer),
            Some(None) => Looked::Missing,
            None => {
                self.questions.push(question);
                Looked::NotYet
            }
        }
    }

    /// What the path names, as the client named it.
    fn object(&self) -> &'a str {
        let path = self.head.target.path();
        self.head.operation.object(path).and_then(|range| path.get(range)).unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&'a Json> {
        self.body.and_then(|body| body.field(name))
    }

    fn parameter(&self, name: &str) -> &'a str {
        self.head.target.query().first(name).unwrap_or_default()
    }

    const fn denies_host(&self) -> bool {
        matches!(self.limits.host_access, HostAccess::Deny)
    }

    /// Refuses the whole operation where access to the host is denied.
    fn denied(&self, problem: &str) -> Verdict {
        let id = self.head.operation.id();
        if self.denies_host() { Err(host(&format!("`{id}`"), problem)) } else { Ok(()) }
    }

    /// An exec runs in a container. It may be started only where the list allows one to be made; which container it is does not show in the
    /// path.
    fn exec_start(&mut self) -> Verdict {
        let scoped = self.names_containers_for_execs();
        if !scoped && !self.denies_host() {
            return Ok(());
        }
        let id = self.object();
        let place = format!("`{}`", printable(id));
        let missing = || {
            let problem = format!("No such exec instance: {}", printable(id));
            Violation { clause: Clause::NoSuchObject, place: place.clone(), problem }
        };
        if !is_plain(id) {
            return Err(missing());
        }
        let exec = match self.ask(Question::Exec(id.to_owned())) {
            Looked::NotYet => return Ok(()),
            Looked::Missing => return Err(missing()),
            Looked::Found(exec) => exec,
        };
        let container = exec.field("ContainerID").and_then(Json::as_str).ok_or_else(missing)?;
        let Some(inspect) = self.container(container, &place)? else { return Ok(()) };
        if self.denies_host() {
            let process = exec.field("ProcessConfig");
            if process.and_then(|it| it.field("privileged")) == Some(&Json::Bool(true)) {
                return Err(host(&place, "gives its command every capability"));
            }
            host::stays_inside(inspect, &place)?;
        }
        let name = inspect.field("Name").and_then(Json::as_str).unwrap_or_default();
        let name = name.trim_start_matches('/');
        let short = container.get(..12).unwrap_or(container);
        if !scoped || [container, short, name].iter().any(|it| self.allows_exec_in(it)) {
            return Ok(());
        }
        let problem = format!("runs in `{name}`, where the list allows no exec");
        Err(violation(Clause::ExecElsewhere, &place, &problem))
    }

    /// Whether the list speaks of single containers and does not allow execs in all of them. One that speaks of none, and allows to start
    /// execs all the same, means those that others made.
    fn names_containers_for_execs(&self) -> bool {
        const ANYTHING: [&str; 2] =
            ["0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", "x-Y_1.z"];
        let mut rules = self.list.rules.of(Method::Post).iter();
        rules.any(|rule| rule.path.as_str().contains("containers"))
            && !ANYTHING.iter().all(|anything| self.allows_exec_in(anything))
    }

    fn allows_exec_in(&self, reference: &str) -> bool {
        let path = format!("/containers/{reference}/exec");
        let version = self.head.target.version().map(|version| format!("/v{version}"));
        let path = format!("{}{path}", version.unwrap_or_default());
        matches!(self.list.rules.find(Method::Post, &path), super::Match::Rule(_))
    }
}

fn violation(clause: Clause, place: &str, problem: &str) -> Violation {
    Violation { clause, place: place.to_owned(), problem: problem.to_owned() }
}

fn host(place: &str, problem: &str) -> Violation {
    violation(Clause::HostAccess, place, problem)
}

/// A name or id in the characters that Docker gives them (moby `daemon/names`), so that it means one thing in a path of ours.
pub fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.len() <= 255
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
