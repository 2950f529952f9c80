//! The variables that Kubernetes sets for every service of a namespace, and Docker for a link. For a service named `sp`, or `sp-` and more,
//! they begin with `SP_` and have nothing to do with us.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::IpAddr;

/// The names of the variables that describe services.
///
/// A name alone is not enough: `SP_PORT=2375` is a mistake of somebody who means `SP_PROXYPORT`. So the value has to be one that Kubernetes
/// (`pkg/kubelet/envvars`) or Docker (`daemon/links`) would write. `_NAME` and `_ENV_…` of a link may hold anything like a value, and count where
/// the same service has a sure variable.
pub(super) fn names(variables: &BTreeMap<OsString, OsString>) -> BTreeSet<String> {
    let text = |(name, value): (&OsString, &OsString)| {
        Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
    };
    let variables: Vec<(String, String)> = variables.iter().filter_map(text).collect();
    let mut names = BTreeSet::new();
    let mut linked = BTreeSet::new();
    for (name, value) in &variables {
        if let Some(service) = service_of(name, value) {
            names.insert(name.clone());
            linked.insert(service);
        }
    }
    for (name, value) in &variables {
        let of_link = |service: &&str| {
            let Some(rest) = name.strip_prefix(*service) else { return false };
            let is_path = value.starts_with('/') && value.matches('/').count() == 2;
            rest.starts_with("_ENV_") || rest == "_NAME" && is_path
        };
        if linked.iter().any(of_link) {
            names.insert(name.clone());
        }
    }
    names
}

/// The service that a variable is surely of, as it stands in the variable's name.
fn service_of<'n>(name: &'n str, value: &str) -> Option<&'n str> {
    let is_number = || value.parse::<u16>().is_ok();
    let is_address = || value.parse::<IpAddr>().is_ok();
    if let Some(service) = name.strip_suffix("_SERVICE_HOST") {
        return is_address().then_some(service);
    }
    // With the name of a port behind it where a service has several.
    if let Some((service, port)) = name.split_once("_SERVICE_PORT") {
        return (is_number() && (port.is_empty() || port.starts_with('_'))).then_some(service);
    }
    if let Some((service, port)) = split_port(name) {
        let fits = match port {
            "" => is_url(value),
            "_ADDR" => is_address(),
            "_PORT" => is_number(),
            "_PROTO" => PROTOCOLS.contains(&value),
            _ => false,
        };
        return fits.then_some(service);
    }
    name.strip_suffix("_PORT").filter(|_| is_url(value))
}

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// `SP_PORT_2375_TCP_ADDR` as `SP` and `_ADDR`.
fn split_port(name: &str) -> Option<(&str, &str)> {
    let (service, rest) = name.split_once("_PORT_")?;
    let (number, rest) = rest.split_once('_')?;
    number.parse::<u16>().ok()?;
    ["TCP", "UDP", "SCTP"].iter().find_map(|it| Some((service, rest.strip_prefix(it)?)))
}

/// `tcp://10.96.0.1:2375`.
fn is_url(value: &str) -> bool {
    let Some((protocol, address)) = value.split_once("://") else { return false };
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    PROTOCOLS.contains(&protocol) && host.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], want: &[&str]) {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(names(&variables).iter().collect::<Vec<_>>(), want);
    }

    #[test]
    fn what_kubernetes_and_docker_set_is_known_by_its_form() {
        let kubernetes = [
            ("SP_PORT", "tcp://10.96.0.1:2375"),
            ("SP_PORT_2375_TCP", "tcp://10.96.0.1:2375"),
            ("SP_PORT_2375_TCP_ADDR", "10.96.0.1"),
            ("SP_PORT_2375_TCP_PORT", "2375"),
            ("SP_PORT_2375_TCP_PROTO", "tcp"),
            ("SP_SERVICE_HOST", "10.96.0.1"),
            ("SP_SERVICE_PORT", "2375"),
            ("SP_SERVICE_PORT_HTTP", "2375"),
            ("SP_WEB_PORT", "udp://[fd00::1]:53"),
            ("SP_WEB_SERVICE_HOST", "fd00::1"),
        ];
        check(&kubernetes, &kubernetes.map(|(name, _)| name));
        let link = [
            ("SP_ENV_PATH", "/usr/bin"),
            ("SP_NAME", "/web/sp"),
            ("SP_PORT", "tcp://172.17.0.2:80"),
            ("SP_PORT_80_TCP", "tcp://172.17.0.2:80"),
        ];
        check(&link, &link.map(|(name, _)| name));
        // A service called `sp-allow-get`.
        check(&[("SP_ALLOW_GET_PORT", "tcp://10.96.0.1:80")], &["SP_ALLOW_GET_PORT"]);
    }

    #[test]
    fn a_mistake_stays_one() {
        check(
            &[
                ("SP_PORT", "2375"),
                ("SP_PORT_2375", "tcp://10.96.0.1:2375"),
                ("SP_WEB_PORT", "tcp://proxy:2375"),
                ("SP_SERVICE_HOST", "proxy"),
                ("SP_SERVICE_PORTS", "1"),
                ("SP_NAME", "/web/sp"),
                ("SP_ENV_X", "y"),
                ("SP_LISTENPORT", "tcp://10.96.0.1:2375"),
                ("SP_ALLOW_GET_PORT", "/info"),
            ],
            &[],
        );
    }
}
