//! Settings of a container that are compared by what they mean: what a create inherits of its image, what engines fill in where nothing is
//! said, and what is said in several ways.
//!
//! The facts are those of moby's `daemon/commit.go` (`merge`), `daemon/create.go` and `daemon/daemon_unix.go`.

use std::collections::BTreeSet;

use crate::request::json::Json;
use crate::rule::labels::creator::CREATOR_LABEL;
use crate::rule::labels::is_reserved;
use crate::rule::words::ImageName;

use super::fields::{LOG_CONFIG, MOUNTS};
use super::known::{LOG_DRIVERS, MASKED_PATHS, READONLY_PATHS, Shape, hidden_since};
use super::sides::{Sides, entry, members, same, set};
use super::values::texts;

/// What Compose writes on a container about itself and not about what it is; it differs from one to the next.
const NOTES: &[&str] =
    &["com.docker.compose.image", "com.docker.compose.replace", "com.docker.compose.version"];

/// The same, and by it Compose knows its containers.
const CONFIG_HASH: &str = "com.docker.compose.config-hash";

/// How much shared memory a container has if nobody says so, in bytes.
const USUAL_SHARED_MEMORY: &str = "67108864";

fn text(of: Option<&Json>) -> &str {
    of.and_then(Json::as_str).unwrap_or_default()
}

fn list(of: Option<&Json>) -> Vec<&str> {
    of.map(texts).unwrap_or_default()
}

fn new_host<'a>(sides: &Sides<'a>, name: &str) -> Option<&'a Json> {
    sides.new.field("HostConfig").and_then(|it| it.field(name))
}

fn old_host<'a>(sides: &Sides<'a>, name: &str) -> Option<&'a Json> {
    sides.host_config().and_then(|it| it.field(name))
}

fn new_and_old<'a>(sides: &Sides<'a>, name: &str) -> (Option<&'a Json>, Option<&'a Json>) {
    (new_host(sides, name), old_host(sides, name))
}

fn config<'a>(sides: &Sides<'a>, name: &str) -> (Option<&'a Json>, Option<&'a Json>) {
    (sides.new.field(name), sides.config().and_then(|it| it.field(name)))
}

fn is_same(new: Option<&Json>, old: Option<&Json>) -> bool {
    same(&Shape::Value, new, old)
}

/// `Cmd` and `Entrypoint`: an entry point that is given keeps the image's command out.
pub(super) fn command(sides: &Sides<'_>) -> bool {
    let (entry_point, old_entry_point) = config(sides, "Entrypoint");
    let (command, old_command) = config(sides, "Cmd");
    let (mut entry_point, says_none) = (list(entry_point), entry_point.is_some());
    let mut command = list(command);
    if entry_point.is_empty() {
        if command.is_empty() {
            command = list(sides.inherited("Cmd"));
        }
        if !says_none {
            entry_point = list(sides.inherited("Entrypoint"));
        }
    }
    if entry_point == [""] {
        entry_point.clear();
    }
    entry_point == list(old_entry_point) && command == list(old_command)
}

/// What is not given is the image's.
pub(super) fn environment(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "Env");
    let (mut new, old) = (list(new), list(old));
    if new == old {
        return true;
    }
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut given: BTreeSet<String> = new.iter().map(|entry| name(entry)).collect();
    // Which of two counts is not the same everywhere.
    if given.len() != new.len() {
        return false;
    }
    new.extend(list(sides.inherited("Env")).into_iter().filter(|entry| given.insert(name(entry))));
    new.sort_unstable();
    let mut old = old;
    old.sort_unstable();
    new == old
}

/// Fewer ports are less; those of the image come by themselves.
pub(super) fn ports(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "ExposedPorts");
    let known = [old, sides.inherited("ExposedPorts"), old_host(sides, "PortBindings")];
    let is_known =
        |port: &str| known.iter().any(|ports| members(*ports).any(|(known, _)| known == port));
    members(new).all(|(port, says)| is_known(port) && says.is_zero())
}

/// Fewer volumes are less; those of the image come by themselves.
pub(super) fn volumes(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "Volumes");
    let is_known = |path: &str| {
        members(old).chain(members(sides.inherited("Volumes"))).any(|(known, _)| known == path)
    };
    members(new).all(|(path, says)| is_known(path) && says.is_zero())
}

