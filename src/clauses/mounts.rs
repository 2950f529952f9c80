//! Whatever mounts a path of the host: binds, mounts, volumes with options of their own, and the mounts of other containers.
//!
//! Paths are compared as text, component by component. The proxy does not see the host's file system, so a symbolic link below a listed
//! directory leads wherever it leads: list directories that no client can write to.

use std::path::Path;

use crate::request::json::{Json, Object, fold};
use crate::text::printable;

use super::fields::VOLUME;
use super::inquiry::{Inquiry, Veil};
use super::known::fields_are_known;
use super::names::is_plain;
use super::question::Question;
use super::references::{Config, Reference, Site, mounts_of_others};
use super::terms::Mounts;
use super::values::array;
use super::violation::{Clause, Verdict, Violation, host, violation};

/// The file systems that `mount(8)` gets over the network; the local driver resolves `addr=` for the first four itself (moby
/// `volume/local`).
pub(super) const NETWORK_VOLUMES: &[&str] = &["nfs", "nfs4", "cifs", "smb3"];
/// More of them, which are refused with the others and never allowed with them.
pub(super) const OTHER_NETWORK_VOLUMES: &[&str] = &["9p", "afs", "ceph", "glusterfs", "smbfs"];

/// `Binds`, `Mounts`, `VolumesFrom` and `VolumeDriver` of a `HostConfig`.
pub(super) fn host_mounts<'a>(
    inquiry: &mut Inquiry<'a>,
    config: &'a Object,
    of: Config,
) -> Verdict {
    let at = of.prefix();
    if inquiry.mounts_are_free() {
        return Ok(());
    }
    let driver = config.field("VolumeDriver");
    volume_driver(inquiry, driver, &format!("`{at}VolumeDriver`"))?;
    for (place, bind) in texts(config.field("Binds"), &format!("{at}Binds"))? {
        one_bind(inquiry, bind, &place)?;
    }
    // Podman takes a key of `Volumes` for a bind (its `compat/containers_create.go`); Docker for a path in the container.
    let volumes = config.field("Volumes").and_then(Json::as_object);
    for (volume, _) in volumes.into_iter().flat_map(Object::iter) {
        one_bind(inquiry, volume, &format!("`{at}Volumes`"))?;
    }
    spec_mounts(inquiry, config.field("Mounts"), &format!("{at}Mounts"))?;
    for reference in mounts_of_others(config, of) {
        let Reference { name, site, .. } = reference?;
        let place = match site {
            Site::Field { name, index: Some(index), .. } => format!("`{at}{name}[{index}]`"),
            Site::Field { .. } | Site::Path | Site::Parameter(_) | Site::Key => continue,
        };
        mounts_of_another(inquiry, name, &place)?;
    }
    Ok(())
}

/// `Mounts` of a container or a service.
pub(super) fn spec_mounts<'a>(
    inquiry: &mut Inquiry<'a>,
    mounts: Option<&'a Json>,
    at: &str,
) -> Verdict {
    if inquiry.mounts_are_free() {
        return Ok(());
    }
    for (index, mount) in array(mounts, at)?.iter().enumerate() {
        one_mount(inquiry, mount, &format!("`{at}[{index}]`"))?;
    }
    Ok(())
}

fn one_mount<'a>(inquiry: &mut Inquiry<'a>, mount: &'a Json, place: &str) -> Verdict {
    let text = |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
    // Podman joins the fields with commas and takes them apart again; Docker reads each as it stands.
    if has_separator(mount) && inquiry.is_docker() == Some(false) {
        let problem = "holds a comma or a quotation mark in a text, which engines read in different ways; leave it out";
        return Err(violation(Clause::Unclear, place, problem));
    }
    match text("Type") {
        "bind" => host_path(inquiry, text("Source"), place),
        "volume" => {
            let source = text("Source");
            if !source.is_empty() {
                named_volume(inquiry, source, place)?;
            }
            let driver =
                mount.field("VolumeOptions").and_then(|options| options.field("DriverConfig"));
            let Some(driver) = driver else { return Ok(()) };
            volume_driver(inquiry, driver.field("Name"), place)?;
            volume_options(inquiry, driver.field("Options"), place)
        }
        "tmpfs" | "image" => Ok(()),
        other => Err(refused(
            inquiry,
            place,
            &format!("has the type `{}`, and what that mounts cannot be judged", printable(other)),
        )),
    }
}

