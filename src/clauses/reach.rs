//! What a container reaches: the one answer for execs and attaches, which reach whatever their container reaches.
//!
//! It follows the container's mounts, the options of its volumes, and the namespaces that it shares with other containers, to their end. The answer
//! names the way.

use std::path::Path;

use crate::request::json::Json;
use crate::text::printable;

use super::inquiry::{Inquiry, Veil};
use super::known::READONLY_PATHS;
use super::mounts::{
    NETWORK_VOLUMES, OTHER_NETWORK_VOLUMES, has_flag, is_local_driver, mount_danger,
};
use super::names::is_plain;
use super::question::Question;
use super::values::{capabilities, texts};
use super::violation::{Verdict, host};

pub(super) const REACHES_HOST: &str =
    "reaches the host, so whoever runs something in it reaches the host as well";

const HIDES: &str = "is in an engine that does not show whether a container shares namespaces of the host, may use its devices or sees kernel files that engines hide, as Docker's does";

/// How many containers that share namespaces are followed, one from the other.
const LONGEST_CHAIN: usize = 8;

/// What is asked of a container, by how somebody got to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Something runs in it.
    All,
    /// Something sees its processes, and through `/proc/PID/root` its files.
    Files,
    /// Something is in its network namespace.
    Network,
    /// Something is in its IPC namespace.
    Ipc,
}

impl Scope {
    /// The fields that choose its namespaces, and what is asked of a container that one of them names.
    const fn modes(self) -> &'static [(&'static str, &'static str, Self)] {
        const NETWORK: (&str, &str, Scope) = ("NetworkMode", "network", Scope::Network);
        const PID: (&str, &str, Scope) = ("PidMode", "pid", Scope::Files);
        const IPC: (&str, &str, Scope) = ("IpcMode", "ipc", Scope::Ipc);
        match self {
            Self::All => &[NETWORK, PID, IPC],
            Self::Files => &[PID],
            Self::Network => &[NETWORK],
            Self::Ipc => &[IPC],
        }
    }
}

/// Whoever runs or types in a container that reaches the host reaches it too.
pub(super) fn target_stays_inside(inquiry: &mut Inquiry<'_>) -> Verdict {
    if !inquiry.denies_host() {
        return Ok(());
    }
    let name = inquiry.object();
    let place = format!("`{}`", printable(name));
    inquiry.look_at_container(name, &place, REACHES_HOST, |inquiry, inspect| {
        stays_inside_found(inquiry, inspect, &place)
    })
}

/// Whether what runs in this container is kept inside it, as far as the engine shows that.
pub(super) fn stays_inside_found(
    inquiry: &mut Inquiry<'_>,
    inspect: &Json,
    place: &str,
) -> Verdict {
    reaches_nothing(inquiry, inspect, place, Scope::All, "", 0)?;
    // Podman 4.3 shows `shareable` for the IPC namespace of the host; 5.4 does not, but neither shows rules for devices, a user
    // namespace that is the host's, or single paths that are not hidden any more.
    if inquiry.is_docker() != Some(false) {
        return Ok(());
    }
    // That is no secret of the container's.
    Err(host(place, HIDES).veiled(place, HIDES))
}

/// `way` is how somebody got to this container, in words, over so many others.
fn reaches_nothing(
    inquiry: &mut Inquiry<'_>,
    inspect: &Json,
    place: &str,
    scope: Scope,
    way: &str,
    length: usize,
) -> Verdict {
    let reaches = |why: &str| {
        Err(host(place, &format!("{way}{why}, so whoever runs something in it reaches the host")))
    };
    let empty = Json::Null;
    let config = inspect.field("HostConfig").unwrap_or(&empty);
    let text = |name: &str| config.field(name).and_then(Json::as_str).unwrap_or_default();
    if scope == Scope::All
        && let Some(why) = unconfined(config)
    {
        return reaches(why);
    }
    if scope.modes().iter().any(|(mode, _, _)| text(mode) == "host") {
        return reaches("shares a namespace with the host");
    }
    if matches!(scope, Scope::All | Scope::Files) {
        if let Some(why) = mounts(inquiry, inspect) {
            return reaches(&why);
        }
        for volume in volumes(inspect) {
            volume_stays_inside(inquiry, volume, place, way)?;
        }
    }
    shared(inquiry, inspect, place, scope, way, length)
}

