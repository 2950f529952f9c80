//! By what a request is judged: the lists that have to allow it, what holds for every client, and what no client may touch.

use std::path::PathBuf;
use std::sync::Arc;

use crate::rule::labels::creator::Creator;
use crate::rule::words::Exceptions;
use crate::rule::{Allowlist, HostAccess};

use super::names::Names;
use super::past::Past;
use super::protected::Protected;

/// What one request is judged by, from its head to its last clause.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The lists that allow its head; each of them has to allow the rest too.
    pub lists: Vec<Arc<Allowlist>>,
    /// What holds for every client.
    pub defaults: Arc<Defaults>,
    /// What no client may touch, if rights come from labels.
    pub protected: Option<Arc<Protected>>,
    /// Who asks, as it is written on what is created, if rights come from labels and the operation has to do with that.
    pub creator: Option<Creator>,
    /// What the client took down and made, if it may replace containers.
    pub past: Past,
}

impl Terms {
    /// Whether labels that carry rights may be set: every list that judges the request has to say so.
    pub fn may_label(&self) -> bool {
        self.lists.iter().all(|list| list.may_label)
    }
}

/// What holds for every client, whatever its own list says.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The directories host mounts may come from, for clients whose own list names none; `None` puts no limit.
    pub bind_mount_from: Option<Vec<PathBuf>>,
    /// Nothing of the host may be mounted at all.
    pub deny_host_mounts: bool,
    /// NFS and CIFS volumes are refused.
    pub deny_network_volumes: bool,
    /// The access to the host of clients whose own list does not say.
    pub host_access: HostAccess,
    /// What may be reached although access is denied, for the same clients.
    pub exceptions: Exceptions,
    /// The host names of `-allowfrom`: whoever takes one is let in.
    pub admitted: Names,
    /// The path of the engine's socket (`-socketpath`), which often is its path on the host as well; empty if it is not known.
    pub engine_socket: String,
}

impl Default for Defaults {
    /// The strictest: everything is denied.
    fn default() -> Self {
        Self {
            bind_mount_from: Some(Vec::new()),
            deny_host_mounts: true,
            deny_network_volumes: true,
            host_access: HostAccess::Deny,
            exceptions: Exceptions::default(),
            admitted: Names::default(),
            engine_socket: String::new(),
        }
    }
}

/// By which of a list's grants a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By words, which give what they say and nothing else: on safe terms.
    Words,
    /// By patterns, on the terms that the list and the defaults say.
    Patterns,
    /// By `recreate`: what is equal to what was there.
    Recreate,
}

/// What one list allows, the defaults considered.
#[derive(Debug, Clone, Copy)]
pub struct ListLimits<'a> {
    /// What of the host may be mounted.
    pub mounts: Mounts<'a>,
    /// Whether NFS and CIFS volumes may be.
    pub network_volumes: bool,
    /// Whether the host may be reached otherwise.
    pub host_access: HostAccess,
    /// Whether labels that carry rights may be set (`allow.labels`).
    pub may_label: bool,
    /// What may be reached although access to the host is denied.
    pub exceptions: &'a Exceptions,
}

/// What of the host's files may be mounted.
#[derive(Debug, Clone, Copy)]
pub enum Mounts<'a> {
    /// Everything.
    All,
    /// These directories and what is below them.
    From(&'a [PathBuf]),
    /// Nothing, because of `-denyhostmounts`.
    Denied,
    /// Nothing, because access to the host is denied and no directory is listed.
    Unlisted,
}

impl<'a> ListLimits<'a> {
    /// The limits of those who are judged by this list.
    pub fn of(list: &'a Allowlist, defaults: &'a Defaults, by: By) -> Self {
        // What was there reaches what it reached, but for what holds for everybody.
        if by == By::Recreate {
            return Self {
                mounts: if defaults.deny_host_mounts { Mounts::Denied } else { Mounts::All },
                network_volumes: !defaults.deny_network_volumes,
                host_access: HostAccess::Allow,
                may_label: list.may_label,
                exceptions: &list.exceptions,
            };
        }
        let otherwise = match by {
            By::Words | By::Recreate => HostAccess::Deny,
            By::Patterns => defaults.host_access,
        };
        let host_access = list.host_access.unwrap_or(otherwise);
        // What is said for everybody gives words nothing, and limits those that may reach the host.
        let default = match (by, host_access) {
            (By::Words, HostAccess::Deny) => None,
            _ => defaults.bind_mount_from.as_deref(),
        };
        let listed = list.bind_mount_from.as_deref().or(default);
        let mounts = match listed {
            _ if defaults.deny_host_mounts => Mounts::Denied,
            Some(directories) => Mounts::From(directories),
            None if host_access == HostAccess::Deny => Mounts::Unlisted,
            None => Mounts::All,
        };
        let exceptions = match (by, list.host_access) {
            (By::Patterns, None) => &defaults.exceptions,
            _ => &list.exceptions,
        };
        let by_words = by == By::Words && host_access == HostAccess::Deny;
        Self {
            mounts,
            network_volumes: !defaults.deny_network_volumes
                && (!by_words || exceptions.network_volumes),
            host_access,
            may_label: list.may_label,
            exceptions,
        }
    }

    /// Whether nothing a body could say would be refused.
    pub(super) fn are_none(&self) -> bool {
        matches!(self.mounts, Mounts::All)
            && self.network_volumes
            && self.host_access == HostAccess::Allow
    }
}
