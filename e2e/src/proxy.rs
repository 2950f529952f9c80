//! sockwarden as its users run it: a process, started with flags.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Process;
use crate::wait;

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS"];

/// A running sockwarden, killed when dropped; a failing test shows its log.
#[derive(Debug)]
pub struct Sockwarden {
    process: Process,
    address: SocketAddr,
}

impl Sockwarden {
    /// One that admits this host and allows everything.
    #[track_caller]
    pub fn allow_all(engine_socket: &Path) -> Self {
        Self::allow_all_but(engine_socket, &[])
    }

    /// One that admits this host and allows every method and path; these flags may put other limits.
    #[track_caller]
    pub fn allow_all_but(engine_socket: &Path, limits: &[String]) -> Self {
        let mut flags = METHODS.map(|method| format!("-allow{method}=.*")).to_vec();
        flags.extend_from_slice(limits);
        Self::start(engine_socket, &flags)
    }

    /// One that admits this host and allows these paths of each method, or none; these flags may put other limits.
    #[track_caller]
    pub fn allow(
        engine_socket: &Path,
        paths: impl Fn(&str) -> Option<&'static str>,
        limits: &[String],
    ) -> Self {
        let allow = |method| Some(format!("-allow{method}={}", paths(method)?));
        let mut flags: Vec<String> = METHODS.into_iter().filter_map(allow).collect();
        flags.extend_from_slice(limits);
        Self::start(engine_socket, &flags)
    }

    /// One with these flags for what is allowed.
    ///
    /// # Panics
    /// When it does not accept connections.
    #[track_caller]
    pub fn start(engine_socket: &Path, flags: &[String]) -> Self {
        let mut last = String::new();
        // The port is free when we look, and may be taken when the proxy binds it.
        for _ in 0..5 {
            let address = free_address();
            let mut process = Process::start(command(engine_socket, address, flags));
            process.close_stdin();
            let ready = wait::until("sockwarden accepts connections", || match process.ended() {
                Some(code) => Some(Err(code)),
                None => TcpStream::connect(address).ok().map(Ok),
            });
            match ready {
                Ok(_) => return Self { process, address },
                Err(code) => last = format!("exit code {code}; {}", log_of(&process)),
            }
        }
        panic!("sockwarden does not start: {last}");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        log_of(&self.process)
    }

    /// Waits for text in its log.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        self.process.expect_output(text);
    }

    /// Asks it to stop with SIGTERM and waits for its exit code.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        self.process.signal(rustix::process::Signal::TERM);
        wait::until("sockwarden's exit", || self.process.ended())
    }
}

impl Drop for Sockwarden {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            // An allowlist of everything has a page of warnings, all known.
            let lines = log.lines().filter(|line| !line.contains("the default allowlist gives"));
            eprintln!("--- sockwarden's log ---\n{}", lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The command that starts the binary under test.
pub fn command(engine_socket: &Path, address: SocketAddr, flags: &[String]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SP_")) {
        command.env_remove(name);
    }
    command
        .arg(format!("-socketpath={}", engine_socket.display()))
        .arg(format!("-listenip={}", address.ip()))
        .arg(format!("-proxyport={}", address.port()))
        .args(["-allowfrom=127.0.0.1", "-loglevel=debug", "-shutdowngracetime=5"])
        .args(flags);
    command
}

/// An address on this host that nobody listens on right now.
///
/// # Panics
/// When there is none.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// The binary under test: `SOCKWARDEN_BIN`, or built in the profile of this test.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = env::var_os("SOCKWARDEN_BIN") {
            return binary.into();
        }
        // target/<profile>/deps/<this test>
        let this = env::current_exe().expect("we know who we are");
        let profile = this.ancestors().nth(2).expect("tests run in target/<profile>/deps");
        let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build
            .args(["build", "--quiet", "--package", "sockwarden", "--bin", "sockwarden"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "sockwarden does not build");
        profile.join("sockwarden")
    })
}

fn log_of(process: &Process) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&process.output_so_far()),
        String::from_utf8_lossy(&process.errors_so_far())
    )
}
