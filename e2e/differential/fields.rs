//! The fields that a body may have, with the types the engine decodes them into. `oracle.go` says the same to Go; where the two disagree the
//! first documents show it.

use Kind::{Bool, Empty, Entries, Fields, Int, List, Pair, Pointer, Text, Unsigned, Words};

/// What the engine decodes a value into.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `bool`.
    Bool,
    /// `int64`.
    Int,
    /// An unsigned integer of so many bits.
    Unsigned(u32),
    /// `string`.
    Text,
    /// A list of strings that may also come as one string.
    Words,
    /// `[2]uint`.
    Pair,
    /// `struct{}`.
    Empty,
    /// A slice.
    List(&'static Self),
    /// A map from strings.
    Entries(&'static Self),
    /// A pointer, which tells nothing from a zero.
    Pointer(&'static Self),
    /// A struct.
    Fields(&'static Members),
}

/// The fields of a struct, the embedded ones included.
pub(crate) type Members = [&'static [(&'static str, Kind)]];

const TEXTS: Kind = List(&Text);
const TEXT_BY_KEY: Kind = Entries(&Text);
const MARKS: Kind = Entries(&Empty);

/// What a field of this name is; that of `HostConfig` as well as that of the level above it.
pub(crate) fn kind_of(members: &Members, name: &str) -> Option<&'static Kind> {
    members.iter().copied().flatten().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}

/// What a document is the body of.
#[derive(Debug)]
pub(crate) struct Body {
    /// Its letter to the oracle.
    pub(crate) letter: u8,
    /// Its fields.
    pub(crate) members: &'static Members,
}

pub(crate) const CREATE: Body =
    Body { letter: b'c', members: &[CONFIG, CREATE_ONLY, HOST_CONFIG, RESOURCES] };

/// Every body, creates first.
pub(crate) const BODIES: [Body; 7] = [
    CREATE,
    Body { letter: b'u', members: &[RESOURCES, &[("RestartPolicy", Fields(RESTART_POLICY))]] },
    Body { letter: b'x', members: &[EXEC] },
    Body { letter: b'v', members: &[VOLUME] },
    Body { letter: b'n', members: &[NETWORK_CONNECT] },
    Body { letter: b'w', members: &[NETWORK_CREATE] },
    Body { letter: b's', members: &[SERVICE] },
];

const CREATE_ONLY: &[(&str, Kind)] = &[
    ("HostConfig", Pointer(&Fields(&[HOST_CONFIG, RESOURCES]))),
    ("Cpuset", Text),
    ("NetworkingConfig", Pointer(&Fields(&[&[("EndpointsConfig", Entries(&ENDPOINT))]]))),
];

const CONFIG: &[(&str, Kind)] = &[
    ("Hostname", Text),
    ("Domainname", Text),
    ("User", Text),
    ("AttachStdin", Bool),
    ("AttachStdout", Bool),
    ("AttachStderr", Bool),
    ("ExposedPorts", MARKS),
    ("Tty", Bool),
    ("OpenStdin", Bool),
    ("StdinOnce", Bool),
    ("Env", TEXTS),
    ("Cmd", Words),
    ("Healthcheck", HEALTHCHECK),
    ("ArgsEscaped", Bool),
    ("Image", Text),
    ("Volumes", MARKS),
    ("WorkingDir", Text),
    ("Entrypoint", Words),
    ("NetworkDisabled", Bool),
    ("MacAddress", Text),
    ("OnBuild", TEXTS),
    ("Labels", TEXT_BY_KEY),
    ("StopSignal", Text),
    ("StopTimeout", Pointer(&Int)),
    ("Shell", Words),
];

const HEALTHCHECK: Kind = Pointer(&Fields(&[&[
    ("Test", TEXTS),
    ("Interval", Int),
    ("Timeout", Int),
    ("StartPeriod", Int),
    ("StartInterval", Int),
    ("Retries", Int),
]]));

