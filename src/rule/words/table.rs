//! Every word there is, and what somebody who typed another one probably meant.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::request::Operation;

use super::bundles::Bundle;
use super::mistake::WordMistake;
use super::presets::{PRESETS, Preset};

/// What a name means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// One operation.
    Operation(Operation),
    /// Several of them.
    Bundle(Bundle),
    /// What a program needs.
    Preset(&'static Preset),
    /// A switch, which gives no operation.
    Switch(Switch),
}

/// A word that gives no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Show the values of environment variables.
    Env,
    /// Set labels that carry rights on what is created.
    GrantRights,
    /// Replace a container by an equal one.
    Recreate,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 3] = [Self::Env, Self::GrantRights, Self::Recreate];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::GrantRights => "grant-rights",
            Self::Recreate => "recreate",
        }
    }

    /// What it does, a sentence without a full stop.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Env => {
                "Read the values of environment variables, or with `env(name=GLOB)` of some. This version shows them to everybody who may look at a container, also without the word"
            }
            Self::GrantRights => {
                "Set labels that carry rights on what is created, and so give itself any right"
            }
            Self::Recreate => {
                "Replace a container by an equal one of the same image repository, as updaters do: stop it, rename it, remove it, and create it with the settings it had. See [Updaters](updaters.md)"
            }
        }
    }
}

/// What an operation is to somebody who replaces containers (`recreate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It makes the new container.
    Create,
    /// It starts the new one, or the old one again.
    Start,
    /// It stops the old one.
    Stop,
    /// It stops it by a signal.
    Kill,
    /// It removes a container.
    Remove,
    /// It gives a container another name.
    Rename,
    /// It connects a container.
    Connect,
    /// It disconnects one.
    Disconnect,
    /// It removes containers that nobody named, which `recreate` does not give and does not let happen.
    Prune,
}

/// The operations of `recreate`.
const STEPS: &[(Operation, Step)] = &[
    (Operation::ContainerCreate, Step::Create),
    (Operation::ContainerStart, Step::Start),
    (Operation::ContainerStop, Step::Stop),
    (Operation::ContainerKill, Step::Kill),
    (Operation::ContainerDelete, Step::Remove),
    (Operation::ContainerRename, Step::Rename),
    (Operation::NetworkConnect, Step::Connect),
    (Operation::NetworkDisconnect, Step::Disconnect),
    (Operation::ContainerPrune, Step::Prune),
];

impl Step {
    /// What this operation is to `recreate`; nothing, mostly.
    pub fn of(operation: Operation) -> Option<Self> {
        STEPS.iter().find(|(it, _)| *it == operation).map(|(_, step)| *step)
    }
}

/// The docker CLI's verbs that are other names for an operation.
pub const VERBS: &[(&str, Operation)] = &[
    ("commit", Operation::ImageCommit),
    ("kill", Operation::ContainerKill),
    ("login", Operation::SystemAuth),
    ("pause", Operation::ContainerPause),
    ("rename", Operation::ContainerRename),
    ("restart", Operation::ContainerRestart),
    ("rm", Operation::ContainerDelete),
    ("search", Operation::ImageSearch),
    ("start", Operation::ContainerStart),
    ("stop", Operation::ContainerStop),
    ("tag", Operation::ImageTag),
    ("top", Operation::ContainerTop),
    ("unpause", Operation::ContainerUnpause),
    ("update", Operation::ContainerUpdate),
    ("wait", Operation::ContainerWait),
];

/// Words that exist and are no part of this version, with what to do instead.
const NOT_YET: &[(&str, &str)] = &[
    ("created", "or write `label:`, `name:` or `project:` in the parentheses of a word"),
    ("hide", "and give no `read` to a client that must not see what it shows"),
    ("learn", "and read the refusals: each says which word would allow it"),
    ("scope", "or write `label:`, `name:` or `project:` in the parentheses of a word"),
    ("view", "and give no `read` to a client that must not see what it shows"),
];

