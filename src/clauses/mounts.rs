//! Whatever mounts a path of the host: binds, mounts, volumes with options of their own, and the mounts of other containers.
//!
//! Paths are compared as text, component by component. The proxy does not see the host's file system, so a symbolic link below a listed
//! directory leads wherever it leads: list directories that no client can write to.

use std::path::Path;

use crate::request::json::{Json, Object, fold};
use crate::text::printable;

use super::look::Veil;
use super::{Clause, Mounts, Question, Review, Verdict, Violation, is_plain, violation};

/// The file systems that `mount(8)` gets over the network; the local driver resolves `addr=` for the first four itself (moby
/// `volume/local`).
const NETWORK_VOLUMES: &[&str] = &["nfs", "nfs4", "cifs", "smb3"];
/// More of them, which are refused with the others and never allowed with them.
const OTHER_NETWORK_VOLUMES: &[&str] = &["9p", "afs", "ceph", "glusterfs", "smbfs"];

impl<'a> Review<'a> {
    /// `Binds`, `Mounts`, `VolumesFrom` and `VolumeDriver` of a `HostConfig`.
    pub(super) fn host_mounts(&mut self, config: &'a Object, at: &str) -> Verdict {
        if self.mounts_are_free() {
            return Ok(());
        }
        let driver = config.field("VolumeDriver");
        self.volume_driver(driver, &format!("`{at}VolumeDriver`"))?;
        for (place, bind) in texts(config.field("Binds"), &format!("{at}Binds"))? {
            self.bind(bind, &place)?;
        }
        // Podman takes a key of `Volumes` for a bind (its `compat/containers_create.go`); Docker for a path in the container.
        let volumes = config.field("Volumes").and_then(Json::as_object);
        for (volume, _) in volumes.into_iter().flat_map(Object::iter) {
            self.bind(volume, &format!("`{at}Volumes`"))?;
        }
        self.mounts(config.field("Mounts"), &format!("{at}Mounts"))?;
        for (place, from) in texts(config.field("VolumesFrom"), &format!("{at}VolumesFrom"))? {
            self.mounts_of_another(from, &place)?;
        }
        Ok(())
    }

    /// `Mounts` of a container or a service.
    pub(super) fn mounts(&mut self, mounts: Option<&'a Json>, at: &str) -> Verdict {
        if self.mounts_are_free() {
            return Ok(());
        }
        for (index, mount) in array(mounts, at)?.iter().enumerate() {
            self.mount(mount, &format!("`{at}[{index}]`"))?;
        }
        Ok(())
    }

    fn mount(&mut self, mount: &'a Json, place: &str) -> Verdict {
        let text = |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
        // Podman joins the fields with commas and takes them apart again; Docker reads each as it stands.
        if has_separator(mount) && self.is_docker() == Some(false) {
            let problem = "holds a comma or a quotation mark in a text, which engines read in different ways; leave it out";
            return Err(violation(Clause::Unclear, place, problem));
        }
        match text("Type") {
            "bind" => self.host_path(text("Source"), place),
            "volume" => {
                let source = text("Source");
                if !source.is_empty() {
                    self.named_volume(source, place)?;
                }
                let driver =
                    mount.field("VolumeOptions").and_then(|options| options.field("DriverConfig"));
                let Some(driver) = driver else { return Ok(()) };
                self.volume_driver(driver.field("Name"), place)?;
                self.volume_options(driver.field("Options"), place)
            }
            "tmpfs" | "image" => Ok(()),
            other => Err(self.refused(
                place,
                &format!(
                    "has the type `{}`, and what that mounts cannot be judged",
                    printable(other)
                ),
            )),
        }
    }

    /// `source:target[:mode]`, as moby's `linux_parser.go` splits it.
    fn bind(&mut self, bind: &str, place: &str) -> Verdict {
        let Some((source, rest)) = bind.split_once(':') else { return Ok(()) };
        // Podman's overlays take more directories of the host: `O,upperdir=/…`. The target may hold anything but a colon.
        let modes = rest.split_once(':').map_or("", |(_, modes)| modes);
        if modes.split(',').any(|mode| mode == "O" || mode.contains('=')) {
            let problem = format!(
                "has the mode `{}`, and what that mounts cannot be judged",
                printable(modes)
            );
            return Err(self.refused(place, &problem));
        }
        if source.starts_with('/') {
            self.host_path(source, place)
        } else {
            self.named_volume(source, place)
        }
    }