/// `source:target[:mode]`, as moby's `linux_parser.go` splits it.
fn one_bind(inquiry: &mut Inquiry<'_>, bind: &str, place: &str) -> Verdict {
    let Some((source, rest)) = bind.split_once(':') else { return Ok(()) };
    // Podman's overlays take more directories of the host: `O,upperdir=/…`. The target may hold anything but a colon.
    let modes = rest.split_once(':').map_or("", |(_, modes)| modes);
    if modes.split(',').any(|mode| mode == "O" || mode.contains('=')) {
        let problem =
            format!("has the mode `{}`, and what that mounts cannot be judged", printable(modes));
        return Err(refused(inquiry, place, &problem));
    }
    if source.starts_with('/') {
        host_path(inquiry, source, place)
    } else {
        named_volume(inquiry, source, place)
    }
}

/// The mounts of another container, all of which `VolumesFrom` takes over.
fn mounts_of_another(inquiry: &mut Inquiry<'_>, name: &str, place: &str) -> Verdict {
    let veil = "takes over mounts that are not allowed";
    inquiry.look_at_container(name, place, veil, |review, inspect| {
        for mount in inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default() {
            let text = |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
            match text("Type") {
                "volume" => named_volume(review, text("Name"), place)?,
                "tmpfs" | "image" => {}
                _ => host_path(review, text("Source"), place)?,
            }
        }
        Ok(())
    })
}

/// `volumes/create`.
pub(super) fn volume_create(inquiry: &mut Inquiry<'_>) -> Verdict {
    volume_driver(inquiry, inquiry.field("Driver"), "`Driver`")?;
    volume_options(inquiry, inquiry.field("DriverOpts"), "`DriverOpts`")?;
    if inquiry.denies_host() && inquiry.field("ClusterVolumeSpec").is_some_and(|it| !it.is_zero()) {
        return Err(host("`ClusterVolumeSpec`", "reaches the storage of the swarm"));
    }
    // One that exists is handed out as it is, whatever is asked for here.
    match inquiry.body {
        Some(body) if inquiry.denies_host() => fields_are_known(body, VOLUME),
        _ => Ok(()),
    }
}

/// A volume that may exist already, with options that somebody else chose.
pub(super) fn named_volume(inquiry: &mut Inquiry<'_>, name: &str, place: &str) -> Verdict {
    if !is_plain(name) {
        let problem = format!("names the volume `{}`, which cannot be one", printable(name));
        return Err(violation(Clause::Unclear, place, &problem));
    }
    let veil = Veil { place, problem: "mounts a volume that shows more than is allowed" };
    inquiry.look(&Question::Volume(name.to_owned()), veil, |review, volume| {
        let Some(volume) = volume else { return Ok(()) };
        volume_driver(review, volume.field("Driver"), place)?;
        volume_options(review, volume.field("Options"), place)
    })
}

/// A driver other than `local` is a plugin, which mounts what it likes.
fn volume_driver(inquiry: &Inquiry<'_>, driver: Option<&Json>, place: &str) -> Verdict {
    if matches!(inquiry.limits.mounts, Mounts::All) {
        return Ok(());
    }
    match driver {
        None => Ok(()),
        driver if is_local_driver(driver) => Ok(()),
        Some(driver) => {
            let driver = driver.to_string();
            let problem = format!(
                "uses the volume driver {}, which may mount anything of the host",
                printable(&driver)
            );
            Err(refused(inquiry, place, &problem))
        }
    }
}

