//! What may be started again, and by whom.

use std::collections::BTreeSet;

use super::*;
use crate::rule::labels::creator::Creator;

const VOLUME: &str = r#""Mounts":[{"Type":"volume","Name":"etc"}]"#;
const BIND: &str = r#""Mounts":[{"Type":"bind","Source":"/var/run/docker.sock","RW":true}]"#;

/// Where labels give rights, every start asks whether it is the proxy's container.
fn web() -> BTreeSet<String> {
    BTreeSet::from(["web".to_owned()])
}

/// How a start ends where this client asks for a container with this label and this of its inspect; and the names of what the engine was asked about.
fn started(
    line: &str,
    client: Option<&str>,
    label: &str,
    shown: &str,
    (host_access, from): (HostAccess, Option<&str>),
) -> (String, BTreeSet<String>) {
    let (method, target) = line.split_once(' ').unwrap();
    let method = Method::parse(method).unwrap();
    let head = Head::new(method, RequestTarget::parse_for(method, target).unwrap(), []);
    let body = Json::parse(b"{\"Memory\":7}", crate::request::json::Keys::Fields).unwrap();
    let body = head.target.path().ends_with("update").then_some(&body);
    let defaults = Defaults {
        bind_mount_from: from.map(|from| vec![from.into()]),
        deny_host_mounts: false,
        deny_network_volumes: false,
        host_access,
        ..Defaults::default()
    };
    let protected = Protected { container: id(OWN), ..Protected::default() };
    let terms = Terms {
        lists: vec![Arc::default()],
        defaults: Arc::new(defaults),
        protected: client.map(|_| Arc::new(protected)),
        creator: client.map(Creator::parse),
    };
    let labels = if label.is_empty() {
        r#"{"a":"b"}"#.to_owned()
    } else {
        format!(r#"{{"{label}}}"#).replace('=', r#"":""#).replace('}', r#""}"#)
    };
    let inspect = format!(r#"{{"Id":"{}","Config":{{"Labels":{labels}}}{shown}}}"#, id("61"));
    let (mut answers, mut asked) = (Answers::new(), BTreeSet::new());
    loop {
        match super::asked(&head, body, &terms, &terms.lists[0], &answers) {
            Err(violation) => return (format!("{:?}: {violation}", violation.clause), asked),
            Ok(questions) if questions.is_empty() => return (String::new(), asked),
            Ok(questions) => answers.extend(questions.into_iter().map(|question| {
                asked.insert(question.name().to_owned());
                let answer = match &question {
                    Question::Container(name) if name == "web" => {
                        Some(Json::parse_answer(inspect.as_bytes()).unwrap())
                    }
                    Question::Settings(name) => {
                        assert_eq!(*name, id("61"), "it is asked for by its id");
                        Some(Json::parse_answer(settings(shown).as_bytes()).unwrap())
                    }
                    other => answer(On::Docker, other),
                };
                (question, answer)
            })),
        }
    }
}

/// What is in force there.
fn settings(shown: &str) -> String {
    match shown.strip_prefix(",\"x\":") {
        Some(config) => format!(r#"{{"Id":"{}","Config":{config}}}"#, id("61")),
        None => format!(r#"{{"Id":"{}","Config":{{"WorkingDir":"/","Env":["A=b"]}}}}"#, id("61")),
    }
}

const DENY: (HostAccess, Option<&str>) = (HostAccess::Deny, None);
const START: &str = "POST /containers/web/start";
const ALL: [&str; 3] =
    [START, "POST /v1.41/containers/web/restart?t=1", "POST /containers/web/update"];

/// What this shows is refused to a client that created the container, with these words.
#[track_caller]
fn check(shown: &str, want: &str) {
    let shown = format!(",{shown}");
    for line in ALL {
        let (got, _) = started(line, Some("name:ci"), "sockwarden.creator=name:ci", &shown, DENY);
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{line} {shown}: {got}");
        // It is theirs who created it, whatever it reaches.
        for label in ["", "sockwarden.creator=name:other", "x.creator=name:ci"] {
            let (got, asked) = started(line, Some("name:ci"), label, &shown, DENY);
            assert_eq!((got.as_str(), asked), ("", web()), "{line} {label}");
        }
    }
}

#[test]
fn what_was_made_again_counts_for_those_who_created_the_container() {
    check(VOLUME, "mounts the host's `/etc`");
    check(r#""Mounts":[{"Type":"volume","Name":"plain"},{"Type":"tmpfs"}]"#, "");
    check(
        r#""HostConfig":{"PidMode":"container:reach-pid"}"#,
        "shares the pid namespace of `reach-pid`, which shares the pid namespace of",
    );
    check(
        r#""HostConfig":{"NetworkMode":"container:reach-on-host"}"#,
        "which shares a namespace with the host",
    );
    check(r#""HostConfig":{"NetworkMode":"container:reach-default"}"#, "");
    check(r#""NetworkSettings":{"Networks":{"host":{}}}"#, "the network of the host");
    check(r#""NetworkSettings":{"Networks":{"9d9":{}}}"#, "the network of the host");
    check(r#""NetworkSettings":{"Networks":{"other":{}}}"#, "");
    // The image may have been another than the one that was judged.
    check(r#""x":{"WorkingDir":"/proc/self/fd/8"}"#, "lies in `/proc`");
    check(r#""x":{"Env":["A=b","NVIDIA_VISIBLE_DEVICES=all"]}"#, "opens devices");
    check(r#""x":{"Env":["A=b",""]}"#, "too long to be judged");
    check(r#""x":{"WorkingDir":"/srv","Env":null}"#, "");
    // What cannot change was judged when it was created.
    check(BIND, "");
    check(r#""HostConfig":{"Privileged":true,"PidMode":"host"}"#, "");
}

#[test]
fn a_start_asks_no_more_than_it_must() {
    let own = "sockwarden.creator=name:ci";
    let volume = format!(",{VOLUME}");
    let allow = (HostAccess::Allow, None);
    for line in ALL {
        // Without labels nobody knows who created what, and without limits nothing is refused.
        assert_eq!(started(line, None, own, &volume, DENY), (String::new(), BTreeSet::new()));
        assert_eq!(started(line, Some("name:ci"), own, &volume, allow), (String::new(), web()));
    }
    let from = |directory| (HostAccess::Allow, Some(directory));
    assert_eq!(started(START, Some("name:ci"), own, &volume, from("/etc")).0, "");
    let got = started(START, Some("name:ci"), own, &volume, from("/srv")).0;
    assert!(got.starts_with("MountSource"), "{got}");
    // A directory that the client may mount is no more than it may mount.
    let both = (HostAccess::Deny, Some("/etc"));
    assert_eq!(started(START, Some("name:ci"), own, &volume, both).0, "");
    assert!(
        started("POST /containers/none-such/start", Some("name:ci"), "", "", DENY)
            .0
            .contains("No such container")
    );
}

#[test]
fn a_chain_is_one_client() {
    let volume = format!(",{VOLUME}");
    let start = |client: &str, label: &str| {
        !started(START, Some(client), &format!("sockwarden.creator={label}"), &volume, DENY)
            .0
            .is_empty()
    };
    assert!(start("service:web/ci", "service:web/ci"));
    assert!(start("name:a,name:b", "name:b"));
    assert!(start("name:b", "name:a,name:b"));
    assert!(!start("name:a", "name:b"));
    assert!(!start("name:ci", "service:web/ci"));
    // Who cannot be told from the client may be the client.
    assert!(start("name:ci", "what"));
}
