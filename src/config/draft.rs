//! The settings while they are read: each value checked by itself, not yet put together.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use tracing::Level;

use crate::admission::AllowFrom;
use crate::bounds::Limits;
use crate::registry::OwnContainer;
use crate::request::Method;
use crate::rule::words::{self, Exceptions, ImagePattern, Words};
use crate::rule::{HostAccess, Origin, Rule};
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
    /// The same for words: from flags, and from the variable.
    pub(super) words: Vec<(Origin, Words)>,
    pub(super) images: Option<Vec<ImagePattern>>,
    pub(super) exceptions: Exceptions,
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
    /// What is assumed, because nothing of ours was given.
    pub(super) assumed: Assumed,
    /// What the default list says of the host, if no setting of ours does.
    pub(super) own_host_access: Option<HostAccess>,
    /// Whether all addresses are those of IPv4.
    pub(super) lacks_ipv6: bool,
    /// What is to be said about variables of other proxies.
    pub(super) foreign: Vec<String>,
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
            words: Vec::new(),
            images: None,
            exceptions: Exceptions::default(),
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
            assumed: Assumed::Nothing,
            own_host_access: None,
            lacks_ipv6: false,
            foreign: Vec::new(),
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

    /// Whether nothing is given, in a container, of who may connect and what is allowed.
    pub(super) fn is_open(&self) -> bool {
        const GIVEN: &[SettingName] = &[
            SettingName::AllowFrom,
            SettingName::Allow,
            SettingName::AllowBindMountFrom,
            SettingName::ListenIp,
            SettingName::ProxyPort,
            SettingName::ProxySocketEndpoint,
            SettingName::ProxyContainerName,
        ];
        let is_given = GIVEN.iter().any(|setting| self.written(*setting).is_some());
        self.place == Place::Container && !is_given && self.rules.is_empty()
    }

    /// Assumes what nobody said: all addresses, and that labels say who may do what.
    pub(super) fn assume(&mut self, assumed: Assumed) {
        self.own_container = Some(OwnContainer::Auto);
        self.listen_ip = if self.lacks_ipv6 {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        self.allow_from = Vec::new();
        self.assumed = assumed;
    }

    /// Adds words to what is allowed.
    pub(super) fn allow_words(&mut self, given: &Given) -> Result<(), Problem> {
        let read = Words::read(values::text(given)?, &given.origin);
        let words = read.map_err(|mistakes| values::in_words(&mistakes))?;
        self.words.push((given.origin.clone(), words));
        Ok(())
    }

    /// Takes over the images that may be used.
    pub(super) fn images(&mut self, given: &Given) -> Result<(), Problem> {
        let images = words::images(values::text(given)?);
        self.images = Some(images.map_err(|mistakes| values::in_words(&mistakes))?);
        Ok(())
    }

    /// The words that count: flags replace the variable.
    pub(super) fn effective_words(&self) -> Words {
        let is_flag = |origin: &Origin| matches!(origin, Origin::Flag(_));
        let has_flag = self.words.iter().any(|(origin, _)| is_flag(origin));
        let mut all = Words::default();
        for (_, words) in self.words.iter().filter(|(origin, _)| is_flag(origin) || !has_flag) {
            all.extend(words.clone());
        }
        all
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
    pub(super) fn contradictions(&self) -> Vec<Mistake> {
        let endpoint = self.endpoint.as_ref().filter(|it| **it == self.engine_socket);
        let same_socket = endpoint.map(|endpoint| Mistake::SameSocket {
            one: self.spelling(SettingName::ProxySocketEndpoint),
            other: self.spelling(SettingName::SocketPath),
            path: printable(endpoint.as_os_str()),
        });
        let is_for_nobody = !self.words.is_empty()
            && self.endpoint.is_none()
            && !self.listen_ip.is_loopback()
            && self.written(SettingName::AllowFrom).is_none();
        let nobody = is_for_nobody
            .then(|| Mistake::WordsForNobody { setting: self.spelling(SettingName::Allow) });
        same_socket.into_iter().chain(nobody).collect()
    }
}

/// What is assumed in a container, if nothing of ours says who may connect and what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumed {
    /// Nothing.
    Nothing,
    /// Labels are read.
    Labels,
    /// Variables of another proxy say what everybody may do on the networks that the container is attached to; labels are read as well, if the
    /// own container is found.
    Sections,
}

/// Where the process runs, as far as a configuration can be surprising there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a container, where its own address is what others reach.
    Container,
    /// On the host, or nobody knows.
    Elsewhere,
}
