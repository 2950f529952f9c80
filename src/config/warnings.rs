//! What is valid and still surprising. Few on purpose: a warning that is usually wrong teaches people to skip all of them.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::admission::AllowFrom;
use crate::request::Method;
use crate::rule::{Origin, Rule};
use crate::setting::SettingName;

use super::draft::{Draft, Place};
use super::mistake::printable;
use super::values;

/// All of them, a line each, in the order of the table of settings.
pub(super) fn of(draft: &Draft) -> Vec<String> {
    let mut warnings = Vec::new();
    if draft.endpoint.is_none() {
        warnings.extend(lonely_addresses(draft));
        warnings.extend(tcp(draft));
    }
    if draft.effective_rules().next().is_none()
        && draft.words.is_empty()
        && draft.own_container.is_none()
    {
        warnings.push(format!(
            "nothing is allowed but `/_ping`: there is no pattern; add for example {}",
            SettingName::AllowGet.set_to("(/v1[.][0-9]+)?/version").quoted()
        ));
    }
    warnings.extend(draft.effective_rules().filter_map(pattern));
    warnings.extend(file_mode(draft));
    warnings.extend(label_prefix(draft));
    warnings.extend(without_effect(draft));
    warnings.extend(services(draft));
    warnings.extend(draft.foreign.iter().cloned());
    warnings
}

/// Addresses that stand for a network, written without its length.
fn lonely_addresses(draft: &Draft) -> impl Iterator<Item = String> {
    let clients = draft.spelling(SettingName::AllowFrom);
    let addresses = draft.allow_from.iter().filter_map(|entry| match entry {
        AllowFrom::Net(net) if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
        _ => None,
    });
    addresses.filter_map(move |address| {
        if address.is_unspecified() {
            return Some(format!(
                "`{clients}`: `{address}` is an address that no client has, so it lets nobody in; `{address}/0` is everybody, and a name or a network is safer"
            ));
        }
        let IpAddr::V4(v4) = address else { return None };
        let bits = match v4.octets() {
            [_, 0, 0, 0] => 8,
            [_, _, 0, 0] => 16,
            [_, _, _, 0] => 24,
            _ => return None,
        };
        Some(format!(
            "`{clients}`: `{address}` is one address, though it looks like a network; a network has its length behind it, for example `{address}/{bits}`"
        ))
    })
}

fn tcp(draft: &Draft) -> Vec<String> {
    let clients = draft.spelling(SettingName::AllowFrom);
    let ip = draft.listen_ip;
    let everybody = draft
        .allow_from
        .iter()
        .find(|entry| matches!(entry, AllowFrom::Net(net) if net.prefix_len() == 0));
    let stranger = draft.allow_from.iter().find(|entry| !is_local(entry) && !is_nobody(entry));
    if ip.is_loopback() {
        let only_here = |stranger| {
            format!(
                "`{clients}` lets `{stranger}` in, but on {ip} only this host or container can connect; to listen for others set `{}={}`",
                draft.spelling(SettingName::ListenIp),
                if ip.is_ipv4() { "0.0.0.0" } else { "::" },
            )
        };
        let by_default = || {
            let is_forgotten =
                draft.place == Place::Container && draft.written(SettingName::ListenIp).is_none();
            is_forgotten.then(|| {
                format!(
                    "sockwarden runs in a container and listens on {ip}, the default, where only this container can connect; to listen for others set {}",
                    SettingName::ListenIp.set_to("0.0.0.0")
                )
            })
        };
        return stranger.map(only_here).or_else(by_default).into_iter().collect();
    }
    if let Some(everybody) = everybody {
        return vec![format!(
            "`{clients}` lets everybody in who can reach {ip} (`{everybody}`); name the clients or their network"
        )];
    }
    if stranger.is_none() && draft.own_container.is_none() {
        return vec![format!(
            "on {ip} others can connect, but `{clients}` lets nobody in from outside; add for example `{clients}=traefik`"
        )];
    }
    Vec::new()
}

/// An address that no client has; it has its own warning.
fn is_nobody(entry: &AllowFrom) -> bool {
    matches!(entry, AllowFrom::Net(net) if net.addr().is_unspecified() && net.prefix_len() == net.max_prefix_len())
}

fn is_local(entry: &AllowFrom) -> bool {
    match entry {
        AllowFrom::Net(IpNet::V4(net)) => net.addr().is_loopback() && net.prefix_len() >= 8,
        AllowFrom::Net(net @ IpNet::V6(_)) => {
            net.addr().is_loopback() && net.prefix_len() == net.max_prefix_len()
        }
        AllowFrom::Host(name) => name == "localhost",
    }
}

