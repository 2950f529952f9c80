//! What is known to stay inside a container, field by field and as deep as fields go. Whatever is not in these tables is refused where access to
//! the host is denied: an engine that is newer than they are may make anything of it.
//!
//! The facts are those of moby's `api/types` and `daemon/` up to API 1.55. A field that is judged by its value is not in here but where it is
//! judged (`host.rs`, `mounts.rs`); what may stand in it is.

use crate::request::json::{Json, Object, folds_alike};
use crate::text::printable;

use super::violation::{Verdict, host};

use Shape::{Each, Fields, Judged, Members, Value};

pub(super) const UNKNOWN: &str =
    "is not a field that sockwarden knows to stay inside the container";

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Texts, numbers, truth values, and lists of them; no object.
    Value,
    /// An object with these fields.
    Fields(Table),
    /// A list of such.
    Each(&'static Shape),
    /// An object with keys of the client's choice, whose values are such.
    Members(&'static Shape),
    /// Whatever it holds is judged by itself.
    Judged,
}

/// What a field may hold, if one of these tables has it. Engines find fields in any case.
pub(super) fn find(tables: &[Table], key: &str) -> Option<&'static Shape> {
    let groups = tables.iter().flat_map(|table| table.iter());
    let mut fields = groups.flat_map(|(_, fields)| fields.iter());
    fields.find(|(name, _)| folds_alike(name, key)).map(|(_, shape)| shape)
}

/// Whether a value holds nothing but what is known.
pub(super) fn holds_known(value: &Json, shape: &Shape, place: &str) -> Verdict {
    if value.is_zero() {
        return Ok(());
    }
    let place = place.trim_matches('`');
    let unknown = || Err(host(&format!("`{place}`"), UNKNOWN));
    match (shape, value) {
        (Judged, _) => Ok(()),
        (Value, _) if has_object(value) => unknown(),
        (Value, _) => Ok(()),
        (Fields(table), Json::Object(object)) => {
            object_is_known(object, table, &format!("{place}."))
        }
        (Members(shape), Json::Object(object)) => object.iter().try_for_each(|(key, value)| {
            holds_known(value, shape, &format!("{place}.{}", printable(key)))
        }),
        (Each(shape), Json::Array(values)) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| holds_known(value, shape, &format!("{place}[{index}]"))),
        (Fields(_) | Members(_) | Each(_), _) => unknown(),
    }
}

/// Whether a body has no fields but those in this table, which hold nothing but what is known.
pub(super) fn fields_are_known(body: &Json, table: Table) -> Verdict {
    body.as_object().map_or(Ok(()), |body| object_is_known(body, table, ""))
}

fn object_is_known(object: &Object, table: Table, at: &str) -> Verdict {
    object.iter().try_for_each(|(key, value)| {
        let place = format!("{at}{}", printable(key));
        match find(&[table], key) {
            _ if value.is_zero() => Ok(()),
            Some(shape) => holds_known(value, shape, &place),
            None => Err(host(&format!("`{place}`"), UNKNOWN)),
        }
    })
}

fn has_object(value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(values) => values.iter().any(has_object),
        _ => false,
    }
}

/// Fields by the reason why they stay inside, each with what it may hold.
pub(super) type Table = &'static [(&'static str, &'static [(&'static str, Shape)])];

const NOTHING: Shape = Fields(&[]);
const TEXTS: Shape = Members(&Value);

/// The `Config` part of a create, and the body of a commit.
pub(super) const CONFIG: Table = &[
    (
        "says what runs in the container and how",
        &[
            ("ArgsEscaped", Value),
            ("Cmd", Value),
            ("Entrypoint", Value),
            ("Healthcheck", HEALTHCHECK),
            ("OnBuild", Value),
            ("Shell", Value),
            ("StopSignal", Value),
            ("StopTimeout", Value),
            ("User", Value),
        ],
    ),
    (
        "connects its input and output with the client",
        &[
            ("AttachStderr", Value),
            ("AttachStdin", Value),
            ("AttachStdout", Value),
            ("OpenStdin", Value),
            ("StdinOnce", Value),
            ("Tty", Value),
        ],
    ),
    (
        "names it, on its own networks",
        &[
            ("Domainname", Value),
            ("Hostname", Value),
            ("Image", Value),
            ("Labels", TEXTS),
            ("MacAddress", Value),
            ("NetworkDisabled", Value),
        ],
    ),
    (
        "is a note, or a volume of its own; those with a path of the host are judged as mounts",
        &[("ExposedPorts", Members(&NOTHING)), ("Volumes", Members(&NOTHING))],
    ),
];

