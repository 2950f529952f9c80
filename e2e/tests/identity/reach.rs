//! The ways on which a client reaches the proxy, and the names by which it is let in.

use sockwarden_e2e::{engine_or_skip, wait};

use super::support::{Stage, check};
use super::{MAY_LIST, VERSION};

const MAY_VERSION: &str = "sockwarden.allow.get=/version";

/// The first link-local address in a container's `/proc/net/if_inet6`, and the name of its interface.
fn link_local(stage: &Stage, container: &str) -> Option<(String, String)> {
    let table = stage.docker_ok(&["exec", container, "cat", "/proc/net/if_inet6"]);
    let line = table.lines().find(|line| line.starts_with("fe80"))?;
    let digits = line.split_whitespace().next()?;
    let groups: Vec<&str> =
        (0..8).map(|group| digits.get(4 * group..4 * group + 4).unwrap_or_default()).collect();
    Some((groups.join(":"), line.split_whitespace().last()?.to_owned()))
}

/// A container that binds its global address and speaks to the proxy's link-local one is itself.
#[test]
fn a_link_local_address_of_ours_hides_nobody() {
    let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
    stage.create_network(&stage.network(), &["--ipv6", "--subnet", "fd00:213:79::/64"]);
    let flags = ["-listenip=::", "-allowfrom=0.0.0.0/0,::/0", "-allowGET=/v1.41/containers/json"];
    stage.start_proxy(&["-proxycontainername=auto"], &flags);
    stage.wait_for_log("per-container allowlists are in force");
    let (ours, _) = wait::until("our link-local address", || link_local(&stage, &stage.proxy()));
    let podman = engine_or_skip!().is_podman();
    let broken = "sockwarden.allow.gte=/version";
    for (word, label, own, default) in
        [("own", MAY_VERSION, 200, 403), ("broken", broken, 403, 403), ("plain", "x=y", 403, 200)]
    {
        stage.start_client(word, &["-l", label, "--cap-add", "NET_ADMIN"], &["sleep", "600"]);
        let name = stage.name(word);
        let (_, interface) = wait::until("its address", || link_local(&stage, &name));
        // Without a link-local address of its own its global one is what the kernel takes.
        let forget = || {
            while let Some((local, interface)) = link_local(&stage, &name) {
                let forget = ["ip", "-6", "addr", "del", &format!("{local}/64"), "dev", &interface];
                stage.docker_ok(&[&["exec", &name, "busybox"], &forget[..]].concat());
            }
        };
        for (path, want) in [("/version", own), ("/v1.41/containers/json", default)] {
            let script = format!(
                "printf 'GET {path} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | busybox nc -w 20 {ours}%{interface} 2375"
            );
            // An address is of no use before the kernel has made sure that nobody else has it.
            let answer = wait::until("an answer", || {
                forget();
                let said = stage.docker(&["exec", &name, "sh", "-c", &script]).text();
                // One of its own may have come back meanwhile.
                let came_back = link_local(&stage, &name).is_some();
                (said.starts_with("HTTP/1.1 ") && !came_back).then_some(said)
            });
            let status = answer.get(9..12).unwrap_or_default();
            // Podman's rules give what leaves for a link-local address the bridge's own, which is nobody's.
            if podman && status == "403" && answer.contains("link-local addresses belong to nobody")
            {
                continue;
            }
            assert_eq!(status, want.to_string(), "{word} {path}: {answer}\n{}", stage.log());
        }
    }
}

