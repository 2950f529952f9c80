//! What was created through the proxy is judged by the default list and by its creator's, and what it creates itself names the root.

use std::sync::Arc;

use sockwarden::clauses::{Defaults, Protected};
use sockwarden::client::{
    Admission, Client, Container, ContainerId, Identity, Lineage, MadeBy, Peer,
};
use sockwarden::policy::{Body, DeclaredBody, DenyReason, Judgement, Policy};
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::HostAccess;
use sockwarden::rule::labels::Rights;
use sockwarden::rule::labels::creator::{Creator, Maker, Service};
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::wording::{self, Setup};

fn list(pattern: &str) -> Allowlist {
    let rules = [Method::Get, Method::Post].map(|method| Rule {
        origin: Origin::Flag("test".to_owned()),
        method,
        path: Arc::new(AnchoredRegex::new(pattern).unwrap()),
    });
    Allowlist { rules: RuleSet::from_iter(rules), ..Allowlist::default() }
}

fn container(name: &str, rights: Rights, lineage: Lineage) -> Arc<Container> {
    let id = ContainerId::parse(&"a".repeat(64)).unwrap();
    Arc::new(Container { id, name: name.to_owned(), rights, lineage })
}

fn own(name: &str, list: Allowlist) -> Arc<Container> {
    let lineage =
        Lineage { service: Service::new("web", name), is_own_service: true, ..Lineage::default() };
    container(name, Rights::Own(Arc::new(list)), lineage)
}

/// A container without labels that was created by these.
fn child(creator: &str, makers: impl IntoIterator<Item = MadeBy>) -> Arc<Container> {
    let creator = Some(Creator::parse(creator));
    let makers = makers.into_iter().collect();
    container("child", Rights::Unlabelled, Lineage { creator, makers, ..Lineage::default() })
}

fn judge(
    containers: &[Arc<Container>],
    admission: Admission,
    line: &str,
    body: &str,
) -> Result<String, (DenyReason, String)> {
    let address = std::net::IpAddr::from([10, 0, 0, 2]);
    let peer = Peer::tcp((address, 5).into(), address);
    let client = Client { peer, admission, identity: Identity::Containers(containers.into()) };
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    let head = Head::new(
        method,
        RequestTarget::parse_for(method, target).unwrap(),
        [("content-type", b"application/json".as_slice())],
    );
    let policy = Policy::new(
        list("/info|/version|/containers/create"),
        Defaults {
            bind_mount_from: None,
            deny_host_mounts: false,
            deny_network_volumes: false,
            host_access: HostAccess::Allow,
            ..Defaults::default()
        },
    );
    let prefixes = vec!["sockwarden".to_owned()];
    let protected = Arc::new(Protected { prefixes, ..Protected::default() });
    let declared = DeclaredBody { body: (!body.is_empty()).then_some(()) };
    let mut judgement = policy.judge(&client, Some(protected), head, declared);
    if let Judgement::Pending(pending) = judgement {
        judgement = pending.read(body);
    }
    match judgement {
        Judgement::Allowed(allowed) => Ok(match allowed.body() {
            Body::Judged(text) => text.clone(),
            _ => String::new(),
        }),
        Judgement::Denied(denied) => {
            let setup = Setup { label_prefix: Some("sockwarden"), is_gateway: false };
            let told = wording::explain(&client, &denied, setup).message;
            Err((denied.reason, told))
        }
        Judgement::Pending(_) => panic!("{line} asks"),
    }
}

/// Which of three requests it may make: one that both lists could allow, one that only the default list has, one that only the creator's has.
#[track_caller]
fn check(container: &Arc<Container>, want: [bool; 3]) {
    let lines = ["GET /info", "GET /version", "GET /images/json"];
    let may =
        lines.map(|line| judge(&[Arc::clone(container)], Admission::Listed, line, "").is_ok());
    assert_eq!(may, want, "{container:?}");
    // Who is not admitted has no default list.
    let nobody =
        lines.map(|line| judge(&[Arc::clone(container)], Admission::Unlisted, line, "").is_ok());
    if container.is_unlabelled() {
        assert_eq!(nobody, [false; 3], "{container:?}");
    }
}

#[test]
fn a_child_may_do_what_both_lists_allow() {
    let ci = || MadeBy::Container(own("ci", list("/info|/images/json")));
    let none = Rights::Unlabelled;
    check(&container("x", none.clone(), Lineage::default()), [true, true, false]);
    check(&own("ci", list("/info|/images/json")), [true, false, true]);
    check(&child("name:ci", [ci()]), [true, false, false]);
    // Each of several must allow.
    let two = [ci(), MadeBy::Container(own("other", list("/version")))];
    check(&child("name:ci,name:other", two), [false, false, false]);
    // Who is judged by the default list takes nothing away from it.
    let plain = MadeBy::Container(container("p", none, Lineage::default()));
    check(&child("name:p", [plain.clone()]), [true, true, false]);
    check(&child("name:p,name:ci", [plain, ci()]), [true, false, false]);
    let user = Maker::User(5);
    check(&child("user:5", [MadeBy::Admitted(user.clone())]), [true, true, false]);
    check(&child("user:5", [MadeBy::Stranger(user.clone())]), [false; 3]);
    // Nobody asked, or nobody looked.
    check(&child("user:5", [MadeBy::Peer(user)]), [false; 3]);
    check(&child("name:ci", []), [false; 3]);
    check(&child("?", [MadeBy::Unreadable]), [false; 3]);
    let gone = Maker::Name("gone".to_owned());
    check(&child("name:gone", [MadeBy::Gone(gone.clone())]), [false; 3]);
    check(&child("name:ci,name:gone", [ci(), MadeBy::Gone(gone)]), [false; 3]);
}

