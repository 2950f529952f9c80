//! An engine whose objects are as large as somebody can make them.

use std::io::{self, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::namespace::{CLIENT, PROXY};

/// A label of 4 MiB of what the engine writes in six bytes each.
const FAT_BYTES: usize = 4 * 1024 * 1024;
const FAT: &[u8] = b"\\u003c";
/// Where the fat label goes in an answer.
const PLACE: &str = "@FAT@";
/// In a list of many the label is written plainly, so that what takes time is not the engine.
const PLAIN: &str = "@PLAIN@";
/// The container that has one.
pub(super) const FAT_ID: &str = "fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa7fa70";

/// What there is on the engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// So many containers with a fat label.
    pub(super) fat_containers: usize,
    /// So many fat events, one after the other.
    pub(super) fat_events: usize,
    /// So many containers on the proxy's network.
    pub(super) members: usize,
}

/// The engine; its threads end with their connections.
#[derive(Debug)]
pub(super) struct ScriptedEngine {
    directory: tempfile::TempDir,
    over: Arc<AtomicBool>,
}

impl ScriptedEngine {
    pub(super) fn start(script: &Script) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let listener = UnixListener::bind(directory.path().join("engine.sock"))?;
        rustix::net::listen(&listener, 4096)?;
        let over = Arc::new(AtomicBool::new(false));
        let engine = Arc::new(Serving { script: script.clone(), over: Arc::clone(&over) });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let engine = Arc::clone(&engine);
                let thread = std::thread::Builder::new().stack_size(256 * 1024);
                drop(thread.spawn(move || drop(engine.serve(&stream))));
            }
        });
        Ok(Self { directory, over })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("engine.sock")
    }

    /// What goes on without end ends now.
    pub(super) fn end_attack(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        self.end_attack();
    }
}

#[derive(Debug)]
struct Serving {
    script: Script,
    over: Arc<AtomicBool>,
}

