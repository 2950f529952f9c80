//! A fake engine that is faster than what is measured: one thread, answers made beforehand, on a Unix socket and on TCP.
//!
//! It tells of as many containers as it is asked to, so that a proxy can recognise its clients. Where a body is long, a thread of its own
//! carries it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use serde_json::{Value, json};

use crate::namespace::{CLIENT, PROXY};

/// The name of the container that the proxies are told they run in.
pub(crate) const PROXY_NAME: &str = "sockwarden";
/// One event; its closing braces are counted by whoever reads it.
pub(crate) const EVENT: &[u8] = b"{\"status\":\"exec_create\",\"id\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"from\":\"example\",\"Type\":\"container\",\"time\":1764032530}\n";
/// How much of a long body is written at once, in bytes: what the daemon's `io.Copy` does.
const PIECE_BYTES: usize = 32 * 1024;
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What there is on the engine.
#[derive(Debug, Clone)]
pub(crate) struct Population {
    /// How many containers it lists.
    pub(crate) containers: usize,
    /// How many of them are on the proxy's network.
    pub(crate) neighbours: usize,
    /// The patterns that the client's labels allow for GET.
    pub(crate) client_patterns: Vec<String>,
}

impl Default for Population {
    fn default() -> Self {
        let pattern = "(/v1[.][0-9]+)?/(_ping|version|events|containers/json)".to_owned();
        Self { containers: 20, neighbours: 10, client_patterns: vec![pattern] }
    }
}

/// The engine; its thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    directory: tempfile::TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Events to be sent to every stream, by a second.
    events_per_second: AtomicU64,
    body_bytes: AtomicU64,
}

impl FakeEngine {
    /// Starts one.
    pub(crate) fn start(population: &Population) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let unix = UnixListener::bind(directory.path().join("engine.sock"))?;
        // The standard library's backlog is shorter than what a storm of new connections needs.
        rustix::net::listen(&unix, 4096)?;
        let tcp = TcpListener::bind((PROXY, 0))?;
        rustix::net::listen(&tcp, 4096)?;
        let address = tcp.local_addr()?;
        unix.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let mut serving = Serving {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            unix,
            tcp,
            connections: Vec::new(),
            free: Vec::new(),
            answers: Answers::new(population),
            shared: Arc::clone(&shared),
            next_event: None,
        };
        serving.watch_listeners()?;
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || serving.run())
            .context("no thread for the fake engine")?;
        Ok(Self { directory, address, shared, thread: Some(thread) })
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("engine.sock")
    }

    /// Where it can be reached without a proxy.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends so many events a second to every stream from now on.
    pub(crate) fn send_events(&self, per_second: u64) {
        self.shared.events_per_second.store(per_second, Ordering::Relaxed);
    }

    /// How many body bytes it was sent so far.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.shared.body_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const UNIX: u64 = u64::MAX;
const TCP: u64 = u64::MAX - 1;

struct Serving {
    epoll: OwnedFd,
    unix: UnixListener,
    tcp: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    answers: Answers,
    shared: Arc<Shared>,
    next_event: Option<Instant>,
}

struct Connection {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    gets_events: bool,
}

/// What comes of a request.
enum Then {
    Next,
    Close,
    /// A thread of its own carries the body; these bytes of it are here already.
    Carry(Body, Vec<u8>),
}

enum Body {
    Down(u64),
    Up(Option<u64>),
}