/// The options of the `local` driver are a `mount(2)` in the host's namespaces (moby `volume/local/local_unix.go`), so what is not
/// known to stay away from the host is refused.
fn volume_options(inquiry: &Inquiry<'_>, options: Option<&Json>, place: &str) -> Verdict {
    let Some(options) = options.filter(|options| !options.is_zero()) else { return Ok(()) };
    let text = |name: &str| options.field(name).and_then(Json::as_str).unwrap_or_default();
    let (kind, flags, device) = (text("type"), text("o"), text("device"));
    if options.as_object().is_none() {
        return Err(violation(Clause::Unclear, place, "has options that are no object"));
    }
    if kind.is_empty() && flags.is_empty() && device.is_empty() {
        return Ok(());
    }
    if has_flag(flags, &["move", "remount"]) {
        return Err(refused(inquiry, place, "moves or remounts something of the host"));
    }
    if has_flag(flags, &["bind", "rbind"]) {
        return host_path(inquiry, device, place);
    }
    let kind = kind.trim().to_ascii_lowercase();
    let is_network = NETWORK_VOLUMES.contains(&kind.as_str());
    if (is_network || OTHER_NETWORK_VOLUMES.contains(&kind.as_str()))
        && !inquiry.limits.network_volumes
    {
        let problem = format!("mounts a file system from the network (`{}`)", printable(&kind));
        return Err(violation(Clause::NetworkVolume, place, &problem));
    }
    if is_network || kind == "tmpfs" {
        return Ok(());
    }
    match inquiry.limits.mounts {
        Mounts::All => Ok(()),
        Mounts::From(_) | Mounts::Denied | Mounts::Unlisted => {
            let problem = format!(
                "is a volume of the type `{}`, which may show anything of the host",
                printable(&kind)
            );
            Err(refused(inquiry, place, &problem))
        }
    }
}

/// A path of the host that is to be mounted, or written to.
pub(super) fn host_path(inquiry: &Inquiry<'_>, path: &str, place: &str) -> Verdict {
    let directories = match inquiry.limits.mounts {
        Mounts::All => return Ok(()),
        Mounts::From(directories) => directories,
        Mounts::Denied | Mounts::Unlisted => {
            return Err(refused(
                inquiry,
                place,
                &format!("mounts the host's `{}`", printable(path)),
            ));
        }
    };
    let parts = parts_of(path).ok_or_else(|| {
        let problem = format!(
            "mounts the host's `{}`, which is not absolute or holds `..`; send the path it leads to",
            printable(path)
        );
        violation(Clause::MountSource, place, &problem)
    })?;
    let listed = directories.iter().any(|directory| {
        let directory: Vec<_> = directory.to_str().and_then(parts_of).unwrap_or_else(|| vec![".."]);
        directory.is_empty() || (parts.starts_with(&directory) && !leads_elsewhere(&parts))
    });
    if listed {
        return Ok(());
    }
    Err(refused(inquiry, place, &format!("mounts the host's `{}`", printable(path))))
}

/// A mount that the limits do not allow, with the clause that says which limit.
pub(super) fn refused(inquiry: &Inquiry<'_>, place: &str, problem: &str) -> Violation {
    let clause = match inquiry.limits.mounts {
        Mounts::Denied => Clause::NoMounts,
        Mounts::From(_) | Mounts::Unlisted | Mounts::All => Clause::MountSource,
    };
    violation(clause, place, problem)
}

/// A checkpoint is a tree of files at a path of the host.
pub(super) fn checkpoint_create(inquiry: &Inquiry<'_>) -> Verdict {
    let text = |name: &str| {
        let value = inquiry.field(name).filter(|value| !value.is_zero());
        value.map_or("", |value| value.as_str().unwrap_or("?"))
    };
    match text("CheckpointDir") {
        "" => {}
        directory => host_path(inquiry, directory, "`CheckpointDir`")?,
    }
    checkpoint_name(inquiry, text("CheckpointID"), "`CheckpointID`")
}

/// Engines join a checkpoint's name to the path of a directory (moby `daemon/checkpoint.go`).
fn checkpoint_name(inquiry: &Inquiry<'_>, name: &str, place: &str) -> Verdict {
    if name.is_empty() || is_plain(name) || matches!(inquiry.limits.mounts, Mounts::All) {
        return Ok(());
    }
    let problem =
        format!("is `{}`, which leads out of the engine's own directory", printable(name));
    Err(refused(inquiry, place, &problem))
}

