//! Containers that reach the host are replaced through a proxy that gives its client nothing of the host: by Compose, and as Watchtower and
//! Portainer do it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sockwarden_e2e::cli::{self, Cli, Docker};
use sockwarden_e2e::engine::Engine;
use sockwarden_e2e::http;
use sockwarden_e2e::process::{Output, Process};
use sockwarden_e2e::proxy::Sockwarden;
use sockwarden_e2e::{engine_or_skip, set_aside, skip};

/// A CLI behind a sockwarden with these words.
fn behind(engine: &'static Engine, program: &Path, words: &str) -> Docker {
    let proxy = Sockwarden::start(engine.socket(), &[format!("-allow={words}")]);
    Docker::on(engine, program, format!("tcp://{}", proxy.address()), Some(proxy))
}

fn inspect(engine: &Engine, name: &str) -> Value {
    let answer = engine.call("GET", &format!("/containers/{name}/json"), b"");
    serde_json::from_slice(&answer.body).expect("an inspect")
}

fn post(engine: &Engine, target: &str, body: &Value) {
    let fields = [("Content-Type", "application/json")];
    let text = body.to_string();
    let answer = http::over_unix(engine.socket(), "POST", target, &fields, text.as_bytes());
    let answer = answer.expect("an answer");
    assert!(answer.status < 300, "{target}: {}", answer.message());
}

fn labels(docker: &Docker) -> serde_json::Map<String, Value> {
    docker.names().labels().into_iter().map(|(key, value)| (key, value.into())).collect()
}

#[test]
fn compose_1_makes_a_service_again() {
    let Some(program) = Cli::V20.found() else { return };
    let Ok(version) = Command::new("docker-compose").args(["version", "--short"]).output() else {
        return skip("no docker-compose found");
    };
    // It reads `ContainerConfig` of an image to make a service anew, which engines show up to API 1.44.
    if version.stdout.starts_with(b"1.") && engine_or_skip!().api() > 44 {
        return set_aside("docker-compose 1 makes no service anew on this engine");
    }
    compose_makes_a_service_again(program, &|docker| {
        let mut command = Command::new("docker-compose");
        docker.environment(&mut command);
        command
    });
}

#[test]
fn compose_2_makes_a_service_again() {
    let Some(program) = Cli::V28.found() else { return };
    if !cli::has_plugin("docker-compose") {
        return set_aside("DOCKER_CLI_PLUGINS does not name a directory with Compose");
    }
    compose_makes_a_service_again(program, &|docker| docker.command(&["compose"]));
}

#[test]
fn compose_5_makes_a_service_again() {
    let Some(program) = Cli::V28.found() else { return };
    let Some(compose) = cli::compose_5() else { return };
    compose_makes_a_service_again(program, &|docker| {
        let mut command = Command::new(&compose);
        docker.environment(&mut command);
        command
    });
}