/// What people write in place of a word, and the word that they mean; of several the one that gives least.
const MEANT: &[(&str, &str)] = &[
    // The docker CLI.
    ("ps", "ContainerList"),
    ("ls", "ContainerList"),
    ("list", "ContainerList"),
    ("inspect", "ContainerInspect"),
    ("images", "ImageList"),
    ("history", "ImageHistory"),
    ("info", "SystemInfo"),
    ("version", "SystemVersion"),
    ("events", "SystemEvents"),
    ("df", "SystemDataUsage"),
    ("port", "ContainerInspect"),
    ("diff", "ContainerChanges"),
    ("cp", "read-files"),
    ("export", "ContainerExport"),
    ("save", "ImageGet"),
    ("load", "ImageLoad"),
    ("import", "write-images"),
    ("rmi", "ImageDelete"),
    ("logout", "SystemAuth"),
    ("delete", "ContainerDelete"),
    ("connect", "NetworkConnect"),
    ("disconnect", "NetworkDisconnect"),
    ("buildx", "build"),
    ("remove-images", "ImageDelete"),
    // The Go client.
    ("containerslist", "ContainerList"),
    ("containerremove", "ContainerDelete"),
    ("containerexeccreate", "ContainerExec"),
    ("containerexecstart", "ExecStart"),
    ("containerexecattach", "ExecStart"),
    ("containerexecinspect", "ExecInspect"),
    ("containerexecresize", "ExecResize"),
    ("containerdiff", "ContainerChanges"),
    ("containerstatsoneshot", "ContainerStats"),
    ("containerstatpath", "ContainerArchiveInfo"),
    ("containersprune", "ContainerPrune"),
    ("copyfromcontainer", "ContainerArchive"),
    ("copytocontainer", "PutContainerArchive"),
    ("containercommit", "ImageCommit"),
    ("imageremove", "ImageDelete"),
    ("imagepull", "pull"),
    ("imagesave", "ImageGet"),
    ("imageimport", "write-images"),
    ("imagesprune", "ImagePrune"),
    ("networkremove", "NetworkDelete"),
    ("networksprune", "NetworkPrune"),
    ("volumeremove", "VolumeDelete"),
    ("volumesprune", "VolumePrune"),
    ("serviceremove", "ServiceDelete"),
    ("serverversion", "SystemVersion"),
    ("diskusage", "SystemDataUsage"),
    ("registrylogin", "SystemAuth"),
    ("distribution", "DistributionInspect"),
    // The sections of other proxies.
    ("containers", "ContainerList"),
    ("networks", "NetworkList"),
    ("volumes", "VolumeList"),
    ("services", "ServiceList"),
    ("tasks", "TaskList"),
    ("nodes", "NodeList"),
    ("system", "SystemDataUsage"),
    ("auth", "SystemAuth"),
    ("swarm", "read-swarm"),
    ("configs", "ConfigList"),
    ("allow_restarts", "ContainerRestart"),
    ("allow_start", "ContainerStart"),
    ("allow_stop", "ContainerStop"),
    ("ro", "read"),
    ("r", "read"),
    ("get", "read"),
    ("readonly", "read"),
    ("read-only", "read"),
    ("view", "read"),
    ("monitor", "read"),
    ("metrics", "stats"),
    ("manage", "lifecycle"),
    ("power", "lifecycle"),
];

/// What is no word for a reason worth saying.
const WHY_NOT: &[(&str, &str)] = &[
    ("*", "there is none for everything; name what the client needs, or use a preset"),
    ("all", "there is none for everything; name what the client needs, or use a preset"),
    ("any", "there is none for everything; name what the client needs, or use a preset"),
    ("admin", "there is none for everything; name what the client needs, or use a preset"),
    ("full", "there is none for everything; name what the client needs, or use a preset"),
    ("true", "rights are words such as `read`, not a truth value"),
    ("yes", "rights are words such as `read`, not a truth value"),
    ("on", "rights are words such as `read`, not a truth value"),
    ("1", "rights are words such as `read`, not a truth value"),
    ("false", "rights are words such as `read`; to give none, leave the key out"),
    ("no", "rights are words such as `read`; to give none, leave the key out"),
    ("none", "rights are words such as `read`; to give none, leave the key out"),
    ("0", "rights are words such as `read`; to give none, leave the key out"),
    ("ping", "every client may ping; leave it out"),
    ("_ping", "every client may ping; leave it out"),
    ("post", "it is a method; name what the client needs, for example `lifecycle`"),
    (
        "write",
        "say what is written: `lifecycle`, `create`, `change`, `remove`, `write-files`, `write-images`",
    ),
    ("run", "it is several: `create`, `lifecycle`, `attach` and `pull`"),
    (
        "rw",
        "say what is written: `lifecycle`, `create`, `change`, `remove`, `write-files`, `write-images`",
    ),
];

/// All words by their names in lower case.
static WORDS: LazyLock<HashMap<String, Word>> = LazyLock::new(|| {
    let operations = Operation::all()
        .filter(|operation| !operation.is_ping())
        .map(|operation| (Operation::id(operation), Word::Operation(operation)));
    let verbs = VERBS.iter().map(|(verb, operation)| (*verb, Word::Operation(*operation)));
    let bundles = Bundle::ALL.into_iter().map(|bundle| (bundle.name(), Word::Bundle(bundle)));
    let presets = PRESETS.iter().map(|preset| (&*preset.name, Word::Preset(preset)));
    let switches = Switch::ALL.into_iter().map(|switch| (switch.name(), Word::Switch(switch)));
    let all = operations.chain(verbs).chain(bundles).chain(presets).chain(switches);
    all.map(|(name, word)| (name.to_ascii_lowercase(), word)).collect()
});

