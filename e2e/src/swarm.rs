//! As much of an engine in a swarm as the clients of services ask for. It runs nothing and writes down what it was told to create, so no
//! engine has to join a swarm for the tests.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;

/// A manager of a swarm that has one service, whose previous specification mounted the host.
#[derive(Debug)]
pub struct Swarm {
    socket: PathBuf,
    received: Arc<Mutex<Vec<Received>>>,
    over: Arc<AtomicBool>,
    _directory: TempDir,
}

/// A request that was not a `GET` or `HEAD`.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method and target.
    pub line: String,
    /// The body; `null` where it is no JSON.
    pub body: Value,
}

impl Swarm {
    /// One that accepts connections.
    ///
    /// # Panics
    /// When there is no room for its socket.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = directory.path().join("swarm.sock");
        let listener = UnixListener::bind(&socket).expect("a socket in a directory of ours");
        let (over, received) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ended, log) = (Arc::clone(&over), Arc::clone(&received));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let log = Arc::clone(&log);
                // A client that goes away ends its connection, which is no matter of ours.
                thread::spawn(move || drop(serve(&stream, &log)));
            }
        });
        Self { socket, received, over, _directory: directory }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it was told to do so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then ends.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn lock(received: &Mutex<Vec<Received>>) -> MutexGuard<'_, Vec<Received>> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &UnixStream, received: &Mutex<Vec<Received>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = read_body(&mut reader)?;
        if !matches!(method, "GET" | "HEAD") {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            lock(received).push(Received { line: format!("{method} {target}"), body });
        }
        let (status, answer) = answer(method, target);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} .\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all(head.as_bytes())?;
        if method != "HEAD" {
            writer.write_all(answer.as_bytes())?;
        }
    }
}

fn read_body(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut length, mut chunked) = (0, false);
    for (name, value) in http::read_fields(reader)? {
        match name.as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => chunked = true,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    while let Some(mut chunk) = chunked.then(|| http::read_chunk(reader)).transpose()?.flatten() {
        body.append(&mut chunk);
    }
    Ok(body)
}

fn answer(method: &str, target: &str) -> (u16, Value) {
    let path = target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> =
        path.split('/').skip(1).filter(|part| !part.starts_with("v1.")).collect();
    match (method, parts.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => (200, json!("OK")),
        ("GET", ["version"]) => (
            200,
            json!({"Components": [{"Name": "Engine"}], "Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64"}),
        ),
        ("GET", ["info"]) => (
            200,
            json!({"OSType": "linux", "Swarm": {"LocalNodeState": "active", "ControlAvailable": true}}),
        ),
        ("GET", ["distribution", ..]) => (
            200,
            json!({
                "Descriptor": {
                    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "digest": format!("sha256:{}", "5a".repeat(32)),
                    "size": 500
                },
                "Platforms": [{"architecture": "amd64", "os": "linux"}]
            }),
        ),
        ("GET", ["networks", "host" | "h0st"]) => {
            (200, json!({"Name": "host", "Id": "h0st", "Driver": "host", "Scope": "swarm"}))
        }
        ("GET", ["networks", name]) => {
            (200, json!({"Name": name, "Id": "n5e7w0r4k", "Driver": "overlay", "Scope": "swarm"}))
        }
        ("GET", ["services", id]) => {
            let spec = |mounts: Value| json!({"Name": id, "TaskTemplate": {"ContainerSpec": {"Image": "x", "Mounts": mounts}}, "Mode": {"Replicated": {"Replicas": 1}}});
            let host = json!([{"Type": "bind", "Source": "/", "Target": "/h"}]);
            (
                200,
                json!({"ID": id, "Version": {"Index": 1}, "Spec": spec(json!([])), "PreviousSpec": spec(host)}),
            )
        }
        // The proxy, where it is a task of this swarm.
        ("GET", ["containers", "proxy.1.task", "json"]) => (
            200,
            json!({
                "Id": "9f".repeat(32),
                "Name": "/proxy.1.task",
                "Config": {"Labels": {
                    "com.docker.swarm.node.id": "0wnn0de",
                    "com.docker.swarm.service.id": "0wn5ervice",
                    "com.docker.swarm.service.name": "stack_proxy",
                    "com.docker.swarm.task.id": "0wnta5k"
                }},
                "HostConfig": {"NetworkMode": "default"},
                "NetworkSettings": {"Networks": {"stack_default": {
                    "NetworkID": "5e".repeat(32),
                    "IPAddress": "10.0.1.3"
                }}}
            }),
        ),
        ("GET", ["containers", id, "json"]) if *id == "9f".repeat(32) => {
            answer(method, "/containers/proxy.1.task/json")
        }
        ("GET", ["nodes", "manager"]) => (200, json!({"ID": "0wnn0de"})),
        ("GET", ["nodes", id]) => (200, json!({"ID": format!("{id}x")})),
        ("POST", ["nodes", _, "update"]) | ("DELETE", ["nodes" | "services", _]) => {
            (200, json!({}))
        }
        ("POST", ["services", "create"]) => (201, json!({"ID": "s3rv1ce"})),
        ("POST", ["services", _, "update"]) => (200, json!({})),
        _ => (404, json!({"message": format!("this swarm has no {path}")})),
    }
}