    /// The mounts of another container, all of which `VolumesFrom` takes over.
    fn mounts_of_another(&mut self, from: &str, place: &str) -> Verdict {
        let name = from.split(':').next().unwrap_or_default();
        let veil = "takes over mounts that are not allowed";
        self.look_at_container(name, place, veil, |review, inspect| {
            for mount in inspect.field("Mounts").and_then(Json::as_array).unwrap_or_default() {
                let text =
                    |name: &str| mount.field(name).and_then(Json::as_str).unwrap_or_default();
                match text("Type") {
                    "volume" => review.named_volume(text("Name"), place)?,
                    "tmpfs" | "image" => {}
                    _ => review.host_path(text("Source"), place)?,
                }
            }
            Ok(())
        })
    }

    /// `volumes/create`.
    pub(super) fn volume_create(&mut self) -> Verdict {
        self.volume_driver(self.field("Driver"), "`Driver`")?;
        self.volume_options(self.field("DriverOpts"), "`DriverOpts`")?;
        if self.denies_host() && self.field("ClusterVolumeSpec").is_some_and(|it| !it.is_zero()) {
            return Err(super::host("`ClusterVolumeSpec`", "reaches the storage of the swarm"));
        }
        // One that exists is handed out as it is, whatever is asked for here.
        Ok(())
    }

    /// A volume that may exist already, with options that somebody else chose.
    fn named_volume(&mut self, name: &str, place: &str) -> Verdict {
        if !is_plain(name) {
            let problem = format!("names the volume `{}`, which cannot be one", printable(name));
            return Err(violation(Clause::Unclear, place, &problem));
        }
        let veil = Veil { place, problem: "mounts a volume that shows more than is allowed" };
        self.look(&Question::Volume(name.to_owned()), veil, |review, volume| {
            let Some(volume) = volume else { return Ok(()) };
            review.volume_driver(volume.field("Driver"), place)?;
            review.volume_options(volume.field("Options"), place)
        })
    }

    /// A driver other than `local` is a plugin, which mounts what it likes.
    fn volume_driver(&self, driver: Option<&Json>, place: &str) -> Verdict {
        if matches!(self.limits.mounts, Mounts::All) {
            return Ok(());
        }
        match driver {
            None => Ok(()),
            Some(Json::String(name)) if matches!(name.as_str(), "" | "local") => Ok(()),
            Some(driver) => {
                let driver = driver.to_string();
                let problem = format!(
                    "uses the volume driver {}, which may mount anything of the host",
                    printable(&driver)
                );
                Err(self.refused(place, &problem))
            }
        }
    }

    /// The options of the `local` driver are a `mount(2)` in the host's namespaces (moby `volume/local/local_unix.go`), so what is not
    /// known to stay away from the host is refused.
    fn volume_options(&self, options: Option<&Json>, place: &str) -> Verdict {
        let Some(options) = options.filter(|options| !options.is_zero()) else { return Ok(()) };
        let text = |name: &str| options.field(name).and_then(Json::as_str).unwrap_or_default();
        let (kind, flags, device) = (text("type"), text("o"), text("device"));
        if options.as_object().is_none() {
            return Err(violation(Clause::Unclear, place, "has options that are no object"));
        }
        if kind.is_empty() && flags.is_empty() && device.is_empty() {
            return Ok(());
        }
        let has = |wanted: &[&str]| {
            flags
                .split(',')
                .any(|flag| wanted.iter().any(|wanted| flag.trim().eq_ignore_ascii_case(wanted)))
        };
        if has(&["move", "remount"]) {
            return Err(self.refused(place, "moves or remounts something of the host"));
        }
        if has(&["bind", "rbind"]) {
            return self.host_path(device, place);
        }
        let kind = kind.trim().to_ascii_lowercase();
        let is_network = NETWORK_VOLUMES.contains(&kind.as_str());
        if (is_network || OTHER_NETWORK_VOLUMES.contains(&kind.as_str()))
            && !self.limits.network_volumes
        {
            let problem = format!("mounts a file system from the network (`{}`)", printable(&kind));
            return Err(violation(Clause::NetworkVolume, place, &problem));
        }
        if is_network || kind == "tmpfs" {
            return Ok(());
        }
        match self.limits.mounts {
            Mounts::All => Ok(()),
            Mounts::From(_) | Mounts::Denied | Mounts::Unlisted => {
                let problem = format!(
                    "is a volume of the type `{}`, which may show anything of the host",
                    printable(&kind)
                );
                Err(self.refused(place, &problem))
            }
        }
    }

