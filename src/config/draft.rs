//! The settings while they are read: each value checked by itself, not yet put together.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use tracing::Level;

use crate::clauses::Defaults;
use crate::request::Method;
use crate::rule::HostAccess;
use crate::rule::{Origin, Rule, RuleSet};

use super::arguments::Given;
use super::mistake::{Mistake, Problem, printable};
use super::{
    AllowFrom, Config, Limits, ListenerAddress, LogSettings, OwnContainer, Place, Watchdog, values,
    warnings,
};

/// One field per setting, named as in [`Config`] where they agree.
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
    /// Takes a value over; it replaces what was read for the same setting before.
    pub(super) fn apply(&mut self, given: Given) -> Result<(), Mistake> {
        match (given.setting.read)(self, &given) {
            Ok(()) => {
                self.written.insert(given.setting.name, (given.origin, given.value));
                Ok(())
            }
            Err(Problem { part, text }) => {
                let value = part.map_or(given.value, OsString::from);
                Err(Mistake::Value {
                    origin: given.origin,
                    value: printable(&value),
                    problem: text,
                })
            }
        }
    }

    /// Adds a pattern to what is allowed.
    pub(super) fn allow(&mut self, method: Method, given: &Given) -> Result<(), Problem> {
        let path = Arc::new(values::pattern(given)?);
        self.rules.push(Rule { origin: given.origin.clone(), method, path });
        Ok(())
    }

    /// Where a setting was written and what, if it was.
    pub(super) fn written(&self, name: &str) -> Option<(&Origin, &OsStr)> {
        self.written.get(name).map(|(origin, value)| (origin, value.as_os_str()))
    }

    /// The name to call a setting by: as it was written, or the flag.
    pub(super) fn spelling(&self, name: &str) -> String {
        self.written(name).map_or_else(|| format!("-{name}"), |(origin, _)| origin.to_string())
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
            one: self.spelling("proxysocketendpoint"),
            other: self.spelling("socketpath"),
            path: printable(endpoint.as_os_str()),
        })
    }

    /// Puts the configuration together.
    pub(super) fn into_config(self) -> Config {
        let warnings = warnings::of(&self);
        let rules = self.effective_rules().cloned().collect::<RuleSet>();
        let listener = match self.endpoint {
            Some(path) => ListenerAddress::Unix { path, mode: self.endpoint_mode },
            None => ListenerAddress::Tcp(SocketAddr::new(self.listen_ip, self.port)),
        };
        let interval = Some(self.watchdog_interval).filter(|interval| !interval.is_zero());
        let admitted = self.allow_from.iter().filter_map(AllowFrom::host).collect();
        let engine_socket = self.engine_socket.to_string_lossy().into_owned();
        Config {
            listener,
            allow_from: self.allow_from,
            engine_socket: self.engine_socket,
            rules,
            bodies: Defaults {
                bind_mount_from: self.bind_mount_from,
                deny_host_mounts: self.deny_host_mounts,
                deny_network_volumes: self.deny_network_volumes,
                host_access: self.host_access,
                admitted,
                engine_socket,
            },
            health_endpoint: self.health_endpoint,
            watchdog: interval.map(|interval| Watchdog { interval, stop: self.stop_on_watchdog }),
            shutdown_grace: self.shutdown_grace,
            limits: self.limits,
            sandbox: !self.no_sandbox,
            log: LogSettings { level: self.log_level, json: self.log_json },
            own_container: self.own_container,
            label_prefixes: self.label_prefixes,
            trust_image_labels: self.trust_image_labels,
            warnings,
        }
    }
}