/// What is not given of a health check is the image's, field by field.
pub(super) fn health(sides: &Sides<'_>) -> bool {
    const FIELDS: &[&str] =
        &["Interval", "Retries", "StartInterval", "StartPeriod", "Test", "Timeout"];
    let (new, old) = config(sides, "Healthcheck");
    let image = sides.inherited("Healthcheck");
    let field = |of: Option<&'_ Json>, name: &str| of.and_then(|it| it.field(name)).cloned();
    let is_known = |of: Option<&Json>| {
        members(of).all(|(key, value)| {
            value.is_zero() || FIELDS.iter().any(|field| field.eq_ignore_ascii_case(key))
        })
    };
    is_known(new)
        && is_known(old)
        && FIELDS.iter().all(|name| {
            let given = field(new, name).filter(|value| !value.is_zero());
            let in_force = given.or_else(|| field(image, name));
            is_same(in_force.as_ref(), field(old, name).as_ref())
        })
}

/// A name that the engine made of an id, or took over with a network, need not be given.
pub(super) fn host_name(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "Hostname");
    let (new, old) = (text(new), text(old));
    let is_made = old.len() == 12 && old.bytes().all(|it| it.is_ascii_hexdigit());
    let mode = text(old_host(sides, "NetworkMode"));
    new == old || (new.is_empty() && (is_made || mode == "host" || mode.starts_with("container:")))
}

/// Another tag or digest of the same repository.
pub(super) fn image(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "Image");
    let (new, old) = (text(new), text(old));
    if new.is_empty() {
        return false;
    }
    if new == old || new == text(sides.old.inspect.field("Image")) {
        return true;
    }
    match (ImageName::parse(new), ImageName::parse(old)) {
        (Some(new), Some(old)) => new.is_of_repository(&old),
        // One that was created from an id has no repository: whoever pulls or tags gives an image names of the repositories it likes.
        _ => false,
    }
}

/// Labels that carry rights are exactly those of the old container. One that its image has as well does not count there, and would if it
/// was given with another image.
pub(super) fn labels(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "Labels");
    let image = sides.inherited("Labels");
    if set(new).is_some_and(|new| new.as_object().is_none()) {
        return false;
    }
    let of = |labels: Option<&Json>, key: &str| {
        labels
            .and_then(Json::as_object)
            .and_then(|it| entry(it, key))
            .map(|it| text(Some(it)).to_owned())
    };
    let carries = |key: &str| is_reserved(key, &sides.facts.prefixes);
    let is_note = |key: &str| NOTES.contains(&key);
    let given = members(new).all(|(key, value)| {
        let value = Some(text(Some(value)).to_owned());
        let is_old = of(old, key) == value;
        match key {
            CREATOR_LABEL => is_old,
            _ if carries(key) => {
                is_old && (sides.facts.image_labels_count || of(image, key) != value)
            }
            // What it was made of, in Compose's words; whoever has none is not Compose's.
            CONFIG_HASH => of(old, key).is_some(),
            _ => is_old || is_note(key),
        }
    });
    let left_out = members(old).filter(|(key, _)| of(new, key).is_none());
    given
        && left_out.into_iter().all(|(key, value)| {
            // Who created it is written by us, and stays.
            key == CREATOR_LABEL
                || is_note(key)
                || of(image, key).as_deref() == Some(text(Some(value)))
        })
}

pub(super) fn mac_address(sides: &Sides<'_>) -> bool {
    let (new, old) = config(sides, "MacAddress");
    let new = text(new);
    let on_network = |(_, endpoint): (&str, &Json)| text(endpoint.field("MacAddress")) == new;
    new.is_empty() || new == text(old) || sides.networks().any(on_network)
}

fn capabilities(of: Option<&Json>) -> BTreeSet<String> {
    let name = |capability: &str| {
        let upper = capability.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or_else(|| upper.clone(), str::to_owned)
    };
    list(of).into_iter().map(name).collect()
}

pub(super) fn capabilities_added(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "CapAdd");
    capabilities(new).is_subset(&capabilities(old))
}

pub(super) fn capabilities_dropped(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "CapDrop");
    capabilities(new).is_superset(&capabilities(old))
}

/// The same mode, or the same container under another name.
fn same_mode(sides: &Sides<'_>, new: &str, old: &str) -> bool {
    let container = |mode: &str| {
        mode.strip_prefix("container:").map(|name| name.trim_start_matches('/').to_owned())
    };
    match (container(new), container(old)) {
        (Some(new), Some(old)) => {
            new == old
                || sides.facts.ids.iter().any(|(name, ids)| *name == new && ids.contains(&old))
        }
        _ => new == old,
    }
}

