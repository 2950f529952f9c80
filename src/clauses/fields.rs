//! The fields that are known to stay inside a container, as deep as they go. Whatever is not in these tables is refused where access to the host
//! is denied: an engine that is newer than they are may make anything of it.
//!
//! The facts are those of moby's `api/types` and `daemon/` up to API 1.55. A field that is judged by its value is not in here but where it is
//! judged (`host.rs`, `mounts.rs`); what may stand in it is.

use super::known::{Shape, Table};

use Shape::{Each, Fields, Judged, Members, Value};

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

pub(super) const RATES: Shape = Each(&Fields(&[(
    "limits the container's share of the machine",
    &[("Path", Value), ("Rate", Value), ("Weight", Value)],
)]));

const ULIMITS: Shape = Each(&Fields(&[(
    "limits the container's share of the machine",
    &[("Hard", Value), ("Name", Value), ("Soft", Value)],
)]));

/// `Mounts` of a container or a service. What they mount is judged in `mounts.rs`.
pub(super) const MOUNTS: Shape = Each(&Fields(&[
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
