//! A client that goes away ends what it started: that is how the engine learns that nobody waits any more.

use sockwarden_e2e::cli::{Cli, Docker};
use sockwarden_e2e::engine::Engine;
use sockwarden_e2e::process::Process;
use sockwarden_e2e::proxy::Sockwarden;
use sockwarden_e2e::relay::Relay;
use sockwarden_e2e::{engine_or_skip, set_aside, wait};

/// One test per client command and CLI.
macro_rules! killed {
    ($($name:ident),* $(,)?) => {
        mod cli_20 { $( #[test] fn $name() { super::kill_in(super::Cli::V20, super::$name); } )* }
        mod cli_28 { $( #[test] fn $name() { super::kill_in(super::Cli::V28, super::$name); } )* }
    };
}

killed! { build, events, exec, logs, stats, wait_for_exit }

/// Runs a scenario through a sockwarden whose engine connections are watched.
#[track_caller]
fn kill_in(cli: Cli, scenario: fn(&Docker, &Relay)) {
    let engine = engine_or_skip!();
    let Some(program) = cli.found() else { return };
    let relay = Relay::start(engine.socket());
    let proxy = Sockwarden::allow_all(relay.socket());
    let docker = Docker::on(engine, program, format!("tcp://{}", proxy.address()), Some(proxy));
    scenario(&docker, &relay);
}

fn events(docker: &Docker, relay: &Relay) {
    let client = docker.start(&["events"]);
    kill_when_open(client, relay, "/events");
}

fn logs(docker: &Docker, relay: &Relay) {
    let name = sleeper(docker, &[]);
    let client = docker.start(&["logs", "-f", &name]);
    client.expect_output("ready");
    // The CLI asks for everything on one connection, and only what came first on it is recorded.
    kill_when_open(client, relay, "/_ping");
}

fn stats(docker: &Docker, relay: &Relay) {
    let name = sleeper(docker, &[]);
    let client = docker.start(&["stats", &name]);
    // Podman leaves its first character out.
    client.expect_output(&name[1..]);
    kill_when_open(client, relay, "/stats");
}

fn exec(docker: &Docker, relay: &Relay) {
    let name = sleeper(docker, &[]);
    let client = docker.start(&["exec", "-i", &name, "sh", "-c", "echo in; cat"]);
    client.expect_output("in");
    kill_when_open(client, relay, "/start");
    // The end of its input ended the command.
    wait::until("the end of the exec'd command", || {
        // Not `docker top`: Podman asks the image for a `ps`.
        let script = "for it in /proc/[0-9]*/comm; do read name <$it && echo $name; done; true";
        let run = docker.ok(&["exec", &name, "sh", "-c", script]);
        (!run.lines().any(|it| it == "cat")).then_some(())
    });
}

fn wait_for_exit(docker: &Docker, relay: &Relay) {
    let name = sleeper(docker, &[]);
    let client = docker.start(&["wait", &name]);
    kill_when_open(client, relay, "/wait");
}

/// The engine stops the step of a build that nobody waits for.
fn build(docker: &Docker, relay: &Relay) {
    let engine = Engine::present().expect("it was there a moment ago");
    if engine.is_podman() {
        let dockerfile = format!("FROM {}\nRUN true\n", docker.image());
        let tried = docker.fed(&["build", "--network=none", "-"], dockerfile.as_bytes());
        if tried.code != 0 && !tried.errors().contains("sockwarden: ") {
            return set_aside(&format!("Podman builds nothing here: {}", tried.errors()));
        }
    }
    let marker = docker.name("step");
    let labels = docker.names().labels().map(|(key, value)| format!("{key}={value}")).join(" ");
    let dockerfile =
        format!("FROM {}\nLABEL {labels}\nRUN echo {marker}; sleep 600\n", docker.image());
    let mut client = docker.start(&["build", "--rm", "--force-rm", "--network=none", "-"]);
    client.feed(dockerfile.as_bytes());
    client.close_stdin();
    let step_runs = || {
        let running = engine.call("GET", "/containers/json", b"").json();
        running.as_array().into_iter().flatten().any(|container| {
            container["Command"].as_str().is_some_and(|command| command.contains(&marker))
        })
    };
    wait::until("the build step runs", || step_runs().then_some(()));
    kill_when_open(client, relay, "/build");
    wait::until("the build step is stopped", || (!step_runs()).then_some(()));
}

fn kill_when_open(mut client: Process, relay: &Relay, request: &str) {
    relay.expect_open(request);
    client.kill();
    relay.expect_closed(request);
}

fn sleeper(docker: &Docker, flags: &[&str]) -> String {
    let name = docker.name("sleeper");
    let line = [
        &["run", "-d", "--init", "--name", &name],
        flags,
        &[docker.image(), "sh", "-c", "echo ready; sleep 600"],
    ]
    .concat();
    docker.ok(&line);
    name
}
