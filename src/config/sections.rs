//! The variables of Tecnativa's and `LinuxServer`'s proxies, whose sections are read as words.
//!
//! They count in a container if nothing of ours is set and one of those that only such a proxy has is `0` or `1`; `VERSION=1` alone is anybody's.
//! A section gives what it says and not what its paths happen to hold besides: files of containers and images, secrets and terminals are left
//! out, and the log says which word gives them back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use tracing::Level;

use crate::rule::words::Words;
use crate::rule::{HostAccess, Origin};
use crate::setting::SettingName;

use super::draft::{Assumed, Draft};
use super::mistake::{Mistake, printable};

/// One section of the API.
struct Section {
    variable: &'static str,
    /// What is given if nothing says otherwise.
    default: bool,
    /// The words for `GET` and `HEAD`.
    reads: &'static str,
    /// The words for the other methods, with `POST=1`.
    writes: &'static str,
    /// What of it is left out, and the word that gives it.
    left_out: Option<(&'static str, &'static str)>,
}

const FILES: Option<(&str, &str)> = Some(("files of containers", "read-files"));
const SECRETS: Option<(&str, &str)> = Some(("tokens and contents", "secrets"));

/// A section with nothing but its reads.
const fn section(variable: &'static str, reads: &'static str) -> Section {
    Section { variable, default: false, reads, writes: "", left_out: None }
}

const SECTIONS: &[Section] = &[
    Section { writes: "SystemAuth", ..section("AUTH", "") },
    Section { writes: "build, BuildPrune", ..section("BUILD", "") },
    Section { writes: "ImageCommit", ..section("COMMIT", "") },
    Section {
        writes: "ConfigCreate, ConfigUpdate, ConfigDelete",
        left_out: SECRETS,
        ..section("CONFIGS", "")
    },
    Section {
        writes: "ContainerCreate, ContainerStart, ContainerStop, ContainerRestart, ContainerKill, ContainerPause, ContainerUnpause, ContainerWait, ContainerResize, ContainerUpdate, ContainerRename, ContainerDelete, ContainerPrune, ContainerAttach, ContainerExec",
        left_out: FILES,
        ..section("CONTAINERS", "ContainerList, ContainerInspect, logs, stats, ContainerChanges")
    },
    section("DISTRIBUTION", "DistributionInspect"),
    Section { default: true, ..section("EVENTS", "SystemEvents") },
    Section { writes: "ExecStart, ExecResize", ..section("EXEC", "ExecInspect") },
    Section { writes: "Grpc", ..section("GRPC", "") },
    Section {
        writes: "ImageCreate, ImageLoad, ImageTag, ImageDelete, ImagePrune, push",
        left_out: Some(("the files of images", "read-files")),
        ..section("IMAGES", "ImageList, ImageInspect, ImageHistory, ImageAttestations, ImageSearch")
    },
    section("INFO", "SystemInfo"),
    Section {
        writes: "NetworkCreate, NetworkConnect, NetworkDisconnect, NetworkDelete, NetworkPrune",
        ..section("NETWORKS", "NetworkList, NetworkInspect")
    },
    Section { writes: "NodeUpdate, NodeDelete", ..section("NODES", "NodeList, NodeInspect") },
    // Every client may ping.
    Section { default: true, ..section("PING", "") },
    Section {
        writes: "PluginPull, PluginCreate, PluginEnable, PluginDisable, PluginPush, PluginUpgrade, PluginSet, PluginDelete",
        ..section("PLUGINS", "PluginList, PluginInspect, GetPluginPrivileges")
    },
    Section {
        writes: "SecretCreate, SecretUpdate, SecretDelete",
        left_out: Some(("the list of secrets", "secrets")),
        ..section("SECRETS", "")
    },
    Section {
        writes: "ServiceCreate, ServiceUpdate, ServiceDelete",
        ..section("SERVICES", "ServiceList, ServiceInspect, ServiceLogs")
    },
    Section { writes: "Session", ..section("SESSION", "") },
    Section {
        writes: "SwarmInit, SwarmJoin, SwarmLeave, SwarmUpdate, SwarmUnlock",
        left_out: SECRETS,
        ..section("SWARM", "")
    },
    section("SYSTEM", "SystemDataUsage"),
    section("TASKS", "TaskList, TaskInspect, TaskLogs"),
    Section { default: true, ..section("VERSION", "SystemVersion") },
    Section {
        writes: "VolumeCreate, VolumeUpdate, VolumeDelete, VolumePrune",
        ..section("VOLUMES", "VolumeList, VolumeInspect")
    },
];

/// Single operations that are given without `POST=1`, as they are there.
const OPERATIONS: &[(&str, &str)] = &[
    ("ALLOW_PAUSE", "ContainerPause"),
    ("ALLOW_RESTARTS", "ContainerStop, ContainerRestart, ContainerKill"),
    ("ALLOW_START", "ContainerStart"),
    ("ALLOW_STOP", "ContainerStop"),
    ("ALLOW_UNPAUSE", "ContainerUnpause"),
];

