//! The Engine API's operations: what a method and a path mean to the daemon.
//!
//! Identifiers are the `operationId`s of Docker's `OpenAPI` description; the few routes it leaves out (`BuildCancel`, `Grpc`, `Checkpoint*`,
//! `Debug*`, `ImageAttestations`) are named after their handlers. Routes and their order are those of moby's `daemon/server/router`.

mod parameters;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use super::method::Method;
pub use parameters::{Parameter, Reading};

/// Makes [`Operation`] and its table of rows from one list, so that neither can lack what the other has.
macro_rules! operations {
    ($($id:ident: $method:ident, $template:literal, $object:ident, $body:ident, $answer:expr, $risk:expr;)*) => {
        /// One operation of the Engine API, or none that we know.
        ///
        /// The rooms that judge match on it without a wildcard, so a new operation does not compile until each of them has decided about it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(
                #[doc = concat!("`", $template, "`, method ", stringify!($method), ".")]
                $id,
            )*
            /// A request that is no known operation: only explicit path rules can allow it.
            Unknown,
        }

        impl Operation {
            /// Every known operation, in routing order.
            pub const ALL: &'static [Self] = &[$(Self::$id),*];
        }

        /// One for each of [`Operation::ALL`].
        static ROWS: &[Row] = {
            use AnswerKind::{Endless, Plain, Upgrade as Upgrades};
            use Upgrade::{H2c, Tcp, WebSocket};
            &[$(Row {
                id: stringify!($id),
                method: Method::$method,
                template: $template,
                object: ObjectKind::$object,
                body: BodyKind::$body,
                answer: $answer,
                risk: $risk,
            }),*]
        };
    };
}

impl Operation {
    /// The operation that the daemon would run for this method and (decoded, version-free, canonical) path.
    pub fn find(method: Method, path: &str) -> Self {
        let candidates = BY_SEGMENT.get(first_segment(path)).into_iter().flatten();
        candidates
            .copied()
            .find(|operation| {
                operation
                    .route()
                    .is_some_and(|route| route.row.method == method && route.matches(path))
            })
            .unwrap_or(Self::Unknown)
    }

    /// Every known operation, in routing order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    /// The `operationId`, for example `ContainerList`; `Unknown` for none.
    pub fn id(self) -> &'static str {
        self.row().map_or("Unknown", |row| row.id)
    }

    /// The method of the operation.
    pub fn method(self) -> Option<Method> {
        self.row().map(|row| row.method)
    }

    /// The route, for example `/containers/{name}/json`; `{name}` may hold slashes, as it may for the daemon.
    pub fn template(self) -> Option<&'static str> {
        self.row().map(|row| row.template)
    }

    /// What kind of object the path names.
    pub fn object_kind(self) -> ObjectKind {
        self.row().map_or(ObjectKind::None, |row| row.object)
    }

    /// What kind of body the daemon reads.
    pub fn body(self) -> BodyKind {
        self.row().map_or(BodyKind::Unknown, |row| row.body)
    }

    /// How the answer comes.
    pub fn answer(self) -> AnswerKind {
        self.row().map_or(AnswerKind::Plain, |row| row.answer)
    }

    /// The protocol the connection changes to when the client asks for it and the engine agrees.
    pub fn upgrade(self) -> Option<Upgrade> {
        match self.answer() {
            AnswerKind::Upgrade(upgrade) => Some(upgrade),
            AnswerKind::Plain | AnswerKind::Endless => None,
        }
    }

    /// What a client gains over the host or its secrets when this is allowed, as one sentence; `None` where it gains little.
    pub fn risk(self) -> Option<&'static str> {
        self.row().and_then(|row| row.risk)
    }

    /// `GET` and `HEAD /_ping`, which every admitted client may ask.
    pub fn is_ping(self) -> bool {
        self == Self::SystemPing || self == Self::SystemPingHead
    }

    /// Where in a (decoded, version-free) path of this operation its object is named, in bytes: the first `{name}` or `{id}`.
    pub fn object(self, path: &str) -> Option<Range<usize>> {
        let route = self.route()?;
        let begin = route.prefix.len();
        let end = match route.hole {
            Hole::None => return None,
            Hole::Any | Hole::Segment => path.len().checked_sub(route.suffix.len())?,
            Hole::Two(between) => begin + path.get(begin..)?.rfind(between)?,
        };
        (begin < end && end <= path.len()).then_some(begin..end)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.get(self as usize)
    }

    fn route(self) -> Option<&'static Route> {
        ROUTES.get(self as usize)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// The kinds of objects that a path can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// None, or nothing that an engine keeps.
    None,
    /// A container, by name, id or part of an id.
    Container,
    /// An exec, by id.
    Exec,
    /// An image, by reference or id.
    Image,
    /// A network, by name, id or part of an id.
    Network,
    /// A volume, by name.
    Volume,
    /// A service of a swarm.
    Service,
    /// A node of a swarm.
    Node,
    /// A task of a service.
    Task,
    /// A secret of a swarm.
    Secret,
    /// A config of a swarm.
    Config,
    /// A plugin, by name.
    Plugin,
}

