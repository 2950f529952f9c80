//! Whether what runs in a container is kept inside it: for execs and attaches, which reach whatever their container reaches.

use std::path::Path;

use crate::request::json::Json;
use crate::request::target::printable;

use super::mounts::mount_danger;
use super::values::capabilities;
use super::{Review, Verdict, host};

pub(super) const REACHES_HOST: &str =
    "reaches the host, so whoever runs something in it reaches the host as well";

const HIDES: &str = "is in an engine that does not show whether a container shares the IPC of the host or sees kernel files that engines hide, as Docker's does";

impl<'a> Review<'a> {
    /// Whoever runs or types in a container that reaches the host reaches it too.
    pub(super) fn target_stays_inside(&mut self) -> Verdict {
        if !self.denies_host() {
            return Ok(());
        }
        let name = self.object();
        let place = format!("`{}`", printable(name));
        self.look_at_container(name, &place, REACHES_HOST, |review, inspect| {
            review.stays_inside_found(inspect, &place)
        })
    }

    /// Whether what runs in this container is kept inside it, as far as the engine shows that.
    pub(super) fn stays_inside_found(&mut self, inspect: &'a Json, place: &str) -> Verdict {
        stays_inside(inspect, place)?;
        // Podman shows `shareable` for the IPC namespace of the host, and nothing of paths that are not hidden any more.
        if shows_isolation(inspect) || self.is_docker() != Some(false) {
            return Ok(());
        }
        // That is no secret of the container's.
        Err(host(place, HIDES).veiled(place, HIDES))
    }
}

/// Whether an inspect shows by itself that nothing of what Podman hides is the case.
fn shows_isolation(inspect: &Json) -> bool {
    let config = inspect.field("HostConfig").unwrap_or(&Json::Null);
    let lists = |name: &str| config.field(name).is_some_and(|value| value.as_array().is_some());
    let ipc = config.field("IpcMode").and_then(Json::as_str).unwrap_or_default();
    lists("MaskedPaths") && lists("ReadonlyPaths") && matches!(ipc, "private" | "none")
}

/// Whether what an inspect shows is kept inside the container.
fn stays_inside(inspect: &Json, place: &str) -> Verdict {
    let empty = Json::Null;
    let config = inspect.field("HostConfig").unwrap_or(&empty);
    let text = |name: &str| config.field(name).and_then(Json::as_str).unwrap_or_default();
    let set = |name: &str| config.field(name).is_some_and(|value| !value.is_zero());
    // Empty, and not the `null` that stands for the engine's own list.
    let bare =
        |name: &str| config.field(name).and_then(Json::as_array).is_some_and(<[_]>::is_empty);
    let shares = ["NetworkMode", "PidMode", "IpcMode", "UsernsMode"]
        .into_iter()
        .any(|mode| text(mode) == "host");
    let why = if set("Privileged") {
        "is privileged"
    } else if shares {
        "shares a namespace with the host"
    } else if set("Devices") || set("DeviceRequests") || set("DeviceCgroupRules") {
        "has devices of the host"
    } else if capabilities(config.field("CapAdd").unwrap_or(&empty), "").is_err() {
        "has capabilities beyond the usual ones"
    } else if bare("MaskedPaths") || bare("ReadonlyPaths") {
        "sees kernel files that engines hide or protect"
    } else if mounts_engine(inspect) {
        "mounts the socket of the engine"
    } else if let Some(source) = mounts_system(inspect) {
        return Err(host(
            place,
            &format!(
                "mounts `{}` of the host, so whoever runs something in it reaches the host",
                printable(source)
            ),
        ));
    } else {
        return Ok(());
    };
    Err(host(place, &format!("{why}, so whoever runs something in it reaches the host")))
}

/// What of the host's system a container can write to through its mounts.
fn mounts_system(inspect: &Json) -> Option<&str> {
    let mounts = inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default();
    mounts.iter().find_map(|mount| {
        let source = mount.field("Source").and_then(Json::as_str)?;
        let is_bind = mount.field("Type").and_then(Json::as_str) == Some("bind");
        let is_written = mount.field("RW") != Some(&Json::Bool(false));
        let is_clock = matches!(source, "/etc/localtime" | "/etc/timezone");
        let is_system = mount_danger(Path::new(source)).is_some();
        (is_bind && is_written && is_system && !is_clock).then_some(source)
    })
}

/// Whether a container mounts the engine's socket, or a directory above it.
fn mounts_engine(inspect: &Json) -> bool {
    let mounts = inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default();
    mounts.iter().any(|mount| {
        let text = |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
        let source = text("Source");
        text("Type") == "bind"
            && (["docker.sock", "containerd.sock", "podman.sock"]
                .iter()
                .any(|it| source.ends_with(it))
                || matches!(
                    source,
                    "/" | "/run" | "/run/containerd" | "/run/podman" | "/var" | "/var/run"
                ))
    })
}