    /// A path of the host that is to be mounted, or written to.
    pub(super) fn host_path(&self, path: &str, place: &str) -> Verdict {
        let directories = match self.limits.mounts {
            Mounts::All => return Ok(()),
            Mounts::From(directories) => directories,
            Mounts::Denied | Mounts::Unlisted => {
                return Err(
                    self.refused(place, &format!("mounts the host's `{}`", printable(path)))
                );
            }
        };
        let parts = parts(path).ok_or_else(|| {
            let problem = format!(
                "mounts the host's `{}`, which is not absolute or holds `..`; send the path it leads to",
                printable(path)
            );
            violation(Clause::MountSource, place, &problem)
        })?;
        let listed = directories.iter().any(|directory| {
            let directory: Vec<_> =
                directory.to_str().and_then(self::parts).unwrap_or_else(|| vec![".."]);
            directory.is_empty() || (parts.starts_with(&directory) && !leads_elsewhere(&parts))
        });
        if listed {
            return Ok(());
        }
        Err(self.refused(place, &format!("mounts the host's `{}`", printable(path))))
    }

    /// A mount that the limits do not allow, with the clause that says which limit.
    pub(super) fn refused(&self, place: &str, problem: &str) -> Violation {
        let clause = match self.limits.mounts {
            Mounts::Denied => Clause::NoMounts,
            Mounts::From(_) | Mounts::Unlisted | Mounts::All => Clause::MountSource,
        };
        violation(clause, place, problem)
    }

    pub(super) const fn mounts_are_free(&self) -> bool {
        matches!(self.limits.mounts, Mounts::All) && self.limits.network_volumes
    }

    /// A checkpoint is a tree of files at a path of the host.
    pub(super) fn checkpoint_create(&self) -> Verdict {
        let directory = self.field("CheckpointDir").filter(|directory| !directory.is_zero());
        match directory {
            None => Ok(()),
            Some(directory) => {
                self.host_path(directory.as_str().unwrap_or_default(), "`CheckpointDir`")
            }
        }
    }

    pub(super) fn checkpoint_parameter(&self, name: &str) -> Verdict {
        match self.parameter(name) {
            "" => Ok(()),
            directory => self.host_path(directory, &format!("the parameter `{name}`")),
        }
    }
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
        "/proc",
        "/root",
        "/sbin",
        "/sys",
        "/usr",
        "/var/lib/containerd",
        "/var/lib/docker",
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

/// The values of an array; none where it is absent.
pub(super) fn array<'a>(value: Option<&'a Json>, at: &str) -> Result<&'a [Json], Violation> {
    match value {
        None => Ok(&[]),
        Some(value) => value.as_array().ok_or_else(|| {
            violation(
                Clause::Unclear,
                &format!("`{}`", at.trim_matches('`')),
                "is no array; send one",
            )
        }),
    }
}

/// The components of an absolute path without `..`, as the daemon cleans it (Go's `filepath.Clean`).
fn parts(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/').filter(|rest| !rest.contains('\0'))?;
    let parts: Vec<_> = rest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.contains(&"..")).then_some(parts)
}

/// proc(5): below `/proc/<pid>` there are links that lead to any place (`root`, `cwd`, `fd`), and `/dev/fd` is one of them.
fn leads_elsewhere(parts: &[&str]) -> bool {
    match parts {
        ["proc", process, ..] => {
            matches!(*process, "self" | "thread-self")
                || process.bytes().all(|byte| byte.is_ascii_digit())
        }
        ["dev", "fd" | "stdin" | "stdout" | "stderr", ..] => true,
        _ => false,
    }
}
