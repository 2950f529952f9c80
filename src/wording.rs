//! Why a request was refused and what would allow it, in words that a user can act on: a flag, a variable, or a label.

mod creator;
mod suggestion;

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::clauses::{Clause, builds_images, builds_unlabelled, starts_containers};
use crate::client::{Client, Container, Identity, WhyUnknown};
use crate::policy::{Denied, DenyReason, MAX_QUESTIONS};
use crate::request::Head;
use crate::rule::Allowlist;
use crate::rule::labels::{LabelError, Rights};
use crate::setting::SettingName;
use crate::text::printable;
use suggestion::{suggested_label, suggested_pattern};

/// Why it was refused, in the words of the log.
pub fn reason(reason: &DenyReason) -> String {
    let text = match reason {
        DenyReason::NotAdmitted => "client not in allowfrom",
        DenyReason::UnknownClient(why) => return why.to_string(),
        DenyReason::BrokenLabels(errors) => return joined(errors),
        DenyReason::Creator(bound) => return creator::what(bound),
        DenyReason::NoMethod => "method not allowed",
        DenyReason::NoPath => "path not allowed",
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
    let Denied { head, reason } = denied;
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
        DenyReason::NoMethod | DenyReason::NoPath => {
            let what = fmt::from_fn(|f| {
                if *reason == DenyReason::NoMethod {
                    write!(f, "{client} may not use {method} at all, so {asked} is refused")
                } else {
                    write!(f, "{asked} is not allowed for {client}")
                }
            });
            let own = own_list(client).zip(setup.label_prefix);
            let fix = if let Some(((container, list), prefix)) = own {
                let label = suggested_label(head, prefix, Some(list));
                format!("the label `{label}` on {container}")
            } else {
                let pattern = suggested_pattern(head);
                let setting = SettingName::allow(method).set_to(&pattern).quoted().or_variable();
                let mut fix = String::with_capacity(pattern.len() + 48);
                let _ = write!(fix, "{setting}");
                fix
            };
            // The usual refusal, and a long one.
            let mut message = String::with_capacity(320);
            let _ = write!(message, "{what}; {fix} would allow it");
            if let Some(price) = setup.label_prefix.and_then(|_| price(head, client)) {
                let _ = write!(message, ", but {price}");
            }
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
                &cure(clause, client, setup.label_prefix),
            ),
        },
    };
    Explanation { message, fix }
}

/// What else would have to change, or would, where one list may not both build and start containers.
fn price(head: &Head, client: &Client) -> Option<&'static str> {
    let list = own_list(client).map(|(_, list)| list);
    if list.is_some_and(|list| list.may_label) {
        return None;
    }
    if builds_images(head.operation) {
        return Some(
            "a client that may build may neither make nor start containers, unless `allow.labels=true` lets it give itself any right",
        );
    }
    let is_closed = starts_containers(head.operation) && list.is_some_and(builds_unlabelled);
    is_closed.then_some(
        "only in a list that allows no builds, or that has `allow.labels=true`, with which the client can give itself any right",
    )
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
            let unlabelled = containers.iter().find(|container| container.is_by_default());
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
fn cure(clause: Clause, client: &Client, label_prefix: Option<&str>) -> String {
    let own = own_list(client).zip(label_prefix);
    let label_or = |label: &str, otherwise: &dyn fmt::Display| match own {
        Some(((container, _), prefix)) => {
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
        Clause::NetworkVolume => format!(
            "{} is set, so use a volume of this host instead",
            SettingName::DenyNetworkVolumes
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
        Clause::BuildsToo => format!(
            "take `POST /build` and `POST /grpc` out of the list, or allow both by {}",
            may_label()
        ),
        Clause::BuildNetwork => format!(
            "build with `networkmode=none` (`docker build --network none`), or allow it by {}",
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
    use crate::rule::{AnchoredRegex, Origin};

    fn refused(peer: &str, setup: Setup<'_>) -> Explanation {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let client = Client {
            peer: crate::client::Peer::tcp(peer, "172.18.0.2".parse().unwrap()),
            admission: crate::client::Admission::Unlisted,
            identity: Identity::Plain,
        };
        let head = Head::new(Method::Get, RequestTarget::parse("/info").unwrap(), []);
        explain(&client, &Denied { head, reason: DenyReason::NotAdmitted }, setup)
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

    /// What one piece of advice gives, another clause may take away.
    #[test]
    fn advice_to_build_or_to_start_says_its_price() {
        let told = |pattern: &str, may_label: bool, line: &str| {
            let rule = crate::rule::Rule {
                origin: Origin::Label("x".to_owned()),
                method: Method::Post,
                path: std::sync::Arc::new(AnchoredRegex::new(pattern).unwrap()),
            };
            let rules = [rule].into_iter().collect();
            let list = Allowlist { rules, may_label, ..Allowlist::default() };
            let id = crate::client::ContainerId::parse(&"a".repeat(64)).unwrap();
            let rights = Rights::Own(list.into());
            let (name, lineage) = ("web".to_owned(), crate::client::Lineage::default());
            let container = std::sync::Arc::new(Container { id, name, rights, lineage });
            let address = IpAddr::from([10, 0, 0, 2]);
            let client = Client {
                peer: crate::client::Peer::tcp((address, 5).into(), address),
                admission: crate::client::Admission::Unlisted,
                identity: Identity::Containers([container].into()),
            };
            price(&Head::new(Method::Post, RequestTarget::parse(line).unwrap(), []), &client)
        };
        assert!(told("/x", false, "/build").is_some_and(|it| it.contains("neither make")));
        assert!(
            told("/build", false, "/containers/create").is_some_and(|it| it.contains("no builds"))
        );
        assert_eq!(told("/x", false, "/containers/create"), None);
        assert_eq!(told("/build", false, "/containers/x/stop"), None);
        assert_eq!(told("/build", true, "/containers/create"), None);
        assert_eq!(told("/x", true, "/build"), None);
    }
}
