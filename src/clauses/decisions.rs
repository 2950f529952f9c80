//! What each clause does about each operation: a row for every operation, a column for every clause.
//!
//! There are no defaults. A new operation does not compile before every clause has decided about it, and neither does a new clause before it has
//! decided about every operation.

use crate::request::Operation;

/// One operation's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision {
    pub(super) body: Body,
    pub(super) limited: Limited,
    pub(super) own: Own,
    pub(super) guarded: Guarded,
    pub(super) swarm: Swarm,
    pub(super) gives: Gives,
    pub(super) refers: Refers,
    pub(super) gains: Gains,
    pub(super) marks: Marks,
}

/// Whether the request needs a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The daemon reads none, or a missing one sets nothing.
    Any,
    /// The body says what is created or changed.
    Needed,
}

/// What a list's limits have to say: mounts, network volumes, access to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    /// Nothing.
    No,
    ContainerCreate,
    ContainerUpdate,
    /// It starts the container that the path names, perhaps from a checkpoint.
    Start,
    /// It starts it again.
    Restart,
    ContainerExec,
    /// It types into the container that the path names.
    Target,
    /// It reads how an exec was started.
    ExecRead,
    /// It starts or resizes an exec.
    ExecUse,
    CheckpointCreate,
    /// This parameter is a directory of the host.
    Directory(&'static str),
    VolumeCreate,
    Service,
    ServiceUpdate,
    NetworkCreate,
    NetworkConnect,
    Build,
    ImageCreate,
    SecretCreate,
    /// It installs, starts or changes a plugin.
    Plugin,
    /// Where access to the host is denied, all of it is refused, for this reason.
    Denied(&'static str),
    /// Nobody knows what it asks for.
    Unknown,
}

/// What it does to the container in its path: the proxy's own may be looked at, and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// The path names none.
    No,
    /// It looks at the container, or waits.
    Looks,
    /// It does something to it, or reads its files.
    Changes,
}

/// What of it could enlarge the client's rights, where rights come from labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guarded {
    /// Nothing.
    No,
    Create,
    Exec,
    Commit,
    /// It fetches an image, or makes one with `changes`.
    Import,
    Build,
    /// It builds where nobody sees it.
    HiddenBuild,
    /// It makes or renames an image.
    Image,
    /// It connects or disconnects a container.
    Member,
    Network,
    Service,
    ServiceUpdate,
}

/// What of the proxy's own swarm it changes, if a swarm runs the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swarm {
    /// Nothing.
    No,
    /// The service in its path.
    Service,
    /// The node in its path.
    Node,
    /// The swarm as a whole.
    Whole,
}

/// What it gives a name to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// Nothing.
    No,
    Container,
    /// What the path names, by the parameter `name`.
    Parameter,
    /// A container's place on a network.
    Endpoint,
    Service,
    ServiceUpdate,
    Network,
}

/// Where it names containers, besides its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refers {
    /// Nowhere.
    No,
    /// In the body of a create.
    Create,
    /// In the field `Container`.
    Member,
    /// In the parameter `container`.
    Commit,
}

/// What of the host a client gains by it where access to the host is not denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gains {
    /// Nothing that `hostaccess=deny` would take away.
    No,
    /// A part of it.
    Part,
    /// All of it: it creates what runs with whatever access its body asks for.
    Owns,
}

/// What it makes that has to say who created it, where rights come from labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// Nothing.
    No,
    Container,
    Service,
}

impl Gains {
    /// What an operation gives.
    pub const fn of(operation: Operation) -> Self {
        Decision::of(operation).gains
    }
}

const BUILDKIT: &str = "is BuildKit's own protocol, which nobody can inspect";
const COMMANDS: &str = "changes who commands this host";
const SWITCHES_OFF: &str =
    "switches off a plugin, which may be one that limits the engine's clients";

macro_rules! decisions {
    ($($operation:ident => $body:ident, $limited:expr, $own:ident, $guarded:ident, $swarm:ident, $gives:ident, $refers:ident, $gains:ident, $marks:ident;)*) => {
        impl Decision {
            /// The row of an operation.
            pub(super) const fn of(operation: Operation) -> Self {
                use Limited::{
                    Build, CheckpointCreate, ContainerCreate, ContainerExec, ContainerUpdate, Denied, Directory, ExecRead, ExecUse,
                    ImageCreate, NetworkConnect, NetworkCreate, No, Plugin, Restart, SecretCreate, Service, ServiceUpdate, Start, Target, Unknown,
                    VolumeCreate,
                };
                match operation {
                    $(Operation::$operation => Self {
                        body: Body::$body,
                        limited: $limited,
                        own: Own::$own,
                        guarded: Guarded::$guarded,
                        swarm: Swarm::$swarm,
                        gives: Gives::$gives,
                        refers: Refers::$refers,
                        gains: Gains::$gains,
                        marks: Marks::$marks,
                    },)*
                }
            }
        }
    };
}

