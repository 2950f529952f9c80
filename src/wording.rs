//! Why a request was refused and what would allow it, in words that a user can act on: a flag, a variable, or a label.

mod creator;
mod suggestion;

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use crate::clauses::Clause;
use crate::client::{Client, Container, Identity, MadeBy, WhyUnknown};
use crate::policy::{Denied, DenyReason, MAX_QUESTIONS};
use crate::request::Head;
use crate::rule::Allowlist;
use crate::rule::labels::{LabelError, Rights};
use crate::setting::SettingName;
use crate::text::{escaped, printable};
use suggestion::{suggested_label, suggested_pattern, suggested_word};

/// Why it was refused, in the words of the log.
pub fn reason(reason: &DenyReason) -> String {
    let text = match reason {
        DenyReason::NotAdmitted => "client not in allowfrom",
        DenyReason::UnknownClient(why) => return why.to_string(),
        DenyReason::BrokenLabels(errors) => return joined(errors),
        DenyReason::Creator(bound) => return creator::what(bound),
        DenyReason::Step(container) => return step(container),
        DenyReason::NoMethod => "method not allowed",
        DenyReason::NoPath => "path not allowed",
        DenyReason::NoWord => "no word allows it",
        DenyReason::BodyNotTaken => "the operation takes no body",
        DenyReason::FormBody => "a form would override the query",
        DenyReason::UnknownBody => "a body of this type on an unknown operation",
        DenyReason::CodedBody => "the body is coded",
        DenyReason::UnclearBody(error) => return error.to_string(),
        DenyReason::TooManyNames => "it names too many objects",
        DenyReason::Violation(violation) => return violation.to_string(),
    };
    text.to_owned()
}

fn joined(errors: &[LabelError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Why a container that a build made has no rights.
fn step(container: &str) -> String {
    let name = escaped(container);
    format!("container `{name}` is what a build makes for one of its steps, so it may do nothing")
}

/// What is known of the way things are set up, for advice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup<'a> {
    /// The label prefix to suggest, where labels are in use.
    pub label_prefix: Option<&'a str>,
    /// Whether the engine says that the client's address is a network's gateway.
    pub is_gateway: bool,
}

/// A refusal in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the client is told.
    pub message: String,
    /// What would allow it, for the log: short, and the same as in the message.
    pub fix: String,
}

/// What the client is told, and what the log says would allow it.
pub fn explain(client: &Client, denied: &Denied, setup: Setup<'_>) -> Explanation {
    let Denied { head, reason, by } = denied;
    let method = head.method;
    let asked = fmt::from_fn(|f| write!(f, "{method} {}", printable(head.target.versioned_path())));
    let (message, fix) = match reason {
        DenyReason::NotAdmitted => not_admitted(client, head, &asked, setup),
        DenyReason::UnknownClient(why) => {
            let cure = match why {
                WhyUnknown::Stale => "try again once the engine answers",
                WhyUnknown::NotFound | WhyUnknown::Ambiguous => {
                    "connect from a container that is attached to this network under an address of its own"
                }
                WhyUnknown::LinkLocal => "connect to the proxy's global address",
            };
            (format!("{client} may not ask {asked}: {why}; {cure}"), cure.to_owned())
        }
        DenyReason::BrokenLabels(errors) => {
            let message = format!(
                "container {client} may not ask {asked}, nor anything else, until you fix its labels: {}",
                joined(errors)
            );
            (message, format!("fix the labels of {client}"))
        }
        DenyReason::Creator(bound) => {
            let (what, cure) =
                (creator::what(bound), creator::cure(bound, head, setup.label_prefix));
            (format!("{client} may not ask {asked}: {what}; {cure}"), cure)
        }
        DenyReason::Step(container) => with_cure(
            format_args!("{client} may not ask {asked}: {}", step(container)),
            "if you created it yourself, create it again by its image's name, or with another log driver than `none`",
        ),
        DenyReason::NoMethod | DenyReason::NoPath | DenyReason::NoWord => {
            let what = fmt::from_fn(|f| {
                if *reason == DenyReason::NoMethod {
                    write!(f, "{client} may not use {method} at all, so {asked} is refused")
                } else {
                    write!(f, "{asked} is not allowed for {client}")
                }
            });
            let fix = fix_of_list(client, head, *reason == DenyReason::NoWord, setup);
            // The usual refusal, and a long one.
            let mut message = String::with_capacity(320);
            let _ = write!(message, "{what}; {fix} would allow it");
            (message, fix)
        }
        DenyReason::BodyNotTaken => with_cure(
            format_args!("{asked} takes no body but an unused JSON one"),
            "send its parameters in the query, without a body",
        ),
        DenyReason::FormBody => with_cure(
            format_args!("{asked} takes no form, because its fields would override the query"),
            "send a JSON or tar body under its own content type",
        ),
        DenyReason::UnknownBody => with_cure(
            format_args!("{asked} is not an operation sockwarden knows"),
            "its body must be `application/json` or `application/x-tar`",
        ),
        DenyReason::CodedBody => with_cure(
            format_args!("the body of {asked} has a `Content-Encoding`"),
            "send it plain, so that it can be judged",
        ),
        DenyReason::UnclearBody(error) => {
            (format!("the body of {asked} cannot be judged: {error}"), String::new())
        }
        DenyReason::TooManyNames => with_cure(
            format_args!(
                "{asked} names more than {MAX_QUESTIONS} containers, networks and volumes that have to be looked up"
            ),
            "send fewer",
        ),
        DenyReason::Violation(violation) => match violation.clause {
            Clause::NoSuchObject => (violation.told_problem().to_owned(), String::new()),
            Clause::Unclear => {
                (format!("{asked} cannot be judged: {}", violation.told()), String::new())
            }
            clause => with_cure(
                format_args!("{asked} is not allowed for {client}: {}", violation.told()),
                &cure(clause, client, by.as_ref(), setup.label_prefix),
            ),
        },
    };
    Explanation { message, fix }
}

