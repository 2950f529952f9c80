//! The proxies that are compared: started with rules of the same meaning, and looked at through /proc.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::engine::FakeEngine;

/// The binaries there are.
#[derive(Debug)]
pub(crate) struct Builds {
    sockwarden: PathBuf,
    base: Option<PathBuf>,
    peer: Option<PathBuf>,
    haproxy: bool,
}

impl Builds {
    /// Finds them; builds sockwarden where none is given.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let given = |name| std::env::var_os(name).map(PathBuf::from);
        let sockwarden = match given("SOCKWARDEN_BIN") {
            Some(path) => path,
            None => build()?,
        };
        let haproxy = Command::new("haproxy")
            .arg("-v")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !haproxy {
            println!("haproxy is not installed, so nothing is compared with it");
        }
        Ok(Self { sockwarden, base: given("SOCKWARDEN_BASE"), peer: given("PEER_BIN"), haproxy })
    }

    /// sockwarden.
    pub(crate) fn sockwarden(&self) -> &Path {
        &self.sockwarden
    }

    /// Whether there is a HAProxy.
    pub(crate) fn has_haproxy(&self) -> bool {
        self.haproxy
    }
}

fn build() -> anyhow::Result<PathBuf> {
    let us = std::env::current_exe().context("our own path is unknown")?;
    let target = us.parent().context("our own path has no directory")?;
    if std::env::var_os("CARGO").is_some() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let status = Command::new("cargo")
            .args(["build", "--release", "--quiet", "--bin", "sockwarden"])
            .current_dir(root)
            .status()
            .context("cargo cannot be run")?;
        ensure!(status.success(), "sockwarden does not build");
    }
    let path = target.join("sockwarden");
    ensure!(path.exists(), "there is no `{}`; give one in SOCKWARDEN_BIN", path.display());
    Ok(path)
}

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No proxy at all: the clients connect to the fake engine.
    Direct,
    /// sockwarden as it is.
    Sockwarden,
    /// Another build of it.
    Base,
    /// HAProxy.
    Haproxy,
    /// HAProxy that writes a log line for each refusal, as sockwarden does.
    HaproxyLog,
    /// A proxy with the flags of wollomatic/socket-proxy.
    Peer,
}

impl Kind {
    /// What it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Sockwarden => "sockwarden",
            Self::Base => "base",
            Self::Haproxy => "haproxy",
            Self::HaproxyLog => "haproxy, logging",
            Self::Peer => "peer",
        }
    }

    fn is_available(self, builds: &Builds) -> bool {
        match self {
            Self::Direct | Self::Sockwarden => true,
            Self::Base => builds.base.is_some(),
            Self::Haproxy | Self::HaproxyLog => builds.haproxy,
            Self::Peer => builds.peer.is_some(),
        }
    }
}

/// What is allowed: methods and whole paths, in a syntax that Go, PCRE and sockwarden read alike.
#[derive(Debug, Clone)]
pub(crate) struct Rules(pub(crate) Vec<(&'static str, String)>);

impl Default for Rules {
    /// What the programs ask for.
    fn default() -> Self {
        Self(vec![
            (
                "GET",
                "(/v1[.][0-9]+)?/(_ping|version|events|containers/json|containers/[^/]+/export)"
                    .to_owned(),
            ),
            ("POST", "/v1[.][0-9]+/images/load".to_owned()),
        ])
    }
}

/// How a sockwarden or peer is told who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By address alone.
    Off,
    /// By container, so that labels count.
    On,
}

/// A contender that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Who it is.
    pub(crate) kind: Kind,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How long it took from its start to its first answer.
    pub(crate) started_in: Duration,
    child: Option<Child>,
    _directory: tempfile::TempDir,
}

impl Running {
    /// Starts all of `kinds` that there are.
    pub(crate) fn start_all(
        kinds: &[Kind],
        builds: &Builds,
        engine: &FakeEngine,
        rules: &Rules,
    ) -> anyhow::Result<Vec<Self>> {
        kinds
            .iter()
            .filter(|kind| kind.is_available(builds))
            .map(|kind| Self::start(*kind, builds, engine, rules, Identity::Off))
            .collect()
    }

    /// Starts one and waits for its first answer.
    pub(crate) fn start(
        kind: Kind,
        builds: &Builds,
        engine: &FakeEngine,
        rules: &Rules,
        identity: Identity,
    ) -> anyhow::Result<Self> {
        Self::start_with(kind, builds, engine, rules, identity)
            .with_context(|| format!("{} does not start", kind.name()))
    }

