//! What a rule demands of what a request carries besides method and path: its body, and the parameters and references that say the same.
//!
//! [`Review::run`] is the list of clauses, by operation. It is run until it asks no more: where a clause needs to know something of the
//! engine (which container a name means, what a volume mounts) it leaves a [`Question`], and the next run has the answer. A violation
//! that shows without an answer ends it at once.

mod answers;
mod builds;
mod execs;
mod host;
mod identity;
mod inside;
mod known;
mod look;
mod mounts;
mod names;
mod pin;
mod swarm;
#[cfg(test)]
mod tests;
mod values;
mod violation;

use std::path::PathBuf;
use std::sync::Arc;

use crate::request::json::{Json, fold};
use crate::request::{Head, Method};
use crate::text::printable;

use crate::rule::{Allowlist, HostAccess};
pub use answers::Answers;
pub use builds::{builds_unlabelled, starts_containers};
pub use identity::{Protected, is_full_id};
use look::Known;
pub use look::Question;
pub use mounts::mount_danger;
pub use names::Names;
pub use pin::pin;
pub use swarm::OwnTask;
pub use violation::{Clause, Violation};
use violation::{host, violation};

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
    /// The host names of `-allowfrom`: whoever takes one is let in.
    pub admitted: Names,
}

impl Default for Defaults {
    /// The strictest: everything is denied.
    fn default() -> Self {
        Self {
            bind_mount_from: Some(Vec::new()),
            deny_host_mounts: true,
            deny_network_volumes: true,
            host_access: HostAccess::Deny,
            admitted: Names::default(),
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

/// The parameters that clauses read.
const JUDGED_PARAMETERS: &[&str] = &[
    "additionalbuildcontexts",
    "addcaps",
    "apparmor",
    "cgroupparent",
    "changes",
    "checkpoint-dir",
    "container",
    "devices",
    "dir",
    "fromSrc",
    "idmappingoptions",
    "isolation",
    "labelopts",
    "labels",
    "name",
    "networkmode",
    "nsoptions",
    "outputs",
    "platform",
    "remote",
    "rollback",
    "rusagelogfile",
    "seccomp",
    "securityopt",
    "transientRunMounts",
    "version",
    "volume",
];

/// One look at a request, for one list.
#[derive(Debug)]
pub struct Review<'a> {
    head: &'a Head,
    body: Option<&'a Json>,
    limits: Limits<'a>,
    list: &'a Allowlist,
    admitted: &'a Names,
    /// All lists that have to allow it, this one among them.
    lists: &'a [Arc<Allowlist>],
    protected: Option<&'a Protected>,
    known: Known<'a>,
    questions: Vec<Question>,
}

type Verdict = Result<(), Violation>;

impl<'a> Review<'a> {
    /// A look at this request with what is known so far, for one of the lists that have to allow it; `protected` is there where rights come
    /// from labels.
    pub fn new(
        head: &'a Head,
        body: Option<&'a Json>,
        list: &'a Allowlist,
        lists: &'a [Arc<Allowlist>],
        defaults: &'a Defaults,
        protected: Option<&'a Protected>,
        answers: &'a Answers,
    ) -> Self {
        let limits = Limits::of(list, defaults);
        let (known, admitted) = (Known::new(answers), &defaults.admitted);
        Self { head, body, limits, list, admitted, lists, protected, known, questions: Vec::new() }
    }

    /// Goes through the clauses; what is returned has to be asked before the next run, and nothing of it allows anything.
    ///
    /// # Errors
    /// The first violation.
    pub fn run(mut self) -> Result<Vec<Question>, Violation> {
        self.body_is_there()?;
        self.parameters_are_spelled()?;
        self.operation()?;
        if let Some(protected) = self.protected {
            self.guard(protected)?;
        }
        self.names_are_free()?;
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
            "ExecInspect" | "ExecResize" | "ExecStart" => self.exec(),
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

    /// Docker tells parameters apart by case and Podman does not, so another spelling of one that is judged would be read there, unjudged.
    fn parameters_are_spelled(&self) -> Verdict {
        if self.limits.are_none() && self.protected.is_none() {
            return Ok(());
        }
        let is_other = |key: &str| {
            let folded = fold(key);
            JUDGED_PARAMETERS.iter().any(|judged| *judged != key && fold(judged) == folded)
        };
        match self.head.target.query().iter().find(|(key, _)| is_other(key)) {
            None => Ok(()),
            Some((key, _)) => {
                let place = format!("the parameter `{}`", printable(key));
                let problem = "is one that engines spell in another case; spell it as they do";
                Err(violation(Clause::Unclear, &place, problem))
            }
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
}

/// A name or id in the characters that Docker gives them (moby `daemon/names`), so that it means one thing in a path of ours.
pub fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.len() <= 255
        && name.bytes().all(fits)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
