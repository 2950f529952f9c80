//! Ordinary clients do ordinary things where `-hostaccess=deny`: what they send by default must pass, as they send it, and what reaches the
//! host must be refused in words that a person can use.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use sockwarden_e2e::cli::{self, Cli, Docker};
use sockwarden_e2e::engine::Engine;
use sockwarden_e2e::http;
use sockwarden_e2e::process::{Output, Process};
use sockwarden_e2e::proxy::Sockwarden;
use sockwarden_e2e::swarm::Swarm;
use sockwarden_e2e::{engine_or_skip, set_aside};
use tempfile::TempDir;

/// One test per CLI.
macro_rules! by_both {
    ($($name:ident),* $(,)?) => {
        mod cli_20 { $( #[test] fn $name() { super::$name(super::Cli::V20); } )* }
        mod cli_28 { $( #[test] fn $name() { super::$name(super::Cli::V28); } )* }
    };
}

by_both! {
    creates_with_ordinary_options_pass,
    ordinary_commands_pass,
    ordinary_services_pass,
    what_reaches_the_host_is_refused,
}

/// A CLI behind a sockwarden that denies the host, but for the directory that is returned.
fn behind(engine: &'static Engine, program: &Path) -> (Docker, TempDir) {
    let inside = tempfile::Builder::new().prefix("sockwarden-test-").tempdir();
    let inside = inside.expect("a temporary directory that may be mounted");
    let from = format!("-allowbindmountfrom={}", inside.path().display());
    let proxy = Sockwarden::allow_all_but(engine.socket(), &["-hostaccess=deny".to_owned(), from]);
    let host = format!("tcp://{}", proxy.address());
    (Docker::on(engine, program, host, Some(proxy)), inside)
}

/// The CLI behind a sockwarden, or an early return.
macro_rules! behind_or_skip {
    ($cli:expr) => {
        match $cli.found() {
            Some(program) => behind(engine_or_skip!(), program),
            None => return,
        }
    };
}

mod compose;

fn creates_with_ordinary_options_pass(cli: Cli) {
    let (docker, inside) = behind_or_skip!(cli);
    let (network, volume) = (docker.name("own"), docker.name("data"));
    // Newer engines give out addresses only of subnets that were asked for. Two CLIs do this at once.
    let subnet = format!("10.213.{}", std::process::id() % 100 * 2 + u32::from(cli == Cli::V28));
    docker.ok(&["network", "create", "--subnet", &format!("{subnet}.0/24"), &network]);
    docker.ok(&["volume", "create", &volume]);
    let inside = inside.path().display().to_string();
    let words = |text: &str| {
        let text = text.replace("NETWORK", &network).replace("VOLUME", &volume);
        text.replace("INSIDE", &inside).replace("SUBNET", &subnet)
    };
    let podman = engine_or_skip!().is_podman();
    let mut wrong = Vec::new();
    for options in ORDINARY_OPTIONS {
        let mut options = words(options);
        if podman {
            // Podman would give it the value that its own service has, so it is refused.
            options = options.replace(" --env C", "");
        }
        let mut line = vec!["create"];
        line.extend(options.split(' ').filter(|word| !word.is_empty()));
        line.extend([docker.image(), "true"]);
        let output = docker.run(&line);
        if output.code != 0 {
            wrong.push(format!("docker {}: {}", line.join(" "), output.errors()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What people give to `docker create` and `docker run`, a line each; all of it stays inside the container.
const ORDINARY_OPTIONS: &[&str] = &[
    "",
    "-it",
    "-e A=1 -e B=two --env C",
    "-p 127.0.0.1::80 -p 81/udp --expose 82",
    "-P",
    "-v VOLUME:/data -v INSIDE:/inside:ro -v /anonymous",
    "--mount type=volume,source=VOLUME,target=/data,readonly",
    "--mount type=bind,source=INSIDE,target=/inside,readonly",
    "--mount type=tmpfs,target=/scratch,tmpfs-size=1m,tmpfs-mode=1777",
    "--memory 64m --memory-swap 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 64",
    "--restart unless-stopped",
    "--restart on-failure:3",
    "--user 1000:1000 --group-add 1001 --workdir /tmp --entrypoint sh",
    "--cap-drop ALL --cap-add NET_BIND_SERVICE",
    "--read-only --tmpfs /run:size=1m",
    "--network NETWORK --network-alias web --network-alias www",
    "--network NETWORK --ip SUBNET.9 --hostname web --domainname example.com",
    "--network none",
    "--log-driver json-file --log-opt max-size=1m --log-opt max-file=2",
    "--log-driver none",
    "--health-cmd true --health-interval 5s --health-retries 2 --health-start-period 1s",
    "--no-healthcheck",
    "--init --hostname web --stop-signal INT --stop-timeout 3",
    "--add-host db:127.0.0.1 --dns 127.0.0.1 --dns-search example.com --dns-option ndots:1",
    "--ulimit nofile=64:128 --ulimit nproc=64 --shm-size 1m --oom-score-adj 100",
    "--security-opt no-new-privileges",
    "--security-opt no-new-privileges:true --cap-drop NET_RAW",
    "--sysctl net.core.somaxconn=64",
    "--label com.example.a=b",
    "--ipc private --cgroupns private",
    "--rm --platform linux/amd64 --pull missing",
];

fn ordinary_commands_pass(cli: Cli) {
    let (docker, inside) = behind_or_skip!(cli);
    let image = docker.image();
    let (network, volume, name) = (docker.name("own"), docker.name("data"), docker.name("web"));
    docker.ok(&["network", "create", &network]);
    docker.ok(&["network", "create", "--internal", &docker.name("internal")]);
    create_with_a_subnet(&docker);
    docker.ok(&["volume", "create", &volume]);
    let tmpfs = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m"];
    passes(&docker, &[&["volume", "create"], tmpfs.as_slice(), &[&docker.name("tmpfs")]].concat());

    // It not only passes: what was asked for is what runs.
    fs::write(inside.path().join("word"), "from inside\n").expect("our directory is ours");
    let (bind, data) =
        (format!("{}:/inside:ro", inside.path().display()), format!("{volume}:/data"));
    let flags = [
        "-e",
        "WORD=x",
        "-v",
        &bind,
        "-v",
        &data,
        "--memory",
        "64m",
        "--user",
        "1000",
        "--cap-drop",
        "ALL",
        "--cap-add",
        "NET_BIND_SERVICE",
        "--read-only",
        "--tmpfs",
        "/run",
        "--network",
        &network,
        "--network-alias",
        "web",
        "--hostname",
        "web",
        "--init",
        "--add-host",
        "db:10.0.0.9",
        "--security-opt",
        "no-new-privileges",
        "--ulimit",
        "nofile=64",
    ];
    // With one limit Podman 4 sets another higher than its service may.
    let limit = if engine_or_skip!().is_podman() { 2 } else { 0 };
    let flags = &flags[..flags.len() - limit];
    let script =
        "echo $WORD; cat /inside/word; hostname; id -u; ls -d /data /run; touch /x 2>&1; true";
    let ran = runs(&docker, &[flags, &[image, "sh", "-c", script]].concat());
    let text = ran.text();
    let told = ["x", "from inside", "web", "1000", "/data", "/run", "Read-only file system"];
    assert!(told.iter().all(|it| text.contains(it)), "{text} {}", ran.errors());

    docker.ok(&["run", "-d", "--name", &name, "-p", "127.0.0.1::80", image, "sleep", "600"]);
    if engine_or_skip!().is_podman() {
        let exec = docker.run(&["exec", &name, "true"]);
        assert!(is_readable(&exec, NO_EXEC), "{} {}", exec.code, exec.errors());
    } else {
        assert_eq!(
            docker.ok(&["exec", "-e", "A=1", "-w", "/tmp", &name, "sh", "-c", "echo $A $PWD"]),
            "1 /tmp"
        );
        assert_eq!(docker.fed(&["exec", "-i", "-u", "1000", &name, "cat"], b"fed").text(), "fed");
    }
    passes(
        &docker,
        &["update", "--memory", "64m", "--memory-swap", "64m", "--restart", "no", &name],
    );
    docker.ok(&["network", "connect", "--alias", "web", &network, &name]);
    docker.ok(&["network", "disconnect", &network, &name]);
    docker.ok(&["cp", &format!("{name}:/bin/busybox"), "copied"]);
    let tag = docker.names().image("committed");
    docker.ok(&["commit", "--change", "CMD [\"true\"]", "--message", "m", &name, &tag]);
    runs(&docker, &[&tag]);
    for word in ["pause", "unpause", "restart", "stop", "rm"] {
        let quick: &[&str] = if matches!(word, "restart" | "stop") { &["-t", "0"] } else { &[] };
        passes(&docker, &[&[word], quick, &[&name]].concat());
    }

    let context = docker.directory().join("context");
    fs::create_dir(&context).expect("a fresh directory");
    let dockerfile = format!("FROM {image}\nARG WORD\nRUN echo $WORD >/built\nCMD cat /built\n");
    fs::write(context.join("Dockerfile"), dockerfile).expect("our directory is ours");
    let tag = docker.names().image("built");
    let build = ["build", "--build-arg", "WORD=built", "--memory", "64m", "-t", &tag, "context"];
    if passes(&docker, &build) {
        assert_eq!(runs(&docker, &[&tag]).text(), "built");
    }
}

/// What `-hostaccess=deny` says to an exec in front of an engine whose inspect tells too little.
const NO_EXEC: &str = "does not show whether a container shares namespaces";

/// What a container prints to its end. In front of Podman nobody attaches either, so its log is read.
#[track_caller]
fn runs(docker: &Docker, words: &[&str]) -> Output {
    if !Engine::present().is_some_and(Engine::is_podman) {
        let output = docker.run(&[&["run", "--rm"], words].concat());
        assert_eq!(output.code, 0, "docker run {words:?}: {}", output.errors());
        return output;
    }
    let id = docker.ok(&[&["run", "-d"], words].concat());
    docker.ok(&["wait", &id]);
    docker.run(&["logs", &id])
}

/// Runs a command that Docker must do. What Podman itself cannot do is said; a refusal of ours is one on every engine.
#[track_caller]
fn passes(docker: &Docker, line: &[&str]) -> bool {
    let output = docker.run(line);
    let errors = output.errors();
    if output.code == 0 {
        return true;
    }
    assert!(is_podmans(&output), "docker {line:?}: {errors}");
    set_aside(&format!("a part: Podman does not `docker {}`: {errors}", line.join(" ")));
    false
}

/// Whether it failed, and Podman said so, and not we.
fn is_podmans(output: &Output) -> bool {
    let podman = Engine::present().is_some_and(Engine::is_podman);
    let said = output.text() + &output.errors();
    output.code != 0 && podman && !said.contains("sockwarden: ") && !said.contains("AssertionError")
}

/// Creates a network with a subnet that no other has.
fn create_with_a_subnet(docker: &Docker) {
    let name = docker.name("subnet");
    for number in 0..=255 {
        let (subnet, gateway) = (format!("10.215.{number}.0/24"), format!("10.215.{number}.1"));
        let output =
            docker.run(&["network", "create", "--subnet", &subnet, "--gateway", &gateway, &name]);
        if output.code == 0 {
            return;
        }
        let taken = ["overlaps", "already used"].iter().any(|it| output.errors().contains(it));
        assert!(taken, "{}", output.errors());
    }
    panic!("no subnet is free");
}

fn what_reaches_the_host_is_refused(cli: Cli) {
    let (docker, _inside) = behind_or_skip!(cli);
    let victim = docker.name("victim");
    docker.ok(&["run", "-d", "--name", &victim, docker.image(), "sleep", "600"]);
    let mut wrong = Vec::new();
    let mut refused = |line: &[&str], says: &str| {
        let output = docker.run(line);
        // In front of Podman 4 the CLI stops at some options by itself.
        if !is_readable(&output, says) && !output.errors().contains("unknown server OS") {
            let (code, errors) = (output.code, output.errors());
            wrong.push(format!("docker {}: want `{says}`, got {code} {errors}", line.join(" ")));
        }
    };
    for (options, says) in DANGEROUS_OPTIONS {
        let options = options.replace("VICTIM", &victim);
        let mut line = vec!["run", "--rm", "--name"];
        let name = docker.name("danger");
        line.push(&name);
        line.extend(options.split(' '));
        line.extend([docker.image(), "true"]);
        refused(&line, says);
    }
    refused(&["exec", "--privileged", &victim, "true"], "Privileged");
    fs::write(docker.directory().join("Dockerfile"), "FROM scratch\n").expect("a file of ours");
    refused(&["build", "--network", "host", "."], "networkmode");
    let bind = ["--opt", "type=none", "--opt", "o=bind", "--opt", "device=/"];
    refused(
        &[&["volume", "create"], bind.as_slice(), &[&docker.name("danger")]].concat(),
        "mounts the host's `/`",
    );
    refused(
        &["network", "create", "-d", "macvlan", "-o", "parent=lo", &docker.name("danger")],
        "network of the host",
    );
    refused(&["cp", "Dockerfile", &format!("{victim}:/")], "writes files");
    // Podman has none to ask.
    if !engine_or_skip!().is_podman() {
        refused(&["plugin", "install", "--grant-all-permissions", "vieux/sshfs"], "plugin");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left = docker.ok(&["ps", "-aq", "--filter", &format!("name={}", docker.name("danger"))]);
    assert_eq!(left, "", "a refused container is there");
}

/// What reaches the host, and the words of the refusal.
const DANGEROUS_OPTIONS: &[(&str, &str)] = &[
    ("--privileged", "`HostConfig.Privileged` gives the container everything of the host"),
    ("-v /:/h", "mounts the host's `/`"),
    ("-v /var/run/docker.sock:/s", "mounts the host's `/var/run/docker.sock`"),
    ("--mount type=bind,source=/etc,target=/h", "mounts the host's `/etc`"),
    ("--volumes-from VICTIM", "VolumesFrom"),
    ("--pid host", "PidMode"),
    ("--pid container:VICTIM", "PidMode"),
    ("--ipc host", "IpcMode"),
    ("--uts host", "UTSMode"),
    ("--userns host", "UsernsMode"),
    ("--net host", "network of the host"),
    ("--net container:VICTIM", "NetworkMode"),
    ("--device /dev/null:/dev/x", "devices of the host"),
    ("--gpus all", "devices of the host"),
    ("--cap-add SYS_ADMIN", "SYS_ADMIN"),
    ("--cap-add ALL", "ALL"),
    ("--security-opt seccomp=unconfined", "seccomp"),
    ("--security-opt apparmor=unconfined", "apparmor"),
    ("--security-opt systempaths=unconfined", "MaskedPaths"),
    ("--cgroup-parent /x", "CgroupParent"),
    ("--runtime other", "Runtime"),
    ("--link VICTIM:db", "Links"),
    ("--log-driver syslog --log-opt syslog-address=udp://127.0.0.1:1", "syslog"),
    ("-e NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES"),
];

/// It failed, in one line that says what is wrong and which setting decides.
fn is_readable(output: &Output, says: &str) -> bool {
    let errors = output.errors();
    let told = errors.lines().find(|line| line.contains("rror response from daemon"));
    output.code != 0
        && told.is_some_and(|line| {
            line.contains(says) && (line.contains("hostaccess") || line.contains("bindmountfrom"))
        })
}

fn ordinary_services_pass(cli: Cli) {
    let Some(program) = cli.found() else { return };
    let engine = engine_or_skip!();
    let swarm = Swarm::start();
    let proxy = Sockwarden::allow_all_but(swarm.socket(), &["-hostaccess=deny".to_owned()]);
    let host = format!("tcp://{}", proxy.address());
    let docker = Docker::on(engine, program, host, Some(proxy));
    let image = docker.image();
    docker.ok(&["service", "create", "--detach", "--name", "plain", image]);
    let line = "service create --detach --name web --replicas 2 --env A=1 --mount type=volume,source=data,target=/data \
        --mount type=tmpfs,target=/scratch --publish 18080:80 --network own --limit-memory 64m --limit-cpu 0.5 --reserve-memory 32m \
        --restart-condition on-failure --restart-max-attempts 3 --constraint node.role==worker --placement-pref spread=node.labels.rack \
        --label a=b --container-label c=d --health-cmd true --health-interval 5s --user 1000 --workdir /tmp --read-only \
        --cap-drop ALL --cap-add NET_BIND_SERVICE --update-delay 5s --update-order start-first --rollback-parallelism 1 \
        --log-driver json-file --log-opt max-size=1m --dns 127.0.0.1 --hostname web --host db:10.0.0.9 --init --ulimit nofile=64 \
        --sysctl net.core.somaxconn=64 --stop-grace-period 1s --stop-signal INT --endpoint-mode vip";
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    docker.ok(&[words.as_slice(), &[image, "sleep", "600"]].concat());
    docker.ok(&[
        "service",
        "create",
        "--detach",
        "--mode",
        "global",
        "--publish",
        "mode=host,target=80",
        image,
    ]);
    docker.ok(&["service", "update", "--detach", "--env-add", "B=2", "--replicas", "3", "web"]);
    let told = swarm.received();
    let path = |line: &str| line.split('?').next().unwrap_or_default().to_owned();
    let paths: Vec<String> = told.iter().map(|it| path(&it.line)).collect();
    let create = "POST /v1.41/services/create";
    assert_eq!(paths, [create, create, create, "POST /v1.41/services/web/update"]);
    let container = &told[1].body["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Mounts"][0]["Source"], "data", "{container}");
    assert_eq!(told[3].body["TaskTemplate"]["ContainerSpec"]["Env"], json!(["B=2"]));

    for (options, says) in [
        ("--mount type=bind,source=/,target=/h", "mounts the host's `/`"),
        ("--network host", "network of the host"),
        ("--cap-add SYS_ADMIN", "SYS_ADMIN"),
        ("--log-driver syslog", "syslog"),
    ] {
        let options = options.split(' ').collect::<Vec<_>>();
        let line = [&["service", "create", "--detach"], options.as_slice(), &[image]].concat();
        let output = docker.run(&line);
        assert!(is_readable(&output, says), "{line:?}: {} {}", output.code, output.errors());
    }
    assert_eq!(swarm.received().len(), told.len(), "{:?}", swarm.received());
}

/// Programs that create a container anew send back what its inspect says, also where containers share the host's cgroup namespace by
/// default. Elsewhere that reaches the host.
#[test]
fn a_cgroup_namespace_is_the_hosts_only_where_it_always_is() {
    let (docker, _inside) = behind_or_skip!(Cli::V20);
    let engine = engine_or_skip!();
    let first = docker.name("first");
    docker.ok(&["create", "--name", &first, docker.image(), "true"]);
    let inspect = engine.call("GET", &format!("/containers/{first}/json"), b"").json();
    let mode = inspect["HostConfig"]["CgroupnsMode"].as_str().expect("an engine since 20.10");
    let name = docker.name("again");
    docker.ok(&["create", "--name", &name, "--cgroupns", mode, docker.image(), "true"]);
    let name = docker.name("host");
    let output =
        docker.run(&["create", "--name", &name, "--cgroupns", "host", docker.image(), "true"]);
    // Podman says nothing of its default, which is the host's where control groups are the old ones.
    let old = || engine.call("GET", "/info", b"").json()["CgroupVersion"].as_str() == Some("1");
    let passes = mode == "host" || mode.is_empty() && old();
    assert!(
        (output.code == 0) == passes && (passes || is_readable(&output, "CgroupnsMode")),
        "{mode}: {}",
        output.errors()
    );
}

/// Execs that others made are started where the list would let the client make them, whatever its patterns look like.
#[test]
fn an_exec_is_started_only_where_one_may_be_made() {
    let (docker, _inside) = behind_or_skip!(Cli::V20);
    let engine = engine_or_skip!();
    let (web, other) = (docker.name("web"), docker.name("other"));
    let json = [("Content-Type", "application/json")];
    let exec_in = |name: &str| {
        let target = format!("/containers/{name}/exec");
        let body = br#"{"Cmd":["true"]}"#;
        let made = http::over_unix(engine.socket(), "POST", &target, &json, body).unwrap();
        made.json()["Id"].as_str().expect("an exec has an id").to_owned()
    };
    for name in [&web, &other] {
        docker.ok(&["run", "-d", "--name", name, docker.image(), "sleep", "600"]);
    }
    for patterns in [
        vec!["/exec/.*".to_owned(), format!("/[a-z]+/{web}/exec")],
        vec!["/exec/.*".to_owned(), format!("/(containers|volumes)/{web}/exec")],
        vec![format!("/(exec/.*|container[s]/{web}/e.*)")],
    ] {
        let mut flags = vec!["-allowGET=.*".to_owned()];
        flags.extend(patterns.iter().map(|it| format!("-allowPOST=(/v1[.][0-9]+)?{it}")));
        let proxy = Sockwarden::start(engine.socket(), &flags);
        for (name, passes) in [(&web, true), (&other, false)] {
            let id = exec_in(name);
            let ask = |method: &str, path: &str, body: &[u8]| {
                let target = format!("/v1.41/exec/{id}/{path}");
                http::over_tcp(proxy.address(), method, &target, &json, body).unwrap()
            };
            for answer in [ask("GET", "json", b""), ask("POST", "start", br#"{"Detach":true}"#)] {
                let told = answer.message();
                let right = if passes {
                    answer.status == 200
                } else {
                    answer.status == 403 && told.contains("where the list allows no exec")
                };
                assert!(right, "{patterns:?} {name}: {} {told}", answer.status);
            }
        }
    }
}

/// A proxy that is a task of a swarm keeps its service, its node and the swarm.
#[test]
fn the_proxys_own_service_stays() {
    let swarm = Swarm::start();
    let flags = ["-proxycontainername=proxy.1.task".to_owned(), "-allowDELETE=.*".to_owned()];
    let proxy = Sockwarden::start(
        swarm.socket(),
        &[&flags[..], &["-allowPOST=(/v1[.][0-9]+)?/(nodes|services|swarm)/.*".to_owned()]]
            .concat(),
    );
    let ask = |line: &str| {
        let (method, target) = line.split_once(' ').unwrap();
        let fields = [("Content-Type", "application/json")];
        http::over_tcp(proxy.address(), method, target, &fields, b"{\"Name\":\"x\"}").unwrap()
    };
    for line in [
        "POST /v1.41/services/0wn5ervice/update?version=1",
        "POST /v1.41/services/0wn/update?version=1&rollback=previous",
        "POST /services/stack_proxy/update?version=1",
        "DELETE /v1.41/services/stack_proxy",
        "DELETE /services/0",
        "POST /v1.41/nodes/0wnn0de/update?version=1",
        "POST /v1.41/nodes/manager/update?version=1",
        "DELETE /nodes/0wnn?force=1",
        "POST /v1.41/swarm/leave?force=1",
    ] {
        let answer = ask(line);
        let told = answer.message();
        assert!(
            answer.status == 403 && told.contains("the proxy's own container"),
            "{line}: {} {told}",
            answer.status
        );
    }
    assert!(swarm.received().is_empty(), "{:?}", swarm.received());
    for line in ["DELETE /v1.41/services/other", "POST /v1.41/nodes/other/update?version=1"] {
        assert_eq!(ask(line).status, 200, "{line}");
    }
    assert_eq!(swarm.received().len(), 2);
}

#[test]
fn docker_py_does_what_it_does() {
    let (docker, inside) = behind_or_skip!(Cli::V20);
    for (version, python) in cli::pythons() {
        let script = docker.directory().join("client.py");
        fs::write(&script, include_str!("client.py")).expect("a file of ours");
        let mut command = Command::new(&python);
        docker.environment(&mut command);
        let labels: serde_json::Map<_, _> =
            docker.names().labels().into_iter().map(|(key, value)| (key, value.into())).collect();
        command
            .arg(&script)
            .args([docker.image(), &docker.name(&format!("py{}", version.replace('.', "-")))])
            .arg(inside.path())
            .arg(serde_json::Value::Object(labels).to_string());
        let output = Process::run(command);
        if is_podmans(&output) {
            set_aside(&format!("Podman does not all of it: {}", output.errors()));
            continue;
        }
        assert_eq!(output.code, 0, "docker-py {version}: {} {}", output.text(), output.errors());
        assert!(output.text().ends_with("all passed"), "docker-py {version}: {}", output.text());
    }
}