fn modes<'a>(sides: &Sides<'a>, name: &str) -> (&'a str, &'a str) {
    let (new, old) = new_and_old(sides, name);
    (new.map_or("", |it| it.as_str().unwrap_or("?")), text(old))
}

pub(super) fn network(sides: &Sides<'_>) -> bool {
    fn usual(mode: &str) -> &str {
        if matches!(mode, "" | "default") { "bridge" } else { mode }
    }
    let (new, old) = modes(sides, "NetworkMode");
    same_mode(sides, usual(new), usual(old))
}

pub(super) fn process_namespace(sides: &Sides<'_>) -> bool {
    let (new, old) = modes(sides, "PidMode");
    new.is_empty() || same_mode(sides, new, old)
}

/// Without one the engine gives it a namespace of its own, which is more than none.
pub(super) fn ipc_namespace(sides: &Sides<'_>) -> bool {
    let (new, old) = modes(sides, "IpcMode");
    (new.is_empty() && old != "none") || same_mode(sides, new, old)
}

pub(super) fn cgroup_namespace(sides: &Sides<'_>) -> bool {
    let (new, old) = modes(sides, "CgroupnsMode");
    match (new, old) {
        _ if new == old => true,
        ("" | "private", "host") => true,
        ("", "private") => !sides.facts.host_cgroups,
        _ => false,
    }
}

pub(super) fn isolation(sides: &Sides<'_>) -> bool {
    let (new, old) = modes(sides, "Isolation");
    let usual = |mode: &str| if mode == "default" { String::new() } else { mode.to_owned() };
    usual(new) == usual(old)
}

/// `name:alias` as it is asked for, `/name:/container/alias` as it is told.
pub(super) fn links(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "Links");
    linked(new) == linked(old)
}

/// Links in one spelling.
pub(super) fn linked(of: Option<&Json>) -> BTreeSet<(&str, &str)> {
    let read = |link: &'_ str| -> (usize, usize) {
        let name = link.split(':').next().unwrap_or_default();
        (name.len(), link.rfind(['/', ':']).map_or(0, |at| at + 1))
    };
    list(of)
        .into_iter()
        .map(|link| {
            let (name, alias) = read(link);
            let name = link.get(..name).unwrap_or_default().trim_start_matches('/');
            let alias = link.get(alias..).unwrap_or_default();
            (name, if link.contains(':') { alias } else { name })
        })
        .collect()
}

/// Without one it is the engine's own, and inspect shows the engine's own options among those that were given. A log that stays on the host is
/// none of anybody's rights.
pub(super) fn log(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "LogConfig");
    let field = |of: Option<&Json>, name: &str| of.and_then(|it| it.field(name)).cloned();
    let (driver, before) = (field(new, "Type"), field(old, "Type"));
    let (options, known) = (field(new, "Config"), field(old, "Config"));
    let is_known = |(key, value): (&str, &Json)| {
        members(known.as_ref()).any(|(name, known)| name == key && known == value)
    };
    let is_left_out = set(driver.as_ref()).is_none() && set(options.as_ref()).is_none();
    let is_within = driver == before && members(options.as_ref()).all(is_known);
    same(&Shape::Fields(LOG_CONFIG), new, old)
        || (LOG_DRIVERS.contains(&text(before.as_ref()))
            && members(new).all(|(key, _)| matches!(key, "Type" | "Config"))
            && (is_left_out || is_within))
}

/// An empty list hides nothing, and without one the engine's own is in force.
fn hides(new: Option<&Json>, old: Option<&Json>, usual: &[&[&str]], is_privileged: bool) -> bool {
    let is_usual = |path: &&str| usual.iter().any(|paths| paths.contains(path));
    match (new, old) {
        (None, old) => list(old).iter().all(is_usual),
        (Some(new), Some(old)) => {
            let new = texts(new);
            texts(old).iter().all(|path| new.contains(path))
        }
        (Some(new), None) => {
            let new = texts(new);
            let first = usual.first().copied().unwrap_or_default();
            is_privileged || first.iter().all(|path| new.contains(path))
        }
    }
}

fn was_privileged(sides: &Sides<'_>) -> bool {
    old_host(sides, "Privileged") == Some(&Json::Bool(true))
}

pub(super) fn masked_paths(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "MaskedPaths");
    hides(new, old, &[MASKED_PATHS, hidden_since("99")], was_privileged(sides))
}

