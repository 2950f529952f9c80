//! What a list gives away: the operations that reach further than their names say, and whether these rules allow them.
//!
//! Whether a pattern allows an operation is tried on paths of it: with several API versions, and with names and ids of the usual shapes
//! and with the words that the patterns themselves hold.

use std::fmt;

use crate::clauses::Gains;
use crate::request::{Head, Method, Operation, RequestTarget};
use crate::rule::words::{Bundle, Words, homes_of};
use crate::rule::{Allowlist, HostAccess, Origin, Rule, RuleSet};

/// How much a list gives away, from `A` to `F`, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The letter.
    pub level: Level,
    /// The operation that makes it so; none where the list itself does, or gives nothing.
    pub operation: Option<Operation>,
}

/// How much is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It sees what runs.
    A,
    /// It sees settings and what programs write, which may hold secrets.
    B,
    /// It changes what runs.
    C,
    /// It makes, replaces or removes.
    D,
    /// It gets into containers, or reads secrets.
    E,
    /// It owns the host.
    F,
}

impl Level {
    /// One sentence, without a full stop.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::A => "sees what runs here",
            Self::B => "sees settings and output of containers, which may hold secrets",
            Self::C => "starts, stops or changes containers",
            Self::D => "makes, replaces or removes containers, images, networks or volumes",
            Self::E => "gets into containers or reads files and secrets",
            Self::F => "owns the host",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.level, self.level.sentence())?;
        match self.operation {
            Some(operation) => write!(f, " (by {operation})"),
            None => Ok(()),
        }
    }
}

/// What these rights give away, where patterns without a word of their own on the host have this access to it.
pub fn risk(list: &Allowlist, by_patterns: HostAccess) -> Risk {
    if list.may_label {
        return Risk { level: Level::F, operation: None };
    }
    // A client that replaces containers removes and creates them.
    let least = if list.words.may_recreate() { Level::D } else { Level::A };
    let mut worst = Risk { level: least, operation: None };
    for operation in Operation::all() {
        let (words, patterns) = (list.words.gives(operation), allows(&list.rules, operation));
        if !words && !patterns {
            continue;
        }
        let owns = Gains::of(operation) == Gains::Owns;
        // What a word names in full is lifted, wherever the host is denied.
        let is_lifted = words && is_hidden(operation);
        let level = if owns && (is_lifted || reaches_host(list, by_patterns, words, patterns)) {
            Level::F
        } else {
            level(operation)
        };
        if level > worst.level {
            worst = Risk { level, operation: Some(operation) };
        }
    }
    worst
}

/// What a word gives away by itself; nothing if it is none.
pub fn risk_of_word(word: &str) -> Risk {
    let words = Words::read(word, &Origin::Flag("-allow".to_owned())).unwrap_or_default();
    let list = Allowlist { may_label: words.may_label(), words, ..Allowlist::default() };
    risk(&list, HostAccess::Deny)
}

/// Whether what is allowed by words or patterns may reach the host.
fn reaches_host(list: &Allowlist, by_patterns: HostAccess, words: bool, patterns: bool) -> bool {
    let access = |otherwise| list.host_access.unwrap_or(otherwise) == HostAccess::Allow;
    (words && access(HostAccess::Deny)) || (patterns && access(by_patterns))
}

/// Whether what the operation does cannot be judged, or is the host's by itself.
fn is_hidden(operation: Operation) -> bool {
    homes_of(operation).any(|(_, bundle)| matches!(bundle, Some(Bundle::Buildkit) | None))
}

/// How much an operation gives away where the host is not reached.
fn level(operation: Operation) -> Level {
    let of = |bundle: Option<Bundle>| match bundle {
        Some(Bundle::Stats | Bundle::Registry | Bundle::ReadSwarm) => Level::A,
        Some(Bundle::Read) if !shows_settings(operation) => Level::A,
        Some(Bundle::Read | Bundle::Logs) => Level::B,
        Some(Bundle::Lifecycle | Bundle::Change | Bundle::Pull) => Level::C,
        Some(
            Bundle::Create
            | Bundle::Remove
            | Bundle::Push
            | Bundle::Build
            | Bundle::WriteImages
            | Bundle::Prune
            | Bundle::WriteSwarm,
        ) => Level::D,
        Some(
            Bundle::Exec
            | Bundle::Attach
            | Bundle::ReadFiles
            | Bundle::WriteFiles
            | Bundle::Secrets,
        ) => Level::E,
        // By its own name only: what reads is no more than settings, the rest commands the engine.
        None if operation.is_ping() => Level::A,
        None if operation.risk().is_none() && operation.method() == Some(Method::Get) => Level::B,
        Some(Bundle::Buildkit) | None => Level::F,
    };
    homes_of(operation).map(|(_, bundle)| of(bundle)).max().unwrap_or(Level::A)
}

