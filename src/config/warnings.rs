//! What is valid and still surprising. Few on purpose: a warning that is usually wrong teaches people to skip all of them.

use ipnet::IpNet;

use crate::request::Method;
use crate::rule::{Origin, Rule};

use super::draft::Draft;
use super::mistake::printable;
use super::{AllowFrom, values};

/// All of them, a line each, in the order of the table of settings.
pub(super) fn of(draft: &Draft) -> Vec<String> {
    let mut warnings: Vec<String> = if draft.endpoint.is_some() { Vec::new() } else { tcp(draft) };
    if draft.effective_rules().next().is_none() && draft.own_container.is_none() {
        warnings.push(
            "nothing is allowed but `/_ping`: there is no pattern; add for example `-allowGET=/v1\\..+/version`".to_owned(),
        );
    }
    warnings.extend(draft.effective_rules().filter_map(pattern));
    warnings.extend(file_mode(draft));
    warnings.extend(without_effect(draft));
    warnings
}

fn tcp(draft: &Draft) -> Vec<String> {
    let clients = draft.spelling("allowfrom");
    let ip = draft.listen_ip;
    let everybody = draft
        .allow_from
        .iter()
        .find(|entry| matches!(entry, AllowFrom::Net(net) if net.prefix_len() == 0));
    let stranger = draft.allow_from.iter().find(|entry| !is_local(entry));
    if ip.is_loopback() {
        let only_here = |stranger| {
            format!(
                "`{clients}` lets `{stranger}` in, but on {ip} only this host or container can connect; to listen for others set `-listenip={}`",
                if ip.is_ipv4() { "0.0.0.0" } else { "::" },
            )
        };
        return stranger.map(only_here).into_iter().collect();
    }
    if let Some(everybody) = everybody {
        return vec![format!(
            "`{clients}` lets everybody in who can reach {ip} (`{everybody}`); name the clients or their network"
        )];
    }
    if stranger.is_none() && draft.own_container.is_none() {
        return vec![format!(
            "on {ip} others can connect, but `{clients}` lets nobody in from outside; add for example `-allowfrom=traefik`"
        )];
    }
    Vec::new()
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
    } else if path.has_top_level_alternation() {
        Some(two_whole_paths(origin, &shown))
    } else if begins_with_a_letter(path.as_str()) {
        Some(format!("`{origin}`: `{shown}` matches nothing, because every path begins with `/`"))
    } else {
        None
    }
}

/// Because socket-proxy anchors such a pattern in another way, and a list made for it may have come to rely on that.
fn two_whole_paths(origin: &Origin, pattern: &str) -> String {
    format!(
        "`{origin}`: in `{pattern}` each side of the `|` must match a whole path, unlike in socket-proxy"
    )
}

/// Whether the first thing this pattern wants is one character that is no slash. It has no top-level `|`.
///
/// This finds `version`, and `"/version"` with the quotes of an env file still around it.
fn begins_with_a_letter(pattern: &str) -> bool {
    let mut characters = pattern.trim_start_matches('^').chars();
    let is_literal = |first: char| !r"/\^$.|?*+()[]{}".contains(first);
    characters.next().is_some_and(is_literal)
        && !characters.next().is_some_and(|second| "?*{".contains(second))
}

fn file_mode(draft: &Draft) -> Option<String> {
    draft.endpoint.as_ref()?;
    let (origin, value) = draft.written("proxysocketendpointfilemode")?;
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

fn without_effect(draft: &Draft) -> impl Iterator<Item = String> {
    let over_unix = draft.endpoint.is_some();
    let no_watchdog = draft.watchdog_interval.is_zero();
    let no_labels = draft.own_container.is_none();
    let instead = "on a Unix socket; whoever may open the socket file is let in";
    [
        (over_unix, true, "allowfrom", instead),
        (over_unix, true, "listenip", "on a Unix socket"),
        (over_unix, true, "proxyport", "on a Unix socket"),
        (
            !over_unix,
            true,
            "proxysocketendpointfilemode",
            "on a TCP port; add `-proxysocketendpoint=PATH`",
        ),
        (
            draft.deny_host_mounts,
            true,
            "allowbindmountfrom",
            "while `-denyhostmounts` refuses every host mount",
        ),
        (
            no_watchdog,
            draft.stop_on_watchdog,
            "stoponwatchdog",
            "without a watchdog; add for example `-watchdoginterval=60`",
        ),
        (
            no_labels,
            true,
            "dockerlabelprefix",
            "while labels are not read; add `-proxycontainername=auto`",
        ),
        (
            no_labels,
            draft.trust_image_labels,
            "trustimagelabels",
            "while labels are not read; add `-proxycontainername=auto`",
        ),
    ]
    .into_iter()
    .filter(|(is_off, is_wanted, name, _)| *is_off && *is_wanted && draft.written(name).is_some())
    .map(|(_, _, name, why)| format!("`{}` has no effect {why}", draft.spelling(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, never_matches: bool) {
        assert_eq!(begins_with_a_letter(pattern), never_matches, "{pattern}");
    }

    #[test]
    fn a_top_level_alternation_is_explained() {
        assert_eq!(
            two_whole_paths(&Origin::Flag("-allowGET".to_owned()), "/a|/b"),
            "`-allowGET`: in `/a|/b` each side of the `|` must match a whole path, unlike in socket-proxy"
        );
    }

    #[test]
    fn a_pattern_that_cannot_begin_with_a_slash_is_noticed() {
        check("version", true);
        check("^version", true);
        check("\"/version\"", true);
        check("'/version'", true);
        check("v+/version", true);
        check("é", true);
        for fine in [
            "",
            "/version",
            "^/version",
            "v?/version",
            "v*/version",
            "v{0}/x",
            ".*",
            "(/v1)?/x",
            "[/]x",
            r"\/x",
            r"\x2fx",
        ] {
            check(fine, false);
        }
    }
}