pub(super) fn checkpoint_parameter(inquiry: &Inquiry<'_>, name: &str) -> Verdict {
    match inquiry.parameter(name) {
        "" => {}
        directory => host_path(inquiry, directory, &format!("the parameter `{name}`"))?,
    }
    checkpoint_name(inquiry, inquiry.parameter("checkpoint"), "the parameter `checkpoint`")
}

/// The texts of an array of strings, with their places.
fn texts<'a>(value: Option<&'a Json>, at: &str) -> Result<Vec<(String, &'a str)>, Violation> {
    let texts = array(value, at)?.iter().enumerate().map(|(index, value)| {
        let place = format!("`{at}[{index}]`");
        match value {
            Json::String(text) => Ok((place, text.as_str())),
            // Go makes an empty string of it, which mounts nothing.
            Json::Null => Ok((place, "")),
            _ => Err(violation(Clause::Unclear, &place, "is no string; send one")),
        }
    });
    texts.collect()
}

/// Whether volumes of this driver are the engine's own, which mount what their options say.
pub(super) fn is_local_driver(driver: Option<&Json>) -> bool {
    driver.is_none_or(|driver| matches!(driver.as_str(), Some("" | "local")))
}

/// Whether one of these is among the options of a `mount(2)`.
pub(super) fn has_flag(flags: &str, wanted: &[&str]) -> bool {
    let mut flags = flags.split(',').map(str::trim);
    flags.any(|flag| wanted.iter().any(|wanted| flag.eq_ignore_ascii_case(wanted)))
}

/// What is given away with a listed directory, if it is one of those that nobody should list.
pub fn mount_danger(directory: &Path) -> Option<&'static str> {
    const SOCKETS: &[&str] = &[
        "/run/containerd/containerd.sock",
        "/run/docker.sock",
        "/run/podman/podman.sock",
        "/var/run/docker.sock",
    ];
    const SYSTEM: &[&str] = &[
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/proc",
        "/root",
        "/sbin",
        "/sys",
        "/usr",
        "/var/lib/containerd",
        "/var/lib/containers",
        "/var/lib/crio",
        "/var/lib/docker",
        "/var/lib/kubelet",
        "/var/spool/cron",
    ];
    if SOCKETS.iter().any(|socket| Path::new(socket).starts_with(directory)) {
        return Some("holds the engine's own socket, so whoever mounts it owns the host");
    }
    let is_system = SYSTEM
        .iter()
        .any(|system| directory.starts_with(system) || Path::new(system).starts_with(directory));
    is_system.then_some("belongs to the host's system, so whoever writes there owns the host")
}

/// Whether a text in a mount holds what separates fields from each other where mounts are written in one line. Labels and the options of a
/// driver are not among those fields.
fn has_separator(mount: &Json) -> bool {
    match mount {
        Json::String(text) => text.contains([',', '"', '\n', '\r']),
        Json::Object(object) => object.iter().any(|(key, value)| {
            !matches!(&*fold(key), "driverconfig" | "labels" | "options") && has_separator(value)
        }),
        _ => false,
    }
}

/// The components of an absolute path without `..`, as the daemon cleans it (Go's `filepath.Clean`).
fn parts_of(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/').filter(|rest| !rest.contains('\0'))?;
    let parts: Vec<_> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.contains(&"..")).then_some(parts)
}

/// proc(5): below `/proc/<pid>` there are links that lead to any place (`root`, `cwd`, `fd`), and `/dev/fd` is one of them.
fn leads_elsewhere(parts: &[&str]) -> bool {
    match parts {
        ["proc", process, ..] => {
            matches!(*process, "inquiry" | "thread-inquiry")
                || process.bytes().all(|byte| byte.is_ascii_digit())
        }
        ["dev", "fd" | "stdin" | "stdout" | "stderr", ..] => true,
        _ => false,
    }
}
