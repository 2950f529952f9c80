//! What clients, strangers and what they make of the engine's objects can do to our memory: each attack alone, on a proxy of its own with
//! default options, in front of a scripted engine.
//!
//! The process may grow by 96 MiB, and ten seconds after an attack it must be within 32 MiB of where it was. Where it is not, the program
//! fails.

mod attacks;
mod scripted;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::net::{AddressFamily, SocketType};

use crate::Effort;
use crate::contender::Builds;
use crate::namespace::{CLIENT, PROXY};
use attacks::{ATTACKS, Attack, Mode};
use scripted::ScriptedEngine;

/// What the process may grow by, and what it may keep of that, in MiB.
const MOST_GROWTH: f64 = 96.0;
const MOST_KEPT: f64 = 32.0;
/// How long after an attack is looked again.
const AFTER: Duration = Duration::from_secs(10);
/// How many addresses the clients of one attack come from.
const ADDRESSES: u8 = 8;

pub(super) fn run(builds: &Builds, _: Effort) -> anyhow::Result<()> {
    println!(
        "{:<64}{:>12}{:>12}{:>12}{:>10}",
        "attack", "connections", "growth MiB", "after MiB", ""
    );
    let only = std::env::var("ATTACK").unwrap_or_default();
    let mut failed = 0;
    let mut resting: Vec<Attacked> = Vec::new();
    for attack in ATTACKS.iter().filter(|attack| attack.name.contains(&only)) {
        for connections in attack.connections {
            resting.push(play(builds, attack, *connections).with_context(|| attack.name)?);
            while resting.first().is_some_and(|first| first.ended.elapsed() >= AFTER) {
                failed += usize::from(!resting.remove(0).judge()?);
            }
        }
    }
    for attacked in resting {
        std::thread::sleep(AFTER.saturating_sub(attacked.ended.elapsed()));
        failed += usize::from(!attacked.judge()?);
    }
    ensure!(failed == 0, "{failed} attacks took more than they may");
    Ok(())
}

/// An attack that is over, and its proxy.
struct Attacked {
    name: &'static str,
    connections: usize,
    victim: Victim,
    before: u64,
    most: u64,
    problem: Option<String>,
    ended: Instant,
}

impl Attacked {
    /// Prints what came of it, and says whether that is as it should be.
    fn judge(self) -> anyhow::Result<bool> {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        let above = |bytes: u64| bytes.saturating_sub(self.before) as f64 / 1_048_576.0;
        let (growth, kept) = (above(self.most), above(self.victim.status("VmRSS:")?));
        let served = self.victim.answers();
        let good = growth <= MOST_GROWTH && kept <= MOST_KEPT && self.problem.is_none() && served;
        println!(
            "{:<64}{:>12}{growth:>12.1}{kept:>12.1}{:>10}{}",
            self.name,
            self.connections,
            if good { "pass" } else { "FAIL" },
            match &self.problem {
                Some(problem) => format!("  {problem}"),
                None if !served => "  it does not answer any more".to_owned(),
                None => String::new(),
            }
        );
        Ok(good)
    }
}

fn play(builds: &Builds, attack: &Attack, connections: usize) -> anyhow::Result<Attacked> {
    let engine = ScriptedEngine::start(&attack.script)?;
    let victim = Victim::start(builds, attack, engine)?;
    let before = victim.status("VmRSS:")?;
    let over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut clients = Vec::new();
    for number in 0..connections {
        let client = Client {
            address: victim.address,
            source: u8::try_from(number % usize::from(ADDRESSES)).unwrap_or_default(),
            is_container: attack.mode == Mode::Labels,
            number,
            over: Arc::clone(&over),
            answered: Arc::clone(&answered),
        };
        let act = attack.act;
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        // Whatever goes wrong is what an attacker has to expect; what must not go wrong is checked by itself.
        clients.push(thread.spawn(move || drop(act(&client)))?);
    }
    let mut most = before;
    while began.elapsed() < attack.longest && !clients.iter().all(|it| it.is_finished()) {
        most = most.max(victim.status("VmRSS:")?);
        std::thread::sleep(Duration::from_millis(5));
    }
    // What was at its highest between two looks.
    most = most.max(victim.status("VmHWM:")?);
    let problem = (attack.check)(&victim, answered.load(Ordering::SeqCst), connections);
    over.store(true, Ordering::SeqCst);
    victim.engine.end_attack();
    for client in clients {
        let _ = client.join();
    }
    let ended = Instant::now();
    Ok(Attacked { name: attack.name, connections, victim, before, most, problem, ended })
}

/// The proxy under attack.
struct Victim {
    child: Child,
    address: SocketAddr,
    mode: Mode,
    engine: ScriptedEngine,
    _directory: tempfile::TempDir,
}

