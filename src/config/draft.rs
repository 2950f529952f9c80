//! The settings while they are read: each value checked by itself, not yet put together.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use tracing::Level;

use crate::admission::AllowFrom;
use crate::bounds::Limits;
use crate::registry::OwnContainer;
use crate::request::Method;
use crate::rule::HostAccess;
use crate::rule::{Origin, Rule};
use crate::setting::SettingName;

use super::given::Given;
use super::mistake::{Mistake, Problem, printable};
use super::values;

/// One field per setting, named as in [`Config`](super::Config) where they agree.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line, and they do not depend on each other"
)]
pub(super) struct Draft {
    pub(super) allow_from: Vec<AllowFrom>,
    /// From flags and from variables; [`Draft::effective_rules`] drops what a flag replaces.
    pub(super) rules: Vec<Rule>,
    pub(super) bind_mount_from: Option<Vec<PathBuf>>,
    pub(super) deny_host_mounts: bool,
    pub(super) deny_network_volumes: bool,
    pub(super) host_access: HostAccess,
    pub(super) listen_ip: IpAddr,
    pub(super) port: u16,
    pub(super) endpoint: Option<PathBuf>,
    pub(super) endpoint_mode: u32,
    pub(super) engine_socket: PathBuf,
    pub(super) health_endpoint: bool,
    pub(super) watchdog_interval: Duration,
    pub(super) stop_on_watchdog: bool,
    pub(super) shutdown_grace: Duration,
    pub(super) limits: Limits,
    pub(super) no_sandbox: bool,
    pub(super) log_level: Level,
    pub(super) log_json: bool,
    pub(super) own_container: Option<OwnContainer>,
    pub(super) label_prefixes: Vec<String>,
    pub(super) trust_image_labels: bool,
    /// Where the process runs.
    pub(super) place: Place,
    /// Variables that look like ours and describe a service.
    pub(super) service_variables: Vec<String>,
    /// Where each setting that was given was last written, and what, by the setting's name.
    written: BTreeMap<&'static str, (Origin, OsString)>,
}

impl Default for Draft {
    /// A test holds these against the defaults in the table.
    fn default() -> Self {
        Self {
            allow_from: vec![AllowFrom::Net(IpNet::V4(Ipv4Net::from(Ipv4Addr::LOCALHOST)))],
            rules: Vec::new(),
            bind_mount_from: None,
            deny_host_mounts: false,
            deny_network_volumes: false,
            host_access: HostAccess::Allow,
            listen_ip: Ipv4Addr::LOCALHOST.into(),
            port: 2375,
            endpoint: None,
            endpoint_mode: 0o600,
            engine_socket: "/var/run/docker.sock".into(),
            health_endpoint: false,
            watchdog_interval: Duration::ZERO,
            stop_on_watchdog: false,
            shutdown_grace: Duration::from_secs(10),
            limits: Limits::default(),
            no_sandbox: false,
            log_level: Level::INFO,
            log_json: false,
            own_container: None,
            label_prefixes: vec!["socket-proxy".to_owned(), "sockwarden".to_owned()],
            trust_image_labels: false,
            place: Place::Elsewhere,
            service_variables: Vec::new(),
            written: BTreeMap::new(),
        }
    }
}

impl Draft {
    /// Remembers where a setting was written, and what.
    pub(super) fn note(&mut self, setting: &'static str, given: Given) {
        self.written.insert(setting, (given.origin, given.value));
    }

    /// Adds a pattern to what is allowed.
    pub(super) fn allow(&mut self, method: Method, given: &Given) -> Result<(), Problem> {
        let path = Arc::new(values::pattern(given)?);
        self.rules.push(Rule { origin: given.origin.clone(), method, path });
        Ok(())
    }

    /// Where a setting was written and what, if it was.
    pub(super) fn written(&self, setting: SettingName) -> Option<(&Origin, &OsStr)> {
        self.written.get(setting.name()).map(|(origin, value)| (origin, value.as_os_str()))
    }

    /// The name to call a setting by: as it was written, or the flag.
    pub(super) fn spelling(&self, setting: SettingName) -> String {
        let written = self.written(setting);
        written.map_or_else(|| setting.flag().to_owned(), |(origin, _)| origin.to_string())
    }

    /// The settings that were written as variables, and not as flags as well.
    pub(super) fn given_by_variable(&self) -> Vec<SettingName> {
        let is_variable = |setting: &SettingName| {
            self.written(*setting).is_some_and(|(origin, _)| matches!(origin, Origin::Env(_)))
        };
        SettingName::ALL.iter().copied().filter(is_variable).collect()
    }

    /// The rules that count: a method with flags has no rules from variables.
    pub(super) fn effective_rules(&self) -> impl Iterator<Item = &Rule> {
        let is_flag = |rule: &Rule| matches!(rule.origin, Origin::Flag(_));
        let has_flag =
            move |method| self.rules.iter().any(|rule| rule.method == method && is_flag(rule));
        self.rules.iter().filter(move |rule| is_flag(rule) || !has_flag(rule.method))
    }

    /// What is wrong with values that are right by themselves.
    pub(super) fn contradiction(&self) -> Option<Mistake> {
        let endpoint =
            self.endpoint.as_ref().filter(|endpoint| **endpoint == self.engine_socket)?;
        Some(Mistake::SameSocket {
            one: self.spelling(SettingName::ProxySocketEndpoint),
            other: self.spelling(SettingName::SocketPath),
            path: printable(endpoint.as_os_str()),
        })
    }
}

/// Where the process runs, as far as a configuration can be surprising there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a container, where its own address is what others reach.
    Container,
    /// On the host, or nobody knows.
    Elsewhere,
}