impl Serving {
    fn watch_listeners(&mut self) -> anyhow::Result<()> {
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &self.unix, epoll::EventData::new_u64(UNIX), flags)?;
        epoll::add(&self.epoll, &self.tcp, epoll::EventData::new_u64(TCP), flags)?;
        Ok(())
    }

    fn run(&mut self) {
        let mut events = Vec::with_capacity(512);
        while !self.shared.stop.load(Ordering::Relaxed) {
            let wait = self.tick();
            events.clear();
            let timeout = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            if epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)).is_err() {
                continue;
            }
            for event in &events {
                match event.data.u64() {
                    UNIX => {
                        while let Ok((stream, _)) = self.unix.accept() {
                            self.add(Stream::Unix(stream));
                        }
                    }
                    TCP => {
                        while let Ok((stream, _)) = self.tcp.accept() {
                            let _ = stream.set_nodelay(true);
                            self.add(Stream::Tcp(stream));
                        }
                    }
                    index => self.serve(index as usize),
                }
            }
        }
    }

    /// Sends an event when it is time to, and says how long to wait for the next one.
    fn tick(&mut self) -> Duration {
        const IDLE: Duration = Duration::from_millis(20);
        let rate = self.shared.events_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            self.next_event = None;
            return IDLE;
        }
        let period = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
        let now = Instant::now();
        let due = *self.next_event.get_or_insert(now);
        if now < due {
            return (due - now).min(IDLE);
        }
        let chunk = chunk(EVENT);
        for connection in self.connections.iter_mut().flatten().filter(|it| it.gets_events) {
            // A stream whose socket is full misses it. A piece would break the framing, but an event is far smaller than a socket's buffer.
            let _ = connection.stream.write(&chunk);
        }
        let next = due + period;
        // Whoever is late does not hurry.
        self.next_event = Some(if next < Instant::now() { Instant::now() } else { next });
        Duration::ZERO
    }

    fn add(&mut self, stream: Stream) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let data = epoll::EventData::new_u64(index as u64);
        if epoll::add(&self.epoll, stream.as_fd(), data, epoll::EventFlags::IN).is_ok() {
            self.connections[index] = Some(Connection {
                stream,
                input: Vec::new(),
                output: Vec::new(),
                written: 0,
                gets_events: false,
            });
        } else {
            self.free.push(index);
        }
    }

    fn serve(&mut self, index: usize) {
        let Some(Some(connection)) = self.connections.get_mut(index) else { return };
        match connection.serve(&self.answers) {
            Ok(Then::Next) => {
                let mut flags = epoll::EventFlags::IN;
                if connection.written < connection.output.len() {
                    flags |= epoll::EventFlags::OUT;
                } else if connection.output.is_empty() {
                    return;
                } else {
                    connection.output = Vec::new();
                    connection.written = 0;
                }
                let data = epoll::EventData::new_u64(index as u64);
                let _ = epoll::modify(&self.epoll, connection.stream.as_fd(), data, flags);
            }
            Ok(Then::Close) | Err(_) => self.close(index),
            Ok(Then::Carry(body, early)) => {
                let _ = epoll::delete(&self.epoll, connection.stream.as_fd());
                let Some(connection) = self.connections[index].take() else { return };
                self.free.push(index);
                let shared = Arc::clone(&self.shared);
                // It ends with its connection.
                std::thread::spawn(move || {
                    let mut stream = connection.stream;
                    let _ = stream.set_nonblocking(false);
                    let _ = match body {
                        Body::Down(bytes) => send_body(&mut stream, bytes),
                        Body::Up(length) => read_body(&mut stream, early, length, &shared),
                    };
                });
            }
        }
    }

    fn close(&mut self, index: usize) {
        if self.connections[index].take().is_some() {
            self.free.push(index);
        }
    }
}