/// What takes single operations away again, if it says so.
const TAKEN: &[(&str, &[&str])] = &[
    ("ALLOW_ARCHIVE", &[]),
    ("ALLOW_ATTACH", &["ContainerAttach"]),
    ("ALLOW_DELETE", &["ContainerDelete"]),
    ("ALLOW_EXEC", &["ContainerExec"]),
    ("ALLOW_EXPORT", &[]),
    ("ALLOW_KILL", &["ContainerKill"]),
    ("ALLOW_LOGS", &["logs"]),
    (
        "DELETE",
        &[
            "ConfigDelete",
            "ContainerDelete",
            "ImageDelete",
            "NetworkDelete",
            "NodeDelete",
            "PluginDelete",
            "SecretDelete",
            "ServiceDelete",
            "VolumeDelete",
        ],
    ),
    ("PATCH", &[]),
    ("PUT", &[]),
];

/// What else they read.
const OTHERS: &[&str] = &["BIND_CONFIG", "DISABLE_IPV6", "LOG_LEVEL", "POST", "SOCKET_PATH"];

/// Those that only such a proxy has.
const SURE: &[&str] = &["CONTAINERS", "IMAGES", "NETWORKS", "POST", "SERVICES", "TASKS", "VOLUMES"];

fn names() -> impl Iterator<Item = &'static str> + Clone {
    let sections = SECTIONS.iter().map(|section| section.variable);
    let operations = OPERATIONS.iter().map(|(name, _)| *name);
    sections
        .chain(operations)
        .chain(TAKEN.iter().map(|(name, _)| *name))
        .chain(OTHERS.iter().copied())
}

/// The variables of such a proxy, and those that look like one.
#[derive(Debug, Default)]
pub(super) struct Foreign(BTreeMap<String, OsString>);

impl Foreign {
    /// Notes a variable if it may be one.
    pub(super) fn note(&mut self, name: &OsStr, value: &OsStr) {
        let Some(name) = name.to_str().filter(|name| !name.starts_with("SP_")) else { return };
        let is_switch = || matches!(value.to_str(), Some("0" | "1"));
        let resembles = || is_switch() && like(name).is_some();
        if names().any(|known| known == name) || resembles() {
            // The first counts, as for getenv(3).
            self.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }

    /// A variable that shows that somebody means such a proxy.
    fn sure(&self) -> Option<(&str, &str)> {
        SURE.iter().find_map(|name| {
            let value = self.0.get(*name)?.to_str().filter(|it| matches!(*it, "0" | "1"))?;
            Some((*name, value))
        })
    }

    fn is_set(&self, name: &str) -> Option<Result<bool, Mistake>> {
        let value = self.0.get(name).filter(|value| !value.is_empty())?;
        Some(match value.to_str().map(str::to_ascii_lowercase).as_deref() {
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some("0" | "false" | "no" | "off") => Ok(false),
            _ => Err(Mistake::Value {
                origin: Origin::Env(name.to_owned()),
                value: printable(value),
                problem: "is neither `0` nor `1`; give one of them".to_owned(),
            }),
        })
    }

    fn switch(&self, name: &str, mistakes: &mut Vec<Mistake>) -> Option<bool> {
        match self.is_set(name)? {
            Ok(is_set) => Some(is_set),
            Err(mistake) => {
                mistakes.push(mistake);
                None
            }
        }
    }
}

/// The variable that a name resembles by one letter: `CONTAINER`, `ALLOW_RESTART`.
fn like(name: &str) -> Option<&'static str> {
    let is_like = |known: &str| {
        name != known && name.len() >= 4 && strsim::damerau_levenshtein(name, known) == 1
    };
    names().find(|known| is_like(known))
}