/// Whether an answer holds environments.
fn shows_settings(operation: Operation) -> bool {
    use Operation as O;
    [O::ContainerInspect, O::ImageInspect, O::ImageHistory, O::VolumeInspect].contains(&operation)
}

/// The operation through which a client with this list owns the host, if there is one: what it creates may do anything there.
pub fn host_owner(list: &Allowlist, by_patterns: HostAccess) -> Option<Operation> {
    Operation::all().filter(|operation| Gains::of(*operation) == Gains::Owns).find(|operation| {
        let words = list.words.gives(*operation);
        let patterns = allows(&list.rules, *operation);
        (words && is_hidden(*operation)) || reaches_host(list, by_patterns, words, patterns)
    })
}

/// The allowed operations that give something away where patterns have this access to the host, each with its sentence.
pub fn dangers(list: &Allowlist, by_patterns: HostAccess) -> Vec<(Operation, &'static str)> {
    let risky = Operation::all().filter_map(|operation| Some((operation, operation.risk()?)));
    risky
        .filter(|(operation, _)| {
            let words = list.words.gives(*operation);
            let patterns = allows(&list.rules, *operation);
            // A sentence about the host is none about a client that does not reach it.
            (words || patterns)
                && (Gains::of(*operation) == Gains::No
                    || (words && is_hidden(*operation))
                    || reaches_host(list, by_patterns, words, patterns))
        })
        .collect()
}

/// Whether a list gives an operation on anything, as far as trying tells.
pub fn gives(list: &Allowlist, operation: Operation) -> bool {
    list.words.gives(operation) || allows(&list.rules, operation)
}

/// Whether the rules allow an operation on anything, as far as trying tells.
pub fn allows(rules: &RuleSet, operation: Operation) -> bool {
    let (Some(method), Some(template)) = (operation.method(), operation.template()) else {
        return false;
    };
    rules.of(method).iter().any(|rule| {
        let pattern = rule.path.as_str();
        names_in(pattern, template)
            .chain(NAMES.iter().copied())
            .flat_map(|name| {
                VERSIONS.iter().map(move |version| format!("{version}{}", fill(template, name)))
            })
            .any(|path| rule.path.is_match(&path))
    })
}

/// A rule that allows a path which is no operation, close to one that it allows: it will allow what later API versions have there.
pub fn beyond_operations(rules: &RuleSet) -> Option<&Rule> {
    let behind = |operation: Operation, rule: &Rule| {
        let (Some(method), Some(template)) = (operation.method(), operation.template()) else {
            return false;
        };
        // No operation goes on like this.
        let paths = ["zzz", "/zzz"].map(|more| fill(template, "x") + more);
        let unknown = paths
            .iter()
            .filter(|path| is_unknown(method, path))
            .flat_map(|path| VERSIONS.iter().map(move |version| format!("{version}{path}")));
        method == rule.method && unknown.into_iter().any(|path| rule.path.is_match(&path))
    };
    let is_wide = |rule: &&Rule| Operation::all().any(|operation| behind(operation, rule));
    rules.iter().map(|rule| &**rule).find(is_wide)
}

fn is_unknown(method: Method, path: &str) -> bool {
    let found = RequestTarget::parse_for(method, path);
    found.is_ok_and(|target| Head::new(method, target, []).operation.template().is_none())
}

/// The words of a pattern that could be names, and what it holds between the fixed parts of the template.
fn names_in<'a>(pattern: &'a str, template: &str) -> impl Iterator<Item = &'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = pattern.split(move |c| !is_word(c)).filter(|word| !word.is_empty());
    let (prefix, rest) = template.split_once('{').unwrap_or((template, ""));
    let suffix = rest.split_once('}').map_or("", |(_, suffix)| suffix);
    let between = pattern
        .split_once(prefix)
        .and_then(|(_, rest)| rest.split_once(suffix))
        .map(|(name, _)| name);
    words.chain(between)
}

const VERSIONS: &[&str] =
    &["", "/v1.24", "/v1.41", "/v1.43", "/v1.44", "/v1.47", "/v1.51", "/v1.55"];
