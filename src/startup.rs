//! What is checked before the first client comes, and what is said about what is in force.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::bounds::Bounds;
use crate::clauses::{Defaults, mount_danger, starts_containers};
use crate::config::{AllowFrom, Config, Limits, ListenerAddress, Place};
use crate::engine::{Engine, EngineError};
use crate::request::{Method, Operation};
use crate::rule::HostAccess;
use crate::rule::RuleSet;
use crate::wording::{Named, SettingName};

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
            "the limit of open files allows fewer connections than {}; raise it (`ulimits: nofile` in compose), or lower the option",
            SettingName::MaxConnections
        );
        // Nobody is to blame for a default.
        if asked == Limits::default().connections {
            tracing::info!(connections = most, "{why}");
        } else {
            tracing::warn!(connections = most, "{why}");
        }
    }
    report_rules(&config.rules, &config.bodies, config.own_container.is_some());
    if let Some(warning) = name_taker(config) {
        tracing::warn!("{warning}");
    }
    if config.own_container.is_some() && config.rules.allows_builds() {
        let limits = build_limits(&config.rules);
        tracing::warn!(
            "whoever the default allowlist is for {limits}; builds need `networkmode=none` where the proxy is on the default bridge or on the host's network; only a client with the label `allow.labels=true` is free of that"
        );
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

fn report_rules(rules: &RuleSet, limits: &Defaults, by_labels: bool) {
    // Without labels a warning has said that nothing is allowed.
    if rules.is_empty() && by_labels {
        tracing::info!(
            "the default allowlist is empty: clients without labels may do nothing but ping"
        );
    }
    for method in Method::ALL {
        for rule in rules.of(method) {
            tracing::info!(method = method.as_str(), pattern = rule.path.as_str(), origin = %rule.origin, "allowed by default");
        }
    }
    report_limits(limits);
    for (operation, sentence) in dangers(rules, limits.host_access) {
        tracing::warn!(
            operation = operation.id(),
            "the default allowlist gives {operation}: {sentence}"
        );
    }
    if let Some(operation) = host_owner(rules, limits.host_access) {
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
    let operation = Operation::all().filter(names).find(|it| allows(&config.rules, *it))?;
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

/// What these rules allow and a client does not get, because they allow builds as well, where rights come from labels.
pub fn build_limits(rules: &RuleSet) -> String {
    let starts: Vec<&str> = Operation::all()
        .filter(|operation| starts_containers(*operation) && allows(rules, *operation))
        .map(Operation::id)
        .collect();
    match starts.as_slice() {
        [] => "may build, and so neither make nor start containers".to_owned(),
        starts => format!("may build, and so not use {}", starts.join(", ")),
    }
}

/// The operation through which a client with these rules owns the host, if there is one: what it creates may do anything there.
pub fn host_owner(rules: &RuleSet, host_access: HostAccess) -> Option<Operation> {
    let allowed = |operation: &Operation| is_owning(*operation) && allows(rules, *operation);
    Operation::all().find(allowed).filter(|_| host_access == HostAccess::Allow)
}

/// The operations that create what runs with whatever access to the host its body asks for.
fn is_owning(operation: Operation) -> bool {
    matches!(
        operation.id(),
        "ContainerCreate"
            | "Grpc"
            | "PluginCreate"
            | "PluginPull"
            | "PluginUpgrade"
            | "ServiceCreate"
            | "ServiceUpdate"
            | "Session"
            | "SwarmJoin"
    )
}

/// The operations whose risk `hostaccess=deny` takes away.
fn is_kept_inside(operation: Operation) -> bool {
    is_owning(operation)
        || matches!(
            operation.id(),
            "CheckpointCreate"
                | "CheckpointDelete"
                | "NetworkCreate"
                | "PluginEnable"
                | "PluginSet"
                | "PutContainerArchive"
                | "SwarmInit"
                | "SwarmUpdate"
                | "VolumeCreate"
        )
}

/// The allowed operations that give something away where the host may be reached like this, each with its sentence.
pub fn dangers(rules: &RuleSet, access: HostAccess) -> Vec<(Operation, &'static str)> {
    let mut dangers = risks(rules);
    dangers.retain(|(operation, _)| access == HostAccess::Allow || !is_kept_inside(*operation));
    dangers
}

/// The allowed operations that give something away, each with its sentence.
///
/// Whether a pattern allows an operation is tried on paths of it: with several API versions, and with names and ids of the usual shapes
/// and with the words the patterns themselves hold.
pub fn risks(rules: &RuleSet) -> Vec<(Operation, &'static str)> {
    Operation::all()
        .filter_map(|operation| Some((operation, operation.risk()?)))
        .filter(|(operation, _)| allows(rules, *operation))
        .collect()
}

fn allows(rules: &RuleSet, operation: Operation) -> bool {
    let (Some(method), Some(template)) = (operation.method(), operation.template()) else {
        return false;
    };
    rules.of(method).iter().any(|rule| {
        let pattern = rule.path.as_str();
        names_in(pattern, template)
            .chain(NAMES.iter().copied())
            .flat_map(|name| {
                VERSIONS.iter().map(move |version| format!("{version}{}", fill(template, name)))
            })
            .any(|path| rule.path.is_match(&path))
    })
}

/// The words of a pattern that could be names, and what it holds between the fixed parts of the template.
fn names_in<'a>(pattern: &'a str, template: &str) -> impl Iterator<Item = &'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = pattern.split(move |c| !is_word(c)).filter(|word| !word.is_empty());
    let (prefix, rest) = template.split_once('{').unwrap_or((template, ""));
    let suffix = rest.split_once('}').map_or("", |(_, suffix)| suffix);
    let between = pattern
        .split_once(prefix)
        .and_then(|(_, rest)| rest.split_once(suffix))
        .map(|(name, _)| name);
    words.chain(between)
}

const VERSIONS: &[&str] =
    &["", "/v1.24", "/v1.41", "/v1.43", "/v1.44", "/v1.47", "/v1.51", "/v1.55"];
const NAMES: &[&str] = &[
    "x",
    "my-app_1",
    "3f4e5d6c7b8a",
    "3f4e5d6c7b8a9f0e1d2c3b4a5968778695a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0",
    "42",
    "APP",
    "lib/app:1.0",
];

fn fill(template: &str, name: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str(name);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Loaded;
    use crate::rule::{AnchoredRegex, Origin, Rule};

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

    #[track_caller]
    fn check(method: Method, pattern: &str, want: &[&str]) {
        let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
        let rules =
            RuleSet::from_iter([Rule { origin: Origin::Flag("-allow".to_owned()), method, path }]);
        let ids: Vec<_> = risks(&rules).iter().map(|(operation, _)| operation.id()).collect();
        assert_eq!(ids, want, "{pattern}");
    }

    #[test]
    fn risky_operations_are_found_however_narrow_the_pattern() {
        check(Method::Get, r"/v1\..{1,2}/(version|containers/json|events.*)", &[]);
        check(Method::Post, r"(/v[\d.]+)?/containers/create", &["ContainerCreate"]);
        check(Method::Post, r"/v1\.\d+/containers/watchtower/exec", &["ContainerExec"]);
        check(Method::Post, r"/containers/[a-f0-9]{64}/exec", &["ContainerExec"]);
        check(Method::Post, r"/v1\.43/containers/[^/]+/(start|stop|restart)", &[]);
        check(
            Method::Get,
            r"/v1\..{1,2}/containers/.*",
            &["ContainerAttachWebsocket", "ContainerExport", "ContainerArchive"],
        );
        check(Method::Post, r"/v1\.\d+/images/registry.local/app/push", &["ImagePush"]);
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
    fn who_builds_is_told_what_that_costs() {
        let rules = |pattern: &str| {
            let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
            let origin = Origin::Flag("-allow".to_owned());
            RuleSet::from_iter([Rule { origin, method: Method::Post, path }])
        };
        assert_eq!(
            build_limits(&rules("/(build|containers/(create|x/start))")),
            "may build, and so not use ContainerCreate, ContainerStart"
        );
        assert_eq!(
            build_limits(&rules("/build")),
            "may build, and so neither make nor start containers"
        );
    }

    #[test]
    fn who_may_create_owns_the_host_unless_that_is_denied() {
        let owner = |pattern: &str, access| {
            let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
            let origin = Origin::Flag("-allow".to_owned());
            let rules = RuleSet::from_iter([Rule { origin, method: Method::Post, path }]);
            host_owner(&rules, access).map(Operation::id)
        };
        let create = r"/v1\.\d+/(containers/create|containers/[^/]+/start)";
        assert_eq!(owner(create, HostAccess::Allow), Some("ContainerCreate"));
        assert_eq!(owner(create, HostAccess::Deny), None);
        assert_eq!(owner(r"/v1\.\d+/containers/[^/]+/start", HostAccess::Allow), None);
        assert_eq!(owner(r"/v1\.\d+/services/create", HostAccess::Allow), Some("ServiceCreate"));
    }
}