const HOST_CONFIG: &[(&str, Kind)] = &[
    ("Binds", TEXTS),
    ("ContainerIDFile", Text),
    ("LogConfig", Fields(&[&[("Type", Text), ("Config", TEXT_BY_KEY)]])),
    ("NetworkMode", Text),
    ("PortBindings", Entries(&List(&Fields(&[&[("HostIp", Text), ("HostPort", Text)]])))),
    ("RestartPolicy", Fields(RESTART_POLICY)),
    ("AutoRemove", Bool),
    ("VolumeDriver", Text),
    ("VolumesFrom", TEXTS),
    ("ConsoleSize", Pair),
    ("Annotations", TEXT_BY_KEY),
    ("CapAdd", Words),
    ("CapDrop", Words),
    ("CgroupnsMode", Text),
    ("Dns", TEXTS),
    ("DnsOptions", TEXTS),
    ("DnsSearch", TEXTS),
    ("ExtraHosts", TEXTS),
    ("GroupAdd", TEXTS),
    ("IpcMode", Text),
    ("Cgroup", Text),
    ("Links", TEXTS),
    ("OomScoreAdj", Int),
    ("PidMode", Text),
    ("Privileged", Bool),
    ("PublishAllPorts", Bool),
    ("ReadonlyRootfs", Bool),
    ("SecurityOpt", TEXTS),
    ("StorageOpt", TEXT_BY_KEY),
    ("Tmpfs", TEXT_BY_KEY),
    ("UTSMode", Text),
    ("UsernsMode", Text),
    ("ShmSize", Int),
    ("Sysctls", TEXT_BY_KEY),
    ("Runtime", Text),
    ("Isolation", Text),
    ("Mounts", List(&MOUNT)),
    ("MaskedPaths", TEXTS),
    ("ReadonlyPaths", TEXTS),
    ("Init", Pointer(&Bool)),
];

const RESTART_POLICY: &Members = &[&[("Name", Text), ("MaximumRetryCount", Int)]];

const RESOURCES: &[(&str, Kind)] = &[
    ("CpuShares", Int),
    ("Memory", Int),
    ("NanoCpus", Int),
    ("CgroupParent", Text),
    ("BlkioWeight", Unsigned(16)),
    ("BlkioWeightDevice", List(&Pointer(&Fields(&[&[("Path", Text), ("Weight", Unsigned(16))]])))),
    ("BlkioDeviceReadBps", THROTTLES),
    ("BlkioDeviceWriteBps", THROTTLES),
    ("BlkioDeviceReadIOps", THROTTLES),
    ("BlkioDeviceWriteIOps", THROTTLES),
    ("CpuPeriod", Int),
    ("CpuQuota", Int),
    ("CpuRealtimePeriod", Int),
    ("CpuRealtimeRuntime", Int),
    ("CpusetCpus", Text),
    ("CpusetMems", Text),
    (
        "Devices",
        List(&Fields(&[&[
            ("PathOnHost", Text),
            ("PathInContainer", Text),
            ("CgroupPermissions", Text),
        ]])),
    ),
    ("DeviceCgroupRules", TEXTS),
    (
        "DeviceRequests",
        List(&Fields(&[&[
            ("Driver", Text),
            ("Count", Int),
            ("DeviceIDs", TEXTS),
            ("Capabilities", List(&TEXTS)),
            ("Options", TEXT_BY_KEY),
        ]])),
    ),
    ("KernelMemory", Int),
    ("KernelMemoryTCP", Int),
    ("MemoryReservation", Int),
    ("MemorySwap", Int),
    ("MemorySwappiness", Pointer(&Int)),
    ("OomKillDisable", Pointer(&Bool)),
    ("PidsLimit", Pointer(&Int)),
    ("Ulimits", ULIMITS),
    ("CpuCount", Int),
    ("CpuPercent", Int),
    ("IOMaximumIOps", Unsigned(64)),
    ("IOMaximumBandwidth", Unsigned(64)),
];

const THROTTLES: Kind = List(&Pointer(&Fields(&[&[("Path", Text), ("Rate", Unsigned(64))]])));
const ULIMITS: Kind = List(&Pointer(&Fields(&[&[("Name", Text), ("Hard", Int), ("Soft", Int)]])));

