//! Bundles: words for several operations. Each operation, or each of the two things that it may be asked for, is in one bundle, or is given
//! by its own name only.

use crate::request::Head;

/// A word for several operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table below says it")]
pub enum Bundle {
    Read,
    Logs,
    Stats,
    ReadFiles,
    WriteFiles,
    Lifecycle,
    Exec,
    Attach,
    Create,
    Change,
    Remove,
    Pull,
    Push,
    Registry,
    Build,
    Buildkit,
    WriteImages,
    Prune,
    ReadSwarm,
    WriteSwarm,
    Secrets,
}

impl Bundle {
    /// Every bundle, as the page of words has them.
    pub const ALL: [Self; 21] = [
        Self::Read,
        Self::Logs,
        Self::Stats,
        Self::ReadFiles,
        Self::WriteFiles,
        Self::Lifecycle,
        Self::Exec,
        Self::Attach,
        Self::Create,
        Self::Change,
        Self::Remove,
        Self::Pull,
        Self::Push,
        Self::Registry,
        Self::Build,
        Self::Buildkit,
        Self::WriteImages,
        Self::Prune,
        Self::ReadSwarm,
        Self::WriteSwarm,
        Self::Secrets,
    ];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::ReadFiles => "read-files",
            Self::WriteFiles => "write-files",
            Self::Lifecycle => "lifecycle",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Registry => "registry",
            Self::Build => "build",
            Self::Buildkit => "buildkit",
            Self::WriteImages => "write-images",
            Self::Prune => "prune",
            Self::ReadSwarm => "read-swarm",
            Self::WriteSwarm => "write-swarm",
            Self::Secrets => "secrets",
        }
    }

    /// What it gives, a sentence without a full stop.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Read => {
                "List and look at containers, images, networks and volumes; the engine's version, settings, events and disk use"
            }
            Self::Logs => "Read what containers write",
            Self::Stats => "Read what containers use, and which processes run in them",
            Self::ReadFiles => {
                "Read files of images and of containers that reach nothing of the host, and make images of containers"
            }
            Self::WriteFiles => "Write files into containers that reach nothing of the host",
            Self::Lifecycle => {
                "Start, stop, restart, kill, pause and resize containers, and wait for them"
            }
            Self::Exec => "Run commands in containers that reach nothing of the host",
            Self::Attach => "Read from and type into containers that reach nothing of the host",
            Self::Create => {
                "Create containers, networks and volumes that reach nothing of the host"
            }
            Self::Change => {
                "Change the limits, names and networks of containers that are there already"
            }
            Self::Remove => "Remove containers, networks and volumes",
            Self::Pull => "Pull images",
            Self::Push => "Push images",
            Self::Registry => "Log in at registries, search them, and ask them about images",
            Self::Build => "Build images with the classic builder",
            Self::Buildkit => "Build images with BuildKit, which nobody can look into",
            Self::WriteImages => "Tag, load, import and remove images",
            Self::Prune => "Remove everything that is not in use",
            Self::ReadSwarm => "List and look at services, tasks and nodes of a swarm",
            Self::WriteSwarm => {
                "Create, change and remove services, secrets and configs of a swarm"
            }
            Self::Secrets => "Read the tokens of a swarm, its configs, and which secrets there are",
        }
    }
}

/// Which of the things that an operation may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Whatever it is asked for.
    Whole,
    /// `ImageCreate` of an image in a registry.
    Pull,
    /// `ImageCreate` of a file system.
    Import,
}

impl Part {
    /// Whether a request asks for this part.
    pub fn holds(self, head: &Head) -> bool {
        let is_set = |name| head.target.query().first(name).is_some_and(|it| !it.is_empty());
        match self {
            Self::Whole => true,
            Self::Pull => is_set("fromImage") && !is_set("fromSrc"),
            Self::Import => is_set("fromSrc") && !is_set("fromImage"),
        }
    }

    /// What stands behind the operation where both are named.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Pull => " of an image (`fromImage`)",
            Self::Import => " of a file system (`fromSrc`)",
        }
    }
}