    fn start_with(
        kind: Kind,
        builds: &Builds,
        engine: &FakeEngine,
        rules: &Rules,
        identity: Identity,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = match kind {
            Kind::Direct => engine.address(),
            _ => free_address()?,
        };
        let command = match kind {
            Kind::Direct => None,
            Kind::Sockwarden => Some(flags(&builds.sockwarden, address, engine, rules, identity)),
            Kind::Base => {
                let base = builds.base.as_deref().context("SOCKWARDEN_BASE is not set")?;
                Some(flags(base, address, engine, rules, identity))
            }
            Kind::Peer => {
                let peer = builds.peer.as_deref().context("PEER_BIN is not set")?;
                Some(flags(peer, address, engine, rules, identity))
            }
            Kind::Haproxy | Kind::HaproxyLog => {
                let path = directory.path().join("haproxy.cfg");
                let text = haproxy(address, &engine.socket(), rules, kind == Kind::HaproxyLog);
                fs::write(&path, text)?;
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(path);
                Some(command)
            }
        };
        let log = directory.path().join("stderr");
        let began = Instant::now();
        let child = command
            .map(|command| {
                // Whatever ends us ends it too.
                let mut bound = Command::new("setpriv");
                bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program());
                bound
                    .args(command.get_args())
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(File::create(&log)?)
                    .spawn()
                    .with_context(|| format!("{bound:?}"))
            })
            .transpose()?;
        let mut running =
            Self { kind, address, started_in: Duration::ZERO, child, _directory: directory };
        while !answers(address) {
            if let Some(child) = &mut running.child
                && let Some(status) = child.try_wait()?
            {
                bail!("{status}; {}", fs::read_to_string(&log).unwrap_or_default().trim());
            }
            ensure!(began.elapsed() < Duration::from_secs(20), "no answer on {address}");
            std::thread::sleep(Duration::from_micros(500));
        }
        running.started_in = began.elapsed();
        Ok(running)
    }

    /// User and system time of all its threads so far, `/proc/[pid]/task/[tid]/schedstat`: `stat` counts in hundredths of a second, which is
    /// too coarse for a window in which it got a tenth of one. Nothing for no proxy.
    pub(crate) fn cpu(&self) -> Duration {
        let Some(child) = &self.child else { return Duration::ZERO };
        let threads = fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten();
        let nanoseconds = threads.flatten().filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Resident memory in bytes; nothing for no proxy.
    pub(crate) fn memory(&self) -> u64 {
        let Some(child) = &self.child else { return 0 };
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
            .map_or(0, |kibibytes| kibibytes * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut answer = [0; 12];
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *b"HTTP/1.1 200"
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((crate::namespace::PROXY, 0))?.local_addr()?)
}

/// The command line of sockwarden and of those whose flags it has.
fn flags(
    binary: &Path,
    address: SocketAddr,
    engine: &FakeEngine,
    rules: &Rules,
    identity: Identity,
) -> Command {
    let mut command = Command::new(binary);
    command
        .arg(format!("-listenip={}", address.ip()))
        .arg(format!("-proxyport={}", address.port()))
        .arg(format!("-socketpath={}", engine.socket().display()));
    if identity == Identity::On {
        command.arg(format!("-proxycontainername={}", crate::engine::PROXY_NAME));
    } else {
        command.arg("-allowfrom=10.99.0.0/16");
    }
    command.args(rules.0.iter().map(|(method, path)| format!("-allow{method}={path}")));
    // All our clients have one address; limits for each are not what is measured.
    let help = Command::new(binary).arg("--help").output();
    let help = help.map(|help| [help.stdout, help.stderr].concat()).unwrap_or_default();
    for flag in ["-maxconnectionsperclient", "-maxstreamsperclient"] {
        if crate::engine::find(&help, flag.as_bytes()).is_some() {
            command.arg(format!("{flag}=8000"));
        }
    }
    command
}

/// A configuration with the same meaning, in HAProxy's words, and with what makes it fast: threads, and connections to the engine shared by
/// all clients.
fn haproxy(address: SocketAddr, socket: &Path, rules: &Rules, log: bool) -> String {
    let mut text = format!(
        "global\n  nbthread 2\n  maxconn 8000\n{}\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  http-reuse always\n{}\nfrontend clients\n  bind {address}\n",
        if log { "  log stdout format raw local0\n" } else { "" },
        if log { "  log global\n  option httplog\n" } else { "" },
    );
    let mut allowed: Vec<String> = Vec::new();
    for (method, path) in &rules.0 {
        // Lines with one name are alternatives.
        let _ = writeln!(text, "  acl path_{method} path_reg '^({path})$'");
        let condition = format!("{{ method {method} }} path_{method}");
        if !allowed.contains(&condition) {
            allowed.push(condition);
        }
    }
    let allowed = allowed.join(" || ");
    if log {
        let _ = writeln!(text, "  http-request set-log-level silent if {allowed}");
    }
    let _ = write!(
        text,
        "  http-request deny deny_status 403 unless {allowed}\n  default_backend engine\n\nbackend engine\n  server docker unix@{}\n",
        socket.display()
    );
    text
}
