//! What the table of `tests/judge/clauses.rs` does not say: engines that find another object than the one that was named, and what programs
//! that create containers anew send back.

mod builds;
mod creator;
mod engines;
mod execs;
mod known;
mod reach;
mod starts;

use std::sync::Arc;

use super::*;
use crate::request::RequestTarget;
use crate::rule::{AnchoredRegex, Origin, Rule, RuleSet};

const OWN: &str = "a1";
/// Has the network namespace that the proxy uses.
const OWNER: &str = "a2";
const NET: &str = "5e";
const HOST_NET: &str = "9d";

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// Per-container lists.
    Lists,
    /// The same, and the client's list says `allow.labels`.
    MayLabel,
    /// The same as the first, with `-trustimagelabels`.
    ImageLabels,
    /// The same as the first, with the proxy on the host's network.
    Everywhere,
    /// That, and the client's list says `allow.labels`.
    EverywhereMayLabel,
    /// `-hostaccess=deny`.
    Deny,
    /// `-allowbindmountfrom=/srv`.
    Srv,
}

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// Docker's, with cgroup v1.
    Docker,
    /// Docker's, with cgroup v2.
    DockerV2,
    /// Docker's, with cgroup v1, where containers have a cgroup namespace of their own.
    DockerV1Private,
    /// Podman's service, with cgroup v1.
    Podman,
    /// One that does not say what it is.
    Nameless,
}

/// Everything but builds.
const OTHERS: &str =
    "(/v1[.][0-9]+)?/(commit|containers|exec|images|networks|nodes|services|swarm|volumes).*";

/// What has to be asked before the next look.
fn asked(
    head: &Head,
    body: Option<&Json>,
    terms: &Terms,
    list: &Allowlist,
    answers: &Answers,
) -> Result<Vec<Question>, Violation> {
    examine(head, body, terms, list, answers).map(|examined| examined.questions)
}

fn id(digits: &str) -> String {
    digits.repeat(32)
}

fn rule(method: Method, pattern: &str) -> Rule {
    let path = AnchoredRegex::new(pattern).unwrap().into();
    Rule { origin: Origin::Flag("test".to_owned()), method, path }
}

/// What remains of a request: the body that would be sent, or why it is refused.
fn outcome(set: Set, rules: &[&str], line: &str, body: &str) -> String {
    match verdict(On::Docker, set, rules, line, body) {
        Ok(body) => body,
        Err(violation) => format!("{:?}: {violation}", violation.clause),
    }
}

/// The same on this engine. A pattern is for the method of the request, or for the one in front of it.
fn verdict(on: On, set: Set, rules: &[&str], line: &str, body: &str) -> Result<String, Violation> {
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    let mut head = Head::new(method, RequestTarget::parse_for(method, target).unwrap(), []);
    let mut body_read = (!body.is_empty())
        .then(|| Json::parse(body.as_bytes(), crate::request::json::Keys::Fields).unwrap());
    let rules = rules.iter().map(|pattern| match pattern.split_once(' ') {
        Some((method, pattern)) => rule(Method::parse(method).unwrap(), pattern),
        None => rule(method, pattern),
    });
    let rules = rules.collect::<RuleSet>();
    let list = Allowlist {
        rules,
        may_label: matches!(set, Set::MayLabel | Set::EverywhereMayLabel),
        ..Allowlist::default()
    };
    let lists = vec![Arc::new(list)];
    let defaults = Defaults {
        bind_mount_from: (set == Set::Srv).then(|| vec!["/srv".into()]),
        deny_host_mounts: false,
        deny_network_volumes: false,
        host_access: if set == Set::Deny { HostAccess::Deny } else { HostAccess::Allow },
        admitted: ["traefik"].into_iter().collect(),
        engine_socket: "/srv/engine/own".to_owned(),
        exceptions: crate::rule::words::Exceptions::default(),
    };
    let everywhere = matches!(set, Set::Everywhere | Set::EverywhereMayLabel);
    let protected = Protected {
        container: id(OWN),
        names: ["proxy".to_owned()].into(),
        companions: [id(OWNER)].into(),
        networks: vec![if everywhere {
            (id(HOST_NET), "host".to_owned())
        } else {
            (id(NET), "clients".to_owned())
        }],
        prefixes: vec!["sockwarden".to_owned()],
        image_labels_count: set == Set::ImageLabels,
        engine_sockets: Vec::new(),
        every_network: everywhere,
        task: Some(OwnTask {
            service: "5vcproxy0000000000000000a".to_owned(),
            service_name: "stack_proxy".to_owned(),
            node: "n0de0000000000000000000a".to_owned(),
        }),
        makers: Arc::default(),
    };
    let protected = (!matches!(set, Set::Deny | Set::Srv)).then(|| Arc::new(protected));
    let terms = Terms { lists, defaults: Arc::new(defaults), protected, creator: None };
    let mut answers = Answers::new();
    for _ in 0..8 {
        let body = body_read.as_ref();
        let questions = asked(&head, body, &terms, &terms.lists[0], &answers)?;
        if questions.is_empty() {
            pin(&mut head, body_read.as_mut(), &answers);
            return Ok(body_read.map_or_else(String::new, |body| body.to_text()));
        }
        answers.extend(questions.into_iter().map(|question| {
            let answer = answer(on, &question);
            (question, answer)
        }));
    }
    panic!("{line} asks and asks");
}