const HEALTHCHECK: Shape = Fields(&[(
    "runs in the container",
    &[
        ("Interval", Value),
        ("Retries", Value),
        ("StartInterval", Value),
        ("StartPeriod", Value),
        ("Test", Value),
        ("Timeout", Value),
    ],
)]);

/// What stands beside `Config` in a create.
pub(super) const BESIDE: Table = &[(
    "is judged by itself",
    &[
        ("HostConfig", Judged),
        (
            "NetworkingConfig",
            Fields(&[("is judged by itself", &[("EndpointsConfig", Members(&Judged))])]),
        ),
    ],
)];

/// The `HostConfig` of a create, and the body of an update.
pub(super) const HOST_CONFIG: Table = &[
    (
        "limits the container's share of the machine",
        &[
            ("BlkioDeviceReadBps", RATES),
            ("BlkioDeviceReadIOps", RATES),
            ("BlkioDeviceWriteBps", RATES),
            ("BlkioDeviceWriteIOps", RATES),
            ("BlkioWeight", Value),
            ("BlkioWeightDevice", RATES),
            ("CpuCount", Value),
            ("CpuPercent", Value),
            ("CpuPeriod", Value),
            ("CpuQuota", Value),
            ("CpuRealtimePeriod", Value),
            ("CpuRealtimeRuntime", Value),
            ("Cpuset", Value),
            ("CpusetCpus", Value),
            ("CpusetMems", Value),
            ("CpuShares", Value),
            ("IOMaximumBandwidth", Value),
            ("IOMaximumIOps", Value),
            ("KernelMemory", Value),
            ("KernelMemoryTCP", Value),
            ("Memory", Value),
            ("MemoryReservation", Value),
            ("MemorySwap", Value),
            ("MemorySwappiness", Value),
            ("NanoCpus", Value),
            ("OomKillDisable", Value),
            ("OomScoreAdj", Value),
            ("PidsLimit", Value),
            ("ShmSize", Value),
            ("StorageOpt", TEXTS),
            ("Ulimits", ULIMITS),
        ],
    ),
    (
        "says how it starts and ends",
        &[
            ("AutoRemove", Value),
            ("ConsoleSize", Value),
            ("Init", Value),
            (
                "RestartPolicy",
                Fields(&[(
                    "says how it starts and ends",
                    &[("MaximumRetryCount", Value), ("Name", Value)],
                )]),
            ),
        ],
    ),
    ("takes rights away", &[("CapDrop", Value), ("ReadonlyRootfs", Value)]),
    (
        "counts in its own user namespace, or among its own files",
        &[("GroupAdd", Value), ("Tmpfs", TEXTS)],
    ),
    (
        "publishes its own ports, or tells it names and addresses",
        &[
            ("Dns", Value),
            ("DnsOptions", Value),
            ("DnsSearch", Value),
            ("ExtraHosts", Value),
            (
                "PortBindings",
                Members(&Each(&Fields(&[(
                    "publishes its own ports",
                    &[("HostIp", Value), ("HostPort", Value)],
                )]))),
            ),
            ("PublishAllPorts", Value),
        ],
    ),
    ("is judged as a mount", &[("Binds", Value), ("Mounts", MOUNTS), ("VolumeDriver", Value)]),
];

const RATES: Shape = Each(&Fields(&[(
    "limits the container's share of the machine",
    &[("Path", Value), ("Rate", Value), ("Weight", Value)],
)]));

const ULIMITS: Shape = Each(&Fields(&[(
    "limits the container's share of the machine",
    &[("Hard", Value), ("Name", Value), ("Soft", Value)],
)]));