/// Reads the variables into the draft, if they count; says what is wrong with them.
pub(super) fn read(draft: &mut Draft, foreign: &Foreign, may_count: bool) -> Vec<Mistake> {
    let Some((name, value)) = foreign.sure() else { return Vec::new() };
    if !may_count {
        draft.foreign.push(format!(
            "`{name}={value}` is a variable of another proxy, and is not read beside settings of sockwarden's own or outside a container; {} says what is allowed",
            SettingName::Allow.or_variable()
        ));
        return Vec::new();
    }
    let mut mistakes = Vec::new();
    let may_post = foreign.switch("POST", &mut mistakes).unwrap_or(false);
    let mut taken: Vec<&str> = Vec::new();
    for (name, words) in TAKEN {
        if foreign.switch(name, &mut mistakes) == Some(false) {
            taken.extend(*words);
        }
    }
    let mut all: Vec<String> = Vec::new();
    let mut give = |draft: &mut Draft, variable: &str, words: &str| {
        let words: Vec<&str> =
            words.split(", ").filter(|word| !word.is_empty() && !taken.contains(word)).collect();
        if let Ok(read) = Words::read(&words.join(", "), &Origin::Env(variable.to_owned())) {
            draft.words.push((Origin::Env(variable.to_owned()), read));
            all.extend(words.into_iter().map(str::to_owned));
        }
    };
    for section in SECTIONS {
        let Section { variable, default, reads, writes, left_out } = section;
        if !foreign.switch(variable, &mut mistakes).unwrap_or(*default) {
            continue;
        }
        give(draft, variable, reads);
        if may_post {
            give(draft, variable, writes);
        }
        if let Some((what, word)) = left_out {
            draft.foreign.push(format!(
                "`{variable}=1` gives no more {what}; the word `{word}` would give them back"
            ));
        }
    }
    for (variable, words) in OPERATIONS {
        if foreign.switch(variable, &mut mistakes) == Some(true) {
            give(draft, variable, words);
        }
    }
    all.sort();
    all.dedup();
    let moved = format!("-allowfrom=CLIENT -allow='{}'", all.join(", "));
    draft.foreign.push(if may_post {
        format!(
            "`POST=1` lets every client create containers with whatever access to the host: they own it; give each client its own words in the label `sockwarden.allow`, or write {moved}"
        )
    } else {
        format!("variables of another proxy are read; in sockwarden's own words they say {moved}")
    });
    draft.own_host_access = may_post.then_some(HostAccess::Allow);
    for name in foreign.0.keys() {
        if let Some(known) = like(name) {
            draft.foreign.push(format!("`{name}` is not read; did you mean `{known}`?"));
        }
    }
    others(draft, foreign, &mut mistakes);
    draft.assume(Assumed::Sections);
    mistakes
}

/// What has nothing to do with sections.
fn others(draft: &mut Draft, foreign: &Foreign, mistakes: &mut Vec<Mistake>) {
    let text = |name: &str| foreign.0.get(name).and_then(|it| it.to_str()).unwrap_or_default();
    draft.lacks_ipv6 = foreign.switch("DISABLE_IPV6", mistakes).unwrap_or(false);
    if !text("BIND_CONFIG").is_empty() {
        draft.foreign.push(format!(
            "`BIND_CONFIG` is not read; {} and {} say where to listen",
            SettingName::ListenIp.or_variable(),
            SettingName::ProxyPort.or_variable()
        ));
    }
    let mistake = |name: &str, problem: &str| Mistake::Value {
        origin: Origin::Env(name.to_owned()),
        value: printable(OsStr::new(text(name))),
        problem: problem.to_owned(),
    };
    match text("SOCKET_PATH") {
        "" => {}
        path if path.starts_with('/') => draft.engine_socket = path.into(),
        _ => mistakes.push(mistake("SOCKET_PATH", "is not an absolute path of a socket")),
    }
    match text("LOG_LEVEL") {
        "" | "info" | "notice" => {}
        "debug" => draft.log_level = Level::DEBUG,
        "warning" => draft.log_level = Level::WARN,
        "err" | "crit" | "alert" | "emerg" => draft.log_level = Level::ERROR,
        // It is a common name, and nothing depends on it.
        _ => draft.foreign.push(
            "`LOG_LEVEL` is none of `debug`, `info`, `notice`, `warning`, `err`, `crit`, `alert` and `emerg`, so it is `info`".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Operation;

    #[test]
    fn every_section_is_made_of_words() {
        let origin = Origin::Env("X".to_owned());
        for section in SECTIONS {
            for words in [section.reads, section.writes] {
                if !words.is_empty() {
                    let read = Words::read(words, &origin);
                    assert!(read.is_ok(), "{}: {read:?}", section.variable);
                    let read = read.unwrap();
                    assert!(!read.gives(Operation::ContainerArchive), "{}", section.variable);
                    assert!(!read.gives(Operation::ImageGet), "{}", section.variable);
                }
            }
            if let Some((_, word)) = section.left_out {
                assert!(Words::read(word, &origin).is_ok());
            }
        }
        for (_, words) in OPERATIONS {
            assert!(Words::read(words, &origin).is_ok(), "{words}");
        }
        // What `DELETE=0` takes away are words of their own, and all there are.
        let taken = TAKEN.iter().find(|(name, _)| *name == "DELETE").unwrap().1;
        for words in SECTIONS.iter().flat_map(|section| [section.reads, section.writes]) {
            let left: Vec<_> = words.split(", ").filter(|it| !taken.contains(it)).collect();
            let left = Words::read(&left.join(", "), &origin).unwrap_or_default();
            for operation in Operation::all().filter(|it| left.gives(*it)) {
                assert_ne!(operation.method(), Some(crate::request::Method::Delete), "{words}");
            }
        }
        for name in SURE {
            assert!(names().any(|known| known == *name));
        }
        assert_eq!(like("CONTAINER"), Some("CONTAINERS"));
        assert_eq!(like("ALLOW_RESTART"), Some("ALLOW_RESTARTS"));
        assert_eq!(like("HOME"), None);
    }
}
