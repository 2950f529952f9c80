//! What is checked before the first client comes, and what is said about what is in force.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use ipnet::IpNet;

use crate::admission::AllowFrom;
use crate::bounds::{Bounds, Limits};
use crate::clauses::{Defaults, mount_danger};
use crate::config::{Config, Place};
use crate::engine::{Engine, EngineError};
use crate::listen::ListenerAddress;
use crate::request::{Method, Operation};
use crate::risks::{dangers, gives, host_owner, risk};
use crate::rule::{Allowlist, HostAccess};
use crate::setting::{Named, SettingName};

const SOCKET_PATH: SettingName = SettingName::SocketPath;
const DENY_HOST: Named<'_> = SettingName::HostAccess.set_to("deny");

/// Whether this process runs in a container, by what container engines leave in its root directory.
pub fn place(root: &Path) -> Place {
    let is_there = |file: &str| root.join(file).exists();
    let cgroup = || fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let is_of_engine = |cgroup: String| {
        let mut lines = cgroup.lines();
        lines.any(|line| {
            ["/docker/", "/docker-", "libpod", "kubepods", "cri-containerd", "/lxc/"]
                .iter()
                .any(|name| line.contains(name))
        })
    };
    // Docker leaves the first file, Podman the second, and old cgroups have the path on the host.
    if is_there(".dockerenv") || is_there("run/.containerenv") || is_of_engine(cgroup()) {
        Place::Container
    } else {
        Place::Elsewhere
    }
}

/// The networks that this process is attached to, without loopback, as proc(5) has them below this root.
pub fn attached_networks(root: &Path) -> Vec<AllowFrom> {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let (routes, addresses) = (read("proc/net/route"), read("proc/net/if_inet6"));
    let nets = routes.lines().filter_map(route).chain(addresses.lines().filter_map(address));
    nets.map(AllowFrom::Net).collect()
}

/// A line of `/proc/net/route`: a network that is reached without a gateway. Numbers are in the order of the machine's bytes.
fn route(line: &str) -> Option<IpNet> {
    let mut columns = line.split_whitespace();
    let interface = columns.next()?;
    let mut number = || u32::from_str_radix(columns.next()?, 16).ok();
    let (destination, gateway) = (number()?, number()?);
    let mask = columns.nth(4)?;
    let mask = u32::from_str_radix(mask, 16).ok()?;
    let is_network = gateway == 0 && destination != 0 && mask != 0 && interface != "lo";
    let address = IpAddr::from(destination.to_ne_bytes());
    let length = u8::try_from(u32::from_be_bytes(mask.to_ne_bytes()).leading_ones()).ok()?;
    IpNet::new(address, length).ok().filter(|_| is_network)
}

/// A line of `/proc/net/if_inet6`: an address, with the length of its network and its scope.
fn address(line: &str) -> Option<IpNet> {
    const GLOBAL: &str = "00";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [address, _, length, GLOBAL, _, interface] = columns.as_slice() else { return None };
    let address = u128::from_str_radix(address, 16).ok()?;
    let length = u8::from_str_radix(length, 16).ok()?;
    let net = IpNet::new(IpAddr::from(address.to_be_bytes()), length).ok()?.trunc();
    Some(net).filter(|_| *interface != "lo")
}

/// Tries the engine's socket.
///
/// # Errors
/// When we cannot connect: the reason, with what to change.
pub async fn check_engine_socket(engine: &Engine) -> Result<(), String> {
    let Err(error) = engine.connect().await else { return Ok(()) };
    Err(match error {
        EngineError::Unreachable { socket, source } => explain(&socket, &source),
        other => other.to_string(),
    })
}

fn explain(socket: &Path, error: &io::Error) -> String {
    let shown = socket.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!(
                "the engine's socket `{shown}` does not exist; mount it into the container (`volumes: [\"/var/run/docker.sock:{shown}:ro\"]`) or name another with {SOCKET_PATH}"
            )
        }
        io::ErrorKind::PermissionDenied => permission(socket),
        io::ErrorKind::ConnectionRefused => match fs::metadata(socket) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                format!(
                    "`{shown}` is not a socket (a directory appears there when the engine's socket was missing at mount time); mount the engine's socket or name another with {SOCKET_PATH}"
                )
            }
            _ => format!(
                "nobody listens on the engine's socket `{shown}`; start the engine, and if it was restarted, mount the directory of the socket instead of the file"
            ),
        },
        _ => format!("the engine's socket `{shown}` cannot be used: {error}; check {SOCKET_PATH}"),
    }
}

