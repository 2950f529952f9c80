//! Per-container allowlists, with clients in real containers. Needs `SOCKWARDEN_BIN`, a static binary.

mod builds;
mod creator;
mod reach;
mod support;
mod words;

use sockwarden_e2e::relay::Relay;
use sockwarden_e2e::{engine_or_skip, wait};
use support::{Stage, check};

/// A stage, or an early return where there cannot be one.
macro_rules! stage_or_skip {
    ($($flag:expr),* $(,)?) => {
        match Stage::start(engine_or_skip!(), &[$($flag),*]) {
            Some(stage) => stage,
            None => return,
        }
    };
}

const LIST: [&str; 2] = ["GET", "/v1.41/containers/json"];
const VERSION: [&str; 2] = ["GET", "/version"];
const MAY_LIST: &str = r"socket-proxy.allow.get=(/v1[.][0-9]+)?/containers/json";

#[test]
fn a_container_is_judged_by_its_own_labels_alone() {
    let stage = stage_or_skip!("-allowfrom=0.0.0.0/0", "-allowGET=/version");
    check(&stage.ask("plain", &[], &VERSION), 200, &[]);
    check(&stage.ask("plain-2", &[], &LIST), 403, &["-allowGET="]);
    check(&stage.ask("own", &["-l", MAY_LIST], &LIST), 200, &[]);
    let name = stage.name("own-2");
    check(
        &stage.ask("own-2", &["-l", MAY_LIST], &VERSION),
        403,
        &[&name, "sockwarden.allow=SystemVersion"],
    );
    let both = ["-l", MAY_LIST, "-l", "sockwarden.allow.GET.more=/version"];
    check(&stage.ask("both", &both, &VERSION), 200, &[]);
    check(&stage.ask("both-2", &both, &["POST", "/v1.41/containers/prune"]), 405, &[]);
    check(&stage.ask("ping", &["-l", MAY_LIST], &["GET", "/_ping"]), 200, &["OK"]);
}

#[test]
fn a_wrong_label_costs_its_own_container_alone() {
    let stage = stage_or_skip!("-allowfrom=0.0.0.0/0", "-allowGET=.*");
    let name = stage.name("broken");
    let broken = stage.ask("broken", &["-l", "sockwarden.allow.gte=/version"], &VERSION);
    check(&broken, 403, &[&name, "sockwarden.allow.gte", "did you mean `GET`"]);
    let pattern = stage.ask("pattern", &["-l", "sockwarden.allow.get=/version("], &VERSION);
    check(&pattern, 403, &["sockwarden.allow.get", "at byte"]);
    for (word, label, nearest) in [
        ("deny", "sockwarden.deny.hostmounts=true", "`sockwarden.hostaccess=deny`"),
        ("case", "SockWarden.Allow.Get=/version", "`sockwarden.allow.get`"),
        ("get", "sockwarden.get=/version", "`sockwarden.allow.get`"),
        ("peer", "socket-proxy.bindmountfrom=/srv", "`socket-proxy.allow.bindmountfrom`"),
        ("scope", "sockwarden.scope=project:web", "not in this version"),
    ] {
        check(&stage.ask(word, &["-l", label], &VERSION), 403, &[nearest]);
    }
    // It runs on: Podman tells late of a start, when a client of one request is gone.
    let label = "sockwarden.deny.hostmounts=true";
    stage.start_client("denying", &["-l", label], &["sleep", "600"]);
    let is_warning = |line: &str| {
        ["level=WARN", "rights=", "sockwarden.deny.hostmounts"].iter().all(|it| line.contains(it))
    };
    wait::until("a warning of broken labels", || stage.log().lines().any(is_warning).then_some(()));
    check(&stage.ask("note", &["-l", "sockwarden.x-a=b"], &VERSION), 200, &[]);
    let orphan = stage.ask("creator", &["-l", "sockwarden.creator=name:x"], &VERSION);
    check(&orphan, 403, &["created by `name:x`, which no longer exists"]);
    let truth = ["-l", MAY_LIST, "-l", "sockwarden.allow.labels=True"];
    check(&stage.ask("truth", &truth, &LIST), 200, &[]);
    check(&stage.ask("good", &["-l", MAY_LIST], &LIST), 200, &[]);
    check(&stage.ask("plain", &[], &VERSION), 200, &[]);
    let (proxy, clients) = (stage.proxy(), ["/sockwarden", "clients"]);
    let asked = stage.docker(&[&["exec", "-u", "4321", &proxy], &clients[..]].concat());
    let told = asked.text() + &asked.errors();
    assert_eq!(asked.code, 1, "{told}");
    assert!(told.contains("only root and the user"), "{told}");
}

