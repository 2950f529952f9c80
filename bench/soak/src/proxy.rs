//! The program under test, as a process, and what it holds.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::rules::FLAGS;

/// The program: killed when dropped.
pub(crate) struct Proxy {
    binary: std::path::PathBuf,
    child: Child,
}

/// What the process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    pub(crate) descriptors: usize,
    pub(crate) tasks: u64,
    pub(crate) connections: u64,
    pub(crate) resident_kib: u64,
    pub(crate) panics: u64,
}

impl Proxy {
    /// Starts it in front of this socket; its log goes to a file, and the trace of its system calls, if one is wanted, to another.
    pub(crate) fn start(
        binary: &Path,
        trace: Option<&Path>,
        engine: &Path,
        address: SocketAddr,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = match trace {
            Some(trace) => {
                // The program stays our child: strace is the grandchild.
                let mut command = Command::new("strace");
                command.args(["-D", "-f", "-qq", "-o"]).arg(trace).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        let child = command
            .args(FLAGS)
            .arg(format!("-socketpath={}", engine.display()))
            .arg(format!("-listenip={}", address.ip()))
            .arg(format!("-proxyport={}", address.port()))
            .arg("-allowfrom=127.0.0.0/8")
            .arg("-proxycontainername=proxy")
            .arg("-headtimeout=2")
            .arg(format!("-maxconnectionsperclient={}", crate::CONNECTIONS_PER_CLIENT))
            .arg("-loglevel=ERROR")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(log).context("the log cannot be written")?)
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        Ok(Self { binary: binary.to_path_buf(), child })
    }

    /// Waits until somebody can connect.
    pub(crate) async fn until_ready(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("nobody can connect to {address}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What it holds, as it says itself and as the kernel says.
    pub(crate) fn footprint(&mut self) -> anyhow::Result<Footprint> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the proxy ended with {status}");
        }
        let pid = self.child.id();
        let told =
            Command::new(&self.binary).args(["healthcheck", "-pid", &pid.to_string()]).output()?;
        let told: serde_json::Value =
            serde_json::from_slice(&told.stdout).context("the proxy did not tell its usage")?;
        let number =
            |name: &str| told["usage"][name].as_u64().with_context(|| format!("{name} in {told}"));
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.map(|line| line.trim_end_matches("kB").trim()).unwrap_or_default();
        Ok(Footprint {
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            tasks: number("tasks")?,
            connections: number("connections")?,
            resident_kib: resident.parse().context("VmRSS")?,
            panics: number("panics")?,
        })
    }

    /// Asks it to stop and says how it ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<String> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.to_string());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it does not stop")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
