//! How each field of a create is compared with the container that it is to replace: what equals what inspect shows of the old one, what is
//! weaker, and what may differ. A field that has no row here is never equal.
//!
//! "Weaker" is what gives the new container less than the old one had. To leave out what takes rights away is no less but more.

use super::fields;
use super::known::Shape::{self, Each, Fields, Members, Value};
use super::known::Table;
use super::settings as by;
use super::sides::Sides;

/// How a field is compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// It is what it was; empty and absent are one.
    Same(&'static Shape),
    /// The same, or absent where the old image's own is in force.
    Inherited(&'static Shape),
    /// It is what it was, and absent is something else than empty.
    Exact,
    /// On or off: off is less.
    AtMost,
    /// On or off: on is less.
    AtLeast,
    /// Some of what there was, in any order: fewer is less.
    Some(&'static Shape),
    /// The same texts in any order.
    SameTexts,
    /// It is what it was, or absent, which is less.
    OrLess,
    /// It concerns the one who creates the container, not the container.
    Anything,
    /// Judged by this.
    By(fn(&Sides<'_>) -> bool),
    /// Judged by itself.
    Elsewhere,
}

/// Fields with their columns.
pub(super) type Columns = &'static [(&'static str, Column)];

use Column::{Anything, AtLeast, AtMost, By, Elsewhere, Exact, Inherited, OrLess, Same, SameTexts};

const VALUE: &Shape = &Value;
const TEXTS: &Shape = &Members(&Value);
const RATES: &Shape = &fields::RATES;

const DEVICE: Table = &[(
    "opens a device",
    &[("CgroupPermissions", Value), ("PathInContainer", Value), ("PathOnHost", Value)],
)];
const REQUEST: Table = &[(
    "opens devices",
    &[
        ("Capabilities", Each(&Value)),
        ("Count", Value),
        ("DeviceIDs", Value),
        ("Driver", Value),
        ("Options", Members(&Value)),
    ],
)];

/// Whether a create has a field of this name at its top. dockerode sends all of them in the query as well, where no engine reads them.
pub(super) fn is_field(name: &str) -> bool {
    CONFIG.iter().any(|(field, _)| *field == name)
}

/// The fields of a create's body.
pub(super) const CONFIG: Columns = &[
    ("ArgsEscaped", Inherited(VALUE)),
    ("AttachStderr", Anything),
    ("AttachStdin", Anything),
    ("AttachStdout", Anything),
    ("Cmd", By(by::command)),
    ("Domainname", Same(VALUE)),
    ("Entrypoint", By(by::command)),
    ("Env", By(by::environment)),
    ("ExposedPorts", By(by::ports)),
    ("Healthcheck", By(by::health)),
    ("HostConfig", Elsewhere),
    ("Hostname", By(by::host_name)),
    ("Image", By(by::image)),
    ("Labels", By(by::labels)),
    ("MacAddress", By(by::mac_address)),
    // dockerode sends it here as well; engines read the parameter.
    ("Name", Anything),
    ("NetworkDisabled", Same(VALUE)),
    ("NetworkingConfig", Elsewhere),
    ("OnBuild", Inherited(VALUE)),
    ("OpenStdin", Same(VALUE)),
    ("Shell", Inherited(VALUE)),
    ("StdinOnce", Same(VALUE)),
    ("StopSignal", Inherited(VALUE)),
    ("StopTimeout", Exact),
    ("Tty", Same(VALUE)),
    ("User", Inherited(VALUE)),
    ("Volumes", By(by::volumes)),
    ("WorkingDir", Inherited(VALUE)),
];

/// The fields of its `HostConfig`.
pub(super) const HOST_CONFIG: Columns = &[
    ("Annotations", Same(TEXTS)),
    ("AutoRemove", AtMost),
    ("Binds", By(by::mounts)),
    ("BlkioDeviceReadBps", Same(RATES)),
    ("BlkioDeviceReadIOps", Same(RATES)),
    ("BlkioDeviceWriteBps", Same(RATES)),
    ("BlkioDeviceWriteIOps", Same(RATES)),
    ("BlkioWeight", Same(VALUE)),
    ("BlkioWeightDevice", Same(RATES)),
    ("CapAdd", By(by::capabilities_added)),
    ("CapDrop", By(by::capabilities_dropped)),
    ("Cgroup", Same(VALUE)),
    ("CgroupParent", Same(VALUE)),
    ("CgroupnsMode", By(by::cgroup_namespace)),
    ("ConsoleSize", Anything),
    ("ContainerIDFile", OrLess),
    ("CpuCount", Same(VALUE)),
    ("CpuPercent", Same(VALUE)),
    ("CpuPeriod", Same(VALUE)),
    ("CpuQuota", Same(VALUE)),
    ("CpuRealtimePeriod", Same(VALUE)),
    ("CpuRealtimeRuntime", Same(VALUE)),
    ("CpuShares", Same(VALUE)),
    ("Cpuset", Same(VALUE)),
    ("CpusetCpus", Same(VALUE)),
    ("CpusetMems", Same(VALUE)),
    ("DeviceCgroupRules", Column::Some(VALUE)),
    ("DeviceRequests", Column::Some(&Fields(REQUEST))),
    ("Devices", Column::Some(&Fields(DEVICE))),
    ("Dns", Same(VALUE)),
    ("DnsOptions", Same(VALUE)),
    ("DnsSearch", Same(VALUE)),
    ("ExtraHosts", Same(VALUE)),
    ("GroupAdd", SameTexts),
    ("IOMaximumBandwidth", Same(VALUE)),
    ("IOMaximumIOps", Same(VALUE)),
    ("Init", Same(VALUE)),
    ("IpcMode", By(by::ipc_namespace)),
    ("Isolation", By(by::isolation)),
    ("KernelMemory", Same(VALUE)),
    ("KernelMemoryTCP", Same(VALUE)),
    ("Links", By(by::links)),
    ("LogConfig", By(by::log)),
    ("MaskedPaths", By(by::masked_paths)),
    ("Memory", Same(VALUE)),
    ("MemoryReservation", Same(VALUE)),
    ("MemorySwap", By(by::swap)),
    ("MemorySwappiness", By(by::swappiness)),
    ("Mounts", By(by::mounts)),
    ("NanoCpus", Same(VALUE)),
    ("NetworkMode", By(by::network)),
    ("OomKillDisable", AtMost),
    ("OomScoreAdj", Same(VALUE)),
    ("PidMode", By(by::process_namespace)),
    ("PidsLimit", By(by::processes)),
    ("PortBindings", By(by::published)),
    ("Privileged", AtMost),
    ("PublishAllPorts", AtMost),
    ("ReadonlyPaths", By(by::readonly_paths)),
    ("ReadonlyRootfs", AtLeast),
    ("RestartPolicy", By(by::restart)),
    ("Runtime", By(by::runtime)),
    ("SecurityOpt", By(by::security)),
    ("ShmSize", By(by::shared_memory)),
    ("StorageOpt", Same(TEXTS)),
    ("Sysctls", Same(TEXTS)),
    ("Tmpfs", Same(TEXTS)),
    ("UTSMode", OrLess),
    ("Ulimits", By(by::ulimits)),
    ("UsernsMode", Same(VALUE)),
    ("VolumeDriver", Same(VALUE)),
    ("VolumesFrom", SameTexts),
];