/// Whether those stay inside whose namespaces a container shares.
pub(super) fn shared_stays_inside(
    inquiry: &mut Inquiry<'_>,
    inspect: &Json,
    place: &str,
) -> Verdict {
    shared(inquiry, inspect, place, Scope::All, "", 0)
}

fn shared(
    inquiry: &mut Inquiry<'_>,
    inspect: &Json,
    place: &str,
    scope: Scope,
    way: &str,
    length: usize,
) -> Verdict {
    let config = inspect.field("HostConfig");
    for (mode, namespace, scope) in scope.modes() {
        let mode = config.and_then(|it| it.field(mode)).and_then(Json::as_str);
        let Some(name) = mode.and_then(|mode| mode.strip_prefix("container:")) else { continue };
        let shown = printable(name);
        let way = format!("{way}shares the {namespace} namespace of `{shown}`, which ");
        if length >= LONGEST_CHAIN || !is_plain(name) {
            return Err(host(place, &format!("{way}is too far away to be judged")));
        }
        let veil = Veil { place, problem: REACHES_HOST };
        inquiry.look(&Question::Container(name.to_owned()), veil, |inquiry, inspect| {
            // One that is gone has no namespaces to share, and the container does not start again.
            let Some(inspect) = inspect else { return Ok(()) };
            reaches_nothing(inquiry, inspect, place, *scope, &way, length + 1)
        })?;
    }
    Ok(())
}

/// Why the settings of a container alone do not keep what runs in it inside.
fn unconfined(config: &Json) -> Option<&'static str> {
    let text = |name: &str| config.field(name).and_then(Json::as_str).unwrap_or_default();
    let set = |name: &str| config.field(name).is_some_and(|value| !value.is_zero());
    // `null` stands for the engine's own list.
    let bare =
        |name: &str| config.field(name).and_then(Json::as_array).is_some_and(<[_]>::is_empty);
    let opens = |name: &str, needed: &[&str]| {
        config.field(name).is_some_and(|paths| {
            let given = texts(paths);
            *paths != Json::Null && !needed.iter().all(|path| given.contains(path))
        })
    };
    if set("Privileged") {
        Some("is privileged")
    } else if ["UsernsMode", "UTSMode"].into_iter().any(|mode| text(mode) == "host") {
        Some("shares a namespace with the host")
    } else if set("Devices") || set("DeviceRequests") || set("DeviceCgroupRules") {
        Some("has devices of the host")
    } else if capabilities(config.field("CapAdd").unwrap_or(&Json::Null), &[], "").is_err() {
        Some("has capabilities beyond the usual ones")
    } else if bare("MaskedPaths") || opens("ReadonlyPaths", READONLY_PATHS) {
        Some("sees kernel files that engines hide or protect")
    } else {
        None
    }
}

/// What a container mounts that gives it the host.
fn mounts(inquiry: &Inquiry<'_>, inspect: &Json) -> Option<String> {
    let mounts = inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default();
    let is_known = |kind: &str| matches!(kind, "bind" | "image" | "tmpfs" | "volume");
    if let Some(other) = mounts.iter().map(|mount| field(mount, "Type")).find(|it| !is_known(it)) {
        return Some(format!("mounts something of the type `{}`", printable(other)));
    }
    let binds = || mounts.iter().filter(|mount| field(mount, "Type") == "bind");
    // A socket that lies elsewhere is known by where it is put.
    let is_engine = |mount: &Json| {
        leads_to_engine(inquiry, field(mount, "Source"))
            || is_engine_socket(field(mount, "Destination"))
    };
    if binds().any(is_engine) {
        return Some("mounts the socket of the engine".to_owned());
    }
    binds().find_map(|mount| {
        let is_written = mount.field("RW") != Some(&Json::Bool(false));
        danger(field(mount, "Source"), is_written).map(|what| format!("mounts {what}"))
    })
}

/// The named volumes of a container, each of which may have options of its own.
pub(super) fn volumes(inspect: &Json) -> impl Iterator<Item = &str> {
    let mounts = inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default();
    let volumes = mounts.iter().filter(|mount| field(mount, "Type") == "volume");
    volumes.map(|mount| field(mount, "Name")).filter(|name| !name.is_empty())
}

