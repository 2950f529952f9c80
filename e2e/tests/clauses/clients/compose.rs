//! Compose of three generations behind a proxy that denies the host: two services come up, are changed and go down.

use std::fs;
use std::process::Command;

use serde_json::json;
use sockwarden_e2e::cli::{self, Cli, Docker};
use sockwarden_e2e::process::Process;
use sockwarden_e2e::{engine_or_skip, set_aside, skip};
use tempfile::TempDir;

use super::{NO_EXEC, behind, is_podmans};

#[test]
fn compose_1_brings_two_services_up_and_down() {
    let (docker, inside) = behind_or_skip!(Cli::V20);
    let Ok(version) = Command::new("docker-compose").args(["version", "--short"]).output() else {
        return skip("no docker-compose found");
    };
    // It reads `ContainerConfig` of an image to make a service anew, which engines show up to API 1.44; newer ones it cannot ask directly
    // either.
    let is_stuck = version.stdout.starts_with(b"1.") && engine_or_skip!().api() > 44;
    let program = || {
        let mut command = Command::new("docker-compose");
        docker.environment(&mut command);
        command
    };
    compose_brings_two_services_up_and_down(&docker, &inside, &program, is_stuck);
}

#[test]
fn compose_2_brings_two_services_up_and_down() {
    let (docker, inside) = behind_or_skip!(Cli::V28);
    if !cli::has_plugin("docker-compose") {
        return set_aside(
            "DOCKER_CLI_PLUGINS does not name a directory with Compose; `e2e/matrix` does",
        );
    }
    let program = || docker.command(&["compose"]);
    compose_brings_two_services_up_and_down(&docker, &inside, &program, false);
}

#[test]
fn compose_5_brings_two_services_up_and_down() {
    let (docker, inside) = behind_or_skip!(Cli::V28);
    let Some(compose) = cli::compose_5() else { return };
    let program = || {
        let mut command = Command::new(&compose);
        docker.environment(&mut command);
        command
    };
    compose_brings_two_services_up_and_down(&docker, &inside, &program, false);
}

fn compose_brings_two_services_up_and_down(
    docker: &Docker,
    inside: &TempDir,
    program: &dyn Fn() -> Command,
    is_stuck: bool,
) {
    let run = |words: &[&str]| {
        let mut command = program();
        command.args(["-p", &docker.name("project"), "-f", "compose.json"]).args(words);
        Process::run(command)
    };
    let labels: serde_json::Map<_, _> =
        docker.names().labels().into_iter().map(|(key, value)| (key, value.into())).collect();
    let service = |more: serde_json::Value| {
        let mut service = json!({
            "image": docker.image(), "labels": labels, "command": ["sleep", "600"], "init": true, "stop_grace_period": "0s",
            "restart": "unless-stopped", "environment": {"A": "1"}, "cap_drop": ["ALL"], "read_only": true, "tmpfs": ["/run"]
        });
        service.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        service
    };
    let bind = format!("{}:/inside:ro", inside.path().display());
    let file = json!({
        "version": "3.7",
        "services": {
            "web": service(json!({
                "ports": ["127.0.0.1::80"], "volumes": ["data:/data", bind], "depends_on": ["db"], "networks": {"front": {"aliases": ["www"]}, "back": {}},
                "healthcheck": {"test": ["CMD", "true"], "interval": "5s"}, "logging": {"driver": "json-file", "options": {"max-size": "1m"}}
            })),
            "db": service(json!({"networks": ["back"], "hostname": "db", "user": "1000", "ulimits": {"nofile": 64}, "security_opt": ["no-new-privileges:true"]}))
        },
        "networks": {"front": {"labels": labels}, "back": {"internal": true, "labels": labels}},
        "volumes": {"data": {"labels": labels}}
    });
    fs::write(docker.directory().join("compose.json"), file.to_string()).expect("a file of ours");
    let up = run(&["up", "-d"]);
    if is_podmans(&up) {
        return set_aside(&format!("Podman brings nothing up: {}", up.errors()));
    }
    assert_eq!(up.code, 0, "{} {}", up.text(), up.errors());
    let said = run(&["exec", "-T", "web", "sh", "-c", "echo $A; ls -d /data /inside"]);
    if engine_or_skip!().is_podman() {
        assert!(said.errors().contains(NO_EXEC), "{} {}", said.text(), said.errors());
    } else {
        assert_eq!(
            said.text().split_whitespace().collect::<Vec<_>>(),
            ["1", "/data", "/inside"],
            "{}",
            said.errors()
        );
    }
    // Changed, so that it is made anew.
    let changed = file.to_string().replace(r#""A":"1""#, r#""A":"2""#);
    fs::write(docker.directory().join("compose.json"), changed).expect("a file of ours");
    let up = run(&["up", "-d"]);
    if is_stuck {
        assert!(up.errors().contains("'ContainerConfig'"), "{} {}", up.text(), up.errors());
        set_aside("its middle part: docker-compose 1 makes no service anew on this engine");
    } else if is_podmans(&up) {
        set_aside(&format!("a part: Podman makes nothing anew: {}", up.errors()));
    } else {
        assert_eq!(up.code, 0, "{} {}", up.text(), up.errors());
    }
    let down = run(&["down", "-v"]);
    if is_podmans(&down) {
        return set_aside(&format!("Podman does not take it down: {}", down.errors()));
    }
    assert_eq!(down.code, 0, "{} {}", down.text(), down.errors());

    let host =
        json!({"version": "3.7", "services": {"web": service(json!({"network_mode": "host"}))}});
    fs::write(docker.directory().join("compose.json"), host.to_string()).expect("a file of ours");
    let refused = run(&["up", "-d"]);
    assert!(
        refused.code != 0 && refused.errors().contains("network of the host"),
        "{}",
        refused.errors()
    );
}
