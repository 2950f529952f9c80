//! What goes wrong around the proxy, a test for each row of the table in docs/reliability.md.
//!
//! Each runs the program itself, as a process of its own, so that its descriptors, tasks and memory can be counted. After each
//! fault they are what they were, the next request is served, and the engine has seen nothing that the allowlist does not allow.

mod clients;
mod engine;
mod identity;
mod log;
mod process;
mod relayed;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fake_engine::{FakeEngine, PATIENCE, Reply, Request, Step, docker_like};
use crate::relay::Relay;
use crate::support::{Answer, Client, get, is_own_question, with_body};

/// What the program may use more than before a fault, once it is over: pages that the allocator keeps.
const KEPT_BYTES: usize = 12 << 20;
/// How long what a fault took may take to come back.
const RECOVERY: Duration = Duration::from_secs(15);

/// What every trial's clients may ask; the program gets it as patterns, and the judge of what reached the engine as this list.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "GET",
        &["/info", "/events", "/containers/json", "/containers/app/json", "/containers/app/export"],
    ),
    ("POST", &["/containers/app/attach", "/containers/app/kill", "/images/load", "/exec/e1/start"]),
];

/// Any version, or none.
const VERSION: &str = r"(/v1[.][0-9]+)?";

/// The program in front of a fake engine.
pub(crate) struct Trial {
    pub(crate) engine: FakeEngine,
    pub(crate) relay: Option<Relay>,
    pub(crate) program: Program,
    /// Removed last.
    _dir: TempDir,
}

/// The program as a process: killed when dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    descriptors: usize,
    tasks: u64,
    connections: u64,
    memory: usize,
}

/// How a trial is set up.
#[derive(Default)]
pub(crate) struct Plan {
    /// More flags.
    pub(crate) flags: Vec<String>,
    /// The limit of open files.
    pub(crate) descriptors: Option<usize>,
    /// Whether a relay stands in front of the engine.
    pub(crate) relayed: bool,
}

impl Plan {
    pub(crate) fn flags(flags: &[&str]) -> Self {
        Self { flags: flags.iter().map(ToString::to_string).collect(), ..Self::default() }
    }

    pub(crate) fn relayed() -> Self {
        Self { relayed: true, ..Self::default() }
    }

    /// Starts engine and program.
    pub(crate) async fn start(
        self,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Trial {
        raise_descriptor_limit();
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let engine_path =
            if self.relayed { dir.path().join("engine.sock") } else { socket.clone() };
        let engine = FakeEngine::start(&engine_path, move |request| {
            if is_own_question(request) {
                docker_like(request).then(Step::Close)
            } else {
                script(request)
            }
        })
        .unwrap();
        let relay = self.relayed.then(|| Relay::start(&socket, &engine_path).unwrap());
        let program = Program::start(&socket, &self);
        let trial = Trial { engine, relay, program, _dir: dir };
        trial.program.until_logged("engine answers").await;
        trial
    }
}

impl Trial {
    pub(crate) async fn client(&self) -> Client {
        self.program.client().await
    }

    /// One request on a connection of its own, and its answer.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.client().await;
        client.send(&request).await;
        client.answer_to(request).await
    }

    /// Brings a fault about, and again, and holds what it leaves behind against what was there before. Memory is held against what
    /// was there after the first time, when everything that is made once has been made.
    pub(crate) async fn suffers(&self, fault: impl AsyncFn(&Self)) {
        self.goes_on().await;
        let before = self.program.rest(None).await;
        fault(self).await;
        self.goes_on().await;
        let memory =
            self.program.rest(Some(Footprint { memory: usize::MAX / 2, ..before })).await.memory;
        fault(self).await;
        self.goes_on().await;
        self.program.rest(Some(Footprint { memory, ..before })).await;
    }

    /// The next request is served, what is not allowed is refused, and nothing else has reached the engine.
    pub(crate) async fn goes_on(&self) {
        self.serves().await;
        self.only_what_is_allowed_reached();
    }

    /// The next request is served, and what is not allowed is refused.
    pub(crate) async fn serves(&self) {
        let answer = self.ask(get("GET /containers/json", &[])).await;
        assert_eq!((answer.status, answer.whole), (200, true), "{answer:?}");
        assert!(answer.text().contains("3f4e5d6c7b8a"));
        for line in ["DELETE /containers/app", "POST /containers/create", "GET /containers/app/top"]
        {
            assert!(matches!(
                self.ask(with_body(line, "application/json", "{}")).await.status,
                403 | 405
            ));
        }
    }