pub(super) fn readonly_paths(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "ReadonlyPaths");
    hides(new, old, &[READONLY_PATHS], was_privileged(sides))
}

fn number(of: Option<&Json>) -> Option<i64> {
    match of {
        Some(Json::Number(number)) => number.parse().ok(),
        _ => None,
    }
}

/// Without one it is twice the memory.
pub(super) fn swap(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "MemorySwap");
    let memory = number(old_host(sides, "Memory")).unwrap_or_default();
    is_same(new, old) || (set(new).is_none() && memory > 0 && number(old) == memory.checked_mul(2))
}

/// -1 and nothing leave it to the kernel.
pub(super) fn swappiness(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "MemorySwappiness");
    let given = |of: Option<&Json>| of.filter(|_| number(of) != Some(-1)).cloned();
    given(new) == given(old)
}

/// -1, 0 and nothing set no limit.
pub(super) fn processes(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "PidsLimit");
    let given = |of: Option<&Json>| set(of).filter(|_| number(of) != Some(-1)).cloned();
    given(new) == given(old)
}

pub(super) fn shared_memory(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "ShmSize");
    let is_usual = matches!(old, Some(Json::Number(number)) if **number == *USUAL_SHARED_MEMORY);
    is_same(new, old) || (set(new).is_none() && is_usual)
}

pub(super) fn restart(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "RestartPolicy");
    let name = |of: Option<&Json>| match text(of.and_then(|it| it.field("Name"))) {
        "" => "no".to_owned(),
        name => name.to_owned(),
    };
    let count = |of: Option<&Json>| set(of.and_then(|it| it.field("MaximumRetryCount"))).cloned();
    let is_known = |of: Option<&Json>| {
        members(of).all(|(key, value)| {
            value.is_zero()
                || ["Name", "MaximumRetryCount"].iter().any(|it| it.eq_ignore_ascii_case(key))
        })
    };
    is_known(new) && name(new) == name(old) && count(new) == count(old)
}

/// Without one it is the engine's own.
pub(super) fn runtime(sides: &Sides<'_>) -> bool {
    let (new, old) = modes(sides, "Runtime");
    new == old
        || (new.is_empty() && matches!(old, "runc" | "io.containerd.runc.v2" | "crun" | "oci"))
}

pub(super) fn security(sides: &Sides<'_>) -> bool {
    let options = |of: Option<&Json>| -> BTreeSet<(String, String)> {
        let read = |option: &str| {
            let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
            let value =
                if name == "no-new-privileges" && value.is_empty() { "true" } else { value };
            (name.to_owned(), value.to_owned())
        };
        list(of).into_iter().map(read).collect()
    };
    let (new, old) = new_and_old(sides, "SecurityOpt");
    let (new, mut old) = (options(new), options(old));
    // Engines add it themselves to what shares the host's processes, and it is no more without.
    let disabled = ("label".to_owned(), "disable".to_owned());
    if !new.contains(&disabled) {
        old.remove(&disabled);
    }
    new == old
}

pub(super) fn ulimits(sides: &Sides<'_>) -> bool {
    let limits = |of: Option<&Json>| -> Option<BTreeSet<[String; 3]>> {
        let values = set(of).map_or(Some(&[][..]), Json::as_array)?;
        let field = |limit: &Json, name: &str| {
            set(limit.field(name)).map(Json::to_text).unwrap_or_default()
        };
        let read = |limit: &Json| ["Name", "Soft", "Hard"].map(|name| field(limit, name));
        Some(values.iter().map(read).collect())
    };
    let (new, old) = new_and_old(sides, "Ulimits");
    limits(new).is_some_and(|new| limits(old) == Some(new))
}

