//! What is wrong or weak in a configuration, and in a Compose project with proxies and their clients.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::super::presets::of_image;
use super::advice::wider_than_words;
use super::finding::{Client, Findings, Rule};
use super::project::{Pair, Place, Project, Service};
use crate::admission::AllowFrom;
use crate::config::{Config, Loaded, Place as Runs};
use crate::listen::ListenerAddress;
use crate::risks::{Level, risk};
use crate::rule::labels::{LabelReader, Rights, is_policy};
use crate::rule::{Allowlist, HostAccess};

/// The prefixes that a proxy reads if nothing else is said.
const PREFIXES: [&str; 2] = ["socket-proxy", "sockwarden"];
/// Words that make something else of the program than a proxy.
const OTHER_COMMANDS: [&str; 8] =
    ["request", "healthcheck", "clients", "presets", "why", "check", "help", "version"];
/// Where engines have their sockets, and the directories that hold them.
const SOCKETS: [&str; 7] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/var/run",
    "/run",
    "/",
];
/// The network that Compose makes for services that name none.
const DEFAULT_NETWORK: &str = "default";

/// A service that runs sockwarden.
struct Proxy<'a> {
    service: &'a Service,
    /// What it is set to; `None` if it would not start.
    config: Option<Config>,
}

impl Proxy<'_> {
    fn prefixes(&self) -> Vec<String> {
        self.config.as_ref().map_or_else(default_prefixes, |config| config.label_prefixes.clone())
    }

    fn reads_labels(&self) -> bool {
        self.config.as_ref().is_none_or(|config| config.own_container.is_some())
    }

    /// Whether it listens where others can reach it over TCP.
    fn is_on_network(&self) -> bool {
        let listener = self.config.as_ref().map(|config| &config.listener);
        listener.is_none_or(|listener| match listener {
            ListenerAddress::Tcp(address) => !address.ip().is_loopback(),
            ListenerAddress::Unix { .. } => false,
        })
    }

    /// Whether it lets a service in by name.
    fn admits(&self, service: &Service) -> bool {
        let hosts = self.config.iter().flat_map(|config| &config.allow_from);
        hosts.filter_map(AllowFrom::host).any(|host| service.is_called(&host))
    }

    fn shares_network(&self, service: &Service) -> bool {
        let own = self.service.on();
        service.on().iter().any(|network| own.contains(network))
    }
}

fn default_prefixes() -> Vec<String> {
    PREFIXES.map(str::to_owned).to_vec()
}

/// Checks what a proxy is set to.
pub(super) fn of_config(
    findings: &mut Findings,
    config: &Config,
    place: Option<&Place>,
    subject: &str,
) {
    for warning in &config.warnings {
        findings.add(Rule::Surprising, place, subject, warning);
    }
    let list = config.default_list();
    if !list.is_empty() {
        let subject = format!("{subject}, its default allowlist");
        of_list(findings, &list, config.bodies.host_access, place, &subject, None);
    }
}

/// Checks what a list gives.
fn of_list(
    findings: &mut Findings,
    list: &Allowlist,
    by_patterns: HostAccess,
    place: Option<&Place>,
    subject: &str,
    image: Option<&str>,
) {
    let risk = risk(list, by_patterns);
    if risk.level == Level::F {
        let by = match risk.operation {
            Some(operation) => format!("may use {operation}, and so owns the host"),
            None => "may give itself any right, and so owns the host".to_owned(),
        };
        let deny = if list.words.is_empty() {
            "; words, or `hostaccess=deny`, keep it inside its containers"
        } else {
            "; leave out what it does not need"
        };
        findings.add(Rule::HostOwner, place, subject, format!("{by}{deny}"));
    }
    if let Some(wider) = wider_than_words(list, by_patterns) {
        let preset = image.and_then(of_image).map_or_else(String::new, |preset| {
            format!("; the word `{}` gives what this program needs", preset.name)
        });
        findings.add(Rule::WidePattern, place, subject, format!("{wider}{preset}"));
    }
    findings.clients.push(Client {
        place: place.cloned(),
        subject: subject.to_owned(),
        letter: format!("{:?}", risk.level),
        risk: risk.to_string(),
    });
}

/// Checks a project: its proxies, and everybody who is or should be their client.
pub(super) fn of_project(findings: &mut Findings, project: &Project) {
    let services = &project.services;
    let proxies: Vec<Proxy<'_>> = services
        .iter()
        .filter(|service| is_proxy(service))
        .map(|service| Proxy { service, config: configured(findings, service) })
        .collect();
    for proxy in &proxies {
        of_proxy(findings, proxy, services);
    }
    let mut reader = LabelReader::default();
    for service in services.iter().filter(|service| !is_proxy(service)) {
        of_sockets(findings, service, &proxies);
        of_labels(findings, service, &proxies, &mut reader);
        of_networks(findings, service, &proxies, services);
    }
}