const MOUNT: Kind = Fields(&[&[
    ("Type", Text),
    ("Source", Text),
    ("Target", Text),
    ("ReadOnly", Bool),
    ("Consistency", Text),
    (
        "BindOptions",
        Pointer(&Fields(&[&[
            ("Propagation", Text),
            ("NonRecursive", Bool),
            ("CreateMountpoint", Bool),
            ("ReadOnlyNonRecursive", Bool),
            ("ReadOnlyForceRecursive", Bool),
        ]])),
    ),
    (
        "VolumeOptions",
        Pointer(&Fields(&[&[
            ("NoCopy", Bool),
            ("Labels", TEXT_BY_KEY),
            ("Subpath", Text),
            ("DriverConfig", DRIVER),
        ]])),
    ),
    ("ImageOptions", Pointer(&Fields(&[&[("Subpath", Text)]]))),
    (
        "TmpfsOptions",
        Pointer(&Fields(&[&[
            ("SizeBytes", Int),
            ("Mode", Unsigned(32)),
            ("Options", List(&TEXTS)),
        ]])),
    ),
    ("ClusterOptions", Pointer(&Empty)),
]]);

const DRIVER: Kind = Pointer(&Fields(&[&[("Name", Text), ("Options", TEXT_BY_KEY)]]));

const ENDPOINT: Kind = Pointer(&Fields(&[&[
    (
        "IPAMConfig",
        Pointer(&Fields(&[&[
            ("IPv4Address", Text),
            ("IPv6Address", Text),
            ("LinkLocalIPs", TEXTS),
        ]])),
    ),
    ("Links", TEXTS),
    ("Aliases", TEXTS),
    ("MacAddress", Text),
    ("DriverOpts", TEXT_BY_KEY),
    ("GwPriority", Int),
    ("NetworkID", Text),
    ("EndpointID", Text),
    ("Gateway", Text),
    ("IPAddress", Text),
    ("IPPrefixLen", Int),
    ("IPv6Gateway", Text),
    ("GlobalIPv6Address", Text),
    ("GlobalIPv6PrefixLen", Int),
    ("DNSNames", TEXTS),
]]));

const EXEC: &[(&str, Kind)] = &[
    ("User", Text),
    ("Privileged", Bool),
    ("Tty", Bool),
    ("ConsoleSize", Pointer(&Pair)),
    ("AttachStdin", Bool),
    ("AttachStderr", Bool),
    ("AttachStdout", Bool),
    ("Detach", Bool),
    ("DetachKeys", Text),
    ("Env", TEXTS),
    ("WorkingDir", Text),
    ("Cmd", TEXTS),
];

const VOLUME: &[(&str, Kind)] = &[
    (
        "ClusterVolumeSpec",
        Pointer(&Fields(&[&[
            ("Group", Text),
            (
                "AccessibilityRequirements",
                Pointer(&Fields(&[&[("Requisite", TOPOLOGIES), ("Preferred", TOPOLOGIES)]])),
            ),
            ("Availability", Text),
        ]])),
    ),
    ("Driver", Text),
    ("DriverOpts", TEXT_BY_KEY),
    ("Labels", TEXT_BY_KEY),
    ("Name", Text),
];

const TOPOLOGIES: Kind = List(&Fields(&[&[("Segments", TEXT_BY_KEY)]]));

const NETWORK_CONNECT: &[(&str, Kind)] = &[("Container", Text), ("EndpointConfig", ENDPOINT)];

const NETWORK_CREATE: &[(&str, Kind)] = &[
    ("Name", Text),
    ("CheckDuplicate", Bool),
    ("Driver", Text),
    ("Scope", Text),
    ("EnableIPv4", Pointer(&Bool)),
    ("EnableIPv6", Pointer(&Bool)),
    (
        "IPAM",
        Pointer(&Fields(&[&[
            ("Driver", Text),
            ("Options", TEXT_BY_KEY),
            (
                "Config",
                List(&Fields(&[&[
                    ("Subnet", Text),
                    ("IPRange", Text),
                    ("Gateway", Text),
                    ("AuxiliaryAddresses", TEXT_BY_KEY),
                ]])),
            ),
        ]])),
    ),
    ("Internal", Bool),
    ("Attachable", Bool),
    ("Ingress", Bool),
    ("ConfigOnly", Bool),
    ("ConfigFrom", Pointer(&Fields(&[&[("Network", Text)]]))),
    ("Options", TEXT_BY_KEY),
    ("Labels", TEXT_BY_KEY),
];