/// Fewer published ports are less.
pub(super) fn published(sides: &Sides<'_>) -> bool {
    let (new, old) = new_and_old(sides, "PortBindings");
    let of_port = |port: &str| members(old).find(|(it, _)| *it == port).map(|(_, all)| all);
    let place = |of: &Json, name: &str| {
        of.field(name).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let is_known = |binding: &Json, known: &Json| {
        ["HostIp", "HostPort"].into_iter().all(|name| place(binding, name) == place(known, name))
    };
    members(new).all(|(port, bindings)| {
        let Some(known) = of_port(port) else { return false };
        let known = known.as_array().unwrap_or_default();
        bindings.is_zero()
            || bindings.as_array().is_some_and(|bindings| {
                bindings.iter().all(|binding| known.iter().any(|known| is_known(binding, known)))
            })
    })
}

/// `source:target[:options]`, the options in order and without the one that says nothing.
fn bind(text: &str) -> (String, Vec<String>) {
    let mut parts = text.splitn(3, ':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next());
    let options = parts.next().unwrap_or_default().split(',');
    let mut options: Vec<_> =
        options.filter(|it| !matches!(*it, "" | "rw")).map(str::to_owned).collect();
    options.sort_unstable();
    (target.map_or_else(|| source.to_owned(), |target| format!("{source}:{target}")), options)
}

/// `Binds` and `Mounts` together. All that was mounted is mounted again, because one mount may hide a part of another; a volume that got its
/// name when the old container was created may be named now.
pub(super) fn mounts(sides: &Sides<'_>) -> bool {
    let (new_binds, old_binds) = new_and_old(sides, "Binds");
    let (new_mounts, old_mounts) = new_and_old(sides, "Mounts");
    let array = |of: Option<&Json>| match set(of) {
        None => Some(Vec::new()),
        Some(Json::Array(values)) => Some(values.clone()),
        Some(_) => None,
    };
    let (Some(new_mounts), Some(old_mounts)) = (array(new_mounts), array(old_mounts)) else {
        return false;
    };
    let (new_binds, old_binds) = (list(new_binds), list(old_binds));
    let is_mount = |new: &Json, old: &Json| {
        let (new, old) = (Json::Array(vec![new.clone()]), Json::Array(vec![old.clone()]));
        same(&MOUNTS, Some(&new), Some(&old))
    };
    // The targets of volumes that the old container had by the same name.
    let by_bind: Vec<_> = new_binds.iter().filter_map(|text| volume_of_bind(sides, text)).collect();
    let by_mount: Vec<_> = new_mounts.iter().filter_map(|it| volume_of_mount(sides, it)).collect();
    let is_carried = |target: &str| by_bind.contains(&target) || by_mount.contains(&target);
    let target_of_bind = |text: &str| text.split(':').nth(1).unwrap_or(text).to_owned();
    let target_of_mount =
        |it: &Json| it.field("Target").and_then(Json::as_str).unwrap_or_default().to_owned();
    new_binds.iter().all(|new| {
        old_binds.iter().any(|old| bind(old) == bind(new)) || volume_of_bind(sides, new).is_some()
    }) && new_mounts.iter().all(|new| {
        old_mounts.iter().any(|old| is_mount(new, old)) || volume_of_mount(sides, new).is_some()
    }) && old_binds.iter().all(|old| {
        new_binds.iter().any(|new| bind(old) == bind(new)) || is_carried(&target_of_bind(old))
    }) && old_mounts.iter().all(|old| {
        new_mounts.iter().any(|new| is_mount(new, old)) || is_carried(&target_of_mount(old))
    })
}

/// Where the old container had the volume that a bind names, as it names it.
fn volume_of_bind<'a>(sides: &Sides<'a>, text: &str) -> Option<&'a str> {
    let (places, options) = bind(text);
    let (source, target) = places.split_once(':')?;
    if source.starts_with('/') || options.iter().any(|it| it != "ro") {
        return None;
    }
    volume(sides, source, target, options.is_empty())
}

/// The same for an entry of `Mounts` that says no more.
fn volume_of_mount<'a>(sides: &Sides<'a>, mount: &Json) -> Option<&'a str> {
    const PLAIN: &[&str] = &["Type", "Source", "Target", "ReadOnly"];
    let says_more = |(key, value): (&str, &Json)| {
        !PLAIN.contains(&key) && members(Some(value)).any(|(_, value)| !value.is_zero())
            || (!PLAIN.contains(&key) && value.as_object().is_none() && !value.is_zero())
    };
    if members(Some(mount)).any(says_more) || text(mount.field("Type")) != "volume" {
        return None;
    }
    let is_writable = set(mount.field("ReadOnly")).is_none();
    volume(sides, text(mount.field("Source")), text(mount.field("Target")), is_writable)
}

fn volume<'a>(sides: &Sides<'a>, name: &str, target: &str, is_writable: bool) -> Option<&'a str> {
    let is_it = |mount: &&Json| {
        text(mount.field("Type")) == "volume"
            && !name.is_empty()
            && text(mount.field("Name")) == name
            && text(mount.field("Destination")) == target
            // A write-protected one stays so.
            && mount.field("RW") == Some(&Json::Bool(is_writable))
    };
    text(sides.mounts().iter().find(is_it)?.field("Destination")).into()
}