fn volume_stays_inside(inquiry: &mut Inquiry<'_>, name: &str, place: &str, way: &str) -> Verdict {
    let reaches = |why: &str| {
        let shown = printable(name);
        Err(host(
            place,
            &format!(
                "{way}mounts the volume `{shown}`, which {why}, so whoever runs something in it reaches the host"
            ),
        ))
    };
    if !is_plain(name) {
        return reaches("cannot be looked at");
    }
    let veil = Veil { place, problem: REACHES_HOST };
    inquiry.look(&Question::Volume(name.to_owned()), veil, |inquiry, volume| {
        let Some(volume) = volume else { return Ok(()) };
        if !is_local_driver(volume.field("Driver")) {
            return reaches("another driver than the engine's own mounts");
        }
        let empty = Json::Null;
        let options = volume.field("Options").unwrap_or(&empty);
        let (kind, flags, device) =
            (field(options, "type"), field(options, "o"), field(options, "device"));
        let kind = kind.trim().to_ascii_lowercase();
        if has_flag(flags, &["move", "remount"]) {
            return reaches("moves or remounts something of the host");
        }
        if has_flag(flags, &["bind", "rbind"]) {
            if leads_to_engine(inquiry, device) {
                return reaches("shows the socket of the engine");
            }
            return match danger(device, !has_flag(flags, &["ro"])) {
                Some(what) => reaches(&format!("shows {what}")),
                None => Ok(()),
            };
        }
        let is_harmless = kind == "tmpfs"
            || NETWORK_VOLUMES.contains(&&*kind)
            || OTHER_NETWORK_VOLUMES.contains(&&*kind)
            || (kind.is_empty() && device.is_empty());
        if is_harmless {
            return Ok(());
        }
        reaches(&format!("is one of the type `{}`", printable(&kind)))
    })
}

/// What of the host's system this path shows, if whoever reaches it has the host.
fn danger(source: &str, is_written: bool) -> Option<String> {
    let shown = printable(source);
    if leads_to_manager(source) {
        return Some(format!("`{shown}` of the host, where programs that command it listen"));
    }
    let is_clock = matches!(source, "/etc/localtime" | "/etc/timezone");
    let leads_up = source.split('/').any(|part| part == "..");
    let is_system = leads_up || mount_danger(Path::new(source)).is_some();
    (is_written && is_system && !is_clock).then(|| format!("`{shown}` of the host"))
}

/// Whether this path is the socket of an engine, by its name.
fn is_engine_socket(path: &str) -> bool {
    ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "buildkitd.sock"]
        .iter()
        .any(|name| path.ends_with(name))
}

/// Whether this path of the host is the socket of an engine, or a directory above one: then it does not matter whether it may be written to.
fn leads_to_engine(inquiry: &Inquiry<'_>, source: &str) -> bool {
    const DIRECTORIES: &[&str] =
        &["/", "/run", "/run/buildkit", "/run/containerd", "/run/crio", "/run/podman", "/var"];
    let source = plain(source);
    let own = |socket: &str| Path::new(&*plain(socket)).starts_with(&*source);
    let protected = inquiry.terms.protected.iter();
    is_engine_socket(&source)
        || DIRECTORIES.iter().any(|directory| Path::new(directory) == Path::new(&*source))
        || (!inquiry.terms.defaults.engine_socket.is_empty()
            && own(&inquiry.terms.defaults.engine_socket))
        || protected.flat_map(|protected| &protected.engine_sockets).any(|socket| own(socket))
        || holds_users_engine(&source)
}

/// Whether this is the place of a bus, or of a program that starts others on the host.
fn leads_to_manager(source: &str) -> bool {
    let source = plain(source);
    let below = |directory: &str| Path::new(&*source).starts_with(directory);
    // Programs write their log lines to the one and ask the other for names.
    let is_harmless = below("/run/systemd/journal") || below("/run/systemd/resolve");
    (below("/run/dbus") || below("/run/systemd")) && !is_harmless
}

/// Whether this is a directory that holds the sockets of a user's own engine, bus or services: `/run/user/1000` or `/run/user/1000/podman`.
fn holds_users_engine(source: &str) -> bool {
    let Some(rest) = source.strip_prefix("/run/user") else { return false };
    let mut parts = rest.split('/').filter(|part| !part.is_empty()).skip(1);
    (rest.is_empty() || rest.starts_with('/'))
        && matches!(
            (parts.next(), parts.next()),
            (None | Some("podman"), None) | (Some("bus" | "dbus-1" | "systemd"), _)
        )
}

/// A path with `/var/run` written as what it is a link to.
fn plain(path: &str) -> std::borrow::Cow<'_, str> {
    match path.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}").into(),
        _ => path.into(),
    }
}

fn field<'a>(of: &'a Json, name: &str) -> &'a str {
    of.field(name).and_then(Json::as_str).unwrap_or_default()
}
