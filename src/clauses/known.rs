//! What is known to stay inside a container. Whatever is not in these lists is refused where access to the host is denied.

/// Fields of the `Config` part of a create that concern the container alone, folded.
pub(super) const CONFIG: &[&str] = &[
    "argsescaped",
    "attachstderr",
    "attachstdin",
    "attachstdout",
    "cmd",
    "domainname",
    "entrypoint",
    "exposedports",
    "healthcheck",
    "hostname",
    "image",
    "labels",
    "macaddress",
    "networkdisabled",
    "onbuild",
    "openstdin",
    "shell",
    "stdinonce",
    "stopsignal",
    "stoptimeout",
    "tty",
    "user",
    "volumes",
];

/// Fields of a `HostConfig` that concern the container, its share of the machine, and its ports, folded. `Binds`, `Mounts`,
/// `VolumesFrom` and `VolumeDriver` are judged as mounts.
pub(super) const HOST_CONFIG: &[&str] = &[
    "autoremove",
    "binds",
    "blkiodevicereadbps",
    "blkiodevicereadiops",
    "blkiodevicewritebps",
    "blkiodevicewriteiops",
    "blkioweight",
    "blkioweightdevice",
    "capdrop",
    "consolesize",
    "cpucount",
    "cpupercent",
    "cpuperiod",
    "cpuquota",
    "cpurealtimeperiod",
    "cpurealtimeruntime",
    "cpuset",
    "cpusetcpus",
    "cpusetmems",
    "cpushares",
    "dns",
    "dnsoptions",
    "dnssearch",
    "extrahosts",
    "groupadd",
    "init",
    "iomaximumbandwidth",
    "iomaximumiops",
    "kernelmemory",
    "kernelmemorytcp",
    "memory",
    "memoryreservation",
    "memoryswap",
    "memoryswappiness",
    "mounts",
    "nanocpus",
    "oomkilldisable",
    "oomscoreadj",
    "pidslimit",
    "portbindings",
    "publishallports",
    "readonlyrootfs",
    "restartpolicy",
    "shmsize",
    "storageopt",
    "tmpfs",
    "ulimits",
    "volumedriver",
];

/// Fields of one endpoint that give a container a name or an address, folded.
pub(super) const ENDPOINT: &[&str] = &[
    "aliases",
    "dnsnames",
    "endpointid",
    "gateway",
    "globalipv6address",
    "globalipv6prefixlen",
    "gwpriority",
    "ipaddress",
    "ipamconfig",
    "ipprefixlen",
    "ipv6gateway",
    "macaddress",
    "networkid",
];

/// Fields of an exec that stay inside, folded.
pub(super) const EXEC: &[&str] = &[
    "attachstderr",
    "attachstdin",
    "attachstdout",
    "cmd",
    "consolesize",
    // docker-py repeats the name that is in the path, and engines go by the path.
    "container",
    "detach",
    "detachkeys",
    "tty",
    "user",
];

/// Fields of a service and of its tasks that stay inside, folded.
pub(super) const SERVICE: &[&str] =
    &["endpointspec", "labels", "mode", "name", "rollbackconfig", "updateconfig"];
pub(super) const TASK: &[&str] = &["forceupdate", "placement", "resources", "restartpolicy"];
pub(super) const CONTAINER_SPEC: &[&str] = &[
    "args",
    "capabilitydrop",
    "command",
    "configs",
    "dnsconfig",
    "groups",
    "healthcheck",
    "hostname",
    "hosts",
    "image",
    "init",
    "labels",
    "mounts",
    "oomscoreadj",
    "openstdin",
    "readonly",
    "secrets",
    "stopgraceperiod",
    "stopsignal",
    "tty",
    "ulimits",
    "user",
];

/// Fields and options of a network that stay on it, folded.
pub(super) const NETWORK: &[&str] = &[
    "attachable",
    "checkduplicate",
    "configonly",
    "enableipv4",
    "enableipv6",
    "internal",
    "ipam",
    "labels",
    "name",
];
pub(super) const NETWORK_OPTIONS: &[&str] = &[
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.container_iface_prefix",
    "com.docker.network.driver.mtu",
    "com.docker.network.enable_ipv4",
    "com.docker.network.enable_ipv6",
    "encrypted",
];
/// How packets get into a network. `nat` is what engines do anyway, and `isolated` leaves the host out; `routed` and `nat-unprotected` open it.
pub(super) const GATEWAY_MODES: &[&str] =
    &["com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6"];

/// Where a network of containers may have its addresses: RFC 1918, 6598 (shared) and 4193, and RFC 3849, which examples use.
pub(super) const PRIVATE_ADDRESSES: &[&str] = &[
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "2001:db8::/32",
];

/// The capabilities that every container has anyway (moby `oci/caps/defaults.go`).
pub(super) const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What engines hide and protect in `/proc` and `/sys` (moby `oci/defaults.go`). A list that is given replaces theirs, so it must hold all of
/// it. This is the list of 20.10, and [`hidden_since`] what newer ones hide besides.
pub(super) const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];

/// What an engine of this version hides besides, as far as its version says. Programs that create a container anew send back the list of their
/// engine, so an older one need not hide what only newer ones do.
pub(super) fn hidden_since(version: &str) -> &'static [&'static str] {
    const LATER: &[&str] = &["/sys/devices/virtual/powercap", "/proc/interrupts"];
    let mut numbers =
        version.split(['.', '+', '-', '~']).map(|number| number.parse::<u16>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let version = (next(), next(), next());
    match version {
        // GHSA-6fw5-f8r9-fgfm
        (28.., _, _) => LATER,
        // GHSA-jq35-85cj-fj4p
        (25..=27, _, _) | (24, 0, 7..) | (23, 0, 8..) | (20, 10, 27..) => LATER.split_at(1).0,
        _ => &[],
    }
}

pub(super) const READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Log drivers that write below the engine's own directory or to the host's journal, and options that only say how.
pub(super) const LOG_DRIVERS: &[&str] = &["", "journald", "json-file", "local", "none"];
pub(super) const LOG_OPTIONS: &[&str] = &[
    "cache-compress",
    "cache-disabled",
    "cache-max-file",
    "cache-max-size",
    "compress",
    "env",
    "env-regex",
    "labels",
    "labels-regex",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "tag",
];