const SERVICE: &[(&str, Kind)] = &[
    ("Name", Text),
    ("Labels", TEXT_BY_KEY),
    (
        "TaskTemplate",
        Fields(&[&[
            ("ContainerSpec", Pointer(&Fields(&[CONTAINER_SPEC]))),
            (
                "PluginSpec",
                Pointer(&Fields(&[&[("Name", Text), ("Remote", Text), ("Disabled", Bool)]])),
            ),
            ("Networks", ATTACHMENTS),
            ("LogDriver", DRIVER),
            ("ForceUpdate", Unsigned(64)),
            ("Runtime", Text),
        ]]),
    ),
    (
        "Mode",
        Fields(&[&[
            ("Replicated", Pointer(&Fields(&[&[("Replicas", Pointer(&Unsigned(64)))]]))),
            ("Global", Pointer(&Empty)),
        ]]),
    ),
    ("Networks", ATTACHMENTS),
    (
        "EndpointSpec",
        Pointer(&Fields(&[&[
            ("Mode", Text),
            (
                "Ports",
                List(&Fields(&[&[
                    ("Name", Text),
                    ("Protocol", Text),
                    ("TargetPort", Unsigned(32)),
                    ("PublishedPort", Unsigned(32)),
                    ("PublishMode", Text),
                ]])),
            ),
        ]])),
    ),
];

const ATTACHMENTS: Kind =
    List(&Fields(&[&[("Target", Text), ("Aliases", TEXTS), ("DriverOpts", TEXT_BY_KEY)]]));

const CONTAINER_SPEC: &[(&str, Kind)] = &[
    ("Image", Text),
    ("Labels", TEXT_BY_KEY),
    ("Command", TEXTS),
    ("Args", TEXTS),
    ("Hostname", Text),
    ("Env", TEXTS),
    ("Dir", Text),
    ("User", Text),
    ("Groups", TEXTS),
    ("Privileges", PRIVILEGES),
    ("Init", Pointer(&Bool)),
    ("StopSignal", Text),
    ("TTY", Bool),
    ("OpenStdin", Bool),
    ("ReadOnly", Bool),
    ("Mounts", List(&MOUNT)),
    ("StopGracePeriod", Pointer(&Int)),
    ("Healthcheck", HEALTHCHECK),
    ("Hosts", TEXTS),
    (
        "DNSConfig",
        Pointer(&Fields(&[&[("Nameservers", TEXTS), ("Search", TEXTS), ("Options", TEXTS)]])),
    ),
    ("Secrets", FILES),
    ("Configs", FILES),
    ("Isolation", Text),
    ("Sysctls", TEXT_BY_KEY),
    ("CapabilityAdd", TEXTS),
    ("CapabilityDrop", TEXTS),
    ("Ulimits", ULIMITS),
    ("OomScoreAdj", Int),
];

const PRIVILEGES: Kind = Pointer(&Fields(&[&[
    (
        "CredentialSpec",
        Pointer(&Fields(&[&[("Config", Text), ("File", Text), ("Registry", Text)]])),
    ),
    (
        "SELinuxContext",
        Pointer(&Fields(&[&[
            ("Disable", Bool),
            ("User", Text),
            ("Role", Text),
            ("Type", Text),
            ("Level", Text),
        ]])),
    ),
    ("Seccomp", PROTECTION),
    ("AppArmor", PROTECTION),
    ("NoNewPrivileges", Bool),
]]));

const PROTECTION: Kind = Pointer(&Fields(&[&[("Mode", Text)]]));

const FILES: Kind = List(&Pointer(&Fields(&[&[
    (
        "File",
        Pointer(&Fields(&[&[
            ("Name", Text),
            ("UID", Text),
            ("GID", Text),
            ("Mode", Unsigned(32)),
        ]])),
    ),
    ("SecretID", Text),
    ("SecretName", Text),
    ("ConfigID", Text),
    ("ConfigName", Text),
]])));