/// What to write where for a list to allow this.
fn fix_of_list(client: &Client, head: &Head, has_words: bool, setup: Setup<'_>) -> String {
    let own = own_list(client).zip(setup.label_prefix);
    match (own, suggested_word(head)) {
        (Some(((container, list), prefix)), Some(word)) if !list.words.is_empty() => {
            format!("`{word}` in the label `{prefix}.allow` on {container}")
        }
        (Some(((container, list), prefix)), _) => {
            let label = suggested_label(head, prefix, Some(list));
            format!("the label `{label}` on {container}")
        }
        (None, Some(word)) if has_words => {
            format!("`{word}` in {}", SettingName::Allow.or_variable())
        }
        (None, _) => {
            let pattern = suggested_pattern(head);
            let setting = SettingName::allow(head.method).set_to(&pattern).quoted().or_variable();
            let mut fix = String::with_capacity(pattern.len() + 48);
            let _ = write!(fix, "{setting}");
            fix
        }
    }
}

const ALLOW_FROM: SettingName = SettingName::AllowFrom;

/// The message and the fix for a client that no list is for.
fn not_admitted(
    client: &Client,
    head: &Head,
    asked: &dyn fmt::Display,
    setup: Setup<'_>,
) -> (String, String) {
    match (&client.identity, setup.label_prefix) {
        (Identity::Containers(containers), Some(prefix)) => {
            let label = suggested_label(head, prefix, None);
            let unlabelled = containers.iter().find(|container| container.is_unlabelled());
            let fix = match unlabelled {
                Some(container) => format!("the label `{label}` on {container}"),
                None => format!("the label `{label}`"),
            };
            let message = format!(
                "container {client} may not ask {asked}: it has no label of its own and is not in {ALLOW_FROM}; give it the label `{label}`"
            );
            (message, fix)
        }
        _ if setup.is_gateway || looks_like_gateway(client) => {
            let fix = format!(
                "connect the client to a network of the proxy and use the proxy's own address there; in {} this address admits everybody behind it",
                ALLOW_FROM.or_variable()
            );
            let is = if setup.is_gateway { "is" } else { "looks like" };
            (
                format!(
                    "{client} may not ask {asked}: it {is} the gateway of a network, which stands for everybody who comes through a published port or from the host, so nobody can say who asks; {fix}"
                ),
                fix,
            )
        }
        _ => (
            format!(
                "{client} may not ask {asked}; add it to {} to admit it",
                ALLOW_FROM.or_variable()
            ),
            format!("add {} to {}", client.peer, ALLOW_FROM.or_variable()),
        ),
    }
}

fn with_cure(what: fmt::Arguments<'_>, cure: &str) -> (String, String) {
    (format!("{what}; {cure}"), cure.to_owned())
}

/// Whether an address is one that engines give to gateways: the first one of a private network. Without labels nobody asks the engine.
fn looks_like_gateway(client: &Client) -> bool {
    match client.peer.ip() {
        Some(IpAddr::V4(address)) => address.is_private() && address.octets()[3] == 1,
        Some(IpAddr::V6(address)) => {
            address.is_unique_local() && address.segments().iter().rev().take(3).eq(&[1, 0, 0])
        }
        None => false,
    }
}

