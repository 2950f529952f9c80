//! Whether what runs in a container is kept inside it: for execs and attaches, which reach whatever their container reaches.

use std::path::Path;

use crate::request::json::Json;
use crate::text::printable;

use super::mounts::mount_danger;
use super::values::capabilities;
use super::{Review, Verdict, host};

pub(super) const REACHES_HOST: &str =
    "reaches the host, so whoever runs something in it reaches the host as well";

const HIDES: &str = "is in an engine that does not show whether a container shares namespaces of the host, may use its devices or sees kernel files that engines hide, as Docker's does";

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
        // Podman 4.3 shows `shareable` for the IPC namespace of the host; 5.4 does not, but neither shows rules for devices, a user
        // namespace that is the host's, or single paths that are not hidden any more.
        if self.is_docker() != Some(false) {
            return Ok(());
        }
        // That is no secret of the container's.
        Err(host(place, HIDES).veiled(place, HIDES))
    }
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

/// Whether a container mounts the engine's socket, or a directory above it. One that lies elsewhere is known by where it is put.
fn mounts_engine(inspect: &Json) -> bool {
    let mounts = inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default();
    mounts.iter().any(|mount| {
        let text = |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
        let source = text("Source");
        let is_socket = |path: &str| {
            ["docker.sock", "containerd.sock", "podman.sock"].iter().any(|it| path.ends_with(it))
        };
        text("Type") == "bind"
            && (is_socket(source)
                || is_socket(text("Destination"))
                || holds_users_engine(source)
                || matches!(
                    source,
                    "/" | "/run" | "/run/containerd" | "/run/podman" | "/var" | "/var/run"
                ))
    })
}

/// Whether this is a directory that holds the socket of a user's own engine: `/run/user/1000` or `/run/user/1000/podman`.
fn holds_users_engine(source: &str) -> bool {
    let Some(rest) = source.strip_prefix("/run/user") else { return false };
    let mut parts = rest.split('/').filter(|part| !part.is_empty()).skip(1);
    (rest.is_empty() || rest.starts_with('/'))
        && matches!((parts.next(), parts.next()), (None | Some("podman"), None))
}