impl Serving {
    fn serve(&self, mut stream: &UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        let mut input = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = crate::engine::find(&input, b"\r\n\r\n") {
                    break end + 4;
                }
                let mut buffer = [0; 8192];
                match stream.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => input.extend_from_slice(&buffer[..count]),
                }
            };
            let rest = input.split_off(end);
            let head = std::mem::replace(&mut input, rest);
            let line = String::from_utf8_lossy(
                head.split(|byte| *byte == b'\r').next().unwrap_or_default(),
            );
            let target = line.split(' ').nth(1).unwrap_or_default();
            let path = match target
                .strip_prefix("/v1.")
                .and_then(|rest| rest.find('/').map(|at| &rest[at..]))
            {
                Some(path) => path.to_owned(),
                None => target.to_owned(),
            };
            if path.contains("deaf") {
                // It has taken the head and never looks at the rest.
                return self.wait();
            }
            let length = crate::engine::field(&head, b"content-length");
            let length = length.and_then(|it| std::str::from_utf8(it).ok()?.parse::<usize>().ok());
            self.read_body(&mut stream, &mut input, length.unwrap_or_default())?;
            if !self.answer(stream, &path)? {
                return Ok(());
            }
        }
    }

    fn read_body(
        &self,
        stream: &mut &UnixStream,
        input: &mut Vec<u8>,
        length: usize,
    ) -> io::Result<()> {
        let mut left = length - input.drain(..length.min(input.len())).len();
        let mut buffer = vec![0; if left > 0 { 64 * 1024 } else { 0 }];
        while left > 0 {
            let room = left.min(buffer.len());
            match stream.read(&mut buffer[..room])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => left -= count,
            }
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Answers; says whether another request may follow.
    fn answer(&self, mut stream: &UnixStream, path: &str) -> io::Result<bool> {
        let (plain, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = plain.split('/').skip(1).collect();
        let answer = match parts.as_slice() {
            ["_ping"] => json!("OK"),
            ["version"] => {
                json!({ "Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24" })
            }
            ["events"] => return self.events(stream).map(|()| false),
            ["containers", "create"] => json!({ "Id": FAT_ID, "Warnings": [] }),
            ["containers", "json"] if query.contains("filters") => {
                let rows = 0..200 + self.script.members;
                rows.filter(|number| query.contains(&id(*number)))
                    .map(|number| self.row(number))
                    .collect()
            }
            ["containers", "json"] => {
                (0..3 + self.script.fat_containers).map(|number| self.row(number)).collect()
            }
            ["containers", "own", "top"] => json!({}),
            ["containers", "endless", _] => return self.endless(stream).map(|()| false),
            ["containers", name, "json"] => self.inspect(name),
            ["containers", _, "exec"] => json!({ "Id": "ec".repeat(32) }),
            ["exec", id, "json"] => {
                json!({ "ID": id, "ContainerID": FAT_ID, "ProcessConfig": { "arguments": [PLACE] } })
            }
            ["exec", _, "start"] => return self.tunnel(stream).map(|()| false),
            ["volumes", name] => {
                json!({ "Name": name, "Driver": "local", "Labels": { "x": PLACE }, "Options": null })
            }
            ["networks", name] => self.network(name),
            ["images", _, "json"] => {
                json!({ "Id": "sha256:0", "Config": { "Labels": { "x": "y" } } })
            }
            _ => json!({}),
        };
        send(stream, &answer.to_string())?;
        stream.flush()?;
        Ok(true)
    }

    fn inspect(&self, name: &str) -> Value {
        let number = if name == "sockwarden" || id(0).starts_with(name) { Some(0) } else { None };
        match number {
            Some(number) => json!({
                "Id": id(number), "Name": "/sockwarden", "State": { "Running": true },
                "HostConfig": { "NetworkMode": "bench" }, "NetworkSettings": { "Networks": { "bench": endpoint(PROXY.to_string()) } },
            }),
            None => json!({
                "Id": FAT_ID, "Name": "/fat", "State": { "Running": true }, "Config": { "Labels": { "x": PLACE } },
                "HostConfig": { "NetworkMode": "bench" }, "Mounts": [],
            }),
        }
    }

    fn row(&self, number: usize) -> Value {
        let labels = match number {
            0 => json!({}),
            1 => json!({ "sockwarden.allow.get": ".*", "sockwarden.allow.post": ".*" }),
            _ => json!({ "x": PLAIN, "sockwarden.allow.get": "/version" }),
        };
        let networks = match number {
            0 => json!({ "bench": endpoint(PROXY.to_string()) }),
            1 => json!({ "bench": endpoint(CLIENT.to_string()) }),
            _ => json!({}),
        };
        json!({
            "Id": id(number), "Names": [if number == 0 { "/sockwarden".to_owned() } else { format!("/c{number}") }], "Image": "x", "ImageID": "sha256:0",
            "Labels": labels, "State": "running", "HostConfig": { "NetworkMode": "bench" }, "NetworkSettings": { "Networks": networks },
        })
    }

    fn network(&self, name: &str) -> Value {
        let mut members = serde_json::Map::new();
        for (number, address) in [(0, PROXY.to_string()), (1, CLIENT.to_string())] {
            members.insert(
                id(number),
                json!({ "Name": "x", "IPv4Address": format!("{address}/16"), "IPv6Address": "" }),
            );
        }
        for number in 2..self.script.members {
            let address = format!("10.99.{}.{}/16", 1 + number / 250, 1 + number % 250);
            members.insert(id(number), json!({ "Name": "x", "MacAddress": "02:42:0a:63:00:01", "EndpointID": id(number), "IPv4Address": address, "IPv6Address": "" }));
        }
        json!({
            "Name": name, "Id": "be".repeat(32), "Driver": "bridge", "Containers": members,
            "Labels": { "x": if name.starts_with('n') { PLACE } else { "y" } },
            "IPAM": { "Config": [{ "Subnet": "10.99.0.0/16", "Gateway": "10.99.255.254" }] },
        })
    }

    fn events(&self, mut stream: &UnixStream) -> io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")?;
        for number in 0..self.script.fat_events {
            let id = id(100 + number);
            let event = json!({ "status": "die", "id": id, "Type": "container", "Action": "die", "Actor": { "ID": id, "Attributes": { "x": PLACE } } });
            let mut out = BufWriter::with_capacity(256 * 1024, stream);
            write_fat(&mut out, &event.to_string())?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        self.wait()?;
        // It stays open, so that nothing is lost.
        let _ = stream.read(&mut [0]);
        Ok(())
    }

    fn endless(&self, mut stream: &UnixStream) -> io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = [b"8000\r\n".as_slice(), &[b'x'; 0x8000], b"\r\n"].concat();
        while !self.over.load(Ordering::Relaxed) {
            stream.write_all(&chunk)?;
        }
        Ok(())
    }

    /// Leaves HTTP, sends without end and reads nothing.
    fn tunnel(&self, mut stream: &UnixStream) -> io::Result<()> {
        stream.write_all(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")?;
        while !self.over.load(Ordering::Relaxed) {
            stream.write_all(&[b'x'; 0x8000])?;
        }
        Ok(())
    }
}

fn id(number: usize) -> String {
    format!("{:064x}", 0xb0_0000 + number)
}

fn endpoint(address: String) -> Value {
    json!({ "NetworkID": "be".repeat(32), "IPAddress": address, "GlobalIPv6Address": "", "Aliases": null })
}

/// Sends a whole answer, with the fat label in its places.
fn send(stream: &UnixStream, text: &str) -> io::Result<()> {
    let (places, plain) = (text.matches(PLACE).count(), text.matches(PLAIN).count());
    let length = text.len() - places * PLACE.len() - plain * PLAIN.len()
        + places * FAT_BYTES * FAT.len()
        + plain * FAT_BYTES;
    let mut out = BufWriter::with_capacity(256 * 1024, stream);
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )?;
    write_fat(&mut out, text)?;
    out.flush()
}

fn write_fat(out: &mut impl Write, text: &str) -> io::Result<()> {
    let piece = FAT.repeat(16 * 1024);
    for (place, part) in text.split(PLACE).enumerate() {
        if place > 0 {
            for _ in 0..FAT_BYTES * FAT.len() / piece.len() {
                out.write_all(&piece)?;
            }
        }
        for (place, part) in part.split(PLAIN).enumerate() {
            if place > 0 {
                for _ in 0..FAT_BYTES / (64 * 1024) {
                    out.write_all(&[b'x'; 64 * 1024])?;
                }
            }
            out.write_all(part.as_bytes())?;
        }
    }
    Ok(())
}