/// What would let a violation pass.
fn cure(
    clause: Clause,
    client: &Client,
    by: Option<&Arc<Allowlist>>,
    label_prefix: Option<&str>,
) -> String {
    let owner = match by {
        Some(list) => owner(client, list),
        None => own_list(client).map(|(container, _)| container),
    };
    let own = owner.zip(label_prefix);
    let label_or = |label: &str, otherwise: &dyn fmt::Display| match own {
        Some((container, prefix)) => {
            format!("the label `{prefix}.{label}` on {container}")
        }
        None => otherwise.to_string(),
    };
    let may_label = || {
        let prefix = label_prefix.unwrap_or("sockwarden");
        let label = format!("the label `{prefix}.allow.labels=true` on the client");
        let label = label_or("allow.labels=true", &label);
        format!("{label}, with which the client can give itself any right")
    };
    match clause {
        Clause::MountSource => format!(
            "to allow it, list its directory in {}",
            label_or("allow.bindmountfrom", &SettingName::AllowBindMountFrom.or_variable())
        ),
        Clause::NoMounts => {
            format!("{} is set, so use a named volume instead", SettingName::DenyHostMounts)
        }
        Clause::NetworkVolume if by.is_some_and(|list| !list.words.is_empty()) => format!(
            "use a volume of this host instead, or allow it by {}, unless {} is set",
            label_or(
                "hostaccess=network-volumes",
                &SettingName::HostAccess.set_to("network-volumes").or_variable()
            ),
            SettingName::DenyNetworkVolumes
        ),
        Clause::NetworkVolume => format!(
            "{} is set, so use a volume of this host instead",
            SettingName::DenyNetworkVolumes
        ),
        Clause::Condition => format!(
            "write another condition, or a word without one, in {}",
            label_or("allow", &SettingName::Allow.or_variable())
        ),
        Clause::Recreate => {
            "this changed nothing; do it on the host, without the proxy, or as docs/updaters.md says"
                .to_owned()
        }
        Clause::Image => format!(
            "use another, or list it in {}",
            label_or("images", &SettingName::Images.or_variable())
        ),
        Clause::HostAccess => format!(
            "leave it out, or allow it by {}, with which the client owns the host",
            label_or("hostaccess=allow", &SettingName::HostAccess.set_to("allow").or_variable())
        ),
        // Labels are not read, and only names are guarded then.
        Clause::Labels if label_prefix.is_none() => {
            "choose another name; where access to the host is denied nothing allows this".to_owned()
        }
        Clause::Labels => format!("leave it out, or allow it by {}", may_label()),
        Clause::BuildNetwork => format!(
            "build on the default bridge or on another network, or with `networkmode=none` (`docker build --network none`), or allow it by {}",
            may_label()
        ),
        Clause::ExecElsewhere => {
            "a pattern that allows `POST` for the `exec` of that container would allow it"
                .to_owned()
        }
        Clause::OwnContainer | Clause::Identity | Clause::Unclear | Clause::NoSuchObject => {
            "nothing allows this through the proxy".to_owned()
        }
    }
}

/// The container whose labels say this: one of the client's, or one that created one of those. `None` for the default list.
fn owner<'a>(client: &'a Client, list: &Arc<Allowlist>) -> Option<&'a Container> {
    let Identity::Containers(containers) = &client.identity else { return None };
    let says = |container: &&'a Container| match &container.rights {
        Rights::Own(own) => Arc::ptr_eq(own, list),
        Rights::Unlabelled | Rights::Broken(_) => false,
    };
    let creators = containers.iter().flat_map(|container| &container.lineage.makers);
    let creators = creators.filter_map(|made_by| match made_by {
        MadeBy::Container(container) => Some(&**container),
        _ => None,
    });
    containers.iter().map(|container| &**container).chain(creators).find(says)
}

/// The container whose own labels decide, if one's do, and what they say.
fn own_list(client: &Client) -> Option<(&Container, &Allowlist)> {
    let Identity::Containers(containers) = &client.identity else { return None };
    containers.iter().find_map(|container| match &container.rights {
        Rights::Own(list) => Some((&**container, &**list)),
        Rights::Unlabelled | Rights::Broken(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Method, RequestTarget};

    fn refused(peer: &str, setup: Setup<'_>) -> Explanation {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let client = Client {
            peer: crate::client::Peer::tcp(peer, "172.18.0.2".parse().unwrap()),
            admission: crate::client::Admission::Unlisted,
            identity: Identity::Plain,
        };
        let head = Head::new(Method::Get, RequestTarget::parse("/info").unwrap(), []);
        explain(&client, &Denied { head, reason: DenyReason::NotAdmitted, by: None }, setup)
    }

    #[test]
    fn a_gateway_is_not_admitted_without_a_word_of_warning() {
        for gateway in ["172.18.0.1:5", "10.0.0.1:5", "192.168.65.1:5", "[fd00:1::1]:5"] {
            let Explanation { message, fix } = refused(gateway, Setup::default());
            assert!(message.contains("looks like the gateway of a network"), "{message}");
            assert!(message.contains("everybody who comes through a published port"), "{message}");
            assert!(fix.contains("admits everybody behind it") && message.contains(&fix), "{fix}");
        }
        let known = Setup { is_gateway: true, ..Setup::default() };
        let message = refused("10.9.8.7:5", known).message;
        assert!(message.contains("it is the gateway of a network"), "{message}");
        for client in ["172.18.0.3:5", "127.0.0.1:5", "8.8.8.1:5", "[fd00::2]:5", "[::1]:5"] {
            let Explanation { message, fix } = refused(client, Setup::default());
            assert!(!message.contains("gateway"), "{message}");
            assert!(message.contains("add it to `-allowfrom` (SP_ALLOWFROM)"), "{message}");
            assert!(fix.starts_with("add ") && fix.ends_with("to `-allowfrom` (SP_ALLOWFROM)"));
        }
    }
}