/// A permission error with everything that is needed to mend it.
fn permission(socket: &Path) -> String {
    let shown = socket.display();
    let us = Credentials::ours();
    let Ok(metadata) = fs::metadata(socket) else {
        return format!(
            "permission denied on the way to the engine's socket `{shown}`: we run as {us}; make its directory searchable for us"
        );
    };
    let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    let cure = if mode & 0o060 == 0o060 {
        format!(
            "give us its group: `group_add: [\"{group}\"]` in compose, or `docker run --group-add {group}`"
        )
    } else {
        format!(
            "make it readable and writable for its group (`chmod g+rw`), and give us that group: `group_add: [\"{group}\"]`"
        )
    };
    format!(
        "permission denied on the engine's socket `{shown}`: it belongs to uid {owner}, gid {group}, mode {mode:04o}; we run as {us}; {cure}"
    )
}

/// Our own ids, as proc(5) has them in `/proc/self/status`.
struct Credentials {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Credentials {
    fn ours() -> Self {
        let groups = rustix::process::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(rustix::process::Gid::as_raw)
            .collect();
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups,
        }
    }
}

impl std::fmt::Display for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {}, gid {}", self.uid, self.gid)?;
        match self.groups.as_slice() {
            [] => f.write_str(" and no other groups"),
            groups => write!(
                f,
                " and groups {}",
                groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

/// Says what is in force: version, engine, listener, clients, the allowlist, and what it gives away.
pub async fn report(config: &Config, engine: &Engine, bounds: &Bounds, address: &str) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listener = address, socket = %engine.socket().display(), "sockwarden is ready");
    let clients: Vec<String> = match config.listener {
        ListenerAddress::Tcp(_) => config.allow_from.iter().map(ToString::to_string).collect(),
        ListenerAddress::Unix { mode, .. } => {
            vec![format!("whoever may open the socket (mode {mode:04o})")]
        }
    };
    tracing::info!(clients = clients.join(", "), "clients admitted to the default allowlist");
    let (most, asked) = (bounds.limits().connections, config.limits.connections);
    if most < asked {
        let why = format!(
            "the limit of open files allows fewer connections than {}; raise it (`ulimits: nofile` in compose), or lower it",
            SettingName::MaxConnections
        );
        // Nobody is to blame for a default.
        if asked == Limits::default().connections {
            tracing::info!(connections = most, "{why}");
        } else {
            tracing::warn!(connections = most, "{why}");
        }
    }
    let list = config.default_list();
    report_rules(&list, &config.bodies, config.own_container.is_some());
    if let Some(warning) = name_taker(config) {
        tracing::warn!("{warning}");
    }
    match engine.version().await {
        Ok(version) => {
            tracing::info!(
                version = version.version,
                api = version.api_version,
                min_api = version.min_api_version,
                "engine answers"
            );
            if config.bodies.host_access == HostAccess::Deny && !version.is_docker() {
                tracing::warn!(
                    "this engine is not Docker's, so it does not show whether a container stays inside: {DENY_HOST} refuses every exec and attach"
                );
            }
        }
        // Something else than an engine may sit behind the socket, and that is allowed.
        Err(error) => tracing::warn!(error = %error, "the engine did not tell its version"),
    }
}

fn report_rules(list: &Allowlist, limits: &Defaults, by_labels: bool) {
    // Without labels a warning has said that nothing is allowed.
    if list.is_empty() && by_labels {
        tracing::info!(
            "the default allowlist is empty: clients without labels may do nothing but ping"
        );
    }
    for word in list.words.iter() {
        tracing::info!(word = word.text, origin = %word.origin, "allowed by default");
    }
    for method in Method::ALL {
        for rule in list.rules.of(method) {
            tracing::info!(method = method.as_str(), pattern = rule.path.as_str(), origin = %rule.origin, "allowed by default");
        }
    }
    report_limits(limits);
    if !list.is_empty() {
        tracing::info!(risk = %risk(list, limits.host_access), "what the default allowlist gives away");
    }
    for (operation, sentence) in dangers(list, limits.host_access) {
        tracing::warn!(
            operation = operation.id(),
            "the default allowlist gives {operation}: {sentence}"
        );
    }
    if let Some(operation) = host_owner(list, limits.host_access) {
        tracing::warn!(
            operation = operation.id(),
            "whoever the default allowlist is for may use {operation}, and so owns the host; {} ends that",
            DENY_HOST.or_variable()
        );
    }
}