impl Connection {
    fn serve(&mut self, answers: &Answers) -> io::Result<Then> {
        if self.written < self.output.len() {
            self.flush()?;
        }
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Ok(Then::Close),
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Then::Next),
            Err(error) => return Err(error),
        }
        while let Some(end) = find(&self.input, b"\r\n\r\n") {
            let end = end + 4;
            let head = &self.input[..end];
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let (target, is_post) = match (line.strip_prefix(b"GET "), line.strip_prefix(b"POST "))
            {
                (Some(rest), _) => (rest, false),
                (None, Some(rest)) => (rest, true),
                (None, None) => return Ok(Then::Close),
            };
            let target = target.split(|byte| *byte == b' ').next().unwrap_or_default();
            let path = match target {
                [b'/', b'v', b'1', b'.', rest @ ..] => {
                    let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
                    &rest[slash..]
                }
                whole => whole,
            };
            if is_post {
                let length = field(head, b"content-length")
                    .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
                let early = self.input.split_off(end);
                return Ok(Then::Carry(Body::Up(length), early));
            }
            if let Some(size) = path.strip_prefix(b"/containers/")
                && let Some(size) = size.strip_suffix(b"/export")
            {
                let bytes = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
                return Ok(Then::Carry(Body::Down(bytes.unwrap_or_default()), Vec::new()));
            }
            if path == b"/events" {
                self.gets_events = true;
            }
            let closes = find(head, b"onnection: close").is_some();
            let answer = answers.to(path);
            self.input.drain(..end);
            if self.output.is_empty() {
                match self.stream.write(&answer) {
                    Ok(count) if count == answer.len() => {}
                    Ok(count) => {
                        self.output.extend_from_slice(&answer);
                        self.written = count;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.output.extend_from_slice(&answer);
                    }
                    Err(error) => return Err(error),
                }
            } else {
                self.output.extend_from_slice(&answer);
            }
            if closes && self.output.is_empty() {
                return Ok(Then::Close);
            }
        }
        Ok(if self.input.len() > MAX_HEAD_BYTES { Then::Close } else { Then::Next })
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.stream.write(&self.output[self.written..]) {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Answers that were made beforehand.
struct Answers {
    ping: Arc<[u8]>,
    version: Arc<[u8]>,
    list: Arc<[u8]>,
    all: Arc<[u8]>,
    network: Arc<[u8]>,
    own: Arc<[u8]>,
    image: Arc<[u8]>,
    client: Arc<[u8]>,
    events: Arc<[u8]>,
    not_found: Arc<[u8]>,
    rows: Vec<Value>,
}

const NETWORK: &str = "fe0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd";

fn id(number: usize) -> String {
    format!("{number:064x}")
}

impl Answers {
    fn new(population: &Population) -> Self {
        let rows: Vec<Value> =
            (0..population.containers.max(2)).map(|number| row(number, population)).collect();
        let list: Vec<Value> = rows.iter().skip(1).take(1).cloned().collect();
        let mut list = Value::Array(list);
        // One row, filled up to two kibibytes.
        let missing = 2048_usize.saturating_sub(list.to_string().len() + "\"Fill\":\"\",".len());
        list[0]["Fill"] = Value::String("x".repeat(missing));
        let members: serde_json::Map<String, Value> = (0..population.neighbours.max(2))
            .map(|number| {
                let member = json!({
                    "Name": name(number), "EndpointID": id(number), "MacAddress": "02:42:0a:63:00:01",
                    "IPv4Address": format!("{}/16", address(number)), "IPv6Address": "",
                });
                (id(number), member)
            })
            .collect();
        let network = json!({
            "Name": "bench", "Id": NETWORK, "Driver": "bridge", "Containers": members,
            "IPAM": { "Config": [{ "Subnet": "10.99.0.0/16", "Gateway": "10.99.255.254" }] },
        });
        let own = json!({
            "Id": id(0), "Name": format!("/{PROXY_NAME}"), "State": { "Running": true },
            "HostConfig": { "NetworkMode": "bench" },
            "NetworkSettings": { "Networks": { "bench": endpoint(0) } },
        });
        let client = json!({ "Id": id(1), "Name": "/client", "State": { "Running": true } });
        let version = json!({ "Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24" });
        let image = json!({ "Config": { "Labels": {} } });
        let events = format!("{}Transfer-Encoding: chunked\r\n\r\n", head("application/json"));
        Self {
            ping: Arc::from(with_body("text/plain; charset=utf-8", b"OK")),
            version: of(&version),
            list: of(&list),
            all: of(&Value::Array(rows.clone())),
            network: of(&network),
            own: of(&own),
            image: of(&image),
            client: of(&client),
            events: Arc::from(events.into_bytes()),
            not_found: Arc::from(
                b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n"
                    .as_slice(),
            ),
            rows,
        }
    }

    fn to(&self, path: &[u8]) -> Arc<[u8]> {
        let text = std::str::from_utf8(path).unwrap_or_default();
        let answer = match text {
            "/_ping" => &self.ping,
            "/containers/json" => &self.list,
            "/version" => &self.version,
            "/containers/json?all=1" => &self.all,
            _ if text.starts_with("/events") => &self.events,
            _ if text.starts_with("/networks/") => &self.network,
            _ if text.starts_with("/images/") => &self.image,
            _ if text.starts_with("/containers/json?all=1&filters=") => {
                let wanted = self.rows.iter().find(|row| {
                    row["Id"].as_str().is_some_and(|id| find(path, id.as_bytes()).is_some())
                });
                return of(&Value::Array(wanted.cloned().into_iter().collect()));
            }
            _ if text.starts_with(&format!("/containers/{}", id(1))) => &self.client,
            _ if text.starts_with("/containers/") => &self.own,
            _ => &self.not_found,
        };
        Arc::clone(answer)
    }
}

fn name(number: usize) -> String {
    match number {
        0 => PROXY_NAME.to_owned(),
        1 => "client".to_owned(),
        number => format!("container-{number}"),
    }
}

/// The proxy's own address, the client's, and some that nobody uses.
fn address(number: usize) -> String {
    match number {
        0 => PROXY.to_string(),
        1 => CLIENT.to_string(),
        number => format!("10.99.{}.{}", 1 + number / 250, number % 250 + 1),
    }
}

fn endpoint(number: usize) -> Value {
    json!({
        "NetworkID": NETWORK, "EndpointID": id(number), "Gateway": "10.99.255.254", "IPAddress": address(number),
        "IPPrefixLen": 16, "GlobalIPv6Address": "", "IPv6Gateway": "", "Aliases": null,
    })
}

fn row(number: usize, population: &Population) -> Value {
    let mut labels = serde_json::Map::new();
    labels.insert("com.docker.compose.project".to_owned(), "bench".into());
    labels.insert("com.docker.compose.service".to_owned(), name(number).into());
    if number == 1 {
        for (index, pattern) in population.client_patterns.iter().enumerate() {
            labels.insert(format!("sockwarden.allow.get.{index}"), pattern.clone().into());
        }
    } else if number > 1 {
        labels.insert("sockwarden.allow.get".to_owned(), "/v1[.][0-9]+/version".into());
    }
    let networks = if number < population.neighbours {
        json!({ "bench": endpoint(number) })
    } else {
        json!({})
    };
    json!({
        "Id": id(number), "Names": [format!("/{}", name(number))], "Image": "example:1.0",
        "ImageID": format!("sha256:{}", id(7)), "Command": "/bin/example --serve", "Created": 1_764_032_530,
        "Ports": [{ "PrivatePort": 8080, "Type": "tcp" }], "Labels": labels, "State": "running", "Status": "Up 3 days",
        "HostConfig": { "NetworkMode": "bench" }, "NetworkSettings": { "Networks": networks }, "Mounts": [],
    })
}

/// A head as the daemon writes it, without its end.
fn head(content_type: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nCache-Control: no-cache, no-store, must-revalidate\r\nContent-Type: {content_type}\r\nDocker-Experimental: false\r\nOstype: linux\r\nPragma: no-cache\r\nServer: Docker/28.5.2 (linux)\r\nDate: Wed, 25 Nov 2026 01:02:10 GMT\r\n"
    )
}

