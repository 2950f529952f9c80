//! Every case of `tests/support/body_cases.rs`, tried against the judge alone. What the engine would do with it is tried in `e2e/`.

#[path = "../support/body_cases.rs"]
mod body_cases;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use body_cases::{CASES, Case, Engine, Limits, NO_BUILDS, Want};
use sockwarden::clauses::{Defaults, Protected, Question};
use sockwarden::client::{Admission, Client, Container, ContainerId, Identity, Lineage, Peer};
use sockwarden::policy::{Body, DeclaredBody, Judgement, Policy};
use sockwarden::proxy::refusal;
use sockwarden::request::json::Json;
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::HostAccess;
use sockwarden::rule::labels::Rights;
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};
use sockwarden::wording::{self, Setup};

#[test]
fn every_case_ends_as_it_must() {
    let wrong: Vec<String> = CASES.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// A refusal of what no engine does proves little, so most of them have a companion that shows what the engine would have done.
#[test]
fn most_refusals_are_of_what_an_engine_does() {
    let refused: Vec<_> =
        CASES.iter().filter(|case| matches!(case.want, Want::Refused(..))).collect();
    let done =
        refused.iter().filter(|case| matches!(case.engine.of(41), Engine::Shows(_) | Engine::Does));
    let (done, refused) = (done.count(), refused.len());
    assert!(CASES.len() >= 200 && 2 * done > refused, "{done} of {refused}");
}

/// What is allowed is sent as it was judged: names that were looked up are ids.
#[test]
fn what_was_looked_up_is_sent_by_id() {
    let id = Objects::default().text("{victim-id}");
    let sent = |line: &str, body: &str| {
        let case = Case { line: leak(line), body: leak(body), ..CASES[0] };
        let case = Case { limits: Limits::Own, want: Want::Allowed, ..case };
        judge(&case).unwrap_or_else(|denied| panic!("{line}: {denied:?}"))
    };
    let stop = sent("POST /v1.41/containers/{victim}/stop?t=1", "");
    assert_eq!(stop, format!("POST /v1.41/containers/{id}/stop?t=1 "));
    let commit = sent("POST /v1.41/commit?container={victim}&repo=x", "null");
    assert_eq!(commit, format!("POST /v1.41/commit?container={id}&repo=x null"));
    let connect = sent("POST /v1.41/networks/{other}/connect", r#"{"container":"{victim}"}"#);
    assert!(connect.ends_with(&format!(r#"{{"container":"{id}"}}"#)), "{connect}");
    let from = r#"{"Image":"x","HostConfig":{"VolumesFrom":["{victim}:ro"],"PidMode":"container:{victim}"}}"#;
    let create = sent("POST /v1.41/containers/create", from);
    assert!(create.contains(&format!(r#""VolumesFrom":["{id}:ro"]"#)), "{create}");
    assert!(create.contains(&format!(r#""PidMode":"container:{id}""#)), "{create}");
}

/// Containers behind one address are judged together: each of their lists has to allow a request, with all that it asks for.
#[test]
fn what_one_of_several_lists_may_not_do_none_may() {
    let list = |number: u8, paths: &str, may_label| {
        let path = Arc::new(AnchoredRegex::new(paths).unwrap());
        let rule = Rule { origin: Origin::Label("x".to_owned()), method: Method::Post, path };
        let rules = RuleSet::from_iter([rule]);
        let own = Allowlist { rules, may_label, ..Allowlist::default() };
        let id = ContainerId::parse(&format!("{number:x}").repeat(64)).unwrap();
        let rights = Rights::Own(Arc::new(own));
        let lineage = Lineage::default();
        Arc::new(Container { id, name: format!("c{number}"), rights, lineage })
    };
    let refused = |line: &str, containers: [Arc<Container>; 2]| {
        let client = Client { identity: Identity::Containers(containers.into()), ..client() };
        let target = RequestTarget::parse_for(Method::Post, line).unwrap();
        let head = Head::new(Method::Post, target, []);
        let free = Defaults { host_access: HostAccess::Allow, ..Defaults::default() };
        let policy = Policy::new(Allowlist::default(), free);
        let none: DeclaredBody<()> = DeclaredBody { body: None };
        match policy.judge(&client, protected(Limits::Builder), head, none) {
            Judgement::Denied(denied) => {
                let setup = Setup { label_prefix: Some("sockwarden"), is_gateway: false };
                wording::explain(&client, &denied, setup).message
            }
            Judgement::Allowed(_) | Judgement::Pending(_) => String::new(),
        }
    };
    // A build in the host's network is for those who may hand out labels.
    let (build, only_build) = ("/build?networkmode=host", "/build");
    for (one, other, want) in [
        (list(1, only_build, true), list(2, only_build, false), "counts as the host"),
        (list(1, only_build, false), list(2, only_build, true), "counts as the host"),
        (list(1, only_build, true), list(2, "/containers/[^/]+/start", true), "is not allowed"),
        (list(1, "/containers/[^/]+/start", true), list(2, only_build, true), "is not allowed"),
    ] {
        let told = refused(build, [one, other]);
        assert!(told.contains(want), "{told}");
    }
    assert_eq!(refused(build, [list(1, only_build, true), list(2, only_build, true)]), "");
    assert_eq!(refused("/build", [list(1, only_build, false), list(2, only_build, true)]), "");
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn check(case: &Case) -> Result<(), String> {
    let got = judge(case);
    let right = match (case.want, &got) {
        (Want::Allowed, Ok(_)) => true,
        (Want::Refused(want, says), Err((status, message))) => {
            want == *status && message.contains(&Objects::default().text(says))
        }
        _ => false,
    };
    let Case { about, limits, line, body, want, .. } = case;
    if right {
        Ok(())
    } else {
        Err(format!("{about} ({limits:?}) {line} {body}\n    want {want:?}, got {got:?}"))
    }
}

/// The request line and body that would be sent, or the status and message of the refusal.
fn judge(case: &Case) -> Result<String, (u16, String)> {
    let objects = Objects::default();
    let line = objects.text(case.line);
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    // The gate answers those that are no targets, before there is anything to judge.
    let target =
        RequestTarget::parse_for(method, target).map_err(|error| (400, error.to_string()))?;
    let head = Head::new(method, target, [("Content-Type", &b"application/json"[..])]);
    let body = objects.text(case.body);
    let declared = DeclaredBody { body: (!body.is_empty()).then(|| body.clone()) };
    let mut judgement =
        policy(case.limits).judge(&client(), protected(case.limits), head, declared);
    for _ in 0..8 {
        let mut pending = match judgement {
            Judgement::Denied(denied) => {
                let setup = Setup { label_prefix: Some("sockwarden"), is_gateway: false };
                let message = wording::explain(&client(), &denied, setup).message;
                return Err((refusal::status_of(&denied.reason).as_u16(), message));
            }
            Judgement::Allowed(allowed) => {
                let sent = match allowed.body() {
                    Body::Judged(text) => text.clone(),
                    _ => String::new(),
                };
                return Ok(format!("{method} {} {sent}", allowed.head().target));
            }
            Judgement::Pending(pending) => pending,
        };
        judgement = if let Some(body) = pending.take_body() {
            pending.read(body.as_bytes())
        } else {
            for question in pending.questions() {
                let answer = objects.answer(&question);
                pending.answer(question, answer);
            }
            pending.judge()
        };
    }
    panic!("{} asks and asks", case.about)
}

fn client() -> Client {
    let peer = Peer::tcp("127.0.0.1:4711".parse().unwrap(), Ipv4Addr::LOCALHOST.into());
    Client { peer, admission: Admission::Listed, identity: Identity::Plain }
}

fn policy(limits: Limits) -> Policy {
    let any = |method| Rule {
        origin: Origin::Flag(format!("-allow{method}")),
        method,
        path: Arc::new(
            AnchoredRegex::new(match (limits, method) {
                (Limits::Own, Method::Post) => NO_BUILDS,
                _ => ".*",
            })
            .unwrap(),
        ),
    };
    let methods =
        Method::ALL.into_iter().filter(|it| limits != Limits::Blind || *it != Method::Get);
    let rules = methods.map(any).collect::<RuleSet>();
    let list = ["/srv", "/tmp/srv"].map(PathBuf::from).to_vec();
    let defaults = Defaults {
        bind_mount_from: matches!(limits, Limits::Srv | Limits::HostSrv | Limits::Blind)
            .then_some(list),
        deny_host_mounts: limits == Limits::NoMounts,
        deny_network_volumes: limits == Limits::NoNetwork,
        host_access: match limits {
            Limits::Host | Limits::HostSrv => HostAccess::Deny,
            _ => HostAccess::Allow,
        },
        admitted: ["traefik"].into_iter().collect(),
        engine_socket: String::new(),
        exceptions: sockwarden::rule::words::Exceptions::default(),
    };
    Policy::new(Allowlist { rules, ..Allowlist::default() }, defaults)
}

fn protected(limits: Limits) -> Option<Arc<Protected>> {
    let objects = Objects::default();
    let text = |name: &str| objects.text(name);
    matches!(limits, Limits::Own | Limits::Builder).then(|| {
        Arc::new(Protected {
            container: text("{proxyid}"),
            names: [text("{proxy}")].into(),
            networks: vec![(text("{netid}"), text("{net}"))],
            prefixes: vec!["socket-proxy".to_owned(), "sockwarden".to_owned()],
            ..Protected::default()
        })
    })
}

/// The objects that the cases are about, as an engine would describe them.
struct Objects(BTreeMap<&'static str, String>);

impl Default for Objects {
    fn default() -> Self {
        let id = |digits: &str| digits.repeat(64).chars().take(64).collect::<String>();
        let (proxy, net, host) = (id("a1b2c3d4"), id("5e6f7081"), id("9d0c"));
        let named = [
            ("{image}", "busybox:1".to_owned()),
            ("{name}", "fresh".to_owned()),
            ("{commit}", "made:1".to_owned()),
            ("{victim}", "victim".to_owned()),
            ("{victim-id}", id("71c7")),
            ("{root}", "root".to_owned()),
            ("{watcher}", "watcher".to_owned()),
            ("{mounter}", "mounter".to_owned()),
            ("{sharer}", "sharer".to_owned()),
            ("{other-container}", "bystander".to_owned()),
            ("{victim-exec}", "1e".repeat(32)),
            ("{privileged-exec}", "2e".repeat(32)),
            ("{watcher-exec}", "3e".repeat(32)),
            ("{proxy-exec}", "4e".repeat(32)),
            ("{bridge}", "bridge0".to_owned()),
            ("{srv}", "/tmp/srv".to_owned()),
            ("{volume}", "plain".to_owned()),
            ("{badvolume}", "bad".to_owned()),
            ("{service}", "service".to_owned()),
            ("{other}", "othernet".to_owned()),
            ("{address}", "172.30.9.77".to_owned()),
            ("{otheraddress}", "172.30.8.77".to_owned()),
            ("{net}", "proxynet".to_owned()),
            ("{net4}", net.chars().take(4).collect()),
            ("{netid}", net),
            ("{hostnet3}", host.chars().take(3).collect()),
            ("{hostnet}", host),
            ("{proxy}", "proxy".to_owned()),
            ("{proxyid5}", proxy.chars().take(5).collect()),
            ("{proxyid12}", proxy.chars().take(12).collect()),
            ("{proxyid}", proxy),
        ];
        Self(named.into())
    }
}

impl Objects {
    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn answer(&self, question: &Question) -> Option<Json> {
        let name = question.name();
        let text = match question {
            Question::Container(_) | Question::Settings(_) => self.container(name)?,
            Question::Network(_) => {
                let host = name == "host" || self.0["{hostnet}"].starts_with(name);
                let (id, driver) =
                    if host { (&*self.0["{hostnet}"], "host") } else { (name, "bridge") };
                format!(r#"{{"Id":"{id}","Name":"{name}","Driver":"{driver}"}}"#)
            }
            Question::Service(_) => r#"{"Spec":{},"PreviousSpec":{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/"}]}}}}"#.to_owned(),
            Question::Volume(_) if name == "bad" => r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/"}}"#.to_owned(),
            Question::Volume(_) if name == "plain" => r#"{"Driver":"local","Options":null}"#.to_owned(),
            Question::Exec(_) => self.exec(name)?,
            Question::Info => r#"{"CgroupVersion":"1","SecurityOptions":[]}"#.to_owned(),
            Question::Version => r#"{"Components":[{"Name":"Engine"}]}"#.to_owned(),
            Question::Image(_) | Question::Labels(_) | Question::Node(_) | Question::Volume(_) => return None,
        };
        Some(Json::parse_answer(text.as_bytes()).unwrap())
    }

    fn exec(&self, id: &str) -> Option<String> {
        let is = |name| self.0[name] == id;
        let (container, privileged) = match () {
            () if is("{victim-exec}") => (self.0["{victim-id}"].clone(), false),
            () if is("{privileged-exec}") => (self.0["{victim-id}"].clone(), true),
            () if is("{watcher-exec}") => ("e".repeat(64), false),
            () if is("{proxy-exec}") => (self.0["{proxyid}"].clone(), false),
            () => return None,
        };
        let process = format!(r#"{{"privileged":{privileged}}}"#);
        Some(format!(r#"{{"ID":"{id}","ContainerID":"{container}","ProcessConfig":{process}}}"#))
    }

    fn container(&self, name: &str) -> Option<String> {
        let socket = r#"{"Type":"bind","Source":"/var/run/docker.sock"}"#;
        let etc = r#"{"Type":"bind","Source":"/etc"}"#;
        let known = [(&*self.0["{victim-id}"], "victim"), (&*"e".repeat(64), "watcher")];
        let name = known.iter().find(|(id, _)| *id == name).map_or(name, |(_, name)| name);
        let (id, host_config, mounts) = match name {
            _ if name == "proxy" || self.0["{proxyid}"].starts_with(name) => {
                (self.0["{proxyid}"].clone(), "{}", socket)
            }
            "root" => ("b".repeat(64), r#"{"Privileged":true}"#, ""),
            "watcher" => ("e".repeat(64), r#"{"PidMode":"host"}"#, ""),
            "mounter" => ("c".repeat(64), "{}", etc),
            "victim" => (self.0["{victim-id}"].clone(), r#"{"CapAdd":null}"#, ""),
            "sharer" | "bystander" => ("d".repeat(64), "{}", ""),
            _ => return None,
        };
        Some(format!(
            r#"{{"Id":"{id}","Name":"/{name}","HostConfig":{host_config},"Mounts":[{mounts}]}}"#
        ))
    }
}
