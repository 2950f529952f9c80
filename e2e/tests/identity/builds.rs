//! What a build makes, on a real engine: containers with labels of the client's choice.

use sockwarden_e2e::engine::Engine;
use sockwarden_e2e::process::Process;
use sockwarden_e2e::{cli, set_aside, tar};

use super::support::{Stage, check};
use super::{LIST, VERSION};

const REFUSED: &str = "is what a build makes for one of its steps, so it may do nothing";
const GIVES_ALL: &str = "LABEL sockwarden.allow.get=.*";

/// A stage without a proxy, where the engine makes containers for the steps of builds.
fn stage() -> Option<Stage> {
    let engine = Engine::present()?;
    if engine.is_podman() {
        set_aside("Podman's builds make no containers of the engine");
        return None;
    }
    let stage = Stage::without_proxy(engine)?;
    stage.create_network(&stage.network(), &[]);
    Some(stage)
}

fn start_proxy(stage: &Stage) {
    let flags = ["-allowfrom=0.0.0.0/0", "-allowGET=/version"];
    stage.start_proxy(&["-proxycontainername=auto"], &flags);
    stage.wait_for_log("per-container allowlists are in force");
}

/// The containers that a build says it made, in their order.
fn steps(output: &str) -> Vec<String> {
    let running = output.split("Running in ").skip(1);
    running.map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect()).collect()
}

/// No matter who starts it and what it says, and though the proxy was not there when it was made.
#[test]
fn what_a_build_left_has_no_rights() {
    let Some(stage) = stage() else { return };
    let image = stage.image();
    let ask =
        format!("/sockwarden request -host tcp://{} GET /v1.41/containers/json", stage.proxy());
    let onbuild = stage.name("onbuild");
    // The shell makes every step ask, and hides the mark of those that run nothing.
    let shell = format!(r#"SHELL ["/bin/sh", "-c", "{ask}; true"]"#);
    let labelled = format!("FROM {image}\n{shell}\n{GIVES_ALL}\nRUN x\nENV a=b\n");
    let triggers = format!("FROM {image}\n{shell}\nONBUILD {GIVES_ALL}\nONBUILD RUN x\n");
    let mut left = steps(&stage.build(&stage.name("labelled"), &labelled));
    assert_eq!(left.len(), 4, "{left:?}");
    stage.build(&onbuild, &triggers);
    let triggered = steps(&stage.build(&stage.name("triggered"), &format!("FROM {onbuild}\n")));
    assert_eq!(triggered.len(), 2, "{triggered:?}");
    left.extend(triggered);
    start_proxy(&stage);
    for container in &left {
        check(&stage.docker(&["start", "-a", container]), 403, &[REFUSED]);
        stage.docker_ok(&["rename", container, &stage.name("renamed")]);
        check(&stage.docker(&["start", "-a", container]), 403, &[REFUSED]);
        stage.docker_ok(&["rm", container]);
    }
    stage.wait_for_log(REFUSED);
    // What is made of it has the labels of an image, which do not count.
    let image = stage.name("labelled");
    check(&stage.ask_as("image", &[], &image, &VERSION), 200, &[]);
    check(&stage.ask_as("image-2", &[], &image, &LIST), 403, &["-allowGET="]);
}

/// A client that builds through the proxy, on the network that builds use by default, and starts what it finds there.
#[test]
fn a_build_gives_its_client_no_rights() {
    let Some(stage) = stage() else { return };
    start_proxy(&stage);
    let proxy = stage.proxy();
    stage.docker_ok(&["network", "connect", "bridge", &proxy]);
    let near = stage.address(&proxy, "bridge");
    let labels = ["-l", "sockwarden.allow.post=/v1[.]41/(build|containers/[^/]+/(re)?start)"];
    stage.start_client("builder", &labels, &["sleep", "600"]);
    let ask = format!("/sockwarden request -host tcp://{near}:2375 GET");
    // A step without labels asks for what the default list allows, one with labels for what those would.
    let file = format!(
        "FROM {}\nRUN {ask} /version; true\n{GIVES_ALL}\nRUN {ask} /v1.41/containers/json; true\n",
        stage.image()
    );
    let context = tar::archive(&[("Dockerfile", tar::Entry::File(0o644, file.as_bytes()))]);
    let head = format!(
        "POST /v1.41/build?rm=0&nocache=1&t={} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        stage.name("built"),
        context.len()
    );
    let builder = stage.name("builder");
    let command = stage.docker_command(&["exec", "-i", &builder, "busybox", "nc", &proxy, "2375"]);
    let mut build = Process::start(command);
    build.feed(&[head.as_bytes(), &context].concat());
    build.expect_output("Successfully built");
    let said = String::from_utf8_lossy(&build.output_so_far()).into_owned();
    assert_eq!(said.matches("403 Forbidden").count(), 2, "{said}");
    assert_eq!(said.matches(REFUSED).count(), 2, "{said}");
    let left = steps(&said);
    assert_eq!(left.len(), 3, "{said}");
    for container in &left {
        for verb in ["start", "restart"] {
            let line = format!("/v1.41/containers/{container}/{verb}?t=0");
            check(&stage.ask_from("builder", &proxy, &["POST", &line]), 204, &[]);
        }
        let said = stage.docker(&["start", "-a", container]);
        assert!(!said.errors().contains("-> 200"), "{}", said.errors());
    }
    // It is no rights of the operator's that are lost: a container by its image's id has them.
    let id = stage.docker_ok(&["image", "inspect", "-f", "{{.Id}}", stage.image()]);
    check(&stage.ask_as("by-id", &[], id.trim(), &VERSION), 200, &[]);
}

/// BuildKit's steps are no containers: their addresses are nobody's.
#[test]
fn a_step_of_buildkit_is_nobody() {
    if !cli::has_plugin("docker-buildx") {
        return set_aside(
            "DOCKER_CLI_PLUGINS does not name a directory with buildx; `e2e/matrix` does",
        );
    }
    let Some(stage) = stage() else { return };
    start_proxy(&stage);
    stage.docker_ok(&["network", "connect", "bridge", &stage.proxy()]);
    let near = stage.address(&stage.proxy(), "bridge");
    let ask = format!("/sockwarden request -host tcp://{near}:2375 GET /version");
    let file = format!("FROM {}\nRUN {ask}; true\n", stage.image());
    let config = tempfile::tempdir().expect("a directory");
    let mut command = stage.buildx_command();
    command.env("DOCKER_CONFIG", config.path());
    command.args(["build", "--no-cache", "--progress=plain", "-"]);
    let mut build = Process::start(command);
    build.feed_all(file.into_bytes());
    let output = build.finish();
    let said = format!("{}{}", output.errors(), output.text());
    assert!(said.contains("the engine knows no container with this address"), "{said}");
    assert!(!said.contains("-> 200"), "{said}");
}
