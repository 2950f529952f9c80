//! A Unix socket between the proxy and the engine that counts connections and can be taken away, as an engine that restarts is.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::{fs, thread};

use rustix::event::{PollFd, PollFlags, poll};
use tempfile::TempDir;

use crate::wait;

/// A relay in front of an engine.
#[derive(Debug)]
pub struct Relay {
    socket: PathBuf,
    engine: PathBuf,
    connections: Arc<Connections>,
    only_reads: bool,
    accepting: Option<Accepting>,
    _directory: TempDir,
}

#[derive(Debug)]
struct Accepting {
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Connections {
    all: Mutex<Vec<Connection>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Connection {
    /// The request lines the proxy sent; it writes each head in one piece.
    requests: Vec<String>,
    /// The proxy has not closed it.
    open: bool,
    ends: [UnixStream; 2],
}

impl Relay {
    /// A relay that accepts connections.
    ///
    /// # Panics
    /// When there is no room for its socket.
    pub fn start(engine: &Path) -> Self {
        Self::new(engine, false)
    }

    /// A relay that cuts a connection instead of passing on a request that could change anything.
    pub fn only_reads(engine: &Path) -> Self {
        Self::new(engine, true)
    }

    fn new(engine: &Path, only_reads: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut relay = Self {
            socket: directory.path().join("engine.sock"),
            engine: engine.to_owned(),
            connections: Arc::default(),
            only_reads,
            accepting: None,
            _directory: directory,
        };
        relay.resume();
        relay
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Cuts every connection and closes the socket: the engine is gone.
    pub fn stop(&mut self) {
        let Some(Accepting { over, thread }) = self.accepting.take() else { return };
        over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then closes the listener.
        let _ = UnixStream::connect(&self.socket);
        let _ = thread.join();
        let _ = fs::remove_file(&self.socket);
        for connection in self.connections.lock().iter() {
            for end in &connection.ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    /// Accepts connections again: the engine is back.
    ///
    /// # Panics
    /// When the socket cannot be bound.
    pub fn resume(&mut self) {
        let listener = UnixListener::bind(&self.socket).expect("the relay's socket is free");
        let over = Arc::new(AtomicBool::new(false));
        let (ended, connections, engine) =
            (Arc::clone(&over), Arc::clone(&self.connections), self.engine.clone());
        let only_reads = self.only_reads;
        let thread = thread::spawn(move || {
            for proxy in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(upstream) = UnixStream::connect(&engine) {
                    connections.carry(proxy, upstream, only_reads);
                }
            }
        });
        self.accepting = Some(Accepting { over, thread });
    }

    /// The request lines that the proxy has sent so far.
    pub fn requests(&self) -> Vec<String> {
        self.connections.lock().iter().flat_map(|it| it.requests.clone()).collect()
    }

    /// Waits until the connection on which `request` was sent exists.
    #[track_caller]
    pub fn expect_open(&self, request: &str) {
        self.expect(&format!("an open connection for `{request}`"), |all| {
            all.iter().any(|it| it.open && it.requested(request))
        });
    }

    /// Waits until the proxy has closed every connection on which `request` was sent.
    #[track_caller]
    pub fn expect_closed(&self, request: &str) {
        self.expect(&format!("the end of the connection for `{request}`"), |all| {
            !all.iter().any(|it| it.open && it.requested(request))
        });
    }

    #[track_caller]
    fn expect(&self, what: &str, done: impl Fn(&[Connection]) -> bool) {
        let all = self.connections.lock();
        let (all, late) = self
            .connections
            .changed
            .wait_timeout_while(all, wait::DEADLINE, |all| !done(all))
            .unwrap_or_else(PoisonError::into_inner);
        let seen: Vec<_> = all.iter().map(|it| (it.open, it.requests.clone())).collect();
        // The guard must not be poisoned by the assertion: dropping the relay needs it.
        drop(all);
        assert!(!late.timed_out(), "waited in vain for {what}; connections: {seen:#?}");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Connection {
    fn requested(&self, request: &str) -> bool {
        self.requests.iter().any(|line| line.contains(request))
    }
}

impl Connections {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Connection)) {
        change(&mut self.lock()[index]);
        self.changed.notify_all();
    }

    /// Carries both directions, each ended on its own, until the proxy has closed its end.
    fn carry(self: &Arc<Self>, proxy: UnixStream, engine: UnixStream, only_reads: bool) {
        let copy = |stream: &UnixStream| stream.try_clone().expect("a file descriptor to spare");
        let index = {
            let mut all = self.lock();
            let ends = [copy(&proxy), copy(&engine)];
            all.push(Connection { requests: Vec::new(), open: true, ends });
            all.len() - 1
        };
        let connections = Arc::clone(self);
        let up = (copy(&proxy), copy(&engine));
        thread::spawn(move || {
            pump(&up.0, &up.1, |bytes| {
                let Some(line) = request_line(bytes) else { return true };
                let passes = !only_reads || line.starts_with("GET ");
                connections.change(index, |it| it.requests.push(line));
                passes
            });
        });
        let down = (copy(&engine), copy(&proxy));
        thread::spawn(move || pump(&down.0, &down.1, |_| true));
        let connections = Arc::clone(self);
        thread::spawn(move || {
            // Asking for nothing still reports a hang-up: the proxy closed, rather than ended one direction.
            let mut ends = [PollFd::new(&proxy, PollFlags::empty())];
            while let Err(rustix::io::Errno::INTR) = poll(&mut ends, None) {}
            let _ = engine.shutdown(Shutdown::Both);
            let _ = proxy.shutdown(Shutdown::Both);
            connections.change(index, |it| it.open = false);
        });
    }
}

fn request_line(bytes: &[u8]) -> Option<String> {
    let end = bytes.windows(2).position(|it| it == b"\r\n")?;
    let line = String::from_utf8(bytes[..end].to_vec()).ok()?;
    line.ends_with(" HTTP/1.1").then_some(line)
}

fn pump(mut from: &UnixStream, mut to: &UnixStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(count @ 1..) => {
                if !passes(&buffer[..count]) {
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
                if to.write_all(&buffer[..count]).is_err() {
                    let _ = from.shutdown(Shutdown::Read);
                    return;
                }
            }
            _ => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}
