//! Rules: what one flag, variable or label allows. Rules only allow, so their order never matters and a union is all there is.

mod host_access;
pub mod labels;
mod origin;
pub mod pattern;
pub mod words;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use host_access::HostAccess;
pub use origin::Origin;
pub use pattern::{AnchoredRegex, PatternError, PatternSet};
use words::{Exceptions, ImagePattern, Words};

use crate::request::{ApiVersion, Method};

/// One allowed shape of request: a method and the whole path, version prefix included.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it was written.
    pub origin: Origin,
    /// The method it is for.
    pub method: Method,
    /// The paths it allows; the same pattern is compiled once, however many rules hold it.
    pub path: Arc<AnchoredRegex>,
}

/// Everything one client, or everyone else, is allowed. Empty, it allows nothing.
#[derive(Debug, Default)]
pub struct Allowlist {
    /// The allowed methods and paths.
    pub rules: RuleSet,
    /// What is allowed in words.
    pub words: Words,
    /// The images that may be used; `None` for all.
    pub images: Option<Vec<ImagePattern>>,
    /// What may be reached of the host although access to it is denied.
    pub exceptions: Exceptions,
    /// The directories host mounts may come from; `None` leaves that to the defaults.
    pub bind_mount_from: Option<Vec<PathBuf>>,
    /// Whether the host may be reached; `None` leaves that to the defaults.
    pub host_access: Option<HostAccess>,
    /// Whether labels that carry rights may be set on what is created.
    pub may_label: bool,
    /// What reports say of it. Finding that out tries thousands of paths, and many containers may share a list.
    pub remarks: OnceLock<Vec<String>>,
}

impl Allowlist {
    /// Whether it allows nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.words.is_empty()
    }
}

impl fmt::Display for Allowlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() && self.words.is_empty() {
            f.write_str("nothing but a ping")?;
        }
        self.words.fmt(f)?;
        let mut separator = if self.words.is_empty() { "" } else { ", " };
        for method in Method::ALL {
            let rules = self.rules.of(method);
            if rules.is_empty() {
                continue;
            }
            write!(f, "{separator}{method}")?;
            for (index, rule) in rules.iter().enumerate() {
                write!(f, "{} {}", if index == 0 { "" } else { " or" }, rule.path.as_str())?;
            }
            separator = ", ";
        }
        if let Some(from) = &self.bind_mount_from {
            f.write_str(", bind mounts from")?;
            from.iter().try_for_each(|directory| write!(f, " {}", directory.display()))?;
        }
        if let Some(images) = &self.images {
            f.write_str(", images")?;
            for (index, image) in images.iter().enumerate() {
                write!(f, "{} {image}", if index == 0 { "" } else { " or" })?;
            }
            f.write_str(" only")?;
        }
        f.write_str(match self.host_access {
            None => "",
            Some(HostAccess::Deny) => ", no access to the host",
            Some(HostAccess::Allow) => ", access to the host",
        })?;
        if !self.exceptions.are_none() {
            write!(f, " but {}", self.exceptions)?;
        }
        f.write_str(if self.may_label { ", labels that carry rights" } else { "" })
    }
}

/// A set of rules. Empty, it allows nothing.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// Indexed by `Method as usize`.
    by_method: [Vec<Arc<Rule>>; Method::ALL.len()],
    /// Which of many rules for a method to look at, made when first needed; `None` where they are few, or too large together.
    hints: OnceLock<Box<[Option<PatternSet>]>>,
}

/// The minor numbers of the API versions that a client may name below version 2, which no engine speaks.
const NAMED_VERSIONS: std::ops::RangeInclusive<u16> = ApiVersion::OLDEST.minor..=999;

/// From how many rules for a method on they are tried together.
const MANY: usize = 8;

/// What an allowlist says of a method and a path.
#[derive(Debug, Clone, Copy)]
pub enum Match<'a> {
    /// This rule allows it.
    Rule(&'a Arc<Rule>),
    /// There are rules for the method, and none for the path.
    NoPath,
    /// There is no rule for the method at all.
    NoMethod,
}

impl RuleSet {
    /// Adds a rule to what is allowed.
    pub fn add(&mut self, rule: Rule) {
        if let Some(rules) = self.by_method.get_mut(rule.method as usize) {
            rules.push(Arc::new(rule));
            self.hints.take();
        }
    }

