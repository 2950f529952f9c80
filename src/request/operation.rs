//! The Engine API's operations: what a method and a path mean to the daemon.
//!
//! Identifiers are the `operationId`s of Docker's `OpenAPI` description; the few routes it leaves out (`BuildCancel`, `Grpc`, `Checkpoint*`,
//! `Debug*`, `ImageAttestations`) are named after their handlers. Routes and their order are those of moby's `daemon/server/router`.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use super::Method;

/// One operation of the Engine API, or none that we know.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation(Option<u8>);

impl Operation {
    /// A request that is no known operation: only explicit path rules can allow it.
    pub const UNKNOWN: Self = Self(None);

    /// The operation that the daemon would run for this method and (decoded, version-free, canonical) path.
    pub fn find(method: Method, path: &str) -> Self {
        let candidates = BY_SEGMENT.get(first_segment(path)).into_iter().flatten();
        let mut routes =
            candidates.filter_map(|index| Some((*index, ROUTES.get(usize::from(*index))?)));
        let found = routes.find(|(_, route)| route.row.method == method && route.matches(path));
        Self(found.map(|(index, _)| index))
    }

    /// Every known operation, in routing order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ROUTES.len()).filter_map(|index| Some(Self(Some(u8::try_from(index).ok()?))))
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
        matches!(self.id(), "SystemPing" | "SystemPingHead")
    }

    /// Where in a (decoded, version-free) path of this operation its object is named, in bytes: the first `{name}` or `{id}`.
    pub fn object(self, path: &str) -> Option<Range<usize>> {
        let route = ROUTES.get(usize::from(self.0?))?;
        let begin = route.prefix.len();
        let end = match route.hole {
            Hole::None => return None,
            Hole::Any | Hole::Segment => path.len().checked_sub(route.suffix.len())?,
            Hole::Two(between) => begin + path.get(begin..)?.rfind(between)?,
        };
        (begin < end && end <= path.len()).then_some(begin..end)
    }

    fn row(self) -> Option<&'static Row> {
        ROUTES.get(usize::from(self.0?)).map(|route| route.row)
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
    if let Some(template) = operation.template() {
        let takes = ["/images/{", "/plugins/{", "/distribution/{"];
        let takes = takes.iter().any(|prefix| template.starts_with(prefix));
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
    let template = Operation::find(method, path).template().unwrap_or_default();
    template.starts_with("/networks/{") || template.starts_with("/volumes/{")
}

/// Whether an API version below the oldest one changes nothing that matters here: it reads, or loads images, as some programs do that were
/// written long ago.
pub(super) fn is_old_but_harmless(method: Method, path: &str) -> bool {
    matches!(method, Method::Get | Method::Head)
        || Operation::find(method, path).id() == "ImageLoad"
}

struct Row {
    id: &'static str,
    method: Method,
    template: &'static str,
    body: BodyKind,
    answer: AnswerKind,
    risk: Option<&'static str>,
}

const fn row(
    id: &'static str,
    method: Method,
    template: &'static str,
    body: BodyKind,
    answer: AnswerKind,
    risk: Option<&'static str>,
) -> Row {
    Row { id, method, template, body, answer, risk }
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
static BY_SEGMENT: LazyLock<HashMap<&'static str, Vec<u8>>> = LazyLock::new(|| {
    let mut routes: HashMap<_, Vec<u8>> = HashMap::new();
    for (index, row) in (0..).zip(ROWS) {
        routes.entry(first_segment(row.template)).or_default().push(index);
    }
    routes
});

fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').map_or(path, |(segment, _)| segment)
}