/// What the daemon makes of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// It reads none; a form would override the query (Go's `ParseForm`), so none is passed on.
    None,
    /// A JSON document.
    Json,
    /// A tar stream, of any length.
    Tar,
    /// An operation we do not know: a body passes only under a content type that the daemon cannot take for a form.
    Unknown,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// It ends by itself.
    Plain,
    /// It may go on, and be silent, for as long as the client listens.
    Endless,
    /// The connection may leave HTTP (the Engine calls it hijacking).
    Upgrade(Upgrade),
}

/// The protocols a connection may change to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// A raw or multiplexed byte stream.
    Tcp,
    /// RFC 6455.
    WebSocket,
    /// HTTP/2 with prior knowledge, spoken between the client and `BuildKit`.
    H2c,
}

impl Upgrade {
    /// The value of the `Upgrade` field.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::WebSocket => "websocket",
            Self::H2c => "h2c",
        }
    }
}

/// What the connection may change to on a path of Podman's own API: its attach and its start of an exec leave HTTP as Docker's do (podman
/// `pkg/api/server`, `register_containers.go` and `register_exec.go`). They stay unknown operations in all else.
pub fn libpod_upgrade(method: Method, path: &str) -> Option<Upgrade> {
    let object = |prefix, suffix| {
        let name = path.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix(suffix));
        name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
    };
    let leaves = method == Method::Post
        && (object("/libpod/containers/", "/attach") || object("/libpod/exec/", "/start"));
    leaves.then_some(Upgrade::Tcp)
}

/// Whether the slashes at these places of a path, which were encoded, belong to the name of an image or plugin, whose hole takes slashes for
/// Docker and for Podman (`{name:.*}`): the route must be the same whether they separate or not.
pub(super) fn takes_slashes(method: Method, path: &str, slashes: &[usize]) -> bool {
    let hole = slashes_hole(method, path);
    hole.is_some() && hole == joined(path, slashes).and_then(|path| slashes_hole(method, &path))
}

/// Whether the slashes at these places, which were encoded, belong to one segment that Podman's own API looks up: its client asks for a
/// container first when it is to show an image. To Podman, which routes on the encoded path, it is one segment; Docker has no such route.
pub(super) fn keeps_slashes(method: Method, path: &str, slashes: &[usize]) -> bool {
    const KINDS: &[&str] = &["containers", "networks", "pods", "volumes"];
    let Some(path) = joined(path, slashes).filter(|_| method == Method::Get) else { return false };
    let mut segments = path.strip_prefix("/libpod/").unwrap_or_default().split('/');
    KINDS.contains(&segments.next().unwrap_or_default())
        && segments.next().is_some_and(|name| name.contains(NO_SLASH))
        && matches!(segments.next(), Some("json" | "exists"))
        && segments.next().is_none()
        && path.matches(NO_SLASH).count() == slashes.len()
}

/// What stands for a slash that separates nothing: no template holds it, and no path.
const NO_SLASH: char = '\0';

