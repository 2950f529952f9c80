//! Rules: what one flag, variable or label allows. Rules only allow, so their order never matters and a union is all there is.

pub mod body;
pub mod labels;
pub mod pattern;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use pattern::{AnchoredRegex, PatternError};

use crate::request::Method;
use body::HostAccess;

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

/// Where a rule was written, so that a verdict can be traced to a line somebody can edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag, for example `-allowGET`.
    Flag(String),
    /// An environment variable, for example `SP_ALLOW_GET_2`.
    Env(String),
    /// A container's label, for example `socket-proxy.allow.get`.
    Label(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Env(name) | Self::Label(name) => f.write_str(name),
        }
    }
}

/// Everything one client, or everyone else, is allowed. Empty, it allows nothing.
#[derive(Debug, Default)]
pub struct Allowlist {
    /// The allowed methods and paths.
    pub rules: RuleSet,
    /// The directories host mounts may come from; `None` leaves that to the defaults.
    pub bind_mount_from: Option<Vec<PathBuf>>,
    /// Whether the host may be reached; `None` leaves that to the defaults.
    pub host_access: Option<HostAccess>,
    /// Whether labels that carry rights may be set on what is created.
    pub may_label: bool,
}

impl fmt::Display for Allowlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() {
            f.write_str("nothing but a ping")?;
        }
        let mut separator = "";
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
        f.write_str(match self.host_access {
            None => "",
            Some(HostAccess::Deny) => ", no access to the host",
            Some(HostAccess::Allow) => ", access to the host",
        })?;
        f.write_str(if self.may_label { ", labels that carry rights" } else { "" })
    }
}

/// A set of rules. Empty, it allows nothing.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// Indexed by `Method as usize`.
    by_method: [Vec<Arc<Rule>>; Method::ALL.len()],
}

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
        }
    }

    /// Looks for a rule that allows this method on this (decoded, canonical, versioned) path.
    pub fn find(&self, method: Method, versioned_path: &str) -> Match<'_> {
        let rules = self.of(method);
        match rules.iter().find(|rule| rule.path.is_match(versioned_path)) {
            Some(rule) => Match::Rule(rule),
            None if rules.is_empty() => Match::NoMethod,
            None => Match::NoPath,
        }
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