/// The word of this name, in any case.
pub(super) fn find(name: &str) -> Result<Word, WordMistake> {
    let lower = name.to_ascii_lowercase();
    if let Some(word) = WORDS.get(&lower) {
        return Ok(*word);
    }
    let given = super::mistake::short(name);
    if let Some((_, instead)) = NOT_YET.iter().find(|(word, _)| *word == lower) {
        return Err(WordMistake::NotYet { given, instead });
    }
    if let Some((_, why)) = WHY_NOT.iter().find(|(word, _)| *word == lower) {
        return Err(WordMistake::NoWord { given, why });
    }
    if lower.starts_with("my/") {
        let instead = "and write what it would stand for";
        return Err(WordMistake::NotYet { given, instead });
    }
    Err(WordMistake::UnknownWord { given, nearest: nearest(&lower).map(str::to_owned) })
}

/// What was probably meant by a name in lower case that is no word.
fn nearest(typed: &str) -> Option<&'static str> {
    /// Nobody mistypes a longer one.
    const LONGEST_BYTES: usize = 64;
    if typed.len() > LONGEST_BYTES {
        return None;
    }
    // An image's name holds the program's: `docker.io/amir20/dozzle:v8`.
    let program =
        typed.split(':').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let program = program.split('@').next().unwrap_or_default();
    let spelled = |name: &str| {
        let name = name.replace('_', "-");
        let meant =
            MEANT.iter().find(|(wrong, _)| *wrong == name || wrong.replace('_', "-") == name);
        meant.map(|(_, right)| *right).or_else(|| canonical(&name))
    };
    if let Some(name) = spelled(typed).or_else(|| spelled(program)) {
        return Some(name);
    }
    let squeezed: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    let most_edits = if typed.len() < 5 { 1 } else { 2 };
    let near = names()
        .map(|name| {
            let lower = name.to_ascii_lowercase();
            let own: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
            let edits =
                strsim::osa_distance(&squeezed, &own).min(strsim::osa_distance(typed, &lower));
            (edits, harm(name), name)
        })
        .filter(|(edits, ..)| *edits <= most_edits);
    near.min().map(|(_, _, name)| name)
}

/// How a word is spelled that was found in any case.
fn canonical(lower: &str) -> Option<&'static str> {
    names().find(|name| name.eq_ignore_ascii_case(lower))
}

/// Every word as one writes it, verbs left out.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let operations = Operation::all().filter(|operation| !operation.is_ping()).map(Operation::id);
    let bundles = Bundle::ALL.into_iter().map(Bundle::name);
    let presets = PRESETS.iter().map(|preset| &*preset.name);
    let switches = Switch::ALL.into_iter().map(Switch::name);
    operations
        .chain(VERBS.iter().map(|(verb, _)| *verb))
        .chain(bundles)
        .chain(presets)
        .chain(switches)
}

/// How much harm a word can do, for choosing between two that are equally near: the one that gives less is suggested.
fn harm(name: &str) -> u8 {
    let of = |operation: Operation| match operation.method() {
        _ if operation.risk().is_some() => 3,
        Some(crate::request::Method::Get | crate::request::Method::Head) => 0,
        _ => 2,
    };
    match WORDS.get(&name.to_ascii_lowercase()) {
        Some(Word::Operation(operation)) => of(*operation),
        Some(Word::Bundle(bundle)) => bundle.members().map(|(it, _)| of(it)).max().unwrap_or(0),
        Some(Word::Preset(_)) => 1,
        Some(Word::Switch(_)) | None => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name must not mean two things, nor be a key of the label beside it.
    #[test]
    fn no_two_words_collide() {
        let mut all: Vec<String> = names().map(str::to_ascii_lowercase).collect();
        let keys =
            ["name", "to", "image", "cmd", "user", "signal", "label", "project", "service", "not"];
        all.extend(keys.map(str::to_owned));
        let many = all.len();
        all.sort_unstable();
        let doubled: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert_eq!(doubled, Vec::<&[String]>::new(), "of {many}");
        for name in names() {
            assert!(find(name).is_ok() && find(&name.to_uppercase()).is_ok(), "{name}");
        }
        for (wrong, _) in MEANT.iter().chain(WHY_NOT).chain(NOT_YET) {
            assert!(find(wrong).is_err(), "{wrong} is a word");
        }
    }

    #[test]
    fn what_is_suggested_is_a_word() {
        for (wrong, right) in MEANT {
            assert!(canonical(right).is_some(), "{wrong}: {right}");
        }
    }

    #[track_caller]
    fn check(typed: &str, want: Option<&str>) {
        assert_eq!(nearest(&typed.to_ascii_lowercase()), want, "{typed}");
    }

    #[test]
    fn what_was_meant_is_suggested() {
        check("ps", Some("ContainerList"));
        check("ContainerRemove", Some("ContainerDelete"));
        check("CONTAINERS", Some("ContainerList"));
        check("ContainerRestrat", Some("ContainerRestart"));
        check("container-list", Some("ContainerList"));
        check("container_list", Some("ContainerList"));
        check("raed", Some("read"));
        check("read_files", Some("read-files"));
        check("writefiles", Some("write-files"));
        check("lifecyle", Some("lifecycle"));
        check("xyzzy", None);
        check(&"a".repeat(100), None);
    }
}