/// A path in which the slashes at these places, in order, separate nothing.
fn joined(path: &str, slashes: &[usize]) -> Option<String> {
    let are_slashes = slashes.iter().all(|at| path.get(*at..=*at) == Some("/"));
    let is_joined = |at: usize| slashes.binary_search(&at).is_ok();
    let chars = path.char_indices().map(|(at, c)| if is_joined(at) { NO_SLASH } else { c });
    are_slashes.then(|| chars.collect())
}

/// The route of a path whose name may hold slashes, by what stands behind the name, and where the name stands.
fn slashes_hole(method: Method, path: &str) -> Option<(&'static str, Range<usize>)> {
    let operation = Operation::find(method, path);
    if operation != Operation::Unknown {
        let takes = matches!(operation.object_kind(), ObjectKind::Image | ObjectKind::Plugin);
        return operation.object(path).filter(|_| takes).map(|name| (operation.id(), name));
    }
    libpod_image(method, path)
}

/// The same for the images of Podman's own API (podman `pkg/api/server/register_images.go`).
fn libpod_image(method: Method, path: &str) -> Option<(&'static str, Range<usize>)> {
    const PREFIX: &str = "/libpod/images/";
    let suffixes: &[&str] = match method {
        Method::Get => &["/json", "/exists", "/history", "/tree", "/get", "/changes"],
        Method::Post => &["/push", "/tag", "/untag"],
        Method::Delete => &[""],
        _ => &[],
    };
    let behind = path.strip_prefix(PREFIX)?;
    let (suffix, name) =
        suffixes.iter().find_map(|suffix| Some((*suffix, behind.strip_suffix(suffix)?)))?;
    // `POST /libpod/images/scp/{name}` takes slashes too, and comes first.
    let is_name = !name.is_empty() && name != "scp" && !name.starts_with("scp/");
    is_name.then(|| (suffix, PREFIX.len()..PREFIX.len() + name.len()))
}

/// Whether a path names a network or a volume, whose names may hold nearly anything: no text of the route does, so the route is the same
/// for every reader that decodes once.
pub(super) fn takes_odd_name(method: Method, path: &str) -> bool {
    let kind = Operation::find(method, path).object_kind();
    matches!(kind, ObjectKind::Network | ObjectKind::Volume)
}

/// Whether an API version below the oldest one changes nothing that matters here: it reads, or loads images, as some programs do that were
/// written long ago.
pub(super) fn is_old_but_harmless(method: Method, path: &str) -> bool {
    matches!(method, Method::Get | Method::Head)
        || Operation::find(method, path) == Operation::ImageLoad
}

struct Row {
    id: &'static str,
    method: Method,
    template: &'static str,
    object: ObjectKind,
    body: BodyKind,
    answer: AnswerKind,
    risk: Option<&'static str>,
}

/// A row with its template taken apart once.
struct Route {
    row: &'static Row,
    prefix: &'static str,
    suffix: &'static str,
    hole: Hole,
}

enum Hole {
    /// The path is the prefix alone.
    None,
    /// Anything but nothing, slashes included (`{name:.*}`).
    Any,
    /// One segment (`{id}`).
    Segment,
    /// Two names with a fixed text between them.
    Two(&'static str),
}

impl Route {
    fn new(row: &'static Row) -> Self {
        let (prefix, rest) = row.template.split_once('{').unwrap_or((row.template, ""));
        let (name, suffix) = rest.split_once('}').unwrap_or(("", ""));
        let (suffix, hole) = match suffix.split_once('{') {
            Some((between, _)) => ("", Hole::Two(between)),
            None if name.is_empty() => ("", Hole::None),
            None if name.ends_with(":segment") => (suffix, Hole::Segment),
            None => (suffix, Hole::Any),
        };
        Self { row, prefix, suffix, hole }
    }