fn is_proxy(service: &Service) -> bool {
    let name = |image: &str| -> Option<String> {
        let path = image.split('@').next()?.rsplit('/').next()?;
        Some(path.split(':').next()?.to_owned())
    };
    let is_ours = service.image.as_deref().and_then(name).is_some_and(|it| it == "sockwarden")
        || service.name == "sockwarden"
        || service.environment.iter().any(|pair| pair.key.starts_with("SP_"));
    let first = arguments(service).first().cloned().unwrap_or_default();
    is_ours && !OTHER_COMMANDS.contains(&&*first)
}

/// The words behind the program's name.
fn arguments(service: &Service) -> Vec<String> {
    let behind = service.entrypoint.iter().skip(1);
    behind.chain(&service.command).cloned().collect()
}

/// What a proxy is set to, as it would read it itself.
fn configured(findings: &mut Findings, service: &Service) -> Option<Config> {
    let mut words = arguments(service);
    if words.first().is_some_and(|word| word == "serve") {
        words.remove(0);
    }
    let env = service.environment.iter();
    let env = env.map(|pair| (OsString::from(&pair.key), OsString::from(&pair.value)));
    let words = words.into_iter().map(OsString::from);
    match Config::load_at(words, env.collect::<Vec<_>>(), Runs::Container) {
        Ok(Loaded::Serve(config)) => {
            of_config(findings, &config, Some(&service.place), &service.name);
            Some(*config)
        }
        Ok(Loaded::Help | Loaded::Version) => None,
        Err(mistakes) => {
            for mistake in mistakes.iter() {
                let mistake = mistake.to_string();
                let place = named_in(&service.environment, &mistake).unwrap_or(&service.place);
                findings.add(Rule::Configuration, Some(place), &service.name, mistake);
            }
            None
        }
    }
}

/// Where the key stands that a message names.
fn named_in<'a>(pairs: &'a [Pair], message: &str) -> Option<&'a Place> {
    let is_named = |pair: &&Pair| message.contains(&format!("`{}`", pair.key));
    pairs.iter().find(is_named).map(|pair| &pair.place)
}

fn of_proxy(findings: &mut Findings, proxy: &Proxy<'_>, services: &[Service]) {
    let Proxy { service, config } = proxy;
    for port in &service.ports {
        let is_loopback = port.address.as_deref().is_some_and(|address| {
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        });
        let who =
            if is_loopback { "every user of the host" } else { "everybody who can reach the host" };
        findings.add(
            Rule::Published,
            Some(&port.place),
            &service.name,
            format!(
                "the port `{}` is published, so {who} can ask the proxy, from an address that stands for all of them; leave it out, and connect clients by a network",
                port.text
            ),
        );
    }
    if service.network_mode.as_deref() == Some("host") && proxy.is_on_network() {
        findings.add(
            Rule::Published,
            Some(&service.place),
            &service.name,
            "it listens on addresses of the host (`network_mode: host`), so everybody who can reach the host can ask it; give it a network of its own, or `-listenip=127.0.0.1`",
        );
    }
    let socket = config
        .as_ref()
        .map_or_else(|| Path::new("/var/run/docker.sock"), |config| &config.engine_socket);
    let is_there = |target: &str| socket.starts_with(target);
    if !service.volumes.iter().any(|volume| is_there(&volume.target)) {
        findings.add(
            Rule::NoSocket,
            Some(&service.place),
            &service.name,
            format!(
                "nothing is mounted at `{}`; mount the engine's socket: `volumes: [\"/var/run/docker.sock:{}:ro\"]`",
                socket.display(),
                socket.display()
            ),
        );
    }
    let prefixes = proxy.prefixes();
    let labelled: Vec<String> = services
        .iter()
        .filter(|other| !policy_labels(other, &prefixes).is_empty() && proxy.shares_network(other))
        .map(|other| format!("`{}`", other.name))
        .collect();
    if !labelled.is_empty() && !proxy.reads_labels() {
        findings.add(
            Rule::LabelsNotRead,
            Some(&service.place),
            &service.name,
            format!(
                "it does not read the labels of {}; `-proxycontainername=auto` switches that on",
                labelled.join(", ")
            ),
        );
    }
}