fn with_body(content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("{}Content-Length: {}\r\n\r\n", head(content_type), body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn of(value: &Value) -> Arc<[u8]> {
    Arc::from(with_body("application/json", value.to_string().as_bytes()))
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn send_body(stream: &mut Stream, bytes: u64) -> io::Result<()> {
    let head = format!("{}Transfer-Encoding: chunked\r\n\r\n", head("application/octet-stream"));
    stream.write_all(head.as_bytes())?;
    let piece = chunk(&[b'x'; PIECE_BYTES]);
    for _ in 0..bytes / PIECE_BYTES as u64 {
        stream.write_all(&piece)?;
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Reads a body to its end, and answers. Of chunked framing only the end is looked for: the bodies hold no `0` but its last chunk's.
fn read_body(
    stream: &mut Stream,
    early: Vec<u8>,
    length: Option<u64>,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = early.len() as u64;
    let mut tail = early;
    loop {
        let done = match length {
            Some(length) => total >= length,
            None => tail.ends_with(b"\r\n0\r\n\r\n"),
        };
        if done {
            break;
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        total += count as u64;
        tail.extend_from_slice(&buffer[count.saturating_sub(7)..count]);
        tail.drain(..tail.len().saturating_sub(7));
    }
    shared.body_bytes.fetch_add(total, Ordering::Relaxed);
    stream.write_all(&with_body("application/json", b"{}\n"))
}

/// The value of a field of a head, without white space around it.
pub(crate) fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (start, rest) = line.split_at_checked(name.len())?;
        (start.eq_ignore_ascii_case(name))
            .then(|| rest.strip_prefix(b":").map(<[u8]>::trim_ascii))?
    })
}

/// Where something begins.
pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(on),
            Self::Tcp(stream) => stream.set_nonblocking(on),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
