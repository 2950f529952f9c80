//! An engine that answers so that every answer can be checked, fails on demand, and judges every request that reaches it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::random::{Random, sum};
use crate::rules::may;
use crate::tally::{Tally, count};

/// How a container's name makes the engine fail when it is inspected.
pub(crate) const FAILURES: &[&str] = &[
    "dies-before",
    "dies-inside",
    "garbage",
    "huge-head",
    "too-short",
    "bad-chunk",
    "changes-protocol",
    "hangs",
];
/// The length of what `export` sends.
pub(crate) const EXPORT_BYTES: usize = 1 << 20;
/// Our own container's id, name and network.
const OWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const OTHER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The id of every container that clients name.
const CLIENTS_CONTAINER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// What `export` sends.
pub(crate) fn export() -> Vec<u8> {
    Random::new(7).bytes(EXPORT_BYTES)
}

/// Listens until it is told to go away for a while, again and again.
pub(crate) struct FakeEngine {
    path: PathBuf,
    tally: Arc<Tally>,
    export: Arc<Vec<u8>>,
    accepting: JoinSet<()>,
}

impl FakeEngine {
    pub(crate) fn start(path: &Path, tally: Arc<Tally>) -> io::Result<Self> {
        let mut engine = Self {
            path: path.to_path_buf(),
            tally,
            export: Arc::new(export()),
            accepting: JoinSet::new(),
        };
        engine.listen()?;
        Ok(engine)
    }

    fn listen(&mut self) -> io::Result<()> {
        let listener = UnixListener::bind(&self.path)?;
        let (tally, export) = (Arc::clone(&self.tally), Arc::clone(&self.export));
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    stream,
                    unread: Vec::new(),
                    tally: Arc::clone(&tally),
                    export: Arc::clone(&export),
                };
                connections.spawn(async move {
                    // Whoever goes away ends its own connection.
                    let _ = connection.serve().await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(())
    }

    /// Dies with everything that is open, and comes back a moment later.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        self.tally.engine_turns.fetch_add(1, Ordering::SeqCst);
        self.accepting.shutdown().await;
        std::fs::remove_file(&self.path)?;
        sleep(Duration::from_millis(300)).await;
        self.listen()?;
        self.tally.engine_turns.fetch_add(1, Ordering::SeqCst);
        count(&self.tally.restarts);
        Ok(())
    }
}

struct Connection {
    stream: UnixStream,
    unread: Vec<u8>,
    tally: Arc<Tally>,
    export: Arc<Vec<u8>>,
}

/// One request as it arrived.
struct Request {
    method: String,
    target: String,
    head: String,
}

impl Request {
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

impl Connection {
    async fn serve(mut self) -> io::Result<()> {
        loop {
            let head = self.head().await?;
            let mut words = head.split(' ').map(str::to_owned);
            let (method, target) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let request = Request { method, target, head };
            self.judge(&request);
            if !self.answer(&request).await? {
                return Ok(());
            }
        }
    }

