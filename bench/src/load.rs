//! A load generator: one thread, no runtime, and for each connection the next request when the answer is there.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::contender::Running;
use crate::engine::{field, find};

/// What to send, and how.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The method and target of every request.
    pub(crate) asks: &'static str,
    /// The status that every answer must have.
    pub(crate) status: u16,
    /// How many connections ask at once.
    pub(crate) connections: usize,
    /// Whether every request gets a connection of its own.
    pub(crate) fresh: bool,
    /// How long to measure, after a tenth of it to warm up.
    pub(crate) window: Duration,
}

/// What came out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Half of the answers took less, in milliseconds.
    pub(crate) p50: f64,
    /// All but a hundredth of them took less, in milliseconds.
    pub(crate) p99: f64,
    /// User and system time of the proxy for each request, in microseconds.
    pub(crate) cpu: f64,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    asked: Instant,
}

impl Load {
    /// Puts the load on a contender.
    pub(crate) fn run(&self, contender: &Running) -> anyhow::Result<Outcome> {
        self.run_on(contender)
            .with_context(|| format!("{} on {}", self.asks, contender.kind.name()))
    }

    fn run_on(&self, contender: &Running) -> anyhow::Result<Outcome> {
        let request = request(self.asks);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(self.connections);
        for index in 0..self.connections {
            connections.push(self.open(contender.address, &epoll, index, &request)?);
        }
        let warm = Instant::now() + self.window / 10;
        let mut began = None;
        let mut latencies: Vec<u32> = Vec::with_capacity(1 << 20);
        let mut events = Vec::with_capacity(self.connections);
        let mut buffer = vec![0; 64 * 1024];
        let cpu_at_start;
        let mut cpu = Duration::ZERO;
        let mut end = warm + self.window * 10;
        loop {
            events.clear();
            let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
            match epoll::wait(&epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(0) => bail!("no answer for ten seconds"),
                Err(rustix::io::Errno::INTR) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            let mut now = Instant::now();
            if began.is_none() && now >= warm {
                cpu = contender.cpu();
                now = Instant::now();
                latencies.clear();
                began = Some(now);
                end = now + self.window;
            }
            if now >= end {
                cpu_at_start = cpu;
                cpu = contender.cpu();
                break;
            }
            for event in &events {
                let index = usize::try_from(event.data.u64())?;
                let connection = &mut connections[index];
                let count = match connection.stream.read(&mut buffer) {
                    Ok(0) => bail!("the connection was closed without an answer"),
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                connection.buffer.extend_from_slice(&buffer[..count]);
                let Some(answer) = whole_answer(&connection.buffer)? else { continue };
                ensure!(
                    answer.status == self.status,
                    "{} instead of {}",
                    answer.status,
                    self.status
                );
                connection.buffer.clear();
                let now = Instant::now();
                let took = now - connection.asked;
                latencies.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
                if self.fresh {
                    connections[index] = self.open(contender.address, &epoll, index, &request)?;
                } else {
                    connection.asked = now;
                    connection.stream.write_all(&request)?;
                }
            }
        }
        let took = began.map_or(self.window, |began| began.elapsed());
        ensure!(!latencies.is_empty(), "not one answer in the window");
        latencies.sort_unstable();
        let count = latencies.len();
        let milliseconds = |rank: usize| f64::from(latencies[rank.min(count - 1)]) / 1e6;
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let answers = count as f64;
        Ok(Outcome {
            rate: answers / took.as_secs_f64(),
            p50: milliseconds(count / 2),
            p99: milliseconds(count - count / 100 - 1),
            cpu: (cpu - cpu_at_start).as_secs_f64() * 1e6 / answers,
        })
    }

    fn open(
        &self,
        address: SocketAddr,
        epoll: &OwnedFd,
        index: usize,
        request: &[u8],
    ) -> anyhow::Result<Connection> {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        stream.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(epoll, &stream, data, epoll::EventFlags::IN)?;
        Ok(Connection { stream, buffer: Vec::new(), asked })
    }
}

/// A request as the Docker CLI sends it.
pub(crate) fn request(asks: &str) -> Vec<u8> {
    format!("{asks} HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 (linux)\r\n\r\n")
        .into_bytes()
}

struct Answer {
    status: u16,
}

/// The answer in the buffer, once all of it is there.
fn whole_answer(buffer: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(end) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = buffer.split_at(end + 4);
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status = status.context("an answer without a status")?;
    let complete = match field(head, b"content-length") {
        Some(length) => {
            let length: usize = std::str::from_utf8(length)?.parse()?;
            body.len() >= length
        }
        None if field(head, b"transfer-encoding").is_some() => body.ends_with(b"\r\n0\r\n\r\n"),
        None => bail!("an answer that only ends with its connection"),
    };
    Ok(complete.then_some(Answer { status }))
}

/// Many connections that only listen, read by a thread of their own that counts events.
pub(crate) struct Listeners {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    events: std::sync::Arc<std::sync::atomic::AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listeners {
    /// Opens `count` streams of events and waits until each was answered.
    pub(crate) fn open(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
        let request = request("GET /v1.41/events");
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = TcpStream::connect(address).context("cannot connect")?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(&request)?;
            streams.push(stream);
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, stream) in streams.iter_mut().enumerate() {
            read_head(stream)?;
            stream.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, &*stream, data, epoll::EventFlags::IN)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let events = Arc::new(AtomicU64::new(0));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&events));
        let thread = std::thread::Builder::new().name("listeners".to_owned()).spawn(move || {
            let mut ready = Vec::with_capacity(512);
            let mut buffer = vec![0; 64 * 1024];
            let timeout = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            while !stopped.load(Ordering::Relaxed) {
                ready.clear();
                let _ = epoll::wait(&epoll, spare_capacity(&mut ready), Some(&timeout));
                for event in &ready {
                    let Ok(index) = usize::try_from(event.data.u64()) else { continue };
                    match streams[index].read(&mut buffer) {
                        Ok(0) => {
                            let _ = epoll::delete(&epoll, &streams[index]);
                        }
                        Ok(count) => {
                            // Framing holds no brace, and an event ends in one.
                            let ends = buffer[..count].iter().filter(|byte| **byte == b'}');
                            counted.fetch_add(ends.count() as u64, Ordering::Relaxed);
                        }
                        Err(_) => {}
                    }
                }
            }
        })?;
        Ok(Self { stop, events, thread: Some(thread) })
    }

    /// How many events have come.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads the head of a 200 and nothing behind it.
pub(crate) fn read_head(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("no answer")?;
        head.push(byte[0]);
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&head).lines().next().unwrap_or_default()
    );
    Ok(head)
}