/// The engine's socket without a proxy in between.
fn of_sockets(findings: &mut Findings, service: &Service, proxies: &[Proxy<'_>]) {
    for volume in &service.volumes {
        let source = volume.source.trim_end_matches('/');
        let source = if volume.source.starts_with('/') && source.is_empty() { "/" } else { source };
        if !SOCKETS.contains(&source) {
            continue;
        }
        let has = if Path::new(source).extension().is_some() {
            "it has the engine's socket itself"
        } else {
            "it has the directory of the engine's socket"
        };
        let word = service.image.as_deref().and_then(of_image).map_or_else(
            || "the words for what it needs".to_owned(),
            |preset| format!("`sockwarden.allow: {}`", preset.name),
        );
        let proxy = proxies.first().map_or("sockwarden", |proxy| &proxy.service.name);
        findings.add(
            Rule::RawSocket,
            Some(&volume.place),
            &service.name,
            format!(
                "{has} (`{}`), and so owns the host, also where it is mounted read-only; take the mount out, connect it to `tcp://{proxy}:2375`, and give it {word}",
                volume.source
            ),
        );
    }
}

/// Those of a service's labels that speak of rights.
fn policy_labels<'a>(service: &'a Service, prefixes: &[String]) -> Vec<&'a Pair> {
    service.labels.iter().filter(|pair| is_policy(&pair.key, prefixes)).collect()
}

fn of_labels(
    findings: &mut Findings,
    service: &Service,
    proxies: &[Proxy<'_>],
    reader: &mut LabelReader,
) {
    let proxy =
        proxies.iter().find(|proxy| proxy.shares_network(service)).or_else(|| proxies.first());
    let prefixes = proxy.map_or_else(default_prefixes, Proxy::prefixes);
    let in_deploy = service.deploy_labels.iter();
    for pair in in_deploy.filter(|pair| is_policy(&pair.key, &prefixes)) {
        findings.add(
            Rule::DeployLabel,
            Some(&pair.place),
            &service.name,
            format!(
                "`{}` in `deploy.labels` is a label of the swarm's service, which its containers do not have; move it to `labels`",
                pair.key
            ),
        );
    }
    let own = policy_labels(service, &prefixes);
    let Some(first) = own.first() else { return };
    let labels: BTreeMap<String, String> =
        own.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    match reader.rights(&labels, &prefixes) {
        Rights::Unlabelled => {}
        Rights::Broken(errors) => {
            for error in errors.iter() {
                let message = error.to_string();
                let place = named_in(&service.labels, &message).unwrap_or(&first.place);
                findings.add(Rule::Label, Some(place), &service.name, message);
            }
        }
        Rights::Own(list) => {
            for rule in list.rules.iter() {
                if let Some(slip) = rule.path.slip() {
                    let key = rule.origin.to_string();
                    let place = own.iter().find(|pair| pair.key == key);
                    let place = place.map_or(&first.place, |pair| &pair.place);
                    let pattern = rule.path.as_str();
                    let message = format!("label `{key}`: `{pattern}` {slip}");
                    findings.add(Rule::DeadPattern, Some(place), &service.name, message);
                }
            }
            let access = proxy.and_then(|proxy| proxy.config.as_ref());
            let access = access.map_or(HostAccess::Allow, |config| config.bodies.host_access);
            let image = service.image.as_deref();
            of_list(findings, &list, access, Some(&first.place), &service.name, image);
        }
    }
}

fn of_networks(
    findings: &mut Findings,
    service: &Service,
    proxies: &[Proxy<'_>],
    services: &[Service],
) {
    let reachable: Vec<&Proxy<'_>> = proxies.iter().filter(|it| it.is_on_network()).collect();
    if reachable.is_empty() {
        return;
    }
    let is_labelled = proxies
        .iter()
        .filter(|proxy| proxy.reads_labels())
        .any(|proxy| !policy_labels(service, &proxy.prefixes()).is_empty());
    let is_client = is_labelled || reachable.iter().any(|proxy| proxy.admits(service));
    let is_near = reachable.iter().any(|proxy| proxy.shares_network(service));
    if is_client && !is_near {
        let name = &reachable.first().map_or("sockwarden", |proxy| &proxy.service.name);
        let message = match &service.network_mode {
            Some(mode) => format!(
                "it uses `network_mode: {mode}`, so `{name}` cannot say who asks; connect it to a network of the proxy"
            ),
            None => format!("it is on no network with `{name}`; add one under `networks`"),
        };
        findings.add(Rule::NoSharedNetwork, Some(&service.place), &service.name, message);
    }
    if !service.can_forge() {
        return;
    }
    for proxy in &reachable {
        let own = proxy.service.on();
        let shared = service.on().into_iter().find(|network| {
            let neighbours = services
                .iter()
                .filter(|other| other.name != proxy.service.name && other.on().contains(network));
            own.contains(network) && neighbours.count() > 1
        });
        let Some(network) = shared else { continue };
        let network =
            if network == DEFAULT_NETWORK { "Compose's default network" } else { network };
        findings.add(
            Rule::NetRaw,
            Some(&service.place),
            &service.name,
            format!(
                "it shares {network} with `{}` and others, and can take the address of one of them; add `cap_drop: [NET_RAW]`, or give each client a network of its own with the proxy",
                proxy.service.name
            ),
        );
        break;
    }
}