fn answer(on: On, question: &Question) -> Option<Json> {
    let text = match (question, question.name()) {
        (Question::Network(_), "host") => format!(r#"{{"Id":"{}","Driver":"host"}}"#, id(HOST_NET)),
        (Question::Network(_), name) => format!(r#"{{"Id":"{}","Name":"{name}","Driver":"bridge"}}"#, id("77")),
        (Question::Container(_), "none-such") | (Question::Settings(_), _) => return None,
        (Question::Container(_), name) if let Some(inspect) = reach::inspect(name) => inspect,
        (Question::Volume(_), name) if let Some(volume) = reach::volume(name) => volume.to_owned(),
        (Question::Container(_), "bare") => r#"{"HostConfig":{"ReadonlyPaths":[]}}"#.to_owned(),
        (Question::Container(_), "etc") => r#"{"Mounts":[{"Type":"bind","Source":"/etc/cron.d","RW":true}]}"#.to_owned(),
        (Question::Container(_), "clock") => r#"{"Mounts":[{"Type":"bind","Source":"/etc/localtime","RW":true},{"Type":"bind","Source":"/etc/x","RW":false}]}"#.to_owned(),
        (Question::Container(_), name) if let Some(mount) = name.strip_prefix("mounts") => {
            let mounts = [
                r#""Source":"/srv/engine.sock","Destination":"/var/run/docker.sock""#,
                r#""Source":"/run/user/1000/docker.sock","Destination":"/s""#,
                r#""Source":"/run/user/1000","Destination":"/s","RW":false"#,
                r#""Source":"/run/user","Destination":"/s","RW":false"#,
                r#""Source":"/run/user/1000/podman","Destination":"/s","RW":false"#,
                r#""Source":"/run/user/1000/pulse","Destination":"/s""#,
                r#""Source":"/run/users","Destination":"/s""#,
            ];
            format!(r#"{{"Mounts":[{{"Type":"bind",{}}}]}}"#, mounts[mount.parse::<usize>().unwrap()])
        }
        (Question::Container(_), "owner") => format!(r#"{{"Id":"{}"}}"#, id(OWNER)),
        (Question::Container(_), "twins") => format!(r#"{{"Id":"{}","Config":{{"Labels":{{"a":"1","A":"2"}}}},"NetworkSettings":{{"Networks":{{"n":{{}},"N":{{}}}}}}}}"#, id("22")),
        (Question::Exec(_), "owners") => format!(r#"{{"ContainerID":"{}"}}"#, id(OWNER)),
        (Question::Container(_), "shown") => format!(r#"{{"Id":"{}","Name":"/shown","HostConfig":{{"IpcMode":"private","MaskedPaths":["/proc/kcore"],"ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}}}"#, id("44")),
        (Question::Container(_), "podman") => r#"{"HostConfig":{"IpcMode":"shareable","MaskedPaths":null,"ReadonlyPaths":null}}"#.to_owned(),
        (Question::Container(_), "volumes") => r#"{"Id":"x","Mounts":[{"Type":"volume","Name":"secret","Source":"/var/lib/docker/volumes/secret/_data"}]}"#.to_owned(),
        (Question::Container(_), name) if name == id("0b") => format!(r#"{{"Id":"{name}","Name":"/behind-the-exec","HostConfig":{{"Privileged":true}}}}"#),
        (Question::Container(_), name) => format!(r#"{{"Id":"{}","Name":"/web"}}"#, if name.len() == 64 { name.to_owned() } else { id("33") }),
        (Question::Exec(_), "behind") => format!(r#"{{"ContainerID":"{}"}}"#, id("0b")),
        (Question::Version, _) => match on {
            On::Podman => r#"{"Components":[{"Name":"Podman Engine"},{"Name":"Conmon"}]}"#.to_owned(),
            On::Nameless => "{}".to_owned(),
            On::DockerV2 => r#"{"Version":"28.5.2","Components":[{"Name":"Engine"}]}"#.to_owned(),
            _ => r#"{"Version":"20.10.24+dfsg1","Components":[{"Name":"Engine"},{"Name":"containerd"}]}"#.to_owned(),
        },
        (Question::Info, _) => match on {
            On::Docker | On::Podman => r#"{"CgroupVersion":"1","SecurityOptions":["name=seccomp,profile=default"]}"#.to_owned(),
            On::DockerV1Private => r#"{"CgroupVersion":"1","SecurityOptions":["name=cgroupns"]}"#.to_owned(),
            On::DockerV2 => r#"{"CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=builtin","name=cgroupns"]}"#.to_owned(),
            On::Nameless => "{}".to_owned(),
        },
        (Question::Node(_), "host-of-proxy") => r#"{"ID":"n0de0000000000000000000a"}"#.to_owned(),
        (Question::Node(_), _) => r#"{"ID":"another00000000000000000a"}"#.to_owned(),
        (Question::Service(_), "tainted") => r#"{"ID":"x","PreviousSpec":{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/srv2/secret"}]}}}}"#.to_owned(),
        (Question::Volume(_), "secret") => r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/home/secret"}}"#.to_owned(),
        (Question::Volume(_), "nfs") => r#"{"Driver":"local","Options":{"type":"9p","o":"addr=10.9.8.7","device":":/export"}}"#.to_owned(),
        (Question::Volume(_), "plugin") => r#"{"Driver":"acme/secret-driver","Options":null}"#.to_owned(),
        (Question::Exec(_), _) => format!(r#"{{"ContainerID":"{}"}}"#, id("33")),
        (Question::Image(_), "workdir") => r#"{"Config":{"WorkingDir":"/proc/self/fd/8"}}"#.to_owned(),
        (Question::Image(_), "nvidia") => r#"{"Config":{"Env":["PATH=/bin","NVIDIA_VISIBLE_DEVICES=all"]}}"#.to_owned(),
        (Question::Image(_), "labelled") => r#"{"Config":{"Labels":{"sockwarden.allow.post":".*"}}}"#.to_owned(),
        (Question::Image(_), _) => r#"{"Config":{"Labels":{"a":"b"}}}"#.to_owned(),
        (Question::Service(_) | Question::Volume(_) | Question::Labels(_), _) => return None,
    };
    Some(Json::parse_answer(text.as_bytes()).unwrap())
}

/// `want` is what a refusal says, or nothing where it passes.
#[track_caller]
fn check(set: Set, line: &str, body: &str, want: &str) {
    let body = body.replace("{net}", &id(NET)).replace("{hostnet}", &id(HOST_NET));
    let rules = if line.contains("/build") { "/build" } else { OTHERS };
    let got = outcome(set, &[rules], line, &body);
    let right =
        if want.is_empty() { got.is_empty() || got.starts_with('{') } else { got.contains(want) };
    assert!(right, "{set:?} {line} {body}\n    want {want:?}, got {got}");
}

const CREATE: &str = "POST /containers/create";

/// Whatever names a container is asked about and sent by id: nothing that is guarded is forgotten by `pin`, and nothing that `pin` knows is
/// judged by its name alone.
#[test]
fn every_name_of_a_container_is_looked_up_and_replaced() {
    let config = |top: &str| {
        let modes = ["PidMode", "IpcMode", "UTSMode", "UsernsMode", "Cgroup"];
        let modes = modes.map(|mode| format!(r#""{mode}":"container:{top}{mode}","#)).concat();
        format!(
            r#"{modes}"VolumesFrom":["{top}from","{top}from-ro:ro"],"Links":["{top}link","/{top}link-as:/x/alias"]"#
        )
    };
    let body = format!(r#"{{{},"HostConfig":{{{}}}}}"#, config("top-"), config("in-"));
    for (line, body, names) in [
        ("POST /containers/create", &*body, 18),
        ("POST /networks/n/connect", r#"{"Container":"one"}"#, 1),
        ("POST /networks/n/disconnect", r#"{"Container":"one"}"#, 1),
        ("POST /commit?container=one", "", 1),
        ("POST /containers/one/kill", "", 1),
    ] {
        let (method, target) = line.split_once(' ').unwrap();
        let method = Method::parse(method).unwrap();
        let mut head = Head::new(method, RequestTarget::parse_for(method, target).unwrap(), []);
        let mut body = (!body.is_empty())
            .then(|| Json::parse(body.as_bytes(), crate::request::json::Keys::Fields).unwrap());
        let list = Arc::new(Allowlist::default());
        let terms = Terms {
            lists: vec![Arc::clone(&list)],
            defaults: Arc::new(Defaults {
                deny_host_mounts: false,
                deny_network_volumes: false,
                host_access: HostAccess::Allow,
                bind_mount_from: None,
                admitted: Names::default(),
                engine_socket: "/srv/engine/own".to_owned(),
                exceptions: crate::rule::words::Exceptions::default(),
            }),
            protected: Some(Arc::new(Protected {
                container: id(OWN),
                prefixes: vec!["sockwarden".to_owned()],
                ..Protected::default()
            })),
            creator: None,
        };
        let mut answers = Answers::new();
        let questions = asked(&head, body.as_ref(), &terms, &list, &answers).unwrap();
        assert_eq!(questions.len(), names, "{line} {questions:?}");
        answers.extend(questions.into_iter().enumerate().map(|(at, question)| {
            assert!(matches!(question, Question::Container(_)), "{question:?}");
            (
                question,
                Some(Json::parse_answer(format!(r#"{{"Id":"{at:064x}"}}"#).as_bytes()).unwrap()),
            )
        }));
        assert_eq!(asked(&head, body.as_ref(), &terms, &list, &answers), Ok(Vec::new()));
        pin(&mut head, body.as_mut(), &answers);
        let sent = references::references(&head, body.as_ref());
        let names = sent.iter().map(|reference| reference.as_ref().unwrap());
        let names = names.filter(|it| !matches!(it.role, references::Role::Network));
        for reference in names {
            assert!(is_full_id(reference.name), "{line} {reference:?}");
        }
    }
}

#[test]
fn an_id_in_an_endpoint_goes_before_the_name_it_stands_under() {
    use Set::{Deny, Lists, MayLabel};
    let fixed = r#"{"NetworkingConfig":{"EndpointsConfig":{"decoy":{"NetworkID":"{net}","IPAMConfig":{"IPv4Address":"10.0.0.9"}}}}}"#;
    check(Lists, CREATE, fixed, "Identity");
    check(MayLabel, CREATE, fixed, "Identity");
    check(Lists, CREATE, &fixed.replace("{net}", "clients"), "Identity");
    check(Lists, CREATE, &fixed.replace("{net}", &id("66")), "");
    let mac = r#"{"MacAddress":"02:42:0a:00:00:09","NetworkingConfig":{"EndpointsConfig":{"decoy":{"NetworkID":"{net}"}}}}"#;
    check(Lists, CREATE, mac, "Identity: `MacAddress`");
    let connect = r#"{"Container":"x","EndpointConfig":{"NetworkID":"{net}"}}"#;
    check(Lists, "POST /networks/decoy/connect", connect, "Identity");
    check(MayLabel, "POST /networks/decoy/connect", connect, "");
    let host = r#"{"NetworkingConfig":{"EndpointsConfig":{"decoy":{"NetworkID":"{hostnet}"}}}}"#;
    check(Deny, CREATE, host, "HostAccess");
    check(
        Deny,
        "POST /networks/decoy/connect",
        r#"{"Container":"x","EndpointConfig":{"NetworkID":"9d9"}}"#,
        "HostAccess",
    );
}

#[test]
fn a_part_of_an_id_means_the_object_with_that_id() {
    use Set::{Deny, Lists};
    // Another network has that for its name, for the moment.
    check(Deny, CREATE, r#"{"HostConfig":{"NetworkMode":"9d9d"}}"#, "HostAccess");
    check(Deny, "POST /build?networkmode=9d9d9", "", "HostAccess");
    check(Deny, CREATE, r#"{"HostConfig":{"NetworkMode":"mine"}}"#, "");
    check(Lists, "POST /networks/create", r#"{"Name":"clients"}"#, "Identity");
    check(Lists, "POST /networks/create", r#"{"Name":"5e5e5e5e5e5e"}"#, "Identity");
    check(Lists, "POST /networks/create", r#"{"Name":"5e"}"#, "");
    let create = r#"{"HostConfig":{"UTSMode":"container:x","Links":["/x:db","x"]}}"#;
    let sent = outcome(Lists, &[OTHERS], CREATE, create);
    let x = id("33");
    assert_eq!(
        sent,
        format!(r#"{{"HostConfig":{{"UTSMode":"container:{x}","Links":["{x}:db","{x}:x"]}}}}"#)
    );
}

#[test]
fn what_the_engine_gave_may_be_sent_back() {
    use Set::{Deny, Lists, MayLabel};
    let masked = r#"{"HostConfig":{"CapAdd":null,"LogConfig":{"Type":"journald","Config":{}},"Runtime":"runc","IpcMode":"private","MaskedPaths":["/proc/asound","/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware"],"ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}"#;
    check(Deny, CREATE, masked, "");
    check(Deny, CREATE, &masked.replace(r#""/proc/keys","#, ""), "HostAccess");
    let endpoint = r#"{"NetworkingConfig":{"EndpointsConfig":{"clients":{"MacAddress":"02:42:0a:00:00:09","IPAddress":"10.0.0.9"}}}}"#;
    check(MayLabel, CREATE, endpoint, "");
    check(Lists, CREATE, endpoint, "Identity");
    check(Lists, CREATE, &endpoint.replace("MacAddress", "x"), "Identity");
    check(Lists, "POST /containers/twins/stop", "", "");
    check(Deny, "POST /containers/twins/exec", r#"{"Cmd":["true"]}"#, "");
}

#[test]
fn services_take_no_name_and_no_plugin() {
    use Set::{Lists, Srv};
    let service = "POST /services/create";
    check(
        Lists,
        service,
        r#"{"TaskTemplate":{"Networks":[{"Target":"x","Aliases":["Traefik"]}]}}"#,
        "Labels",
    );
    check(Lists, service, r#"{"Networks":[{"Target":"x","Aliases":["proxy"]}]}"#, "Labels");
    check(Lists, service, r#"{"Networks":[{"Target":"x","Aliases":["web"]}]}"#, "");
    check(
        Srv,
        service,
        r#"{"TaskTemplate":{"Runtime":"plugin","PluginSpec":{"Remote":"x"}}}"#,
        "MountSource",
    );
    check(Srv, service, r#"{"TaskTemplate":{"Runtime":"container"}}"#, "");
}

/// Whatever leads to a name in `-allowfrom` is taken only by those who may hand out rights, or where nothing is denied.
#[test]
fn nobody_takes_a_name_that_is_admitted() {
    use Set::{Deny, Everywhere, Lists, MayLabel, Srv};
    let create = |name: &str| (format!("{CREATE}?name={name}"), "{}".to_owned());
    let rename = |name: &str| (format!("POST /containers/x/rename?name={name}"), String::new());
    let body = |line: &str, body: &str| (line.to_owned(), body.to_owned());
    let aliases = r#"{"EndpointConfig":{"Aliases":["web","Traefik.corp.test."]},"Container":"x"}"#;
    let endpoint = r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"@":["traefik"]}}}}"#;
    let takes = [
        create("traefik"),
        create("Traefik"),
        create("/traefik"),
        create("traefik.corp.test"),
        rename("traefik"),
        rename("TRAEFIK."),
        body(CREATE, r#"{"Hostname":"traefik"}"#),
        body(CREATE, &endpoint.replace('@', "Aliases")),
        body(CREATE, &endpoint.replace('@', "DNSNames")),
        body(CREATE, &endpoint.replace('@', "Links").replace("traefik", "x:traefik")),
        body(CREATE, r#"{"HostConfig":{"Links":["x:traefik"]}}"#),
        body(CREATE, r#"{"HostConfig":{"Links":["/x:/y/traefik"]}}"#),
        body(CREATE, r#"{"Links":["x:traefik.corp"]}"#),
        body("POST /networks/n/connect", aliases),
        body("POST /services/create", r#"{"Name":"traefik"}"#),
        body(
            "POST /services/create",
            r#"{"TaskTemplate":{"Networks":[{"Target":"n","Aliases":["traefik"]}]}}"#,
        ),
    ];
    for (line, body) in &takes {
        for set in [Lists, Deny, Everywhere] {
            let got = outcome(set, &["/(containers|networks|services)/.*"], line, body);
            // Links and addresses on networks are refused for their own reasons too.
            let is_named = got.contains("takes the name")
                || (set == Everywhere && got.starts_with("Identity"))
                || (set == Deny && got.contains("Links`"));
            assert!(is_named, "{set:?} {line} {body}: {got}");
        }
        for set in [MayLabel, Srv] {
            check(set, line, body, "");
        }
    }
    let free = [
        create("traefik-2"),
        create("web.traefik"),
        rename("trae"),
        body(CREATE, r#"{"Hostname":"web"}"#),
        body("POST /networks/create", r#"{"Name":"traefik"}"#),
    ];
    for (line, body) in &free {
        check(Lists, line, body, "");
        check(Deny, line, body, "");
    }
    let links = r#"{"HostConfig":{"Links":["traefik:traefik","/traefik:/y/traefik","x","x:db"]}}"#;
    check(Lists, CREATE, links, "");
    // The proxy's own names too, where they are known.
    check(Lists, &format!("{CREATE}?name=proxy.corp"), "{}", "takes the name `proxy.corp`");
    check(MayLabel, &format!("{CREATE}?name=proxy"), "{}", "");
}

/// On the host's network the proxy hears containers of every network, and whatever else is on the host's network is the proxy.
#[test]
fn on_the_hosts_network_every_network_is_protected() {
    use Set::{Everywhere, EverywhereMayLabel, Lists};
    let fixed = r#"{"NetworkingConfig":{"EndpointsConfig":{"any":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}}}"#;
    check(Lists, CREATE, fixed, "");
    check(Everywhere, CREATE, fixed, "Identity");
    check(EverywhereMayLabel, CREATE, fixed, "Identity");
    let mac = r#"{"MacAddress":"02:42:0a:00:00:09"}"#;
    check(Everywhere, CREATE, mac, "Identity: `MacAddress`");
    for verb in ["connect", "disconnect"] {
        let line = format!("POST /networks/any/{verb}");
        check(Lists, &line, r#"{"Container":"x"}"#, "");
        check(Everywhere, &line, r#"{"Container":"x"}"#, "Identity");
        check(EverywhereMayLabel, &line, r#"{"Container":"x"}"#, "");
    }
    for network in ["host", "9d9", &id(HOST_NET)] {
        let create = format!(r#"{{"HostConfig":{{"NetworkMode":"{network}"}}}}"#);
        check(Lists, CREATE, &create, "");
        check(Everywhere, CREATE, &create, "joins the host's network");
        check(EverywhereMayLabel, CREATE, &create, "");
        let service = format!(r#"{{"TaskTemplate":{{"Networks":[{{"Target":"{network}"}}]}}}}"#);
        check(Everywhere, "POST /services/create", &service, "joins the host's network");
        check(Everywhere, &format!("POST /build?networkmode={network}"), "", "BuildNetwork");
    }
    check(Everywhere, CREATE, r#"{"HostConfig":{"NetworkMode":"any"}}"#, "");
    check(Everywhere, CREATE, r#"{"HostConfig":{"NetworkMode":"none"}}"#, "");
    check(Everywhere, "POST /build?networkmode=any", "", "");
    check(Everywhere, "POST /build?networkmode=none", "", "");
    // Whoever chooses a network's addresses chooses those of its containers.
    let network = r#"{"Name":"n","IPAM":{"Driver":"default","Options":{},"Config":[]}}"#;
    check(Everywhere, "POST /networks/create", network, "");
    let chosen = network.replace("[]", r#"[{"Subnet":"10.0.0.8/30"}]"#);
    check(Everywhere, "POST /networks/create", &chosen, "Identity");
    check(EverywhereMayLabel, "POST /networks/create", &chosen, "");
    check(Lists, "POST /networks/create", &chosen, "");
    let from = r#"{"Name":"n","ConfigFrom":{"Network":"x"}}"#;
    check(Everywhere, "POST /networks/create", from, "Identity");
}

/// The container whose network the proxy uses speaks as the proxy does.
#[test]
fn the_container_whose_network_the_proxy_uses_is_protected() {
    for set in [Set::Lists, Set::MayLabel] {
        for name in ["owner", &id(OWNER)] {
            check(set, &format!("POST /containers/{name}/stop"), "", "OwnContainer");
            check(
                set,
                &format!("POST /containers/{name}/exec"),
                r#"{"Cmd":["x"]}"#,
                "OwnContainer",
            );
            let join = format!(r#"{{"HostConfig":{{"NetworkMode":"container:{name}"}}}}"#);
            let says =
                if set == Set::Lists && name == "owner" { "Identity" } else { "OwnContainer" };
            check(set, CREATE, &join, says);
        }
        check(set, "POST /exec/owners/start", "{}", "OwnContainer");
    }
}

#[test]
fn an_exec_needs_a_container_that_keeps_it_inside() {
    let exec = r#"{"Cmd":["true"]}"#;
    check(Set::Deny, "POST /containers/bare/exec", exec, "HostAccess");
    check(Set::Deny, "POST /containers/etc/exec", exec, "HostAccess");
    check(Set::Deny, "POST /containers/clock/exec", exec, "");
}

#[test]
fn networks_have_private_addresses() {
    let create = "POST /networks/create";
    for subnet in ["172.20.0.0/16", "fd00:1::/64", "2001:db8::/64"] {
        check(
            Set::Deny,
            create,
            &format!(r#"{{"IPAM":{{"Config":[{{"Subnet":"{subnet}"}}]}}}}"#),
            "",
        );
    }
    for subnet in ["8.8.8.0/24", "0.0.0.0/0", "172.0.0.0/8", "169.254.169.0/24", "x"] {
        let body = format!(r#"{{"ipam":{{"config":[{{"subnet":"{subnet}"}}]}}}}"#);
        check(Set::Deny, create, &body, "HostAccess");
    }
}

#[test]
fn images_carry_rights_where_their_labels_count() {
    use Set::{ImageLabels, Lists, MayLabel};
    for image in ["labelled", "registry.example:5000/a/b:1"] {
        let body = format!(r#"{{"Image":"{image}"}}"#);
        check(ImageLabels, CREATE, &body, if image == "labelled" { "Labels" } else { "" });
        check(Lists, CREATE, &body, "");
        check(MayLabel, CREATE, &body, "");
    }
    check(ImageLabels, "POST /images/x/tag?repo=y", "", "Labels");
    check(ImageLabels, "POST /services/create", r#"{"Name":"x"}"#, "Labels");
}

/// What Podman makes of bodies in which Docker sees nothing of the kind (its `pkg/api/handlers/compat/containers_create.go`).
#[test]
fn podman_reads_more_into_some_texts() {
    use Set::{Lists, Srv};
    check(Srv, CREATE, r#"{"Volumes":{"/:/h":{}}}"#, "MountSource");
    check(Srv, CREATE, r#"{"Volumes":{"/srv:/h":{},"/data":{}}}"#, "");
    check(
        Srv,
        CREATE,
        r#"{"HostConfig":{"Binds":["/srv:/h:O,upperdir=/etc,workdir=/tmp"]}}"#,
        "MountSource",
    );
    check(Srv, CREATE, r#"{"HostConfig":{"Binds":["/srv:/h:ro,z,rslave","v:/x:nocopy"]}}"#, "");
    let mount =
        r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv","Target":"/h,source=/"}]}}"#;
    judged(On::Podman, Srv, &[".*"], CREATE, mount, "Unclear");
    check(
        Srv,
        CREATE,
        r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v","Target":"/h","VolumeOptions":{"Labels":{"a":"b,c"},"DriverConfig":{"Options":{"type":"tmpfs","o":"size=1m,uid=1"}}}}]}}"#,
        "",
    );
    check(Lists, CREATE, r#"{"HostConfig":{"NetworkMode":"clients:ip=10.0.0.9"}}"#, "Identity");
    check(Lists, CREATE, r#"{"HostConfig":{"NetworkMode":"ns:/proc/1/ns/net"}}"#, "Identity");
}

/// `want` is the clause, or nothing where it passes.
#[track_caller]
fn judged(on: On, set: Set, rules: &[&str], line: &str, body: &str, want: &str) {
    let got = verdict(on, set, rules, line, body).map_err(|it| format!("{:?}: {it}", it.clause));
    let right = match &got {
        Ok(_) => want.is_empty(),
        Err(told) => !want.is_empty() && told.contains(want),
    };
    assert!(right, "{on:?} {set:?} {rules:?} {line} {body}\n    want {want:?}, got {got:?}");
}