fn pattern(rule: &Rule) -> Option<String> {
    let Rule { origin, method, path } = rule;
    let shown = printable(path.as_str().as_ref());
    if matches!(method, Method::Connect | Method::Trace) {
        Some(format!("`{origin}` is of no use: the engine has no {method} operations"))
    } else {
        let slip = path.slip().map(|slip| format!("`{origin}`: `{shown}` {slip}"));
        let sides = path.has_top_level_alternation().then(|| two_whole_paths(origin, &shown));
        slip.or(sides)
    }
}

/// Because socket-proxy anchors such a pattern in another way, and a list made for it may have come to rely on that.
fn two_whole_paths(origin: &Origin, pattern: &str) -> String {
    format!(
        "`{origin}`: in `{pattern}` each side of the `|` must match a whole path, unlike in socket-proxy"
    )
}

fn file_mode(draft: &Draft) -> Option<String> {
    draft.endpoint.as_ref()?;
    let (origin, value) = draft.written(SettingName::ProxySocketEndpointFileMode)?;
    let mode = draft.endpoint_mode;
    let is_flag = matches!(origin, Origin::Flag(_));
    if let Some(text) = value.to_str().filter(|text| is_flag && values::is_octal_without_zero(text))
    {
        return Some(format!(
            "`{origin}`: `{text}` is decimal and means {mode:04o}; an octal mode is written `0{text}`"
        ));
    }
    (mode & 0o002 != 0)
        .then(|| format!("`{origin}`: with mode {mode:04o} every local user can use the socket"))
}

/// A prefix in our own name space is read by every sockwarden that has the default prefixes, as mistakes.
fn label_prefix(draft: &Draft) -> Option<String> {
    let (origin, value) = draft.written(SettingName::DockerLabelPrefix)?;
    let prefix = value.to_str()?;
    let is_ours = prefix.to_ascii_lowercase().starts_with("sockwarden.");
    is_ours.then(|| {
        format!(
            "`{origin}`: another sockwarden on this engine with the default prefixes takes labels under `{prefix}` for mistakes, which cost their containers all rights; choose a prefix that does not begin with `sockwarden.`"
        )
    })
}

fn services(draft: &Draft) -> Option<String> {
    let names = &draft.service_variables;
    (!names.is_empty()).then(|| {
        format!(
            "`{}` describe{} a service of Kubernetes or a link of Docker and set{} nothing here; to be rid of them set `enableServiceLinks: false`, or give the service a name that does not begin with `sp`",
            names.join("`, `"),
            if names.len() == 1 { "s" } else { "" },
            if names.len() == 1 { "s" } else { "" },
        )
    })
}

fn without_effect(draft: &Draft) -> impl Iterator<Item = String> {
    let over_unix = draft.endpoint.is_some();
    let no_watchdog = draft.watchdog_interval.is_zero();
    let no_labels = draft.own_container.is_none();
    let spelled = |setting| draft.spelling(setting);
    let on_socket = || "on a Unix socket".to_owned();
    let without_labels = || {
        format!(
            "while labels are not read; add `{}=auto`",
            spelled(SettingName::ProxyContainerName)
        )
    };
    [
        (
            over_unix,
            SettingName::AllowFrom,
            "on a Unix socket; everybody who may open the socket file is let in".to_owned(),
        ),
        (over_unix, SettingName::ListenIp, on_socket()),
        (over_unix, SettingName::ProxyPort, on_socket()),
        (
            !over_unix,
            SettingName::ProxySocketEndpointFileMode,
            format!("on a TCP port; add `{}=PATH`", spelled(SettingName::ProxySocketEndpoint)),
        ),
        (
            draft.deny_host_mounts,
            SettingName::AllowBindMountFrom,
            format!("while `{}` refuses every host mount", spelled(SettingName::DenyHostMounts)),
        ),
        (
            no_watchdog && draft.stop_on_watchdog,
            SettingName::StopOnWatchdog,
            format!(
                "without a watchdog; add for example `{}=60`",
                spelled(SettingName::WatchdogInterval)
            ),
        ),
        (no_labels, SettingName::DockerLabelPrefix, without_labels()),
        (no_labels && draft.trust_image_labels, SettingName::TrustImageLabels, without_labels()),
    ]
    .into_iter()
    .filter(|(is_off, setting, _)| *is_off && draft.written(*setting).is_some())
    .map(|(_, setting, why)| format!("`{}` has no effect {why}", draft.spelling(setting)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_top_level_alternation_is_explained() {
        assert_eq!(
            two_whole_paths(&Origin::Flag("-allowGET".to_owned()), "/a|/b"),
            "`-allowGET`: in `/a|/b` each side of the `|` must match a whole path, unlike in socket-proxy"
        );
    }
}
