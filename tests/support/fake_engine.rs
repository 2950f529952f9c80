//! A scripted engine on a Unix socket that records what reaches it, byte for byte.
//!
//! It reads HTTP/1.1 as strictly as it was judged, so a request that is not canonical shows up as broken instead of as answered. It uses
//! nothing of sockwarden and no HTTP library: what it sees is what was on the wire.

#[path = "fake_engine/wire.rs"]
mod wire;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use wire::Wire;

/// How long a test waits for something that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What the engine does with a request; asked once its head is there.
pub(crate) type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The engine: stopped when dropped.
pub(crate) struct FakeEngine {
    path: PathBuf,
    log: Arc<Log>,
    script: Script,
    accepting: JoinSet<()>,
}

/// One request as it was received.
#[derive(Clone, Default)]
pub(crate) struct Request {
    /// The head with its empty line, exactly.
    pub(crate) head: String,
    /// The body with its chunked coding taken off, as far as it came.
    pub(crate) body: Vec<u8>,
    /// Whether the whole body came.
    pub(crate) complete: bool,
}

/// One connection, as far as it got.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    /// Every byte that was received.
    pub(crate) raw: Vec<u8>,
    /// The requests among them.
    pub(crate) requests: Vec<Request>,
    /// What came after a connection left HTTP.
    pub(crate) tunnel: Vec<u8>,
    /// How many bytes of its script went out.
    pub(crate) sent: usize,
    /// What was no HTTP/1.1, if something was not.
    pub(crate) broken: Option<String>,
    /// The other side has ended its direction.
    pub(crate) ended: bool,
    /// The other side is gone, or we have closed.
    pub(crate) closed: bool,
}

/// What the engine does with a request.
#[derive(Clone)]
pub(crate) struct Reply {
    reads_body: bool,
    steps: Vec<Step>,
}

/// One thing after another.
#[derive(Clone)]
pub(crate) enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Do nothing, not even read, until the test opens the gate.
    Wait(Gate),
    /// Send what the test feeds, as chunks, from now on and until the other side is gone.
    Follow(Feed),
    /// Say nothing and read until the other side is gone.
    Silence,
    /// Send back what comes until the other side ends its direction.
    Echo,
    /// Read until the other side ends its direction.
    ReadToEnd,
    /// End our direction.
    EndWriting,
    /// Close the connection.
    Close,
}

/// Holds a step back until the test opens it, once for each step that waits.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

/// What the test says while an answer goes on, to everybody who follows.
#[derive(Clone)]
pub(crate) struct Feed(Arc<watch::Sender<Vec<Vec<u8>>>>);

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(watch::channel(Vec::new()).0))
    }
}

impl Feed {
    /// Sends these bytes to everybody who follows.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.send_modify(|pieces| pieces.push(bytes.as_ref().to_vec()));
    }

    /// How many follow.
    pub(crate) fn followers(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets one waiting step go on, now or when it gets there.
    pub(crate) fn open(&self) {
        self.0.add_permits(1);
    }
}

impl FakeEngine {
    /// Listens on `path` and answers as `script` says.
    pub(crate) fn start(
        path: &Path,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let mut engine = Self {
            path: path.to_path_buf(),
            log: Arc::default(),
            script: Arc::new(script),
            accepting: JoinSet::new(),
        };
        engine.listen()?;
        Ok(engine)
    }

    /// Its socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes away like an engine that was killed: every connection closes and nobody listens any more.
    pub(crate) async fn stop(&mut self) {
        self.accepting.shutdown().await;
        let _ = std::fs::remove_file(&self.path);
    }

    /// Comes back on the same path.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        let listener = UnixListener::bind(&self.path)?;
        let (log, script) = (Arc::clone(&self.log), Arc::clone(&self.script));
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(Wire::new(stream, Arc::clone(&log)).serve(Arc::clone(&script)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(())
    }

    /// Every connection so far.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.log.lock().connections.clone()
    }