const NAMES: &[&str] = &[
    "x",
    "my-app_1",
    "3f4e5d6c7b8a",
    "3f4e5d6c7b8a9f0e1d2c3b4a5968778695a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0",
    "42",
    "APP",
    "lib/app:1.0",
];

fn fill(template: &str, name: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str(name);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::AnchoredRegex;

    fn list(method: Method, pattern: &str) -> Allowlist {
        let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
        let rules =
            RuleSet::from_iter([Rule { origin: Origin::Flag("-allow".to_owned()), method, path }]);
        Allowlist { rules, ..Allowlist::default() }
    }

    fn words(text: &str) -> Allowlist {
        let words = Words::read(text, &Origin::Flag("-allow".to_owned())).unwrap();
        Allowlist { may_label: words.may_label(), words, ..Allowlist::default() }
    }

    #[track_caller]
    fn check(method: Method, pattern: &str, want: &[&str]) {
        let dangers = dangers(&list(method, pattern), HostAccess::Allow);
        let ids: Vec<_> = dangers.iter().map(|(operation, _)| operation.id()).collect();
        assert_eq!(ids, want, "{pattern}");
    }

    #[test]
    fn risky_operations_are_found_however_narrow_the_pattern() {
        check(Method::Get, r"/v1\..{1,2}/(version|containers/json|events.*)", &[]);
        check(Method::Post, r"(/v[\d.]+)?/containers/create", &["ContainerCreate"]);
        check(Method::Post, r"/v1\.\d+/containers/watchtower/exec", &["ContainerExec"]);
        check(Method::Post, r"/containers/[a-f0-9]{64}/exec", &["ContainerExec"]);
        check(Method::Post, r"/v1\.43/containers/[^/]+/(start|stop|restart)", &[]);
        check(
            Method::Get,
            r"/v1\..{1,2}/containers/.*",
            &["ContainerAttachWebsocket", "ContainerExport", "ContainerArchive"],
        );
        check(Method::Post, r"/v1\.\d+/images/registry.local/app/push", &["ImagePush"]);
    }

    #[test]
    fn a_pattern_that_goes_beyond_operations_is_found() {
        let wide = |pattern| beyond_operations(&list(Method::Get, pattern).rules).is_some();
        for pattern in ["/containers/.*", "(/v1[.][0-9]+)?/(info|events.*)", ".*", "/v1[.]44/.+"] {
            assert!(wide(pattern), "{pattern}");
        }
        for pattern in [
            "(/v1[.][0-9]+)?/(version|containers/json|containers/[^/]+/json)",
            "/containers/.+/json",
            "/images/.+/json",
            "/xyz/.*",
        ] {
            assert!(!wide(pattern), "{pattern}");
        }
    }

    #[test]
    fn who_may_create_owns_the_host_unless_that_is_denied() {
        let owner = |pattern: &str, access| {
            host_owner(&list(Method::Post, pattern), access).map(Operation::id)
        };
        let create = r"/v1\.\d+/(containers/create|containers/[^/]+/start)";
        assert_eq!(owner(create, HostAccess::Allow), Some("ContainerCreate"));
        assert_eq!(owner(create, HostAccess::Deny), None);
        assert_eq!(owner(r"/v1\.\d+/containers/[^/]+/start", HostAccess::Allow), None);
        assert_eq!(owner(r"/v1\.\d+/services/create", HostAccess::Allow), Some("ServiceCreate"));
    }

    #[test]
    fn words_give_away_what_they_say() {
        for (text, want) in [
            ("ContainerList, stats", Level::A),
            ("env", Level::A),
            ("read", Level::B),
            ("logs", Level::B),
            ("PluginList", Level::B),
            ("read, restart", Level::C),
            ("create, lifecycle", Level::D),
            ("exec(name=web)", Level::E),
            ("secrets", Level::E),
            ("buildkit", Level::F),
            ("PluginPull", Level::F),
            ("SwarmJoin", Level::F),
            ("grant-rights", Level::F),
        ] {
            assert_eq!(risk(&words(text), HostAccess::Allow).level, want, "{text}");
        }
        let mut free = words("create");
        free.host_access = Some(HostAccess::Allow);
        assert_eq!(
            risk(&free, HostAccess::Deny).to_string(),
            "F: owns the host (by ContainerCreate)"
        );
        let pattern = list(Method::Post, "/containers/create");
        assert_eq!(risk(&pattern, HostAccess::Allow).level, Level::F);
        assert_eq!(risk(&pattern, HostAccess::Deny).level, Level::D);
    }
}