    fn matches(&self, path: &str) -> bool {
        let filling = || {
            path.strip_prefix(self.prefix)?
                .strip_suffix(self.suffix)
                .filter(|name| !name.is_empty())
        };
        match self.hole {
            Hole::None => path == self.prefix,
            Hole::Any => filling().is_some(),
            Hole::Segment => filling().is_some_and(|name| !name.contains('/')),
            Hole::Two(between) => filling()
                .and_then(|rest| rest.rsplit_once(between))
                .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()),
        }
    }
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| ROWS.iter().map(Route::new).collect());

/// The routes by the first segment of their paths, in the daemon's order; no template begins with a name.
static BY_SEGMENT: LazyLock<HashMap<&'static str, Vec<Operation>>> = LazyLock::new(|| {
    let mut operations: HashMap<_, Vec<Operation>> = HashMap::new();
    for operation in Operation::all() {
        let template = operation.template().unwrap_or_default();
        operations.entry(first_segment(template)).or_default().push(operation);
    }
    operations
});

fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').map_or(path, |(segment, _)| segment)
}

// In the daemon's order: where two templates match, the first one runs. Behind the template: the kind of object it names, the body, how the
// answer comes, the risk.
operations! {
    SystemPing: Get, "/_ping", None, None, Plain, None;
    SystemPingHead: Head, "/_ping", None, None, Plain, None;
    SystemVersion: Get, "/version", None, None, Plain, None;
    SystemInfo: Get, "/info", None, None, Plain, None;
    SystemEvents: Get, "/events", None, None, Endless, None;
    SystemDataUsage: Get, "/system/df", None, None, Plain, None;
    SystemAuth: Post, "/auth", None, Json, Plain, None;
    ContainerList: Get, "/containers/json", None, None, Plain, None;
    ContainerAttachWebsocket: Get, "/containers/{name}/attach/ws", Container, None, Upgrades(WebSocket), Some("types into a running container: whatever its main process can do, the client can do");
    ContainerInspect: Get, "/containers/{name}/json", Container, None, Plain, None;
    ContainerTop: Get, "/containers/{name}/top", Container, None, Plain, None;
    ContainerLogs: Get, "/containers/{name}/logs", Container, None, Endless, None;
    ContainerStats: Get, "/containers/{name}/stats", Container, None, Endless, None;
    ContainerChanges: Get, "/containers/{name}/changes", Container, None, Plain, None;
    ContainerExport: Get, "/containers/{name}/export", Container, None, Plain, Some("reads every file of every container, with its secrets");
    ContainerArchiveInfo: Head, "/containers/{name}/archive", Container, None, Plain, None;
    ContainerArchive: Get, "/containers/{name}/archive", Container, None, Plain, Some("reads any file of any container, and through its mounts files of the host");
    PutContainerArchive: Put, "/containers/{name}/archive", Container, Tar, Plain, Some("writes files as root into any container, and through its mounts onto the host");
    ContainerCreate: Post, "/containers/create", None, Json, Plain, Some("a created container may mount the host's file system and run privileged: it is root on the host");
    ContainerStart: Post, "/containers/{name}/start", Container, None, Plain, None;
    ContainerStop: Post, "/containers/{name}/stop", Container, None, Plain, None;
    ContainerRestart: Post, "/containers/{name}/restart", Container, None, Plain, None;
    ContainerKill: Post, "/containers/{name}/kill", Container, None, Plain, None;
    ContainerPause: Post, "/containers/{name}/pause", Container, None, Plain, None;
    ContainerUnpause: Post, "/containers/{name}/unpause", Container, None, Plain, None;
    ContainerWait: Post, "/containers/{name}/wait", Container, None, Endless, None;
    ContainerResize: Post, "/containers/{name}/resize", Container, None, Plain, None;
    ContainerRename: Post, "/containers/{name}/rename", Container, None, Plain, None;
    ContainerUpdate: Post, "/containers/{name}/update", Container, Json, Plain, None;
    ContainerAttach: Post, "/containers/{name}/attach", Container, None, Upgrades(Tcp), Some("types into a running container: whatever its main process can do, the client can do");
    ContainerExec: Post, "/containers/{name}/exec", Container, Json, Plain, Some("runs any command in any container, privileged ones and this proxy's neighbours included: it is root on the host");
    ContainerPrune: Post, "/containers/prune", None, None, Plain, None;
    CheckpointList: Get, "/containers/{name}/checkpoints", Container, None, Plain, None;
    CheckpointCreate: Post, "/containers/{name}/checkpoints", Container, Json, Plain, Some("writes a checkpoint to a directory of the client's choice on the host");
    CheckpointDelete: Delete, "/containers/{name}/checkpoints/{checkpoint}", Container, None, Plain, Some("deletes a directory of the client's choice on the host");
    ContainerDelete: Delete, "/containers/{name}", Container, None, Plain, None;
    ExecInspect: Get, "/exec/{id}/json", Exec, None, Plain, None;
    ExecStart: Post, "/exec/{id}/start", Exec, Json, Upgrades(Tcp), None;
    ExecResize: Post, "/exec/{id}/resize", Exec, None, Plain, None;
    ImageCommit: Post, "/commit", None, Json, Plain, Some("makes an image of any container under any tag: later containers may start from it");
    ImageList: Get, "/images/json", None, None, Plain, None;
    ImageSearch: Get, "/images/search", None, None, Plain, None;
    ImageGetAll: Get, "/images/get", None, None, Plain, Some("reads whole images, with whatever secrets were built into them");
    ImageGet: Get, "/images/{name}/get", Image, None, Plain, Some("reads whole images, with whatever secrets were built into them");
    ImageInspect: Get, "/images/{name}/json", Image, None, Plain, None;
    ImageHistory: Get, "/images/{name}/history", Image, None, Plain, None;
    ImageAttestations: Get, "/images/{name}/attestations", Image, None, Plain, None;
    ImageCreate: Post, "/images/create", None, Tar, Plain, Some("pulls or imports any image under any tag, and makes the host fetch any address");
    ImageLoad: Post, "/images/load", None, Tar, Plain, Some("replaces any image under any tag: later containers start from it");
    ImagePrune: Post, "/images/prune", None, None, Plain, None;
    ImagePush: Post, "/images/{name}/push", Image, None, Plain, Some("sends any image to any registry");
    ImageTag: Post, "/images/{name}/tag", Image, None, Plain, Some("moves any tag to another image: later containers start from it");
    ImageDelete: Delete, "/images/{name}", Image, None, Plain, None;
    DistributionInspect: Get, "/distribution/{name}/json", Image, None, Plain, None;
    ImageBuild: Post, "/build", None, Tar, Plain, Some("a build runs the client's commands on any network, the host's included, and writes any tag");
    BuildPrune: Post, "/build/prune", None, None, Plain, None;
    BuildCancel: Post, "/build/cancel", None, None, Plain, None;
    Session: Post, "/session", None, None, Upgrades(H2c), Some("opens a BuildKit session, which cannot be inspected: grant it only together with builds");
    Grpc: Post, "/grpc", None, None, Upgrades(H2c), Some("opens BuildKit's whole control interface, which cannot be inspected: the client can run any build");
    NetworkList: Get, "/networks", None, None, Plain, None;
    NetworkInspect: Get, "/networks/{id}", Network, None, Plain, None;
    NetworkCreate: Post, "/networks/create", None, Json, Plain, Some("creates networks that may reach the host's own network");
    NetworkConnect: Post, "/networks/{id}/connect", Network, Json, Plain, Some("connects any container to any network, also under the address of another");
    NetworkDisconnect: Post, "/networks/{id}/disconnect", Network, Json, Plain, None;
    NetworkPrune: Post, "/networks/prune", None, None, Plain, None;
    NetworkDelete: Delete, "/networks/{id}", Network, None, Plain, None;
    VolumeList: Get, "/volumes", None, None, Plain, None;
    VolumeInspect: Get, "/volumes/{name}", Volume, None, Plain, None;
    VolumeCreate: Post, "/volumes/create", None, Json, Plain, Some("a created volume may be any directory or device of the host");
    VolumeUpdate: Put, "/volumes/{name}", Volume, Json, Plain, None;
    VolumePrune: Post, "/volumes/prune", None, None, Plain, None;
    VolumeDelete: Delete, "/volumes/{name}", Volume, None, Plain, None;
    SwarmInspect: Get, "/swarm", None, None, Plain, Some("reads the tokens with which any machine joins the swarm");
    SwarmUnlockkey: Get, "/swarm/unlockkey", None, None, Plain, Some("reads the key that protects the swarm's secrets");
    SwarmInit: Post, "/swarm/init", None, Json, Plain, Some("turns the host into a swarm manager: services on it run as root");
    SwarmJoin: Post, "/swarm/join", None, Json, Plain, Some("joins a swarm of the client's choice, whose managers then run anything here");
    SwarmLeave: Post, "/swarm/leave", None, None, Plain, None;
    SwarmUpdate: Post, "/swarm/update", None, Json, Plain, Some("changes the swarm's certificate authority and join tokens");
    SwarmUnlock: Post, "/swarm/unlock", None, Json, Plain, None;
    ServiceList: Get, "/services", None, None, Plain, None;
    ServiceCreate: Post, "/services/create", None, Json, Plain, Some("a created service may mount the host's file system: it is root on every node");
    ServiceLogs: Get, "/services/{id:segment}/logs", Service, None, Endless, None;
    ServiceInspect: Get, "/services/{id:segment}", Service, None, Plain, None;
    ServiceUpdate: Post, "/services/{id:segment}/update", Service, Json, Plain, Some("an updated service may mount the host's file system: it is root on every node");
    ServiceDelete: Delete, "/services/{id:segment}", Service, None, Plain, None;
    NodeList: Get, "/nodes", None, None, Plain, None;
    NodeInspect: Get, "/nodes/{id:segment}", Node, None, Plain, None;
    NodeUpdate: Post, "/nodes/{id:segment}/update", Node, Json, Plain, None;
    NodeDelete: Delete, "/nodes/{id:segment}", Node, None, Plain, None;
    TaskList: Get, "/tasks", None, None, Plain, None;
    TaskLogs: Get, "/tasks/{id:segment}/logs", Task, None, Endless, None;
    TaskInspect: Get, "/tasks/{id:segment}", Task, None, Plain, None;
    SecretList: Get, "/secrets", None, None, Plain, None;
    SecretCreate: Post, "/secrets/create", None, Json, Plain, None;
    SecretInspect: Get, "/secrets/{id:segment}", Secret, None, Plain, None;
    SecretUpdate: Post, "/secrets/{id:segment}/update", Secret, Json, Plain, None;
    SecretDelete: Delete, "/secrets/{id:segment}", Secret, None, Plain, None;
    ConfigList: Get, "/configs", None, None, Plain, Some("reads the contents of the swarm's configs");
    ConfigCreate: Post, "/configs/create", None, Json, Plain, None;
    ConfigInspect: Get, "/configs/{id:segment}", Config, None, Plain, Some("reads the contents of the swarm's configs");
    ConfigUpdate: Post, "/configs/{id:segment}/update", Config, Json, Plain, None;
    ConfigDelete: Delete, "/configs/{id:segment}", Config, None, Plain, None;
    PluginList: Get, "/plugins", None, None, Plain, None;
    GetPluginPrivileges: Get, "/plugins/privileges", None, None, Plain, None;
    PluginInspect: Get, "/plugins/{name}/json", Plugin, None, Plain, None;
    PluginPull: Post, "/plugins/pull", None, Json, Plain, Some("installs a plugin, which runs as root on the host");
    PluginCreate: Post, "/plugins/create", None, Tar, Plain, Some("installs a plugin, which runs as root on the host");
    PluginEnable: Post, "/plugins/{name}/enable", Plugin, None, Plain, Some("starts a plugin, which runs as root on the host");
    PluginDisable: Post, "/plugins/{name}/disable", Plugin, None, Plain, None;
    PluginPush: Post, "/plugins/{name}/push", Plugin, None, Plain, None;
    PluginUpgrade: Post, "/plugins/{name}/upgrade", Plugin, Json, Plain, Some("installs a plugin, which runs as root on the host");
    PluginSet: Post, "/plugins/{name}/set", Plugin, Json, Plain, Some("reconfigures a plugin, which runs as root on the host");
    PluginDelete: Delete, "/plugins/{name}", Plugin, None, Plain, None;
    DebugVars: Get, "/debug/vars", None, None, Plain, None;
    DebugPprof: Get, "/debug/pprof", None, None, Plain, Some("reads the daemon's memory, with its secrets");
    DebugPprofProfile: Get, "/debug/pprof/{name}", None, None, Plain, Some("reads the daemon's memory, with its secrets");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, want: &str) {
        assert_eq!(Operation::find(method, path).id(), want, "{method} {path}");
    }

    #[test]
    fn paths_mean_what_they_mean_to_the_daemon() {
        check(Method::Get, "/_ping", "SystemPing");
        check(Method::Head, "/_ping", "SystemPingHead");
        check(Method::Post, "/_ping", "Unknown");
        check(Method::Get, "/containers/json", "ContainerList");
        check(Method::Get, "/containers/json/json", "ContainerInspect");
        check(Method::Post, "/containers/create", "ContainerCreate");
        check(Method::Post, "/containers/create/start", "ContainerStart");
        check(Method::Post, "/containers/create/exec", "ContainerExec");
        check(Method::Post, "/containers/prune", "ContainerPrune");
        check(Method::Get, "/containers/a/b/json", "ContainerInspect");
        check(Method::Get, "/containers/a/attach/ws", "ContainerAttachWebsocket");
        check(Method::Delete, "/containers/a/b/c", "ContainerDelete");
        check(Method::Delete, "/containers/a/checkpoints/b", "CheckpointDelete");
        check(Method::Get, "/images/docker.io/library/x:1/json", "ImageInspect");
        check(Method::Get, "/images/get", "ImageGetAll");
        check(Method::Get, "/images/a/b/get", "ImageGet");
        check(Method::Get, "/services/a/logs", "ServiceLogs");
        check(Method::Get, "/services/a/b", "Unknown");
        check(Method::Get, "/networks", "NetworkList");
        check(Method::Post, "/networks/create", "NetworkCreate");
        check(Method::Get, "/Containers/json", "Unknown");
        check(Method::Get, "/libpod/info", "Unknown");
        check(Method::Get, "/containers//json", "Unknown");
    }

    #[test]
    fn objects_are_found_in_their_paths() {
        let object = |method, path: &str| {
            Operation::find(method, path)
                .object(path)
                .and_then(|range| path.get(range))
                .map(str::to_owned)
        };
        assert_eq!(object(Method::Post, "/containers/web/start").as_deref(), Some("web"));
        assert_eq!(object(Method::Delete, "/containers/a/b").as_deref(), Some("a/b"));
        assert_eq!(object(Method::Delete, "/containers/a/checkpoints/b").as_deref(), Some("a"));
        assert_eq!(object(Method::Post, "/networks/n/connect").as_deref(), Some("n"));
        assert_eq!(object(Method::Post, "/exec/e/start").as_deref(), Some("e"));
        assert_eq!(object(Method::Post, "/containers/create"), None);
        assert_eq!(object(Method::Get, "/no/such"), None);
    }

    #[test]
    fn identifiers_are_unique_and_reach_their_own_row() {
        let mut ids: Vec<_> = Operation::all().map(Operation::id).collect();
        let many = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), many);
        for operation in Operation::all() {
            let path = operation
                .template()
                .unwrap()
                .replace(":segment", "")
                .replace("{name}", "x")
                .replace("{id}", "x")
                .replace("{checkpoint}", "y");
            check(operation.method().unwrap(), &path, operation.id());
        }
    }

    #[test]
    fn every_write_says_which_body_it_takes() {
        for operation in Operation::all() {
            assert_ne!(operation.body(), BodyKind::Unknown);
            if matches!(operation.method(), Some(Method::Get | Method::Head | Method::Delete)) {
                assert_eq!(operation.body(), BodyKind::None, "{operation}");
            }
        }
    }
}
