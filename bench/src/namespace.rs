//! A network of our own: containers are told apart by their address, so a client needs one that is no loopback address. The whole run
//! moves into a network namespace, which the kernel takes away with the last process in it.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};

/// Where the proxies listen.
pub(crate) const PROXY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Where the clients come from: the address of the fake engine's container `client`.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

const MARK: &str = "SOCKWARDEN_BENCH_NAMESPACE";

/// Runs this program once more inside a namespace, and gives its exit code; `None` once inside.
pub(crate) fn enter() -> anyhow::Result<Option<ExitCode>> {
    if std::env::var_os(MARK).is_some() {
        prepare()?;
        return Ok(None);
    }
    let mut unshare = Command::new("unshare");
    // Without root a user namespace gives us the right to make a network namespace.
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let us = std::env::current_exe().context("our own path is unknown")?;
    let status = unshare
        .args(["--net", "--"])
        .arg(us)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .stdin(Stdio::null())
        .status()
        .context(
            "`unshare` (util-linux) cannot be run; it makes the network that is measured on",
        )?;
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn prepare() -> anyhow::Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    for address in [PROXY, CLIENT] {
        ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
    }
    // Whoever connects to the proxies' address comes from the client's, without binding each socket.
    let (proxy, client) = (PROXY.to_string(), CLIENT.to_string());
    ip(&["route", "replace", "local", &proxy, "dev", "lo", "table", "local", "src", &client])?;
    // A new connection per request uses up ports faster than they are given back.
    fs::write("/proc/sys/net/ipv4/tcp_tw_reuse", "1").context("tcp_tw_reuse cannot be set")?;
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1100 65000")
        .context("ip_local_port_range cannot be set")
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip")
        .args(arguments)
        .status()
        .context("`ip` (iproute2) cannot be run; it sets up the network that is measured on")?;
    ensure!(status.success(), "`ip {}` failed", arguments.join(" "));
    Ok(())
}
