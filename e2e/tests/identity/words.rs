//! Clients with words in their labels, and what a proxy assumes that nobody configured.

use serde_json::Value;
use sockwarden_e2e::engine_or_skip;
use sockwarden_e2e::process::Output;

use crate::support::{Stage, check};

/// A proxy of which nothing is said but these variables.
fn stage(variables: &[&str]) -> Option<Stage> {
    let stage = Stage::without_proxy(engine_or_none()?)?;
    stage.create_network(&stage.network(), &[]);
    stage.start_proxy_with_variables(variables);
    stage.wait_for_log("per-container allowlists are in force");
    Some(stage)
}

fn engine_or_none() -> Option<&'static sockwarden_e2e::engine::Engine> {
    sockwarden_e2e::engine::Engine::present()
}

/// The calls of a preset's program, as `GET /containers/json`. Those that would go on are made to end.
fn calls(preset: &str, id: &str) -> Vec<String> {
    let path = format!("{}/../presets/calls/{preset}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(path).expect("the preset has calls");
    let call = |line: &str| {
        let call: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        let mut target = text("target").replace(&"c".repeat(64), id);
        for (endless, ending) in [("follow=1", "follow=0"), ("follow=true", "follow=false")] {
            target = target.replace(endless, ending);
        }
        target = target.replace("stream=1", "stream=0").replace("stream=true", "stream=false");
        if target.contains("/stats") && !target.contains("stream") {
            target += if target.contains('?') { "&stream=0" } else { "?stream=0" };
        }
        if target.contains("/events") && !target.contains("until=") {
            target += if target.contains('?') { "&until=1" } else { "?until=1" };
        }
        // `sockwarden request` sends nothing that has to be encoded.
        for (raw, encoded) in
            [("{", "%7B"), ("}", "%7D"), ("\"", "%22"), ("[", "%5B"), ("]", "%5D")]
        {
            target = target.replace(raw, encoded);
        }
        // Engines of today say no version above their own.
        let (version, rest) = target.get(1..).and_then(|it| it.split_once('/')).unwrap_or(("", ""));
        if version.starts_with("v1.") {
            target = format!("/{rest}");
        }
        format!("{} {target}", text("method"))
    };
    file.lines().skip(1).map(call).collect()
}

fn ask(stage: &Stage, client: &str, call: &str) -> Output {
    let (method, target) = call.split_once(' ').expect("a method and a target");
    stage.ask_from(client, &stage.proxy(), &[method, target])
}

/// Whether sockwarden refused it; what the engine says of it does not matter.
fn is_refused(output: &Output) -> bool {
    let said = format!("{}{}", output.errors(), output.text());
    assert!(said.contains("-> "), "no answer: {said}");
    said.contains(r#""message":"sockwarden: "#)
}

#[test]
fn programs_share_a_proxy_with_a_label_each_and_no_pattern() {
    engine_or_skip!();
    let Some(stage) = stage(&[]) else { return };
    stage.start_client("target", &["-l", "autoheal=true"], &["sleep", "600"]);
    stage.start_client("other", &[], &["sleep", "600"]);
    let id = stage.docker_ok(&["inspect", "-f", "{{.Id}}", &stage.name("target")]);
    let id = id.trim();
    let mut asked = 0;
    for preset in ["traefik", "dozzle", "autoheal", "portainer", "watchtower-monitor"] {
        let label = format!("sockwarden.allow={preset}");
        stage.start_client(preset, &["-l", &label], &["sleep", "600"]);
        for call in calls(preset, id) {
            let answer = ask(&stage, preset, &call);
            assert!(!is_refused(&answer), "{preset} {call}: {}{}", answer.errors(), answer.text());
            asked += 1;
        }
        let name = stage.name(preset);
        for (beyond, word) in [
            (format!("POST /containers/{id}/exec"), "ContainerExec"),
            (format!("GET /containers/{id}/archive?path=/etc/passwd"), "ContainerArchive"),
            (format!("DELETE /containers/{id}"), "ContainerDelete"),
        ] {
            let want = format!("`{word}` in the label `sockwarden.allow` on {name} would allow it");
            check(&ask(&stage, preset, &beyond), 403, &[&want]);
        }
    }
    println!("{asked} calls of five programs passed");
    // A condition is about the container behind the name.
    let other = stage.docker_ok(&["inspect", "-f", "{{.Id}}", &stage.name("other")]);
    for name in [other.trim(), other.get(..12).unwrap_or_default(), &stage.name("other")] {
        let restart = format!("POST /containers/{name}/restart?t=0");
        check(&ask(&stage, "autoheal", &restart), 403, &["is not what `autoheal` allows"]);
    }
    // Who has no label may do nothing.
    check(&ask(&stage, "other", "GET /version"), 403, &["sockwarden.allow=SystemVersion"]);
    for (word, label, says) in [
        ("empty", "sockwarden.allow=", "the value is empty"),
        ("typo", "sockwarden.allow=raed", "did you mean `read`?"),
        ("open", "sockwarden.allow=lifecycle(label:a=b", "quote it in YAML"),
        ("limit", "sockwarden.scope=project:web", "not in this version"),
    ] {
        stage.start_client(word, &["-l", label], &["sleep", "600"]);
        check(&ask(&stage, word, "GET /version"), 403, &[says]);
    }
}

#[test]
fn words_keep_what_they_create_off_the_host() {
    engine_or_skip!();
    let Some(stage) = stage(&[]) else { return };
    let label =
        "sockwarden.allow=create, lifecycle, ContainerDelete, ContainerInspect, ContainerList";
    stage.start_client("maker", &["-l", label], &["sleep", "600"]);
    let proxy = format!("tcp://{}", stage.address(&stage.proxy(), &stage.network()));
    let host = format!("{proxy}:2375");
    let run = |more: &[&str]| {
        // From the client's own network namespace: what counts is the address.
        let pid = stage.docker_ok(&["inspect", "-f", "{{.State.Pid}}", &stage.name("maker")]);
        let mut command = std::process::Command::new("nsenter");
        let (key, value) = stage.run_label();
        command.args(["-t", pid.trim(), "-n", "docker", "-H", &host, "create", "--rm"]);
        command.args(["-l", &format!("{key}={value}")]).args(more).args([stage.image(), "true"]);
        command.env("DOCKER_CONFIG", "/nonexistent").env_remove("DOCKER_HOST");
        sockwarden_e2e::process::Process::run(command)
    };
    for fine in [
        &["-v", "/data", "--tmpfs", "/run", "--init", "-m", "64m"][..],
        &["--add-host", "a:10.0.0.1", "--group-add", "100", "-p", "127.0.0.1::80"],
    ] {
        let made = run(fine);
        assert_eq!(made.code, 0, "{fine:?}: {}", made.errors());
        stage.docker_ok(&["rm", "-f", made.text().trim()]);
    }
    for (bad, says) in [
        (&["-v", "/etc:/host"][..], "mounts the host's `/etc`"),
        (&["--privileged"], "everything of the host"),
        (&["--network", "host"], "network of the host"),
        (&["--pid", "host"], "namespace"),
        (&["--cap-add", "SYS_ADMIN"], "SYS_ADMIN"),
    ] {
        let refused = run(bad);
        assert!(
            refused.code != 0 && refused.errors().contains(says),
            "{bad:?}: {}",
            refused.errors()
        );
    }
}

#[test]
fn the_variables_of_another_proxy_are_understood() {
    engine_or_skip!();
    let Some(stage) = stage(&["CONTAINERS=1", "ALLOW_RESTARTS=1"]) else { return };
    stage.wait_for_log("`CONTAINERS=1` gives no more files of containers");
    stage.start_client("plain", &[], &["sleep", "600"]);
    stage.start_client("target", &[], &["sleep", "600"]);
    let target = stage.name("target");
    check(&ask(&stage, "plain", "GET /containers/json"), 200, &[]);
    check(&ask(&stage, "plain", &format!("POST /containers/{target}/restart?t=0")), 204, &[]);
    check(&ask(&stage, "plain", "GET /images/json"), 403, &["`ImageList` in `-allow` (SP_ALLOW)"]);
    let archive = format!("GET /containers/{target}/archive?path=/bin");
    check(&ask(&stage, "plain", &archive), 403, &["ContainerArchive"]);
    // A label counts beside them, alone.
    stage.start_client("own", &["-l", "sockwarden.allow=SystemInfo"], &["sleep", "600"]);
    check(&ask(&stage, "own", "GET /info"), 200, &[]);
    check(&ask(&stage, "own", "GET /containers/json"), 403, &[]);
}