// The columns, in order: body, limited, own, guarded, swarm, gives, refers, gains, marks.
decisions! {
    SystemPing => Any, No, No, No, No, No, No, No, No;
    SystemPingHead => Any, No, No, No, No, No, No, No, No;
    SystemVersion => Any, No, No, No, No, No, No, No, No;
    SystemInfo => Any, No, No, No, No, No, No, No, No;
    SystemEvents => Any, No, No, No, No, No, No, No, No;
    SystemDataUsage => Any, No, No, No, No, No, No, No, No;
    SystemAuth => Any, No, No, No, No, No, No, No, No;
    ContainerList => Any, No, No, No, No, No, No, No, No;
    ContainerAttachWebsocket => Any, Target, Changes, No, No, No, No, No, No;
    ContainerInspect => Any, No, Looks, No, No, No, No, No, No;
    ContainerTop => Any, No, Looks, No, No, No, No, No, No;
    ContainerLogs => Any, No, Looks, No, No, No, No, No, No;
    ContainerStats => Any, No, Looks, No, No, No, No, No, No;
    ContainerChanges => Any, No, Looks, No, No, No, No, No, No;
    ContainerExport => Any, No, Changes, No, No, No, No, No, No;
    ContainerArchiveInfo => Any, No, Changes, No, No, No, No, No, No;
    ContainerArchive => Any, No, Changes, No, No, No, No, No, No;
    PutContainerArchive => Any, Denied("writes files as root, also through mounts"), Changes, No, No, No, No, Part, No;
    ContainerCreate => Needed, ContainerCreate, No, Create, No, Container, Create, Owns, Container;
    ContainerStart => Any, Start, Changes, No, No, No, No, No, No;
    ContainerStop => Any, No, Changes, No, No, No, No, No, No;
    ContainerRestart => Any, Restart, Changes, No, No, No, No, No, No;
    ContainerKill => Any, No, Changes, No, No, No, No, No, No;
    ContainerPause => Any, No, Changes, No, No, No, No, No, No;
    ContainerUnpause => Any, No, Changes, No, No, No, No, No, No;
    ContainerWait => Any, No, Looks, No, No, No, No, No, No;
    ContainerResize => Any, No, Changes, No, No, No, No, No, No;
    ContainerRename => Any, No, Changes, No, No, Parameter, No, No, No;
    ContainerUpdate => Needed, ContainerUpdate, Changes, No, No, No, No, No, No;
    ContainerAttach => Any, Target, Changes, No, No, No, No, No, No;
    ContainerExec => Needed, ContainerExec, Changes, No, No, No, No, No, No;
    ContainerPrune => Any, No, No, No, No, No, No, No, No;
    CheckpointList => Any, Directory("dir"), Looks, No, No, No, No, No, No;
    CheckpointCreate => Any, CheckpointCreate, Changes, No, No, No, No, Part, No;
    CheckpointDelete => Any, Directory("dir"), Changes, No, No, No, No, Part, No;
    ContainerDelete => Any, No, Changes, No, No, No, No, No, No;
    ExecInspect => Any, ExecRead, No, No, No, No, No, No, No;
    ExecStart => Any, ExecUse, No, Exec, No, No, No, No, No;
    ExecResize => Any, ExecUse, No, Exec, No, No, No, No, No;
    ImageCommit => Any, No, No, Commit, No, No, Commit, No, No;
    ImageList => Any, No, No, No, No, No, No, No, No;
    ImageSearch => Any, No, No, No, No, No, No, No, No;
    ImageGetAll => Any, No, No, No, No, No, No, No, No;
    ImageGet => Any, No, No, No, No, No, No, No, No;
    ImageInspect => Any, No, No, No, No, No, No, No, No;
    ImageHistory => Any, No, No, No, No, No, No, No, No;
    ImageAttestations => Any, No, No, No, No, No, No, No, No;
    ImageCreate => Any, ImageCreate, No, Import, No, No, No, No, No;
    ImageLoad => Any, No, No, Image, No, No, No, No, No;
    ImagePrune => Any, No, No, No, No, No, No, No, No;
    ImagePush => Any, No, No, No, No, No, No, No, No;
    ImageTag => Any, No, No, Image, No, No, No, No, No;
    ImageDelete => Any, No, No, No, No, No, No, No, No;
    DistributionInspect => Any, No, No, No, No, No, No, No, No;
    ImageBuild => Any, Build, No, Build, No, No, No, No, No;
    BuildPrune => Any, No, No, No, No, No, No, No, No;
    BuildCancel => Any, No, No, No, No, No, No, No, No;
    Session => Any, Denied(BUILDKIT), No, Image, No, No, No, Owns, No;
    Grpc => Any, Denied(BUILDKIT), No, HiddenBuild, No, No, No, Owns, No;
    NetworkList => Any, No, No, No, No, No, No, No, No;
    NetworkInspect => Any, No, No, No, No, No, No, No, No;
    NetworkCreate => Needed, NetworkCreate, No, Network, No, Network, No, Part, No;
    NetworkConnect => Needed, NetworkConnect, No, Member, No, Endpoint, Member, No, No;
    NetworkDisconnect => Needed, No, No, Member, No, No, Member, No, No;
    NetworkPrune => Any, No, No, No, No, No, No, No, No;
    NetworkDelete => Any, No, No, No, No, No, No, No, No;
    VolumeList => Any, No, No, No, No, No, No, No, No;
    VolumeInspect => Any, No, No, No, No, No, No, No, No;
    VolumeCreate => Needed, VolumeCreate, No, No, No, No, No, Part, No;
    VolumeUpdate => Any, Denied("changes a volume of the whole swarm"), No, No, No, No, No, No, No;
    VolumePrune => Any, No, No, No, No, No, No, No, No;
    VolumeDelete => Any, No, No, No, No, No, No, No, No;
    SwarmInspect => Any, No, No, No, No, No, No, No, No;
    SwarmUnlockkey => Any, No, No, No, No, No, No, No, No;
    SwarmInit => Any, Denied(COMMANDS), No, No, Whole, No, No, Part, No;
    SwarmJoin => Any, Denied(COMMANDS), No, No, No, No, No, Owns, No;
    SwarmLeave => Any, Denied(COMMANDS), No, No, Whole, No, No, No, No;
    SwarmUpdate => Any, Denied(COMMANDS), No, No, No, No, No, Part, No;
    SwarmUnlock => Any, Denied(COMMANDS), No, No, No, No, No, No, No;
    ServiceList => Any, No, No, No, No, No, No, No, No;
    ServiceCreate => Needed, Service, No, Service, No, Service, No, Owns, Service;
    ServiceLogs => Any, No, No, No, No, No, No, No, No;
    ServiceInspect => Any, No, No, No, No, No, No, No, No;
    ServiceUpdate => Needed, ServiceUpdate, No, ServiceUpdate, Service, ServiceUpdate, No, Owns, Service;
    ServiceDelete => Any, No, No, No, Service, No, No, No, No;
    NodeList => Any, No, No, No, No, No, No, No, No;
    NodeInspect => Any, No, No, No, No, No, No, No, No;
    NodeUpdate => Any, Denied("changes who commands the swarm"), No, No, Node, No, No, No, No;
    NodeDelete => Any, No, No, No, Node, No, No, No, No;
    TaskList => Any, No, No, No, No, No, No, No, No;
    TaskLogs => Any, No, No, No, No, No, No, No, No;
    TaskInspect => Any, No, No, No, No, No, No, No, No;
    SecretList => Any, No, No, No, No, No, No, No, No;
    SecretCreate => Any, SecretCreate, No, No, No, No, No, No, No;
    SecretInspect => Any, No, No, No, No, No, No, No, No;
    SecretUpdate => Any, No, No, No, No, No, No, No, No;
    SecretDelete => Any, No, No, No, No, No, No, No, No;
    ConfigList => Any, No, No, No, No, No, No, No, No;
    ConfigCreate => Any, No, No, No, No, No, No, No, No;
    ConfigInspect => Any, No, No, No, No, No, No, No, No;
    ConfigUpdate => Any, No, No, No, No, No, No, No, No;
    ConfigDelete => Any, No, No, No, No, No, No, No, No;
    PluginList => Any, No, No, No, No, No, No, No, No;
    GetPluginPrivileges => Any, No, No, No, No, No, No, No, No;
    PluginInspect => Any, No, No, No, No, No, No, No, No;
    PluginPull => Any, Plugin, No, No, No, No, No, Owns, No;
    PluginCreate => Any, Plugin, No, No, No, No, No, Owns, No;
    PluginEnable => Any, Plugin, No, No, No, No, No, Part, No;
    PluginDisable => Any, Denied(SWITCHES_OFF), No, No, No, No, No, No, No;
    PluginPush => Any, No, No, No, No, No, No, No, No;
    PluginUpgrade => Any, Plugin, No, No, No, No, No, Owns, No;
    PluginSet => Any, Plugin, No, No, No, No, No, Part, No;
    PluginDelete => Any, Denied(SWITCHES_OFF), No, No, No, No, No, No, No;
    DebugVars => Any, No, No, No, No, No, No, No, No;
    DebugPprof => Any, No, No, No, No, No, No, No, No;
    DebugPprofProfile => Any, No, No, No, No, No, No, No, No;
    Unknown => Any, Unknown, No, No, No, No, No, No, No;
}