/// A client that may give names to containers can take one that `-allowfrom` admits. Refusing that would break programs that create
/// containers anew, so it is refused only where somebody asked for such limits.
fn name_taker(config: &Config) -> Option<String> {
    let is_guarded =
        config.own_container.is_some() || config.bodies.host_access == HostAccess::Deny;
    if is_guarded || matches!(config.listener, ListenerAddress::Unix { .. }) {
        return None;
    }
    let name = config.allow_from.iter().find_map(AllowFrom::host)?;
    let names = |operation: &Operation| {
        matches!(
            operation.id(),
            "ContainerCreate" | "ContainerRename" | "NetworkConnect" | "ServiceCreate"
        )
    };
    let list = config.default_list();
    let operation = Operation::all().filter(names).find(|it| gives(&list, *it))?;
    Some(format!(
        "{} lists the name `{name}`, and a client that may use {operation} can give that name to another container, which is then let in; {} refuses that, and so do per-container allowlists ({})",
        SettingName::AllowFrom,
        DENY_HOST.or_variable(),
        SettingName::ProxyContainerName.set_to("auto")
    ))
}

fn report_limits(limits: &Defaults) {
    let mounts = match &limits.bind_mount_from {
        _ if limits.deny_host_mounts => "refused".to_owned(),
        Some(directories) => directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
        None if limits.host_access == HostAccess::Deny => "refused".to_owned(),
        None => "not limited".to_owned(),
    };
    let allowed = |denied: bool| if denied { "refused" } else { "allowed" };
    tracing::info!(
        host_mounts = mounts,
        network_volumes = allowed(limits.deny_network_volumes),
        host_access = allowed(limits.host_access == HostAccess::Deny),
        "what bodies may ask for by default"
    );
    for directory in limits.bind_mount_from.iter().flatten() {
        if let Some(danger) = mount_danger(directory) {
            tracing::warn!(directory = %directory.display(), "{} lists a directory that {danger}", SettingName::AllowBindMountFrom);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn a_container_is_known_by_what_its_engine_left() {
        let check = |file: &str, text: &str, want: Place| {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            assert_eq!(place(root.path()), want, "{file} {text}");
        };
        check(".dockerenv", "", Place::Container);
        check("run/.containerenv", "", Place::Container);
        check("proc/self/cgroup", "5:memory:/docker/0123\n0::/\n", Place::Container);
        check("proc/self/cgroup", "0::/system.slice/docker-0123.scope\n", Place::Container);
        check("proc/self/cgroup", "0::/kubepods/besteffort/pod1/2\n", Place::Container);
        check("proc/self/cgroup", "0::/user.slice/user-1000.slice\n", Place::Elsewhere);
        check("proc/self/cgroup", "0::/\n", Place::Elsewhere);
        check("etc/hostname", "x", Place::Elsewhere);
    }

    #[test]
    fn a_name_that_can_be_taken_is_warned_of() {
        let taker = |flags: &[&str]| {
            let words = flags.iter().map(|flag| (*flag).to_owned().into()).collect::<Vec<_>>();
            let Ok(Loaded::Serve(config)) = Config::load(words, []) else { panic!("{flags:?}") };
            name_taker(&config)
        };
        let rename = "-allowPOST=/containers/[^/]+/rename";
        let warning = taker(&["-allowfrom=10.0.0.1,traefik", rename]).unwrap();
        assert!(warning.contains("`traefik`") && warning.contains("-hostaccess=deny"), "{warning}");
        assert!(taker(&["-allowfrom=traefik", "-allowPOST=.*/services/create"]).is_some());
        for quiet in [
            &["-allowfrom=10.0.0.1", rename] as &[_],
            &["-allowfrom=traefik", "-allowGET=.*"],
            &["-allowfrom=traefik", rename, "-hostaccess=deny"],
            &["-allowfrom=traefik", rename, "-proxycontainername=auto"],
            &["-allowfrom=traefik", rename, "-proxysocketendpoint=/run/p.sock"],
        ] {
            assert_eq!(taker(quiet), None, "{quiet:?}");
        }
    }

    #[test]
    fn the_networks_are_those_without_a_gateway() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("proc/net");
        fs::create_dir_all(&net).unwrap();
        let number = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let row = |interface: &str, destination, gateway, mask| {
            format!(
                "{interface}\t{}\t{}\t0003\t0\t0\t0\t{}\t0\t0\t0\n",
                number(destination),
                number(gateway),
                number(mask)
            )
        };
        let routes =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                .to_owned()
                + &row("eth0", [0; 4], [172, 18, 0, 1], [0; 4])
                + &row("eth0", [172, 18, 0, 0], [0; 4], [255, 255, 0, 0])
                + &row("lo", [127, 0, 0, 0], [0; 4], [255, 0, 0, 0]);
        fs::write(net.join("route"), routes).unwrap();
        let addresses = "fd00000000000000000000000000000a 02 40 00 80     eth0\nfe80000000000000000000000000000a 02 40 20 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n";
        fs::write(net.join("if_inet6"), addresses).unwrap();
        let shown: Vec<String> =
            attached_networks(root.path()).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["172.18.0.0/16", "fd00::/64"]);
        assert!(attached_networks(&root.path().join("none")).is_empty());
    }
}