impl Victim {
    fn start(builds: &Builds, attack: &Attack, engine: ScriptedEngine) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let address =
            SocketAddr::from((PROXY, TcpListener::bind((PROXY, 0))?.local_addr()?.port()));
        let mut command = Command::new("setpriv");
        // Whatever ends us ends it too.
        command.args(["--pdeathsig", "KILL", "--"]).arg(builds.sockwarden());
        command
            .arg(format!("-listenip={}", address.ip()))
            .arg(format!("-proxyport={}", address.port()))
            .arg(format!("-socketpath={}", engine.socket().display()));
        match attack.mode {
            Mode::Labels => command.arg("-proxycontainername=sockwarden"),
            Mode::Addresses => {
                command.arg("-allowfrom=127.0.0.0/8");
                command.args(["GET", "POST", "HEAD"].map(|method| format!("-allow{method}=.*")))
            }
            Mode::Strangers => command.args(["-allowfrom=192.0.2.1", "-allowGET=.*"]),
        };
        command.arg(attack.limit);
        let log = directory.path().join("stderr");
        command.stdin(Stdio::null()).stderr(File::create(&log)?);
        // Nobody reads a pipe of which only the end is kept.
        let lines = directory.path().join("stdout");
        command.stdout(if attack.log_is_read {
            File::create(&lines)?.into()
        } else {
            Stdio::piped()
        });
        let mut child = command.spawn().context("`setpriv` (util-linux) cannot be run")?;
        let began = Instant::now();
        let mut victim = loop {
            if TcpStream::connect(address).is_ok() {
                let mode = attack.mode;
                break Self { child, address, mode, engine, _directory: directory };
            }
            if let Some(status) = child.try_wait()? {
                bail!("{status}; {}", fs::read_to_string(&log).unwrap_or_default().trim());
            }
            ensure!(began.elapsed() < Duration::from_secs(20), "nobody listens on {address}");
            std::thread::sleep(Duration::from_millis(5));
        };
        // What it needs once is there before it is looked at.
        while !victim.answers() {
            ensure!(
                began.elapsed() < Duration::from_secs(60),
                "no answer on {address}; {}",
                fs::read_to_string(&lines).unwrap_or_default().trim()
            );
            ensure!(victim.child.try_wait()?.is_none(), "it ended");
        }
        for _ in 0..20 {
            victim.answers();
        }
        Ok(victim)
    }

    /// A figure of `/proc/[pid]/status`, in bytes. `setpriv` becomes the program that it starts.
    fn status(&self, what: &str) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(what));
        let kibibytes: u64 =
            line.context("it has ended")?.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes * 1024)
    }

    /// Whether a client that may ask gets its answer; of strangers, that it is refused.
    fn answers(&self) -> bool {
        let client = Client {
            address: self.address,
            source: ADDRESSES,
            is_container: self.mode == Mode::Labels,
            number: 0,
            over: Arc::default(),
            answered: Arc::default(),
        };
        let want = if self.mode == Mode::Strangers { 403 } else { 200 };
        client.ask(
            "GET /v1.41/containers/own/top HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n",
            &[],
        ) == Some(want)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection's worth of attacker.
struct Client {
    address: SocketAddr,
    source: u8,
    is_container: bool,
    number: usize,
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Client {
    /// Connects from an address of its own, or from the container's.
    fn connect(&self) -> anyhow::Result<TcpStream> {
        let source = if self.is_container {
            SocketAddr::from((CLIENT, 0))
        } else {
            SocketAddr::from(([127, 0, 0, 10 + self.source], 0))
        };
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &source)?;
        rustix::net::connect(&socket, &self.address)?;
        let stream = TcpStream::from(socket);
        // Often enough to see that it is over.
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.set_write_timeout(Some(Duration::from_millis(200)))?;
        Ok(stream)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Writes as long as it takes, or until the attack is over; an end on the other side ends it.
    fn write(&self, mut stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) && !self.is_over() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads until somebody ends the connection or the attack.
    fn read_all(&self, mut stream: &TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while !self.is_over() {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// Holds the connection until the attack is over.
    fn hold(&self) {
        while !self.is_over() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a whole request on a connection of its own, and gives the status of the answer.
    fn ask(&self, head: &str, body: &[u8]) -> Option<u16> {
        let mut stream = self.connect().ok()?;
        // An answer may come before the body is over.
        let _ = self.write(&stream, head.as_bytes()).and_then(|()| self.write(&stream, body));
        let mut answer = [0; 12];
        let mut read = 0;
        let patience = Instant::now() + Duration::from_secs(40);
        while read < answer.len() && !self.is_over() && Instant::now() < patience {
            match stream.read(&mut answer[read..]) {
                Ok(0) => return None,
                Ok(count) => read += count,
                Err(error) if is_timeout(&error) => {}
                Err(_) => return None,
            }
        }
        let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        if (200..300).contains(&status) {
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
        Some(status)
    }

    /// Posts JSON.
    fn post(&self, target: &str, body: &[u8]) -> Option<u16> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.ask(&head, body)
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