fn compose_makes_a_service_again(program: &Path, compose: &dyn Fn(&Docker) -> Command) {
    let engine = engine_or_skip!();
    if engine.is_podman() {
        return set_aside("Podman brings nothing up for Compose");
    }
    let docker = behind(engine, program, "read, env, recreate");
    let name = docker.name("web");
    let labels = labels(&docker);
    let run = |mut command: Command, words: &[&str]| -> Output {
        command.args(["-p", &docker.name("project"), "-f", "compose.json"]).args(words);
        Process::run(command)
    };
    let directly = || {
        let mut command = compose(&docker);
        command.env("DOCKER_HOST", format!("unix://{}", engine.socket().display()));
        command
    };
    let mut file = json!({
        "version": "3.7",
        "services": {"web": {
            "image": docker.image(), "container_name": name, "labels": labels, "command": ["sleep", "600"], "init": true,
            "stop_grace_period": "0s", "restart": "unless-stopped", "environment": {"A": "1"}, "cap_add": ["NET_ADMIN"], "cap_drop": ["MKNOD"],
            "read_only": true, "tmpfs": ["/run"], "volumes": ["/etc:/outside:ro", "data:/data"], "pid": "host",
            "ports": ["127.0.0.1::80"], "security_opt": ["no-new-privileges:true"], "ulimits": {"nofile": 64},
            "extra_hosts": ["db:10.0.0.9"], "networks": {"front": {"aliases": ["www"]}, "back": {}},
            "healthcheck": {"test": ["CMD", "true"], "interval": "5s"}, "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
        }},
        "networks": {"front": {"labels": labels}, "back": {"internal": true, "labels": labels}},
        "volumes": {"data": {"labels": labels}},
    });
    let write = |file: &Value| {
        fs::write(docker.directory().join("compose.json"), file.to_string())
            .expect("a file of ours");
    };
    write(&file);
    let up = run(directly(), &["up", "-d"]);
    assert_eq!(up.code, 0, "{} {}", up.text(), up.errors());
    let old = inspect(engine, &name);
    let up = run(compose(&docker), &["up", "-d", "--force-recreate"]);
    assert_eq!(up.code, 0, "{} {}", up.text(), up.errors());
    let new = inspect(engine, &name);
    assert_ne!(new["Id"], old["Id"]);
    assert_eq!(new["State"]["Running"], true);
    for part in ["CapAdd", "CapDrop", "PidMode", "ReadonlyRootfs", "SecurityOpt", "Binds", "Mounts"]
    {
        let sorted = |of: &Value| {
            let mut all = of["HostConfig"][part].as_array().cloned().unwrap_or_default();
            all.sort_by_key(ToString::to_string);
            (all, of["HostConfig"][part].as_str().map(str::to_owned))
        };
        assert_eq!(sorted(&new), sorted(&old), "{part}");
    }
    // Another container than it was.
    file["services"]["web"]["privileged"] = json!(true);
    write(&file);
    let up = run(compose(&docker), &["up", "-d"]);
    assert!(up.code != 0 && up.errors().contains("Privileged"), "{} {}", up.text(), up.errors());
    let still = new["Id"].as_str().expect("an id");
    assert_eq!(inspect(engine, still)["Id"], new["Id"]);
    // Everything it made goes with its labels.
    let down = run(directly(), &["down", "-v"]);
    assert_eq!(down.code, 0, "{} {}", down.text(), down.errors());
}

#[test]
fn a_script_replaces_a_container_as_updaters_do() {
    let engine = engine_or_skip!();
    let Some(program) = Cli::V20.found() else { return };
    if engine.is_podman() {
        return set_aside("Podman shows other settings than it is given");
    }
    for (version, python) in cli::pythons() {
        let docker = behind(engine, program, "read, pull, env, recreate");
        let (name, network) = (docker.name("web"), docker.name("net"));
        let mut all = labels(&docker);
        for network in [&network, &docker.name("other")] {
            post(engine, "/networks/create", &json!({"Name": network, "Labels": all}));
        }
        all.insert("sockwarden.allow".to_owned(), json!("read"));
        let body = json!({
            "Image": docker.image(), "Cmd": ["sleep", "600"], "Env": ["KEY=secret"], "Labels": all, "StopSignal": "SIGKILL",
            "HostConfig": {
                "Binds": ["/etc:/outside:ro"], "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "Memory": 50_000_000, "ReadonlyRootfs": true,
                "NetworkMode": network, "SecurityOpt": ["no-new-privileges"],
                "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/zero1", "CgroupPermissions": "r"}],
                "RestartPolicy": {"Name": "unless-stopped"}, "Tmpfs": {"/run": ""},
            },
        });
        let target = format!("/containers/create?name={name}");
        post(engine, &target, &body);
        let connect = json!({"Container": name, "EndpointConfig": {"Aliases": ["w"]}});
        post(engine, &format!("/networks/{}/connect", docker.name("other")), &connect);
        post(engine, &format!("/containers/{name}/start"), &json!({}));
        let script = docker.directory().join("recreate.py");
        fs::write(&script, include_str!("recreate.py")).expect("a file of ours");
        let mut command = Command::new(&python);
        docker.environment(&mut command);
        command.arg(&script).args([docker.image(), &name]).arg(docker.directory());
        command.arg(Value::Object(labels(&docker)).to_string());
        let output = Process::run(command);
        assert_eq!(output.code, 0, "docker-py {version}: {} {}", output.text(), output.errors());
        assert!(output.text().ends_with("all passed"), "docker-py {version}: {}", output.text());
    }
}