    /// Looks for a rule that allows this method on this (decoded, canonical, versioned) path.
    pub fn find(&self, method: Method, versioned_path: &str) -> Match<'_> {
        let rules = self.of(method);
        let found = match self.hint(method) {
            // The rule's own pattern has the last word, as it has where there is no hint.
            Some(hint) => hint
                .first_match(versioned_path)
                .and_then(|place| rules.get(place))
                .filter(|rule| rule.path.is_match(versioned_path)),
            None => rules.iter().find(|rule| rule.path.is_match(versioned_path)),
        };
        match found {
            Some(rule) => Match::Rule(rule),
            None if rules.is_empty() => Match::NoMethod,
            None => Match::NoPath,
        }
    }

    /// Whether it allows this path under any version that a client may name, or without one.
    pub fn allows_under_any_version(&self, method: Method, path: &str) -> bool {
        let allows = |path: &str| matches!(self.find(method, path), Match::Rule(_));
        !self.of(method).is_empty()
            && (allows(path)
                || NAMED_VERSIONS.clone().any(|minor| allows(&format!("/v1.{minor}{path}"))))
    }

    fn hint(&self, method: Method) -> Option<&PatternSet> {
        let is_many = |rules: &[Arc<Rule>]| rules.len() >= MANY;
        if !is_many(self.of(method)) {
            return None;
        }
        let hints = self.hints.get_or_init(|| {
            let patterns = |rules: &Vec<Arc<Rule>>| {
                is_many(rules).then(|| PatternSet::new(rules.iter().map(|rule| &*rule.path)))?
            };
            self.by_method.iter().map(patterns).collect()
        });
        hints.get(method as usize)?.as_ref()
    }

    /// The rules for one method, in the order they were written.
    pub fn of(&self, method: Method) -> &[Arc<Rule>] {
        self.by_method.get(method as usize).map_or(&[], Vec::as_slice)
    }

    /// All rules, by method.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.by_method.iter().flatten()
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.by_method.iter().all(Vec::is_empty)
    }
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        let mut set = Self::default();
        rules.into_iter().for_each(|rule| set.add(rule));
        set
    }
}

/// Reads a truth value as Go's `strconv.ParseBool` does: Compose 1.29 turns a `true` in a label into `True`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rules_say_what_each_of_them_says() {
        let odd = [
            r"/a|/b",
            r"(?i)/Case",
            r"/\pL+",
            r"^/x$",
            r"/n/\d{1,3}",
            r"/(a|b)*c",
            r"(?s)/.",
            r"/\Qa.b\E",
        ];
        let plain = (0..200).map(|number| format!("/containers/app-{number}/(json|logs)"));
        let patterns: Vec<String> = odd.map(str::to_owned).into_iter().chain(plain).collect();
        for many in [MANY - 1, MANY, patterns.len()] {
            let mut set = RuleSet::default();
            for pattern in patterns.iter().take(many) {
                set.add(Rule {
                    origin: Origin::Flag(pattern.clone()),
                    method: Method::Get,
                    path: Arc::new(AnchoredRegex::new(pattern).unwrap()),
                });
                // A rule that comes later counts as well.
                assert!(matches!(set.find(Method::Get, "/nothing/of/it"), Match::NoPath));
            }
            for path in [
                "/a",
                "/b",
                "/ab",
                "/case",
                "/CASE",
                "/é",
                "/1",
                "/x",
                "/x\n",
                "/n/12",
                "/n/1234",
                "/abac",
                "/c",
                "/\n",
                "/a.b",
                "/axb",
                "",
                "/",
                "/containers/app-0/json",
                "/containers/app-199/logs",
                "/containers/app-200/logs",
                "/containers/app-7/logs/x",
                "/v1.41/containers/app-7/logs",
            ] {
                let slow = set.of(Method::Get).iter().find(|rule| rule.path.is_match(path));
                let found = match set.find(Method::Get, path) {
                    Match::Rule(rule) => Some(rule.origin.clone()),
                    Match::NoPath => None,
                    Match::NoMethod => panic!("there are rules for GET"),
                };
                assert_eq!(found, slow.map(|rule| rule.origin.clone()), "{path} of {many}");
            }
            assert_eq!(set.hint(Method::Get).is_some(), many >= MANY);
        }
    }
}