#[test]
fn unlisted_containers_need_labels() {
    let stage = stage_or_skip!("-allowGET=.*", "-dockerlabelprefix=com.example");
    let name = stage.name("plain");
    check(&stage.ask("plain", &[], &VERSION), 403, &[&name, "com.example.allow=SystemVersion"]);
    check(&stage.ask("other", &["-l", MAY_LIST], &LIST), 403, &["com.example.allow=ContainerList"]);
    check(&stage.ask("own", &["-l", "com.example.allow.get=/version"], &VERSION), 200, &[]);
}

#[test]
fn labels_from_the_image_do_not_count() {
    let stage = stage_or_skip!();
    let image = stage.labelled_image("sockwarden.allow.get=/version");
    check(&stage.ask_as("image", &[], &image, &VERSION), 403, &["no label of its own"]);
    stage.wait_for_log("a label that comes from the image does not count");
    let own = ["-l", "sockwarden.allow.get.own=/version"];
    check(&stage.ask_as("own", &own, &image, &VERSION), 200, &[]);
    stage.docker_ok(&["rm", "-f", &stage.proxy()]);
    stage.start_proxy(&["-proxycontainername=auto"], &["-trustimagelabels"]);
    stage.wait_for_log("per-container allowlists are in force");
    check(&stage.ask_as("trusted", &[], &image, &VERSION), 200, &[]);
}

#[test]
fn networks_that_the_proxy_joins_later_count() {
    let stage = stage_or_skip!("-allowGET=/version");
    let second = stage.name("second");
    stage.create_network(&second, &[]);
    stage.docker_ok(&["network", "connect", &second, &stage.proxy()]);
    check(&stage.ask("own", &["--network", &second, "-l", MAY_LIST], &LIST), 200, &[]);
    check(&stage.ask("plain", &["--network", &second], &VERSION), 403, &["no label of its own"]);
    stage.docker_ok(&["network", "disconnect", &second, &stage.proxy()]);
    stage.docker_ok(&["network", "rm", &second]);
}

#[test]
fn a_stream_ends_when_its_container_leaves_the_network() {
    let stage = stage_or_skip!();
    let events =
        ["/sockwarden", "request", "-host", &format!("tcp://{}", stage.proxy()), "GET", "/events"];
    stage.start_client("reader", &["-l", "sockwarden.allow.get=/events"], &events);
    let clients = || stage.docker_ok(&["exec", &stage.proxy(), "/sockwarden", "clients"]);
    wait::until("the reader's connection", || {
        clients().contains("1 open connections").then_some(())
    });
    assert!(clients().contains(&stage.name("reader")) && clients().contains("GET /events"));
    stage.docker_ok(&["network", "disconnect", &stage.network(), &stage.name("reader")]);
    stage.wait_for_log("its container has left the network");
    wait::until("the end of the connection", || {
        clients().contains("0 open connections").then_some(())
    });
    stage.docker_ok(&["rm", "-f", &stage.name("reader")]);
}

#[test]
fn containers_that_share_an_address_may_do_what_each_may() {
    let stage = stage_or_skip!();
    stage.start_client("owner", &["-l", "sockwarden.allow.get=/version"], &["sleep", "600"]);
    let shared = format!("container:{}", stage.name("owner"));
    let guest = |word: &str, more: &[&str]| {
        let more: Vec<&str> = ["--network", shared.as_str()].iter().chain(more).copied().collect();
        stage.ask(word, &more, &VERSION)
    };
    check(&guest("guest", &[]), 403, &["guest", "owner"]);
    check(&guest("equal", &["-l", "sockwarden.allow.get=/version"]), 200, &[]);
    let host = format!("tcp://{}", stage.proxy());
    let alone =
        ["exec", &stage.name("owner"), "/sockwarden", "request", "-host", &host, "GET", "/version"];
    check(&stage.docker(&alone), 200, &[]);
    stage.docker_ok(&["rm", "-f", &stage.name("owner")]);
}

