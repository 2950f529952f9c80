//! What words say of each operation: a row for every operation, and a column for each question. There are no defaults, so a new operation does
//! not compile before each of them is answered.

use crate::request::Operation;

use super::bundles::{Bundle, Part};

/// By which word an operation, or a part of it, is given besides its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// By this bundle.
    Bundle(Bundle),
    /// By its own name only.
    OwnName,
    /// Every admitted client may ask it.
    Open,
    /// By no word.
    None,
}

/// What a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The name of the object: of the container that a path names, by whatever name or id, or that an exec runs in; of the volume; of the
    /// container that is created.
    Name,
    /// The labels of that container.
    Labels,
    /// The new name of a container.
    To,
    /// The image that is named.
    Image,
    /// The command of an exec.
    Cmd,
    /// The user of an exec.
    User,
    /// The signal that is sent.
    Signal,
}

impl Key {
    /// How it is written; the labels have three ways.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Labels => "label:",
            Self::To => "to",
            Self::Image => "image",
            Self::Cmd => "cmd",
            Self::User => "user",
            Self::Signal => "signal",
        }
    }
}

/// What a request says of itself that a condition or a safe term looks at, besides the object that its path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// It creates a container: by the parameter `name`, from `Image`.
    NewContainer,
    /// It creates a volume: by `Name`.
    NewVolume,
    /// Its path names a volume.
    Volume,
    /// It makes an exec.
    Exec,
    /// It pulls or imports an image.
    Pull,
    /// Its path names an image of the engine.
    Image,
    /// Its path names an image of a registry.
    RemoteImage,
    /// It gives a container a new name.
    Rename,
    /// It lists processes, as `ps_args` says.
    Processes,
    /// It reads or writes files in a container, and through its mounts those of the host.
    Files,
}

/// What a request does with images, which a list may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// Nothing that makes, runs or renames one.
    No,
    /// A container is created from one, and may mount others.
    Container,
    /// So are the tasks of a service.
    Service,
    /// It pulls one, or imports one under a name.
    Pull,
    /// It gives one a name, by `repo` and `tag`.
    Writes,
    /// It builds one, under the names in `t`.
    Builds,
    /// It brings images with names of their own.
    Loads,
}

/// The parts of `ImageCreate`.
const PULL_OR_IMPORT: &[(Part, Home)] =
    &[(Part::Pull, Home::Bundle(Bundle::Pull)), (Part::Import, Home::Bundle(Bundle::WriteImages))];

macro_rules! home {
    (PULL_OR_IMPORT) => {
        PULL_OR_IMPORT
    };
    (OwnName) => {
        &[(Part::Whole, Home::OwnName)]
    };
    (Open) => {
        &[(Part::Whole, Home::Open)]
    };
    (None) => {
        &[(Part::Whole, Home::None)]
    };
    ($bundle:ident) => {
        &[(Part::Whole, Home::Bundle(Bundle::$bundle))]
    };
}

macro_rules! operations {
    ($($operation:ident => $home:ident, [$($key:ident),*], $asks:ident, $uses:ident;)*) => {
        /// Where the parts of an operation belong.
        pub(super) const fn homes(operation: Operation) -> &'static [(Part, Home)] {
            match operation {
                $(Operation::$operation => home!($home),)*
            }
        }

        /// The conditions that an operation has.
        pub const fn keys(operation: Operation) -> &'static [Key] {
            match operation {
                $(Operation::$operation => &[$(Key::$key),*],)*
            }
        }

        /// What a request for an operation says of itself.
        pub const fn asks(operation: Operation) -> Asks {
            match operation {
                $(Operation::$operation => Asks::$asks,)*
            }
        }

        /// What a request for an operation does with images.
        pub const fn uses(operation: Operation) -> Uses {
            match operation {
                $(Operation::$operation => Uses::$uses,)*
            }
        }
    };
}