/// In the daemon's order: where two templates match, the first one runs.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("SystemPing", Method::Get, "/_ping", BodyKind::None, AnswerKind::Plain, None),
    row("SystemPingHead", Method::Head, "/_ping", BodyKind::None, AnswerKind::Plain, None),
    row("SystemVersion", Method::Get, "/version", BodyKind::None, AnswerKind::Plain, None),
    row("SystemInfo", Method::Get, "/info", BodyKind::None, AnswerKind::Plain, None),
    row("SystemEvents", Method::Get, "/events", BodyKind::None, AnswerKind::Endless, None),
    row("SystemDataUsage", Method::Get, "/system/df", BodyKind::None, AnswerKind::Plain, None),
    row("SystemAuth", Method::Post, "/auth", BodyKind::Json, AnswerKind::Plain, None),
    row("ContainerList", Method::Get, "/containers/json", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerAttachWebsocket", Method::Get, "/containers/{name}/attach/ws", BodyKind::None, AnswerKind::Upgrade(Upgrade::WebSocket), Some("types into a running container: whatever its main process can do, the client can do")),
    row("ContainerInspect", Method::Get, "/containers/{name}/json", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerTop", Method::Get, "/containers/{name}/top", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerLogs", Method::Get, "/containers/{name}/logs", BodyKind::None, AnswerKind::Endless, None),
    row("ContainerStats", Method::Get, "/containers/{name}/stats", BodyKind::None, AnswerKind::Endless, None),
    row("ContainerChanges", Method::Get, "/containers/{name}/changes", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerExport", Method::Get, "/containers/{name}/export", BodyKind::None, AnswerKind::Plain, Some("reads every file of every container, with its secrets")),
    row("ContainerArchiveInfo", Method::Head, "/containers/{name}/archive", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerArchive", Method::Get, "/containers/{name}/archive", BodyKind::None, AnswerKind::Plain, Some("reads any file of any container, and through its mounts files of the host")),
    row("PutContainerArchive", Method::Put, "/containers/{name}/archive", BodyKind::Tar, AnswerKind::Plain, Some("writes files as root into any container, and through its mounts onto the host")),
    row("ContainerCreate", Method::Post, "/containers/create", BodyKind::Json, AnswerKind::Plain, Some("a created container may mount the host's file system and run privileged: it is root on the host")),
    row("ContainerStart", Method::Post, "/containers/{name}/start", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerStop", Method::Post, "/containers/{name}/stop", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerRestart", Method::Post, "/containers/{name}/restart", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerKill", Method::Post, "/containers/{name}/kill", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerPause", Method::Post, "/containers/{name}/pause", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerUnpause", Method::Post, "/containers/{name}/unpause", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerWait", Method::Post, "/containers/{name}/wait", BodyKind::None, AnswerKind::Endless, None),
    row("ContainerResize", Method::Post, "/containers/{name}/resize", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerRename", Method::Post, "/containers/{name}/rename", BodyKind::None, AnswerKind::Plain, None),
    row("ContainerUpdate", Method::Post, "/containers/{name}/update", BodyKind::Json, AnswerKind::Plain, None),
    row("ContainerAttach", Method::Post, "/containers/{name}/attach", BodyKind::None, AnswerKind::Upgrade(Upgrade::Tcp), Some("types into a running container: whatever its main process can do, the client can do")),
    row("ContainerExec", Method::Post, "/containers/{name}/exec", BodyKind::Json, AnswerKind::Plain, Some("runs any command in any container, privileged ones and this proxy's neighbours included: it is root on the host")),
    row("ContainerPrune", Method::Post, "/containers/prune", BodyKind::None, AnswerKind::Plain, None),
    row("CheckpointList", Method::Get, "/containers/{name}/checkpoints", BodyKind::None, AnswerKind::Plain, None),
    row("CheckpointCreate", Method::Post, "/containers/{name}/checkpoints", BodyKind::Json, AnswerKind::Plain, Some("writes a checkpoint to a directory of the client's choice on the host")),
    row("CheckpointDelete", Method::Delete, "/containers/{name}/checkpoints/{checkpoint}", BodyKind::None, AnswerKind::Plain, Some("deletes a directory of the client's choice on the host")),
    row("ContainerDelete", Method::Delete, "/containers/{name}", BodyKind::None, AnswerKind::Plain, None),
    row("ExecInspect", Method::Get, "/exec/{id}/json", BodyKind::None, AnswerKind::Plain, None),
    row("ExecStart", Method::Post, "/exec/{id}/start", BodyKind::Json, AnswerKind::Upgrade(Upgrade::Tcp), None),
    row("ExecResize", Method::Post, "/exec/{id}/resize", BodyKind::None, AnswerKind::Plain, None),
    row("ImageCommit", Method::Post, "/commit", BodyKind::Json, AnswerKind::Plain, Some("makes an image of any container under any tag: later containers may start from it")),
    row("ImageList", Method::Get, "/images/json", BodyKind::None, AnswerKind::Plain, None),
    row("ImageSearch", Method::Get, "/images/search", BodyKind::None, AnswerKind::Plain, None),
    row("ImageGetAll", Method::Get, "/images/get", BodyKind::None, AnswerKind::Plain, Some("reads whole images, with whatever secrets were built into them")),
    row("ImageGet", Method::Get, "/images/{name}/get", BodyKind::None, AnswerKind::Plain, Some("reads whole images, with whatever secrets were built into them")),
    row("ImageInspect", Method::Get, "/images/{name}/json", BodyKind::None, AnswerKind::Plain, None),
    row("ImageHistory", Method::Get, "/images/{name}/history", BodyKind::None, AnswerKind::Plain, None),
    row("ImageAttestations", Method::Get, "/images/{name}/attestations", BodyKind::None, AnswerKind::Plain, None),
    row("ImageCreate", Method::Post, "/images/create", BodyKind::Tar, AnswerKind::Plain, Some("pulls or imports any image under any tag, and makes the host fetch any address")),
    row("ImageLoad", Method::Post, "/images/load", BodyKind::Tar, AnswerKind::Plain, Some("replaces any image under any tag: later containers start from it")),
    row("ImagePrune", Method::Post, "/images/prune", BodyKind::None, AnswerKind::Plain, None),
    row("ImagePush", Method::Post, "/images/{name}/push", BodyKind::None, AnswerKind::Plain, Some("sends any image to any registry")),
    row("ImageTag", Method::Post, "/images/{name}/tag", BodyKind::None, AnswerKind::Plain, Some("moves any tag to another image: later containers start from it")),
    row("ImageDelete", Method::Delete, "/images/{name}", BodyKind::None, AnswerKind::Plain, None),
    row("DistributionInspect", Method::Get, "/distribution/{name}/json", BodyKind::None, AnswerKind::Plain, None),
    row("ImageBuild", Method::Post, "/build", BodyKind::Tar, AnswerKind::Plain, Some("a build runs the client's commands on any network, the host's included, and writes any tag")),
    row("BuildPrune", Method::Post, "/build/prune", BodyKind::None, AnswerKind::Plain, None),
    row("BuildCancel", Method::Post, "/build/cancel", BodyKind::None, AnswerKind::Plain, None),
    row("Session", Method::Post, "/session", BodyKind::None, AnswerKind::Upgrade(Upgrade::H2c), Some("opens a BuildKit session, which cannot be inspected: grant it only together with builds")),
    row("Grpc", Method::Post, "/grpc", BodyKind::None, AnswerKind::Upgrade(Upgrade::H2c), Some("opens BuildKit's whole control interface, which cannot be inspected: the client can run any build")),
    row("NetworkList", Method::Get, "/networks", BodyKind::None, AnswerKind::Plain, None),
    row("NetworkInspect", Method::Get, "/networks/{id}", BodyKind::None, AnswerKind::Plain, None),
    row("NetworkCreate", Method::Post, "/networks/create", BodyKind::Json, AnswerKind::Plain, Some("creates networks that may reach the host's own network")),
    row("NetworkConnect", Method::Post, "/networks/{id}/connect", BodyKind::Json, AnswerKind::Plain, Some("connects any container to any network, also under the address of another")),
    row("NetworkDisconnect", Method::Post, "/networks/{id}/disconnect", BodyKind::Json, AnswerKind::Plain, None),
    row("NetworkPrune", Method::Post, "/networks/prune", BodyKind::None, AnswerKind::Plain, None),
    row("NetworkDelete", Method::Delete, "/networks/{id}", BodyKind::None, AnswerKind::Plain, None),
    row("VolumeList", Method::Get, "/volumes", BodyKind::None, AnswerKind::Plain, None),
    row("VolumeInspect", Method::Get, "/volumes/{name}", BodyKind::None, AnswerKind::Plain, None),
    row("VolumeCreate", Method::Post, "/volumes/create", BodyKind::Json, AnswerKind::Plain, Some("a created volume may be any directory or device of the host")),
    row("VolumeUpdate", Method::Put, "/volumes/{name}", BodyKind::Json, AnswerKind::Plain, None),
    row("VolumePrune", Method::Post, "/volumes/prune", BodyKind::None, AnswerKind::Plain, None),
    row("VolumeDelete", Method::Delete, "/volumes/{name}", BodyKind::None, AnswerKind::Plain, None),
    row("SwarmInspect", Method::Get, "/swarm", BodyKind::None, AnswerKind::Plain, Some("reads the tokens with which any machine joins the swarm")),
    row("SwarmUnlockkey", Method::Get, "/swarm/unlockkey", BodyKind::None, AnswerKind::Plain, Some("reads the key that protects the swarm's secrets")),
    row("SwarmInit", Method::Post, "/swarm/init", BodyKind::Json, AnswerKind::Plain, Some("turns the host into a swarm manager: services on it run as root")),
    row("SwarmJoin", Method::Post, "/swarm/join", BodyKind::Json, AnswerKind::Plain, Some("joins a swarm of the client's choice, whose managers then run anything here")),
    row("SwarmLeave", Method::Post, "/swarm/leave", BodyKind::None, AnswerKind::Plain, None),
    row("SwarmUpdate", Method::Post, "/swarm/update", BodyKind::Json, AnswerKind::Plain, Some("changes the swarm's certificate authority and join tokens")),
    row("SwarmUnlock", Method::Post, "/swarm/unlock", BodyKind::Json, AnswerKind::Plain, None),
    row("ServiceList", Method::Get, "/services", BodyKind::None, AnswerKind::Plain, None),
    row("ServiceCreate", Method::Post, "/services/create", BodyKind::Json, AnswerKind::Plain, Some("a created service may mount the host's file system: it is root on every node")),
    row("ServiceLogs", Method::Get, "/services/{id:segment}/logs", BodyKind::None, AnswerKind::Endless, None),
    row("ServiceInspect", Method::Get, "/services/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("ServiceUpdate", Method::Post, "/services/{id:segment}/update", BodyKind::Json, AnswerKind::Plain, Some("an updated service may mount the host's file system: it is root on every node")),
    row("ServiceDelete", Method::Delete, "/services/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("NodeList", Method::Get, "/nodes", BodyKind::None, AnswerKind::Plain, None),
    row("NodeInspect", Method::Get, "/nodes/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("NodeUpdate", Method::Post, "/nodes/{id:segment}/update", BodyKind::Json, AnswerKind::Plain, None),
    row("NodeDelete", Method::Delete, "/nodes/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("TaskList", Method::Get, "/tasks", BodyKind::None, AnswerKind::Plain, None),
    row("TaskLogs", Method::Get, "/tasks/{id:segment}/logs", BodyKind::None, AnswerKind::Endless, None),
    row("TaskInspect", Method::Get, "/tasks/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("SecretList", Method::Get, "/secrets", BodyKind::None, AnswerKind::Plain, None),
    row("SecretCreate", Method::Post, "/secrets/create", BodyKind::Json, AnswerKind::Plain, None),
    row("SecretInspect", Method::Get, "/secrets/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("SecretUpdate", Method::Post, "/secrets/{id:segment}/update", BodyKind::Json, AnswerKind::Plain, None),
    row("SecretDelete", Method::Delete, "/secrets/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("ConfigList", Method::Get, "/configs", BodyKind::None, AnswerKind::Plain, Some("reads the contents of the swarm's configs")),
    row("ConfigCreate", Method::Post, "/configs/create", BodyKind::Json, AnswerKind::Plain, None),
    row("ConfigInspect", Method::Get, "/configs/{id:segment}", BodyKind::None, AnswerKind::Plain, Some("reads the contents of the swarm's configs")),
    row("ConfigUpdate", Method::Post, "/configs/{id:segment}/update", BodyKind::Json, AnswerKind::Plain, None),
    row("ConfigDelete", Method::Delete, "/configs/{id:segment}", BodyKind::None, AnswerKind::Plain, None),
    row("PluginList", Method::Get, "/plugins", BodyKind::None, AnswerKind::Plain, None),
    row("GetPluginPrivileges", Method::Get, "/plugins/privileges", BodyKind::None, AnswerKind::Plain, None),
    row("PluginInspect", Method::Get, "/plugins/{name}/json", BodyKind::None, AnswerKind::Plain, None),
    row("PluginPull", Method::Post, "/plugins/pull", BodyKind::Json, AnswerKind::Plain, Some("installs a plugin, which runs as root on the host")),
    row("PluginCreate", Method::Post, "/plugins/create", BodyKind::Tar, AnswerKind::Plain, Some("installs a plugin, which runs as root on the host")),
    row("PluginEnable", Method::Post, "/plugins/{name}/enable", BodyKind::None, AnswerKind::Plain, Some("starts a plugin, which runs as root on the host")),
    row("PluginDisable", Method::Post, "/plugins/{name}/disable", BodyKind::None, AnswerKind::Plain, None),
    row("PluginPush", Method::Post, "/plugins/{name}/push", BodyKind::None, AnswerKind::Plain, None),
    row("PluginUpgrade", Method::Post, "/plugins/{name}/upgrade", BodyKind::Json, AnswerKind::Plain, Some("installs a plugin, which runs as root on the host")),
    row("PluginSet", Method::Post, "/plugins/{name}/set", BodyKind::Json, AnswerKind::Plain, Some("reconfigures a plugin, which runs as root on the host")),
    row("PluginDelete", Method::Delete, "/plugins/{name}", BodyKind::None, AnswerKind::Plain, None),
    row("DebugVars", Method::Get, "/debug/vars", BodyKind::None, AnswerKind::Plain, None),
    row("DebugPprof", Method::Get, "/debug/pprof", BodyKind::None, AnswerKind::Plain, Some("reads the daemon's memory, with its secrets")),
    row("DebugPprofProfile", Method::Get, "/debug/pprof/{name}", BodyKind::None, AnswerKind::Plain, Some("reads the daemon's memory, with its secrets")),
];

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