/// `Mounts` of a container or a service. What they mount is judged in `mounts.rs`.
const MOUNTS: Shape = Each(&Fields(&[
    ("is judged as a mount", &[("Source", Value), ("Type", Value)]),
    (
        "says where it is in the container and how it is seen there",
        &[
            (
                "BindOptions",
                Fields(&[(
                    "says how it is seen in the container",
                    &[
                        ("CreateMountpoint", Value),
                        ("NonRecursive", Value),
                        ("Propagation", Value),
                        ("ReadOnlyForceRecursive", Value),
                        ("ReadOnlyNonRecursive", Value),
                    ],
                )]),
            ),
            ("Consistency", Value),
            ("ImageOptions", SUBPATH),
            ("ReadOnly", Value),
            ("Target", Value),
            (
                "TmpfsOptions",
                Fields(&[(
                    "is memory of the container's own",
                    &[("Mode", Value), ("Options", Value), ("SizeBytes", Value)],
                )]),
            ),
            (
                "VolumeOptions",
                Fields(&[
                    (
                        "is judged as a mount",
                        &[(
                            "DriverConfig",
                            Fields(&[(
                                "is judged as a mount",
                                &[("Name", Value), ("Options", TEXTS)],
                            )]),
                        )],
                    ),
                    (
                        "says how the volume is filled and named",
                        &[("Labels", TEXTS), ("NoCopy", Value), ("Subpath", Value)],
                    ),
                ]),
            ),
        ],
    ),
]));

const SUBPATH: Shape = Fields(&[("chooses a part of the image", &[("Subpath", Value)])]);

/// One place of a container on a network.
pub(super) const ENDPOINT: Table = &[(
    "gives the container a name or an address on a network",
    &[
        ("Aliases", Value),
        ("DNSNames", Value),
        ("EndpointID", Value),
        ("Gateway", Value),
        ("GlobalIPv6Address", Value),
        ("GlobalIPv6PrefixLen", Value),
        ("GwPriority", Value),
        ("IPAddress", Value),
        (
            "IPAMConfig",
            Fields(&[(
                "gives the container an address on a network",
                &[("IPv4Address", Value), ("IPv6Address", Value), ("LinkLocalIPs", Value)],
            )]),
        ),
        ("IPPrefixLen", Value),
        ("IPv6Gateway", Value),
        ("MacAddress", Value),
        ("NetworkID", Value),
    ],
)];

/// An exec. docker-py repeats the name that is in the path, and engines go by the path.
pub(super) const EXEC: Table = &[(
    "says what runs in the container and where its output goes",
    &[
        ("AttachStderr", Value),
        ("AttachStdin", Value),
        ("AttachStdout", Value),
        ("Cmd", Value),
        ("ConsoleSize", Value),
        ("Container", Value),
        ("Detach", Value),
        ("DetachKeys", Value),
        ("Tty", Value),
        ("User", Value),
    ],
)];

/// A service's specification.
pub(super) const SERVICE: Table = &[(
    "says how many tasks there are, and their ports",
    &[
        (
            "EndpointSpec",
            Fields(&[(
                "publishes its own ports",
                &[
                    ("Mode", Value),
                    (
                        "Ports",
                        Each(&Fields(&[(
                            "publishes its own ports",
                            &[
                                ("Name", Value),
                                ("Protocol", Value),
                                ("PublishMode", Value),
                                ("PublishedPort", Value),
                                ("TargetPort", Value),
                            ],
                        )])),
                    ),
                ],
            )]),
        ),
        ("Labels", TEXTS),
        (
            "Mode",
            Fields(&[(
                "says how many tasks there are",
                &[
                    ("Global", NOTHING),
                    ("GlobalJob", NOTHING),
                    (
                        "Replicated",
                        Fields(&[("says how many tasks there are", &[("Replicas", Value)])]),
                    ),
                    (
                        "ReplicatedJob",
                        Fields(&[(
                            "says how many tasks there are",
                            &[("MaxConcurrent", Value), ("TotalCompletions", Value)],
                        )]),
                    ),
                ],
            )]),
        ),
        ("Name", Value),
        ("RollbackConfig", UPDATES),
        ("UpdateConfig", UPDATES),
    ],
)];

const UPDATES: Shape = Fields(&[(
    "says how tasks follow each other",
    &[
        ("Delay", Value),
        ("FailureAction", Value),
        ("MaxFailureRatio", Value),
        ("Monitor", Value),
        ("Order", Value),
        ("Parallelism", Value),
    ],
)]);