#[test]
fn an_address_does_not_carry_rights_over() {
    let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
    let network = stage.network();
    stage.create_network(&network, &["--subnet", "10.213.77.0/28"]);
    stage.start_proxy(&["-proxycontainername=auto"], &[]);
    stage.wait_for_log("per-container allowlists are in force");
    for round in 0..20 {
        let own = ["--ip", "10.213.77.9", "-l", "sockwarden.allow.get=/version"];
        check(&stage.ask(&format!("a{round}"), &own, &VERSION), 200, &[]);
        let none = ["--ip", "10.213.77.9"];
        check(&stage.ask(&format!("b{round}"), &none, &VERSION), 403, &["no label of its own"]);
    }
    // A hot take-over: the victim runs on, and has lost its address to another.
    stage.start_client(
        "victim",
        &["--ip", "10.213.77.8", "-l", "sockwarden.allow.get=/version"],
        &["sleep", "600"],
    );
    stage.docker_ok(&["network", "disconnect", &network, &stage.name("victim")]);
    check(&stage.ask("thief", &["--ip", "10.213.77.8"], &VERSION), 403, &["thief"]);
    stage.docker_ok(&["rm", "-f", &stage.name("victim")]);
}

#[test]
fn a_lost_engine_leaves_no_rights_behind() {
    let engine = engine_or_skip!();
    let Some(stage) = Stage::without_proxy(engine) else { return };
    let mut relay = Relay::start(engine.socket());
    stage.create_network(&stage.network(), &["--subnet", "10.213.78.0/28"]);
    let socket = relay.socket().to_str().expect("a plain path").to_owned();
    stage.start_proxy_on(&socket, &["-proxycontainername=auto"], &[]);
    stage.wait_for_log("per-container allowlists are in force");
    let own = ["--ip", "10.213.78.9", "-l", "sockwarden.allow.get=/version"];
    let none = ["--ip", "10.213.78.9"];
    for round in 0..6 {
        check(&stage.ask(&format!("own{round}"), &own, &VERSION), 200, &[]);
        relay.stop();
        check(&stage.ask(&format!("out{round}"), &own, &VERSION), 503, &["try again"]);
        relay.resume();
        check(&stage.ask(&format!("none{round}"), &none, &VERSION), 403, &["no label of its own"]);
    }
    stage.wait_for_log("the engine's events are lost");
}

#[test]
fn the_first_request_of_a_container_is_judged_rightly() {
    let stage = stage_or_skip!();
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let stage = &stage;
            scope.spawn(move || {
                for number in 0..6 {
                    let word = format!("first-{lane}-{number}");
                    check(&stage.ask(&word, &["-l", MAY_LIST], &LIST), 200, &[]);
                }
            });
        }
    });
}

#[test]
fn our_own_container_must_be_named_exactly() {
    let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
    stage.create_network(&stage.network(), &[]);
    let part = stage.proxy();
    let part = part.trim_end_matches('y');
    stage.start_proxy(&[&format!("-proxycontainername={part}")], &[]);
    let code = stage.docker_ok(&["wait", &stage.proxy()]);
    assert_eq!(code.trim(), "2");
    let log = stage.log();
    assert!(log.contains(&format!("`{}`", stage.proxy())), "the names that exist are not in {log}");
}

const MAY_WRITE: [&str; 4] = [
    "-l",
    r"sockwarden.allow.post=/v1\.41/(containers/.*|networks/.*|commit)",
    "-l",
    r"sockwarden.allow.delete=/v1\.41/containers/.*",
];