    /// Every request so far, connection by connection.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.connections().into_iter().flat_map(|connection| connection.requests).collect()
    }

    /// The request lines so far, without the protocol.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }

    /// Waits until the connections are as wanted, and gives them out.
    ///
    /// # Panics
    /// When they are not after [`PATIENCE`].
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&[Connection]) -> bool,
    ) -> Vec<Connection> {
        let mut changes = self.log.changes.subscribe();
        let waiting = async {
            while !wanted(&self.log.lock().connections) {
                let _ = changes.changed().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        let connections = self.connections();
        assert!(in_time, "{what} did not happen; the engine saw {connections:#?}");
        connections
    }

    /// Waits until every connection is over.
    pub(crate) async fn until_all_closed(&self) -> Vec<Connection> {
        self.until("the end of all connections", |all| all.iter().all(|it| it.closed)).await
    }

    /// Drops what was recorded; connections that are open go unrecorded from here on.
    pub(crate) fn forget(&self) {
        self.log.forget();
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Request {
    /// Method and target.
    pub(crate) fn line(&self) -> String {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line).to_owned()
    }

    /// The method.
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The path without version and query.
    pub(crate) fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
            Some((version, _)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                path.get(version.len() + 2..).unwrap_or_default()
            }
            _ => path,
        }
    }

    /// The values of a field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

impl Reply {
    /// These steps, once the whole request is there.
    pub(crate) fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { reads_body: true, steps: steps.into_iter().collect() }
    }

    /// These bytes.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::steps([Step::send(bytes)])
    }

    /// A JSON answer with a length.
    pub(crate) fn json(status: &str, body: &str) -> Self {
        Self::raw(format!(
            "HTTP/1.1 {status}\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\nServer: Docker/28.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// What the daemon says of a path it does not know.
    pub(crate) fn not_found() -> Self {
        Self::json("404 Not Found", r#"{"message":"page not found"}"#)
    }

    /// Acts as soon as the head is there; the body is read when a later request is expected, if then.
    pub(crate) fn early(mut self) -> Self {
        self.reads_body = false;
        self
    }

    /// One more step.
    pub(crate) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Step {
    /// Sends these bytes.
    pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Self {
        Self::Send(bytes.as_ref().to_vec())
    }

    /// Sends one chunk.
    pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Send(as_chunk(bytes.as_ref()))
    }
}

/// In chunked coding.
fn as_chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The head of a chunked answer.
pub(crate) const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The head of a hijacked answer, as the daemon writes it for `attach`.
pub(crate) const UPGRADED: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
/// The same for a client that asked for no upgrade.
pub(crate) const RAW_STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";

/// Answers as a small Docker Engine would, with one container, `app`.
pub(crate) fn docker_like(request: &Request) -> Reply {
    let path = request.path();
    let wants_upgrade = request.field("Upgrade").is_some();
    let hijack = if wants_upgrade { UPGRADED } else { RAW_STREAM };
    match (request.method(), path) {
        ("GET", "/_ping") => Reply::raw("HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nOK"),
        ("HEAD", "/_ping") => Reply::raw("HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"),
        ("GET", "/version") => Reply::json("200 OK", r#"{"Components":[{"Name":"Engine"}],"Version":"28.0.0","ApiVersion":"1.51","MinAPIVersion":"1.24"}"#),
        ("GET", "/info") => Reply::json("200 OK", r#"{"Name":"fake","Containers":1}"#),
        ("GET", "/containers/json") => Reply::json("200 OK", r#"[{"Id":"3f4e5d6c7b8a","Names":["/app"],"State":"running"}]"#),
        ("GET", "/containers/app/json") => Reply::json("200 OK", r#"{"Id":"3f4e5d6c7b8a","Name":"/app"}"#),
        ("GET", "/events") => Reply::steps([Step::send(CHUNKED), Step::Silence]),
        ("POST", "/containers/create") => Reply::json("201 Created", r#"{"Id":"9a8b7c6d5e4f","Warnings":[]}"#),
        ("POST", "/containers/app/attach") => Reply::steps([Step::send(hijack), Step::Echo, Step::Close]),
        ("POST", "/containers/app/exec") => Reply::json("201 Created", r#"{"Id":"e1"}"#),
        ("POST", path) if path.starts_with("/containers/app/") => Reply::raw("HTTP/1.1 204 No Content\r\nApi-Version: 1.51\r\n\r\n"),
        ("POST", path) if path.ends_with("/attach") => Reply::raw("HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nNo such container\r\n").then(Step::Close),
        ("POST", "/exec/e1/start") => Reply::steps([Step::send(hijack), Step::Echo, Step::Close]),
        ("POST", "/exec/detached/start") => Reply::raw("HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 0\r\n\r\n"),
        _ => Reply::not_found(),
    }
}

/// What is recorded, and who wants to know.
struct Log {
    records: Mutex<Records>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Records {
    /// How many connections were forgotten.
    forgotten: usize,
    connections: Vec<Connection>,
}

impl Default for Log {
    fn default() -> Self {
        Self { records: Mutex::default(), changes: watch::channel(()).0 }
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the record of a connection and says its number.
    fn open(&self) -> usize {
        let mut records = self.lock();
        records.connections.push(Connection::default());
        self.changes.send_replace(());
        records.forgotten + records.connections.len() - 1
    }

    fn note(&self, number: usize, change: impl FnOnce(&mut Connection)) {
        let mut records = self.lock();
        let index = number.checked_sub(records.forgotten);
        if let Some(connection) = index.and_then(|index| records.connections.get_mut(index)) {
            change(connection);
            self.changes.send_replace(());
        }
    }

    fn forget(&self) {
        let mut records = self.lock();
        records.forgotten += records.connections.len();
        records.connections.clear();
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + ", self.head)?;
        shorten(&self.body).fmt(f)?;
        f.write_str(if self.complete { "" } else { " (cut)" })
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("requests", &self.requests)
            .field("tunnel", &shorten(&self.tunnel))
            .field("broken", &self.broken)
            .field("ended", &self.ended)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

/// Bytes as a message shows them.
fn shorten(bytes: &[u8]) -> String {
    const MOST: usize = 300;
    match bytes.get(..MOST) {
        Some(start) => {
            format!("{}… ({} bytes)", String::from_utf8_lossy(start).escape_debug(), bytes.len())
        }
        None => String::from_utf8_lossy(bytes).escape_debug().to_string(),
    }
}