// The columns, in order: the bundle, or how else it is given; the conditions it has; what a request says of itself; what it does with images.
operations! {
    SystemPing => Open, [], Nothing, No;
    SystemPingHead => Open, [], Nothing, No;
    SystemVersion => Read, [], Nothing, No;
    SystemInfo => Read, [], Nothing, No;
    SystemEvents => Read, [], Nothing, No;
    SystemDataUsage => Read, [], Nothing, No;
    SystemAuth => Registry, [], Nothing, No;
    ContainerList => Read, [], Nothing, No;
    ContainerAttachWebsocket => Attach, [Name, Labels], Nothing, No;
    ContainerInspect => Read, [Name, Labels], Nothing, No;
    ContainerTop => Stats, [Name, Labels], Processes, No;
    ContainerLogs => Logs, [Name, Labels], Nothing, No;
    ContainerStats => Stats, [Name, Labels], Nothing, No;
    ContainerChanges => ReadFiles, [Name, Labels], Nothing, No;
    ContainerExport => ReadFiles, [Name, Labels], Nothing, No;
    ContainerArchiveInfo => ReadFiles, [Name, Labels], Files, No;
    ContainerArchive => ReadFiles, [Name, Labels], Files, No;
    PutContainerArchive => WriteFiles, [Name, Labels], Files, No;
    ContainerCreate => Create, [Name, Image], NewContainer, Container;
    ContainerStart => Lifecycle, [Name, Labels], Nothing, No;
    ContainerStop => Lifecycle, [Name, Labels], Nothing, No;
    ContainerRestart => Lifecycle, [Name, Labels], Nothing, No;
    ContainerKill => Lifecycle, [Name, Labels, Signal], Nothing, No;
    ContainerPause => Lifecycle, [Name, Labels], Nothing, No;
    ContainerUnpause => Lifecycle, [Name, Labels], Nothing, No;
    ContainerWait => Lifecycle, [Name, Labels], Nothing, No;
    ContainerResize => Lifecycle, [Name, Labels], Nothing, No;
    ContainerRename => Change, [Name, Labels, To], Rename, No;
    ContainerUpdate => Change, [Name, Labels], Nothing, No;
    ContainerAttach => Attach, [Name, Labels], Nothing, No;
    ContainerExec => Exec, [Name, Labels, Cmd, User], Exec, No;
    ContainerPrune => Prune, [], Nothing, No;
    CheckpointList => OwnName, [Name, Labels], Nothing, No;
    CheckpointCreate => OwnName, [Name, Labels], Nothing, No;
    CheckpointDelete => OwnName, [Name, Labels], Nothing, No;
    ContainerDelete => Remove, [Name, Labels], Nothing, No;
    ExecInspect => Exec, [Name, Labels, Cmd, User], Nothing, No;
    ExecStart => Exec, [Name, Labels, Cmd, User], Nothing, No;
    ExecResize => Exec, [Name, Labels, Cmd, User], Nothing, No;
    ImageCommit => ReadFiles, [], Nothing, Writes;
    ImageList => Read, [], Nothing, No;
    ImageSearch => Registry, [], Nothing, No;
    ImageGetAll => ReadFiles, [], Nothing, No;
    ImageGet => ReadFiles, [Image], Image, No;
    ImageInspect => Read, [Image], Image, No;
    ImageHistory => Read, [Image], Image, No;
    ImageAttestations => Read, [Image], Image, No;
    ImageCreate => PULL_OR_IMPORT, [Image], Pull, Pull;
    ImageLoad => WriteImages, [], Nothing, Loads;
    ImagePrune => Prune, [], Nothing, No;
    ImagePush => Push, [Image], RemoteImage, No;
    ImageTag => WriteImages, [Image], Image, Writes;
    ImageDelete => WriteImages, [Image], Image, No;
    DistributionInspect => Registry, [Image], RemoteImage, No;
    ImageBuild => Build, [], Nothing, Builds;
    BuildPrune => Prune, [], Nothing, No;
    BuildCancel => Build, [], Nothing, No;
    Session => Buildkit, [], Nothing, Loads;
    Grpc => Buildkit, [], Nothing, Loads;
    NetworkList => Read, [], Nothing, No;
    NetworkInspect => Read, [], Nothing, No;
    NetworkCreate => Create, [], Nothing, No;
    NetworkConnect => Change, [], Nothing, No;
    NetworkDisconnect => Change, [], Nothing, No;
    NetworkPrune => Prune, [], Nothing, No;
    NetworkDelete => Remove, [], Nothing, No;
    VolumeList => Read, [], Nothing, No;
    VolumeInspect => Read, [Name], Volume, No;
    VolumeCreate => Create, [Name], NewVolume, No;
    VolumeUpdate => OwnName, [], Nothing, No;
    VolumePrune => Prune, [], Nothing, No;
    VolumeDelete => Remove, [Name], Volume, No;
    SwarmInspect => Secrets, [], Nothing, No;
    SwarmUnlockkey => Secrets, [], Nothing, No;
    SwarmInit => OwnName, [], Nothing, No;
    SwarmJoin => OwnName, [], Nothing, No;
    SwarmLeave => OwnName, [], Nothing, No;
    SwarmUpdate => OwnName, [], Nothing, No;
    SwarmUnlock => OwnName, [], Nothing, No;
    ServiceList => ReadSwarm, [], Nothing, No;
    ServiceCreate => WriteSwarm, [], Nothing, Service;
    ServiceLogs => OwnName, [], Nothing, No;
    ServiceInspect => ReadSwarm, [], Nothing, No;
    ServiceUpdate => WriteSwarm, [], Nothing, Service;
    ServiceDelete => WriteSwarm, [], Nothing, No;
    NodeList => ReadSwarm, [], Nothing, No;
    NodeInspect => ReadSwarm, [], Nothing, No;
    NodeUpdate => OwnName, [], Nothing, No;
    NodeDelete => OwnName, [], Nothing, No;
    TaskList => ReadSwarm, [], Nothing, No;
    TaskLogs => OwnName, [], Nothing, No;
    TaskInspect => ReadSwarm, [], Nothing, No;
    SecretList => Secrets, [], Nothing, No;
    SecretCreate => WriteSwarm, [], Nothing, No;
    SecretInspect => Secrets, [], Nothing, No;
    SecretUpdate => WriteSwarm, [], Nothing, No;
    SecretDelete => WriteSwarm, [], Nothing, No;
    ConfigList => Secrets, [], Nothing, No;
    ConfigCreate => WriteSwarm, [], Nothing, No;
    ConfigInspect => Secrets, [], Nothing, No;
    ConfigUpdate => WriteSwarm, [], Nothing, No;
    ConfigDelete => WriteSwarm, [], Nothing, No;
    PluginList => OwnName, [], Nothing, No;
    GetPluginPrivileges => OwnName, [], Nothing, No;
    PluginInspect => OwnName, [], Nothing, No;
    PluginPull => OwnName, [], Nothing, No;
    PluginCreate => OwnName, [], Nothing, No;
    PluginEnable => OwnName, [], Nothing, No;
    PluginDisable => OwnName, [], Nothing, No;
    PluginPush => OwnName, [], Nothing, No;
    PluginUpgrade => OwnName, [], Nothing, No;
    PluginSet => OwnName, [], Nothing, No;
    PluginDelete => OwnName, [], Nothing, No;
    DebugVars => OwnName, [], Nothing, No;
    DebugPprof => OwnName, [], Nothing, No;
    DebugPprofProfile => OwnName, [], Nothing, No;
    Unknown => None, [], Nothing, No;
}