/// C01, C05, C06 and invariant 6: what a client with an own list may not do to itself, to us, and to others.
#[test]
fn a_client_cannot_enlarge_its_own_rights() {
    let stage = stage_or_skip!();
    stage.start_client("neighbour", &["-l", MAY_LIST], &["sleep", "600"]);
    let (proxy, neighbour, network) = (stage.proxy(), stage.name("neighbour"), stage.network());
    let id = stage.docker_ok(&["inspect", "-f", "{{.Id}}", &proxy]).trim().to_owned();
    let refused = |word: &str, line: [&str; 2], body: &str, says: &str| {
        let request = ["-data", body, line[0], line[1]];
        let request = if body.is_empty() { &request[2..] } else { &request[..] };
        check(&stage.ask(word, &MAY_WRITE, request), 403, &[says]);
    };
    let create = ["POST", "/v1.41/containers/create"];
    let image = stage.image();
    let label = format!(r#"{{"Image":"{image}","Labels":{{"sockwarden.allow.get":".*"}}}}"#);
    refused("label", create, &label, "sockwarden.allow.labels=true");
    let join =
        format!(r#"{{"Image":"{image}","HostConfig":{{"NetworkMode":"container:{neighbour}"}}}}"#);
    refused("join", create, &join, "whose address is its identity");
    let volumes =
        format!(r#"{{"Image":"{image}","HostConfig":{{"VolumesFrom":["{}"]}}}}"#, &id[..7]);
    refused("volumes", create, &volumes, "proxy's own container");
    let disconnect = format!(r#"{{"Container":"{neighbour}","Force":true}}"#);
    refused(
        "disconnect",
        ["POST", &format!("/v1.41/networks/{network}/disconnect")],
        &disconnect,
        "proxy's clients",
    );
    for (index, name) in [proxy.as_str(), id.as_str(), &id[..12], &id[..5]].into_iter().enumerate()
    {
        let kill = format!("/v1.41/containers/{name}/kill");
        refused(&format!("kill{index}"), ["POST", &kill], "", "proxy's own container");
    }
    refused(
        "remove",
        ["DELETE", &format!("/v1.41/containers/{proxy}?force=1")],
        "",
        "proxy's own container",
    );
    let commit = format!(
        "/v1.41/commit?container={neighbour}&repo={neighbour}&changes=LABEL%20sockwarden.allow.get%3D.*"
    );
    refused("commit", ["POST", &commit], "", "a label that carries rights");
    // A step of a build is nobody else.
    let builds = [&MAY_WRITE[..], &["-l", "sockwarden.allow.post.builds=/v1.4[1]/build"]].concat();
    let build = format!("/v1.41/build?networkmode=container%3A{neighbour}");
    check(&stage.ask("build", &builds, &["POST", &build]), 403, &["somebody's identity"]);
    for mode in [&network, "host"] {
        let build = format!("/v1.41/build?networkmode={mode}");
        let says = ["networkmode=none", "sockwarden.allow.labels=true"];
        check(&stage.ask(&format!("build-{mode}"), &builds, &["POST", &build]), 403, &says);
    }
    // Nothing of it happened, and what is left is allowed.
    check(&stage.ask("last", &["-l", MAY_LIST], &LIST), 200, &[&neighbour]);
    let stop = format!("/v1.41/containers/{neighbour}/kill");
    check(&stage.ask("kill", &MAY_WRITE, &["POST", &stop]), 204, &[]);
}

#[test]
fn a_client_that_may_hand_out_rights_does() {
    let stage = stage_or_skip!();
    let may = [&MAY_WRITE[..], &["-l", "sockwarden.allow.labels=true"]].concat();
    let (key, value) = stage.run_label();
    let (image, name) = (stage.image(), stage.name("made"));
    let body = format!(
        r#"{{"Image":"{image}","Cmd":["true"],"Labels":{{"{key}":"{value}","sockwarden-test":"1","sockwarden.allow.get":"/version"}}}}"#
    );
    let target = format!("/v1.41/containers/create?name={name}");
    check(&stage.ask("make", &may, &["-data", &body, "POST", &target]), 201, &["Id"]);
    let kill = format!("/v1.41/containers/{}/kill", stage.proxy());
    check(&stage.ask("kill", &may, &["POST", &kill]), 403, &["proxy's own container"]);
}

/// The labels of a container decide about its bodies; where they say nothing the defaults hold.
#[test]
fn limits_come_from_labels_and_defaults() {
    let stage = stage_or_skip!("-allowbindmountfrom=/srv");
    let image = stage.image();
    let target = |word: &str| format!("/v1.41/containers/create?name={}", stage.name(word));
    let create = |word: &str, labels: &[&str], config: &str| {
        let (key, value) = stage.run_label();
        let body = format!(
            r#"{{"Image":"{image}","Cmd":["true"],"Labels":{{"{key}":"{value}","sockwarden-test":"1"}},"HostConfig":{config}}}"#
        );
        let labels = [&MAY_WRITE[..], labels].concat();
        stage.ask(&format!("asks-{word}"), &labels, &["-data", &body, "POST", &target(word)])
    };
    let privileged = r#"{"Privileged":true}"#;
    let owner = stage.name("asks-owner");
    check(&create("owner", &[], privileged), 201, &[]);
    stage.wait_for_log(&format!("name={owner}"));
    stage.wait_for_log("owns the host; the label `sockwarden.hostaccess=deny` ends that");
    let deny = ["-l", "sockwarden.hostaccess=deny"];
    check(&create("deny", &deny, privileged), 403, &["sockwarden.hostaccess=allow"]);
    let etc = r#"{"Binds":["/etc:/x:ro"]}"#;
    check(&create("etc", &[], etc), 403, &["`/etc`", "sockwarden.allow.bindmountfrom"]);
    let from_etc = ["-l", "socket-proxy.allow.bindmountfrom=/etc"];
    check(&create("listed", &from_etc, etc), 201, &[]);
    check(&create("both", &[&deny[..], &from_etc].concat(), etc), 201, &[]);
    check(&create("srv", &from_etc, r#"{"Binds":["/srv:/x:ro"]}"#), 403, &["`/srv`"]);
}
