//! Containers that were created through the proxy, on a real engine.

use super::support::{Stage, check};
use super::{LIST, MAY_LIST, VERSION};
use sockwarden_e2e::engine_or_skip;

/// A container that a labelled client creates may do what both its creator and the default list may, and nothing once its creator has another name.
#[test]
fn what_a_client_creates_has_no_more_rights() {
    let flags = ["-allowfrom=0.0.0.0/0", "-allowGET=.*"];
    let Some(stage) = Stage::start(engine_or_skip!(), &flags) else { return };
    let labels =
        ["-l", MAY_LIST, "-l", "sockwarden.allow.post=/v1[.]41/(commit|containers/create)"];
    stage.start_client("parent", &labels, &["sleep", "600"]);
    let (parent, proxy, network) = (stage.name("parent"), stage.proxy(), stage.network());
    let (key, value) = stage.run_label();
    let create = |word: &str, request: [&str; 2]| {
        let name = stage.name(word);
        let body = format!(
            r#"{{"Image":"{}","Cmd":["/sockwarden","request","-host","tcp://{proxy}","{}","{}"],"Labels":{{"{key}":"{value}","sockwarden.creator":"name:x"}},"HostConfig":{{"NetworkMode":"{network}"}}}}"#,
            stage.image(),
            request[0],
            request[1],
        );
        let line = format!("/v1.41/containers/create?name={name}");
        check(&stage.ask_from("parent", &proxy, &["-data", &body, "POST", &line]), 201, &[]);
        name
    };
    let (lists, asks) = (create("lists", LIST), create("asks", VERSION));
    let label = ["inspect", "-f", r#"{{index .Config.Labels "sockwarden.creator"}}"#, &lists];
    assert_eq!(stage.docker_ok(&label).trim(), format!("name:{parent}"));
    check(&stage.docker(&["start", "-a", &lists]), 200, &[]);
    // The default list alone would allow it.
    let refused = format!("was created by `{parent}`, which may not do this either");
    check(&stage.docker(&["start", "-a", &asks]), 403, &[&refused]);
    check(&stage.ask("plain", &[], &VERSION), 200, &[]);
    // An image that is made of it limits those who run it, and their own labels set nobody free.
    let image = stage.name("committed");
    let commit = format!("/v1.41/commit?container={lists}&repo={image}");
    // Podman 4.3 takes no body that is empty.
    check(&stage.ask_from("parent", &proxy, &["-data", "null", "POST", &commit]), 201, &[]);
    let of_image =
        |word: &str, more: &[&str], request: &[&str]| stage.ask_as(word, more, &image, request);
    check(&of_image("of-image", &[], &LIST), 200, &[]);
    check(&of_image("of-image-2", &[], &VERSION), 403, &["which may not do this either"]);
    let all = ["-l", "sockwarden.allow.get=.*"];
    check(&of_image("of-image-3", &all, &LIST), 200, &[]);
    check(&of_image("of-image-4", &all, &VERSION), 403, &["which may not do this either"]);
    let other = stage.name("other");
    stage.docker_ok(&["rename", &parent, &other]);
    check(&stage.docker(&["start", "-a", &lists]), 403, &["which no longer exists"]);
    stage.docker_ok(&["rename", &other, &parent]);
    // One that was removed stands for it a while longer.
    stage.docker_ok(&["rm", "-f", &parent]);
    check(&stage.docker(&["start", "-a", &lists]), 200, &[]);
    check(&stage.docker(&["start", "-a", &asks]), 403, &[&refused]);
}