    /// The proxy's own questions come without the field that every client sends.
    fn judge(&self, request: &Request) {
        let allowed = match request.field("User-Agent") {
            None => request.method == "GET",
            Some("soak/allowed") => may(&request.method, &request.target),
            Some(_) => false,
        };
        if !allowed {
            let what = format!("got through: {:?}", request.head);
            self.tally.complain(&self.tally.false_allows, what);
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.unread.reserve(16 * 1024);
        if self.stream.read_buf(&mut self.unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|it| it == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..at + 4).collect();
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.fill().await?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn body(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        if let Some(length) = request.field("Content-Length") {
            return self.take(length.parse().map_err(|_| invalid())?).await;
        }
        let mut body = Vec::new();
        if request.field("Transfer-Encoding").is_some() {
            loop {
                let at = loop {
                    match self.unread.windows(2).position(|it| it == b"\r\n") {
                        Some(at) => break at,
                        None => self.fill().await?,
                    }
                };
                let line = self.take(at + 2).await?;
                let line = std::str::from_utf8(&line[..at]).map_err(|_| invalid())?;
                let size = usize::from_str_radix(line, 16).map_err(|_| invalid())?;
                let mut chunk = self.take(size + 2).await?;
                chunk.truncate(size);
                body.extend_from_slice(&chunk);
                if size == 0 {
                    break;
                }
            }
        }
        Ok(body)
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    async fn json(&mut self, body: &serde_json::Value) -> io::Result<bool> {
        let body = body.to_string();
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await?;
        Ok(true)
    }

    /// Answers, and says whether the connection goes on.
    async fn answer(&mut self, request: &Request) -> io::Result<bool> {
        use serde_json::json;
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let path = match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
            Some((minor, _)) => &path["/v1.".len() + minor.len()..],
            None => path,
        };
        // The proxy looks a name up and asks for the id that it judged.
        let path = &path.replace(CLIENTS_CONTAINER, "app");
        let is_ours = request.field("User-Agent").is_none();
        let network =
            json!({"net": {"NetworkID": "net", "IPAddress": "10.9.0.1", "Gateway": "10.9.0.254"}});
        match (request.method.as_str(), path.as_str()) {
            (_, "/_ping") => {
                let body = if request.method == "HEAD" { "" } else { "OK" };
                self.send(format!("HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 2\r\n\r\n{body}")).await?;
                Ok(true)
            }
            ("GET", "/version") => {
                self.json(&json!({"Version": "28.0", "ApiVersion": "1.51", "MinAPIVersion": "1.24"})).await
            }
            ("GET", "/events") if is_ours => self.own_events().await,
            ("GET", "/events") => self.events().await,
            ("GET", "/containers/json") if is_ours => {
                let row = |id: &str, name: &str| json!({"Id": id, "Names": [name], "Image": "x", "ImageID": "sha256:1", "Labels": {}, "State": "running", "NetworkSettings": {"Networks": network}});
                self.json(&json!([row(OWN, "/proxy"), row(OTHER, "/other")])).await
            }
            ("GET", "/containers/proxy/json") if is_ours => {
                self.json(&json!({"Id": OWN, "Name": "/proxy", "State": {"Running": true}, "NetworkSettings": {"Networks": network}})).await
            }
            ("GET", path) if is_ours && path.ends_with(&format!("{OWN}/json")) => {
                self.json(&json!({"Id": OWN, "Name": "/proxy", "State": {"Running": true}, "NetworkSettings": {"Networks": network}})).await
            }
            ("GET", "/networks/net") if is_ours => {
                self.json(&json!({
                    "Id": "net", "Name": "net",
                    "IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.254"}]},
                    "Containers": {OWN: {"Name": "proxy", "IPv4Address": "10.9.0.1/24"}, OTHER: {"Name": "other", "IPv4Address": "10.9.0.2/24"}},
                })).await
            }
            // Whom a client's request is about.
            ("GET", path) if is_ours && path.starts_with("/containers/") => {
                let name = path.split('/').nth(2).unwrap_or_default();
                self.json(&json!({
                    "Id": CLIENTS_CONTAINER, "Name": format!("/{name}"), "Config": {"Labels": {}}, "Mounts": [],
                    "HostConfig": {"NetworkMode": "bridge", "Privileged": false, "Binds": null, "CapAdd": null},
                    "State": {"Running": true}, "NetworkSettings": {"Networks": {}},
                }))
                .await
            }
            _ if is_ours => {
                self.send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}").await?;
                Ok(true)
            }
            ("POST", "/containers/app/attach") => self.tunnel(request).await,
            ("GET", "/containers/app/export") => {
                let export = Arc::clone(&self.export);
                self.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{EXPORT_BYTES:x}\r\n")).await?;
                self.send(&*export).await?;
                self.send("\r\n0\r\n\r\n").await?;
                Ok(true)
            }
            ("GET", path) if path.starts_with("/containers/fails-") => self.fail(path).await,
            _ => {
                let body = self.body(request).await?;
                self.json(&json!({"path": path, "query": query, "length": body.len(), "sum": sum(&body)})).await
            }
        }
    }

    /// Events for a client: one now, then one a second.
    async fn events(&mut self) -> io::Result<bool> {
        self.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        loop {
            self.send("3\r\n{}\n\r\n").await?;
            count(&self.tally.events);
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                // Nothing is expected, so whatever comes is the end. That a socket is called readable is no proof of it.
                _ = self.fill() => return Ok(false),
            }
        }
    }

    /// Events for the proxy itself: now and then a storm, and at times something that is no event.
    async fn own_events(&mut self) -> io::Result<bool> {
        let mut random = Random::new(std::process::id().into());
        self.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        loop {
            let action = *random.pick(&["start", "die", "exec_create: sh", "rename", "top"]);
            let line = serde_json::json!({"Type": "container", "Action": action, "Actor": {"ID": OTHER, "Attributes": {}}}).to_string() + "\n";
            let many = if random.below(20) == 0 { 5000 } else { random.below(20) };
            for _ in 0..many {
                self.send(format!("{:x}\r\n{line}\r\n", line.len())).await?;
                count(&self.tally.events);
            }
            if random.below(60) == 0 {
                self.send("c\r\nno event at\n\r\n").await?;
            }
            tokio::select! {
                () = sleep(Duration::from_millis(500)) => {}
                _ = self.fill() => return Ok(false),
            }
        }
    }

    /// Sends back what comes, until the other side has ended.
    async fn tunnel(&mut self, request: &Request) -> io::Result<bool> {
        let head = if request.field("Upgrade").is_some() {
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        };
        self.send(head).await?;
        loop {
            let bytes = std::mem::take(&mut self.unread);
            self.send(&bytes).await?;
            if self.fill().await.is_err() {
                return Ok(false);
            }
        }
    }

    async fn fail(&mut self, path: &str) -> io::Result<bool> {
        let how = path.trim_start_matches("/containers/fails-").trim_end_matches("/json");
        let long = "x".repeat(1 << 20);
        match how {
            "dies-inside" => {
                self.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst").await?
            }
            "garbage" => self.send("\0\x01\x02 nonsense\r\n\r\n").await?,
            "huge-head" => self.send(format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n")).await?,
            "too-short" => self.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}").await?,
            "bad-chunk" => {
                self.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await?
            }
            "changes-protocol" => {
                self.send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
                    .await?;
            }
            "hangs" => {
                let _ = self.fill().await;
            }
            _ => {}
        }
        Ok(false)
    }
}