#[test]
fn a_refusal_says_whose_fault_it_is() {
    let told = |made_by: MadeBy| {
        let container = child("service:web/ci", [made_by]);
        judge(&[container], Admission::Listed, "GET /version", "").unwrap_err().1
    };
    let service = Maker::Service(Service::new("web", "ci").unwrap());
    assert_eq!(
        told(MadeBy::Gone(service)),
        "child (10.0.0.2) may not ask GET /version: container `child` was created by `service:web/ci`, which no longer exists, so it may do nothing; create it again outside the proxy, without the label `sockwarden.creator`"
    );
    let label = told(MadeBy::Container(own("ci", list("/info"))));
    assert!(
        label.contains(
            "was created by `ci`, which may not do this either; the label `sockwarden.allow=SystemVersion`"
        ),
        "{label}"
    );
    assert!(label.contains("on ci would allow it to both"), "{label}");
    // What nobody would let it do is the default list's to allow.
    let container = child("name:ci", [MadeBy::Container(own("ci", list("/images/json")))]);
    let (reason, _) = judge(&[container], Admission::Listed, "GET /images/json", "").unwrap_err();
    assert_eq!(reason, DenyReason::NoPath);
}

#[test]
fn a_body_is_judged_by_both_too() {
    let bind = r#"{"HostConfig":{"Binds":["/etc:/x"]}}"#;
    let denies = Allowlist { host_access: Some(HostAccess::Deny), ..list("/containers/create") };
    for (creator, may) in [(list("/containers/create"), true), (denies, false)] {
        let container = child("service:web/ci", [MadeBy::Container(own("ci", creator))]);
        let outcome = judge(&[container], Admission::Listed, "POST /containers/create", bind);
        assert_eq!(outcome.is_ok(), may, "{outcome:?}");
    }
}

/// Advice is about the list for which a request goes too far, and no other.
#[test]
fn advice_is_about_the_list_that_refuses() {
    let create = |container: Arc<Container>, body: &str| {
        judge(&[container], Admission::Listed, "POST /containers/create", body).unwrap_err().1
    };
    let denies = || Allowlist { host_access: Some(HostAccess::Deny), ..list("/containers/create") };
    let ci = || MadeBy::Container(own("ci", denies()));
    let privileged = r#"{"HostConfig":{"Privileged":true}}"#;
    let told = create(child("service:web/ci", [ci()]), privileged);
    assert!(told.contains("the label `sockwarden.hostaccess=allow` on ci"), "{told}");
    // Of several, the one that does not allow it.
    let allows = Allowlist { host_access: Some(HostAccess::Allow), ..list("/containers/create") };
    let other = MadeBy::Container(own("other", allows));
    let told = create(child("service:web/other,service:web/ci", [other, ci()]), privileged);
    assert!(told.contains("on ci, with which"), "{told}");
    let label = r#"{"Labels":{"sockwarden.allow.get":"/"}}"#;
    let told = create(child("name:p", []), label);
    assert!(told.contains("cannot be read"), "{told}");
    let plain = MadeBy::Container(container("p", Rights::Unlabelled, Lineage::default()));
    let told = create(child("name:p", [plain]), label);
    assert!(told.contains("the label `sockwarden.allow.labels=true` on the client"), "{told}");
    // With labels of its own, its own list comes first.
    let mut both = own("both", denies()).lineage.clone();
    both.creator = Some(Creator::parse("service:web/ci"));
    both.makers = [ci()].into();
    let both = container("both", Rights::Own(Arc::new(denies())), both);
    let told = create(both, privileged);
    assert!(told.contains("hostaccess=allow` on both, with which"), "{told}");
}

#[test]
fn what_a_child_creates_names_the_root() {
    let ci = own("ci", list("/containers/create"));
    let created = |containers: &[Arc<Container>]| {
        judge(containers, Admission::Listed, "POST /containers/create", r#"{"Image":"x"}"#).unwrap()
    };
    let sent =
        |creator: &str| format!(r#"{{"Image":"x","Labels":{{"sockwarden.creator":"{creator}"}}}}"#);
    assert_eq!(created(&[Arc::clone(&ci)]), sent("service:web/ci"));
    let child = child("service:web/root", [MadeBy::Container(Arc::clone(&ci))]);
    assert_eq!(created(&[Arc::clone(&child)]), sent("service:web/root"));
    assert_eq!(created(&[child, ci]), sent("service:web/root,service:web/ci"));
    // Who may hand out rights, with all lists that judge it.
    let may = || Allowlist { may_label: true, ..list("/containers/create") };
    assert_eq!(created(&[own("ci", may())]), r#"{"Image":"x"}"#);
    let ci = MadeBy::Container(own("ci", may()));
    let of_one_that_may = self::child("service:web/ci", [ci]);
    assert_eq!(created(&[of_one_that_may]), sent("service:web/ci"));
}