impl Bundle {
    /// What it gives, operation by operation.
    pub fn members(self) -> impl Iterator<Item = (Operation, Part)> {
        Operation::all().flat_map(move |operation| {
            let parts = homes(operation).iter();
            parts
                .filter(move |(_, home)| *home == Home::Bundle(self))
                .map(move |(part, _)| (operation, *part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_home() {
        for operation in Operation::all() {
            let homes = homes(operation);
            let parts: Vec<Part> = homes.iter().map(|(part, _)| *part).collect();
            assert!(
                parts == [Part::Whole] || parts == [Part::Pull, Part::Import],
                "{operation}: {parts:?}"
            );
            assert!(homes.iter().all(|(_, home)| *home != Home::None), "{operation}");
        }
        for bundle in Bundle::ALL {
            assert!(bundle.members().next().is_some(), "{bundle:?}");
            assert!(!bundle.summary().ends_with('.'));
        }
        let all: usize = Bundle::ALL.iter().map(|bundle| bundle.members().count()).sum();
        let homeless = Operation::all()
            .flat_map(homes_of)
            .filter(|home| matches!(home, Home::OwnName | Home::Open))
            .count();
        assert_eq!(all + homeless, Operation::ALL.len() + 1);
    }

    fn homes_of(operation: Operation) -> impl Iterator<Item = Home> {
        homes(operation).iter().map(|(_, home)| *home)
    }
}
