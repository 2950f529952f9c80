//! What is known to stay inside a container: shapes of fields, and the values that are harmless. The fields are in `fields.rs`.

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
    Each(&'static Self),
    /// An object with keys of the client's choice, whose values are such.
    Members(&'static Self),
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
        (Value, _) if has_object(value) => unknown(),
        (Judged | Value, _) => Ok(()),
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