/// On the host's network the proxy recognises the containers of every network, and what it recognises is protected.
#[test]
fn a_proxy_on_the_hosts_network_reads_labels() {
    let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
    stage.create_network(&stage.network(), &["--subnet", "10.213.80.0/28"]);
    // Podman gives the host its address in a network with the first container there.
    stage.start_client("plain", &[], &["sleep", "600"]);
    let host = "10.213.80.1:23750";
    let flags = [
        "-listenip=10.213.80.1",
        "-proxyport=23750",
        "-allowfrom=10.213.80.0/28",
        r"-allowGET=/v1\.41/containers/json",
    ];
    stage.start_proxy_in("host", &["-proxycontainername=auto"], &flags);
    stage.wait_for_log("per-container allowlists are in force");
    stage.wait_for_log("sockwarden uses the host's network");
    let may_write = r"sockwarden.allow.post=/v1\.41/(containers/create|networks/.*)";
    stage.start_client("own", &["-l", MAY_VERSION, "-l", may_write], &["sleep", "600"]);
    stage.start_client("broken", &["-l", "sockwarden.allow.gte=.*"], &["sleep", "600"]);
    let list = ["GET", "/v1.41/containers/json"];
    check(&stage.ask_from("own", host, &VERSION), 200, &[]);
    check(&stage.ask_from("own", host, &list), 403, &[&stage.name("own")]);
    check(&stage.ask_from("broken", host, &list), 403, &["sockwarden.allow.gte"]);
    check(&stage.ask_from("plain", host, &list), 200, &[]);
    check(&stage.ask_from("plain", host, &VERSION), 403, &["-allowGET="]);
    // A network that was made later is protected like the others.
    let later = stage.name("later");
    stage.create_network(&later, &["--subnet", "10.213.80.16/28"]);
    let image = stage.image();
    let fixed = format!(
        r#"{{"Image":"{image}","HostConfig":{{"NetworkMode":"{later}"}},"NetworkingConfig":{{"EndpointsConfig":{{"{later}":{{"IPAMConfig":{{"IPv4Address":"10.213.80.20"}}}}}}}}}}"#
    );
    let create = ["-data", &fixed, "POST", "/v1.41/containers/create"];
    check(&stage.ask_from("own", host, &create), 403, &["fixes an address"]);
    let member = format!(r#"{{"Container":"{}"}}"#, stage.name("plain"));
    for (verb, network) in [("connect", &later), ("disconnect", &stage.network())] {
        let target = format!("/v1.41/networks/{network}/{verb}");
        let request = ["-data", &member, "POST", &target];
        check(&stage.ask_from("own", host, &request), 403, &["a network of the proxy's clients"]);
    }
    // Its stream ends when it leaves the network.
    let host = format!("tcp://{host}");
    let events = ["/sockwarden", "request", "-host", &host, "GET", "/events"];
    stage.start_client("reader", &["-l", "sockwarden.allow.get=/events"], &events);
    let clients = || stage.docker_ok(&["exec", &stage.proxy(), "/sockwarden", "clients"]);
    wait::until("the reader's connection", || {
        clients().contains("1 open connections").then_some(())
    });
    stage.docker_ok(&["network", "disconnect", "-f", &stage.network(), &stage.name("reader")]);
    // The engine's own event about it may come first, and then there is no way to the reader any more.
    let reader = stage.name("reader");
    wait::until("the end of the reader's stream", || {
        let is_end = |line: &str| {
            line.contains("its container has left the network")
                || (line.contains(&reader) && line.contains("outcome=aborted"))
        };
        stage.log().lines().any(is_end).then_some(())
    });
}

#[test]
fn without_an_address_the_start_ends_with_code_2() {
    let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
    stage.start_proxy_in("none", &["-proxycontainername=auto"], &["-allowGET=/version"]);
    let code = stage.docker_ok(&["wait", &stage.proxy()]);
    assert_eq!(code.trim(), "2", "{}", stage.log());
    assert!(stage.log().contains("has no address on a network of the engine"), "{}", stage.log());
}

/// Nobody takes a name by which another is let in, in whatever spelling.
#[test]
fn a_name_that_is_admitted_cannot_be_taken() {
    for identity in [&["-proxycontainername=auto"] as &[_], &[]] {
        let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
        let network = stage.network();
        stage.create_network(&network, &[]);
        let allow_from = format!("-allowfrom=0.0.0.0/0,good.{network}");
        let post = "-allowPOST=(/v1[.][0-9]+)?/(containers|networks|services)/.*";
        let flags = [&*allow_from, post, "-hostaccess=deny"];
        stage.start_proxy(identity, &flags);
        stage.wait_for_log("sockwarden is ready");
        if !identity.is_empty() {
            stage.wait_for_log("per-container allowlists are in force");
        }
        stage.start_client("thief", &[], &["sleep", "600"]);
        let image = stage.image();
        let host = format!("{}:2375", stage.proxy());
        let refused = |target: &str, body: &str| {
            let request = ["-data", body, "POST", target];
            let request = if body.is_empty() { &request[2..] } else { &request[..] };
            check(&stage.ask_from("thief", &host, request), 403, &["takes the name"]);
        };
        for name in ["good", "Good", "GOOD.corp.test"] {
            let create = format!(r#"{{"Image":"{image}"}}"#);
            refused(&format!("/v1.41/containers/create?name={name}"), &create);
            let rename = format!("/v1.41/containers/{}/rename?name={name}", stage.name("thief"));
            refused(&rename, "");
        }
        for alias in ["good", "good.", &format!("good.{network}"), "gOOd"] {
            let create = format!(
                r#"{{"Image":"{image}","NetworkingConfig":{{"EndpointsConfig":{{"{network}":{{"Aliases":["{alias}"]}}}}}}}}"#
            );
            refused("/v1.41/containers/create", &create);
        }
    }
}

/// Docker's DNS leads to one address of a container that shares two networks with the proxy; it is let in on both.
#[test]
fn a_named_client_is_admitted_on_all_its_networks() {
    for identity in [&["-proxycontainername=auto"] as &[_], &[]] {
        let Some(stage) = Stage::without_proxy(engine_or_skip!()) else { return };
        let (first, second) = (stage.network(), stage.name("second"));
        stage.create_network(&first, &[]);
        stage.create_network(&second, &[]);
        let allow_from = format!("-allowfrom={}", stage.name("good"));
        stage.start_proxy(identity, &[&allow_from, "-allowGET=/version"]);
        stage.docker_ok(&["network", "connect", &second, &stage.proxy()]);
        stage.wait_for_log("sockwarden is ready");
        for word in ["good", "stranger"] {
            stage.start_client(word, &[], &["sleep", "600"]);
            stage.docker_ok(&["network", "connect", &second, &stage.name(word)]);
        }
        for network in [&first, &second] {
            let host = format!("{}:2375", stage.address(&stage.proxy(), network));
            check(&stage.ask_from("good", &host, &VERSION), 200, &[]);
            check(&stage.ask_from("stranger", &host, &VERSION), 403, &["-allowfrom"]);
        }
        // Whoever gets the addresses of a client that is gone is not that client.
        stage.docker_ok(&["rm", "-f", &stage.name("good")]);
        stage.start_client("heir", &["-l", MAY_LIST], &["sleep", "600"]);
        stage.docker_ok(&["network", "connect", &second, &stage.name("heir")]);
        if !identity.is_empty() {
            let host = format!("{}:2375", stage.address(&stage.proxy(), &first));
            check(&stage.ask_from("heir", &host, &VERSION), 403, &[&stage.name("heir")]);
        }
    }
}