    /// Looks at every request that the engine has seen, and forgets those whose connections are over.
    pub(crate) fn only_what_is_allowed_reached(&self) {
        for request in self.engine.requests() {
            // All clients in here say who they are; the proxy does not.
            let is_ours = request.method() == "GET" && request.field("User-Agent").is_none();
            assert!(is_allowed(&request) || is_ours, "{request:?} got through");
        }
        self.engine.forget();
    }
}

pub(crate) fn is_allowed(request: &Request) -> bool {
    let paths = ALLOWED.iter().filter(|(method, _)| *method == request.method());
    paths.flat_map(|(_, paths)| paths.iter()).any(|allowed| *allowed == request.path())
}

impl Program {
    fn start(engine: &std::path::Path, plan: &Plan) -> Self {
        let address = free_address();
        let mut flags = vec![
            format!("-socketpath={}", engine.display()),
            format!("-listenip={}", address.ip()),
            format!("-proxyport={}", address.port()),
            "-allowfrom=127.0.0.0/8".to_owned(),
            "-logjson".to_owned(),
        ];
        for (method, paths) in ALLOWED {
            flags.extend(paths.iter().map(|path| format!("-allow{method}={VERSION}{path}")));
        }
        flags.extend(plan.flags.iter().cloned());
        Self::with_flags(address, &flags, plan.descriptors)
    }

    /// Starts it with these flags, and waits for nothing.
    pub(crate) fn with_flags(
        address: SocketAddr,
        flags: &[String],
        descriptors: Option<usize>,
    ) -> Self {
        let binary = env!("CARGO_BIN_EXE_sockwarden");
        let mut command = match descriptors {
            None => Command::new(binary),
            Some(most) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\""), binary]);
                shell
            }
        };
        let mut child = command
            .args(flags)
            // Several arenas would keep freed pages apart, and the measure of memory would be one of chance.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, address, log, reader: Some(reader) }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::over(self.connect().await)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log line that holds this.
    pub(crate) async fn until_logged(&self, part: &str) -> String {
        let found = || self.log().into_iter().find(|line| line.contains(part));
        let waiting = async {
            loop {
                if let Some(line) = found() {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let line = timeout(2 * PATIENCE, waiting).await;
        line.unwrap_or_else(|_| panic!("`{part}` is not in the log: {:#?}", self.log()))
    }

    /// What it says of itself, over its private socket.
    pub(crate) async fn usage(&self) -> serde_json::Value {
        let (_, body) =
            timeout(2 * PATIENCE, sockwarden::admin::ask(Some(self.child.id()), "/health"))
                .await
                .unwrap()
                .unwrap();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["usage"].clone()
    }

    /// How often the limit of this option was reached.
    pub(crate) async fn reached(&self, option: &str) -> u64 {
        let usage = self.usage().await;
        let limits = usage["limits"].as_array().unwrap();
        limits.iter().find(|limit| limit["option"] == option).unwrap()["reached"].as_u64().unwrap()
    }

    /// A line of `/proc/PID/status`, in bytes.
    fn memory(&self, which: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
    }

    /// The most memory it ever held.
    pub(crate) fn most_memory(&self) -> usize {
        self.memory("VmHWM:")
    }

    async fn footprint(&self) -> Footprint {
        let usage = self.usage().await;
        Footprint {
            descriptors: std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
                .unwrap()
                .count(),
            tasks: usage["tasks"].as_u64().unwrap(),
            connections: usage["connections"].as_u64().unwrap(),
            memory: self.memory("VmRSS:"),
        }
    }

    /// Waits until nobody is connected and, where it was measured before, until it holds no more than then.
    pub(crate) async fn rest(&self, before: Option<Footprint>) -> Footprint {
        let began = Instant::now();
        loop {
            let now = self.footprint().await;
            let is_back = before.is_none_or(|before| {
                now.descriptors <= before.descriptors
                    && now.tasks <= before.tasks
                    && now.memory <= before.memory + KEPT_BYTES
            });
            if is_back && now.connections == 0 {
                return now;
            }
            assert!(began.elapsed() < RECOVERY, "from {before:?} to {now:?}: {:#?}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    /// Sends a signal by its number, for those that have no name here.
    pub(crate) fn kill(&self, signal: i32) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let waiting = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let status = timeout(3 * PATIENCE, waiting).await.expect("it goes on");
        self.reader.take().unwrap().join().unwrap();
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends of many connections are ours here.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// An address that nobody else uses: each trial has a loopback address of its own.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    let ip = [127, process[3].max(1), high.wrapping_add(process[2]), low.max(1)];
    std::net::TcpListener::bind((std::net::Ipv4Addr::from(ip), 0)).unwrap().local_addr().unwrap()
}