/// A service's `TaskTemplate`.
pub(super) const TASK: Table = &[(
    "says where and when tasks run, and their share of the machine",
    &[
        ("ForceUpdate", Value),
        (
            "Placement",
            Fields(&[(
                "says where tasks run",
                &[
                    ("Constraints", Value),
                    ("MaxReplicas", Value),
                    (
                        "Platforms",
                        Each(&Fields(&[(
                            "says where tasks run",
                            &[("Architecture", Value), ("OS", Value)],
                        )])),
                    ),
                    (
                        "Preferences",
                        Each(&Fields(&[(
                            "says where tasks run",
                            &[(
                                "Spread",
                                Fields(&[("says where tasks run", &[("SpreadDescriptor", Value)])]),
                            )],
                        )])),
                    ),
                ],
            )]),
        ),
        (
            "Resources",
            Fields(&[(
                "limits the tasks' share of the machine",
                &[
                    ("Limits", SHARE),
                    ("MemorySwappiness", Value),
                    ("Reservations", SHARE),
                    ("SwapBytes", Value),
                ],
            )]),
        ),
        (
            "RestartPolicy",
            Fields(&[(
                "says when tasks run",
                &[
                    ("Condition", Value),
                    ("Delay", Value),
                    ("MaxAttempts", Value),
                    ("Window", Value),
                ],
            )]),
        ),
    ],
)];

const SHARE: Shape = Fields(&[(
    "limits the tasks' share of the machine",
    &[("MemoryBytes", Value), ("NanoCPUs", Value), ("Pids", Value)],
)]);

/// A service's `ContainerSpec`.
pub(super) const CONTAINER_SPEC: Table = &[
    (
        "says what runs in the container and how",
        &[
            ("Args", Value),
            ("Command", Value),
            ("Healthcheck", HEALTHCHECK),
            ("Init", Value),
            ("OomScoreAdj", Value),
            ("OpenStdin", Value),
            ("StopGracePeriod", Value),
            ("StopSignal", Value),
            ("TTY", Value),
            ("Ulimits", ULIMITS),
            ("User", Value),
            ("Groups", Value),
        ],
    ),
    ("takes rights away", &[("CapabilityDrop", Value), ("ReadOnly", Value)]),
    (
        "is a file of the swarm's, in the container",
        &[("Configs", Each(&SWARM_FILE)), ("Secrets", Each(&SWARM_FILE))],
    ),
    (
        "names it, or tells it names and addresses",
        &[
            (
                "DNSConfig",
                Fields(&[(
                    "tells it names and addresses",
                    &[("Nameservers", Value), ("Options", Value), ("Search", Value)],
                )]),
            ),
            ("Hostname", Value),
            ("Hosts", Value),
            ("Image", Value),
            ("Labels", TEXTS),
        ],
    ),
    ("is judged as a mount", &[("Mounts", MOUNTS)]),
];

const SWARM_FILE: Shape = Fields(&[(
    "is a file of the swarm's, in the container",
    &[
        ("ConfigID", Value),
        ("ConfigName", Value),
        (
            "File",
            Fields(&[(
                "is a file in the container",
                &[("GID", Value), ("Mode", Value), ("Name", Value), ("UID", Value)],
            )]),
        ),
        ("Runtime", NOTHING),
        ("SecretID", Value),
        ("SecretName", Value),
    ],
)]);

/// A network.
pub(super) const NETWORK: Table = &[(
    "concerns a network of the client's own",
    &[
        ("Attachable", Value),
        ("CheckDuplicate", Value),
        ("ConfigOnly", Value),
        ("EnableIPv4", Value),
        ("EnableIPv6", Value),
        ("Internal", Value),
        ("Labels", TEXTS),
        ("Name", Value),
    ],
)];

/// The `IPAM` of a network. Its pools and its driver are judged in `host.rs`.
pub(super) const IPAM: Table = &[(
    "chooses addresses of a network of the client's own",
    &[
        (
            "Config",
            Each(&Fields(&[(
                "chooses addresses of a network of the client's own",
                &[
                    ("AuxAddress", TEXTS),
                    ("AuxiliaryAddresses", TEXTS),
                    ("Gateway", Value),
                    ("IPRange", Value),
                    ("Subnet", Value),
                ],
            )])),
        ),
        ("Driver", Value),
        ("Options", TEXTS),
    ],
)];

/// A container's `LogConfig`, and a task's `LogDriver`. The driver and its options are judged in `values.rs`.
pub(super) const LOG_CONFIG: Table = &[(
    "is judged by itself",
    &[("Config", TEXTS), ("Name", Value), ("Options", TEXTS), ("Type", Value)],
)];

/// A volume. Its driver and options are judged as a mount.
pub(super) const VOLUME: Table = &[
    ("is judged as a mount", &[("Driver", Value), ("DriverOpts", TEXTS)]),
    ("names the volume", &[("Labels", TEXTS), ("Name", Value)]),
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
