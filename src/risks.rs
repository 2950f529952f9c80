//! What a list gives away: the operations that reach further than their names say, and whether these rules allow them.
//!
//! Whether a pattern allows an operation is tried on paths of it: with several API versions, and with names and ids of the usual shapes
//! and with the words that the patterns themselves hold.

use crate::clauses::Gains;
use crate::request::Operation;
use crate::rule::HostAccess;
use crate::rule::RuleSet;

/// The operation through which a client with these rules owns the host, if there is one: what it creates may do anything there.
pub fn host_owner(rules: &RuleSet, host_access: HostAccess) -> Option<Operation> {
    let allowed =
        |operation: &Operation| Gains::of(*operation) == Gains::Owns && allows(rules, *operation);
    Operation::all().find(allowed).filter(|_| host_access == HostAccess::Allow)
}

/// The allowed operations that give something away where the host may be reached like this, each with its sentence.
pub fn dangers(rules: &RuleSet, access: HostAccess) -> Vec<(Operation, &'static str)> {
    let mut dangers = risks(rules);
    dangers
        .retain(|(operation, _)| access == HostAccess::Allow || Gains::of(*operation) == Gains::No);
    dangers
}

/// The allowed operations that give something away, each with its sentence.
pub fn risks(rules: &RuleSet) -> Vec<(Operation, &'static str)> {
    Operation::all()
        .filter_map(|operation| Some((operation, operation.risk()?)))
        .filter(|(operation, _)| allows(rules, *operation))
        .collect()
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
    use crate::request::Method;
    use crate::rule::{AnchoredRegex, Origin, Rule};

    #[track_caller]
    fn check(method: Method, pattern: &str, want: &[&str]) {
        let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
        let rules =
            RuleSet::from_iter([Rule { origin: Origin::Flag("-allow".to_owned()), method, path }]);
        let ids: Vec<_> = risks(&rules).iter().map(|(operation, _)| operation.id()).collect();
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
    fn who_may_create_owns_the_host_unless_that_is_denied() {
        let owner = |pattern: &str, access| {
            let path = Arc::new(AnchoredRegex::new(pattern).unwrap());
            let origin = Origin::Flag("-allow".to_owned());
            let rules = RuleSet::from_iter([Rule { origin, method: Method::Post, path }]);
            host_owner(&rules, access).map(Operation::id)
        };
        let create = r"/v1\.\d+/(containers/create|containers/[^/]+/start)";
        assert_eq!(owner(create, HostAccess::Allow), Some("ContainerCreate"));
        assert_eq!(owner(create, HostAccess::Deny), None);
        assert_eq!(owner(r"/v1\.\d+/containers/[^/]+/start", HostAccess::Allow), None);
        assert_eq!(owner(r"/v1\.\d+/services/create", HostAccess::Allow), Some("ServiceCreate"));
    }
}
