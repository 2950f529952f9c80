"""Programs without a library suite: lists of commands whose exit code and output must be the same directly and through the proxy."""

import os
import re
import shutil
import subprocess

from stage import REGISTRY

CASE_SECONDS = 90

DOCKER = """
docker version --format '{{.Server.Version}} {{.Server.APIVersion}} {{.Client.APIVersion}}'
docker info --format '{{.Driver}} {{.OSType}} {{.CgroupDriver}}'
docker run --name one busybox echo out
docker run --rm busybox sh -c 'echo err >&2; exit 7'
docker run --rm missing-command/image true
docker run --rm busybox no-such-program
echo in | docker run --rm -i busybox cat
head -c 300000 /dev/zero | docker run --rm -i busybox md5sum
docker run --rm busybox sh -c 'head -c 2000000 /dev/zero' | md5sum
script -qec 'docker run --rm -t busybox sh -c "stty size; tty"' /dev/null </dev/null
script -qec 'docker run --rm -it busybox echo tty' /dev/null </dev/null
docker run -d --name web -p 18080:80 --label a=b -e KEY='v a l' --health-cmd true --health-interval 1s busybox httpd -f -p 80 -h /www
docker port web
wget -qO- http://127.0.0.1:18080/index.html
docker exec web cat /www/index.html
docker exec web sh -c 'echo err >&2; exit 9'
echo more | docker exec -i web sh -c 'cat; echo end'
docker exec -e A=1 -w /tmp -u nobody web sh -c 'echo $A $(pwd) $(id -u)'
docker exec -d web touch /tmp/detached
script -qec 'docker exec -it web sh -c "test -t 0 && echo terminal"' /dev/null </dev/null
docker exec missing true
docker top web -o comm
docker inspect --format '{{.State.Running}} {{.Config.Labels}} {{.HostConfig.PortBindings}}' web
docker inspect missing
docker ps --format '{{.Names}} {{.Image}} {{.Ports}}' --filter label=a=b
docker ps -a --format '{{.Names}} {{.Image}}' --no-trunc
docker stats --no-stream --format '{{.Name}}' web
docker logs one
docker logs --timestamps --tail 1 --since 1h one
docker run -d --name talker busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done'
docker logs -f talker
docker wait talker
docker cp web:/www/index.html - | tar -tf -
docker cp web:/www copied && ls copied
echo put >put.txt && docker cp put.txt web:/tmp/put.txt && docker exec web cat /tmp/put.txt
tar -cf - put.txt | docker cp - web:/tmp && docker exec web ls /tmp
docker cp web:/missing -
docker diff web | sort
docker pause web && docker unpause web
docker update --memory 64m --memory-swap 128m web
docker rename web site && docker rename site web
docker restart -t 0 web
docker kill -s HUP web
docker stop -t 0 web && docker start web
docker commit -m note -c 'LABEL x=y' web made:1 | cut -c1-7
docker run -d -i --name cat busybox cat
(echo attached; sleep 1) | timeout -s KILL 3 docker attach cat
docker export cat | tar -tf - | grep -c bin/
docker save busybox:latest | tar -tf - | sed 's/[0-9a-f]\\{64\\}/ID/' | sort -u
docker save busybox:latest | docker load
docker save $(yes busybox:latest | head -300) | tar -tf - | wc -l
docker images --format '{{.Repository}}:{{.Tag}}' | sort
docker history --format '{{.CreatedBy}} {{.Size}}' made:1
docker tag busybox:latest REGISTRY/pushed:v1 && docker push -q REGISTRY/pushed:v1
docker rmi REGISTRY/pushed:v1
docker pull -q REGISTRY/pushed:v1
docker pull REGISTRY/missing:v1
docker search nothing-to-be-found
docker login -u somebody -p secret REGISTRY
docker image inspect --format '{{.Config.Cmd}} {{.RepoTags}}' made:1
docker import -c 'CMD ["x"]' /dev/null imported:1
printf 'FROM busybox\\nARG A\\nRUN echo $A >/made\\nCOPY put.txt /\\nCMD cat /made /put.txt\\n' >Dockerfile && DOCKER_BUILDKIT=0 docker build -q --build-arg A=arg -t built:1 .
docker run --rm built:1
printf 'FROM busybox\\nRUN false\\n' | DOCKER_BUILDKIT=0 docker build -q -
printf 'FROM busybox\\nRUN echo kit >/made\\nCMD cat /made\\n' | DOCKER_BUILDKIT=1 docker build -q -t kit:1 - && docker run --rm kit:1
docker network create --label k=v --subnet 10.77.0.0/24 netted
docker network connect --alias other --ip 10.77.0.9 netted web
docker network inspect --format '{{.Name}} {{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}} {{.IPAM.Config}}' netted
docker run --rm --network netted busybox wget -qO- http://other/index.html
docker network disconnect netted web
docker network ls --format '{{.Name}} {{.Driver}}' | sort
docker network rm netted
docker volume create --label k=v kept
docker run --rm -v kept:/data busybox sh -c 'echo stays >/data/file'
docker run --rm -v kept:/data:ro busybox cat /data/file
docker run --rm --mount type=tmpfs,dst=/scratch busybox sh -c 'mount | grep -c scratch'
docker run --rm -v $PWD:/here:ro busybox cat /here/put.txt
docker volume inspect --format '{{.Name}} {{.Driver}} {{.Labels}}' kept
docker volume ls -q
docker volume rm kept
docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --user 65534:65534 --memory 32m --pids-limit 20 --init --hostname h busybox hostname
docker run --rm --network none busybox ip -o link
docker run --rm --privileged busybox true
docker run --rm --env LINE="$(printf 'a\\nb')" busybox sh -c 'echo "$LINE"'
docker create --name never busybox true && docker start -a never && docker rm never
docker events --since 0 --until 1 --format '{{.Action}}'
docker events --since 10m --until "$(date +%s)" --filter container=one --filter event=die --format '{{.Type}} {{.Action}}'
(sleep 1; docker restart -t 0 web >/dev/null) & timeout -s KILL 5 docker events --filter event=restart --format '{{.Action}}'; wait
docker system df --format '{{.Type}}'
docker system events --since 0 --until 1
docker container prune -f --filter label=nothing=here
docker image prune -f --filter label=nothing=here
docker volume prune -f
docker network prune -f
docker plugin ls
docker swarm init --advertise-addr 192.0.2.1 >/dev/null
docker node ls --format '{{.Status}} {{.Availability}} {{.ManagerStatus}}'
echo hush | docker secret create hush - | wc -c
echo conf | docker config create conf - | wc -c
docker service create -q --detach --name served --secret hush --config conf --replicas 1 --restart-condition none busybox sh -c 'cat /run/secrets/hush /conf' | wc -c
for i in $(seq 100); do docker service ps --format '{{.CurrentState}}' served | grep -q Complete && break; sleep 0.2; done; docker service logs --raw served
docker service inspect --format '{{.Spec.Name}} {{.Spec.TaskTemplate.ContainerSpec.Args}}' served
docker service update -q --detach --label-add a=b served
docker service rm served
docker config rm conf
docker secret rm hush
docker swarm leave --force
docker rm -f web one talker cat
docker rm missing
docker rmi made:1 built:1 kit:1 imported:1 REGISTRY/pushed:v1
docker ps -a --format '{{.Image}} {{.Command}}'
docker logout REGISTRY
"""

COMPOSE_FILE = """
version: "3.7"
services:
  store:
    image: busybox
    command: httpd -f -p 80 -h /www
    stop_grace_period: 0s
    ports: ["18081:80"]
    healthcheck: {test: ["CMD", "true"], interval: 10m}
    volumes: ["kept:/data", "./:/here:ro"]
    networks: {inner: {aliases: [shop]}}
  made:
    build: {context: ., args: {A: arg}}
    stop_grace_period: 0s
    environment: {KEY: "v a l", LINE: "true"}
    depends_on: [store]
    networks: [inner]
    labels: {note: "1"}
networks: {inner: {driver_opts: {com.docker.network.bridge.name: sw-compose}}}
volumes: {kept: {labels: {k: v}}}
"""

COMPOSE = """
docker-compose version --short
docker-compose config --services | sort
docker-compose build --no-cache made
docker-compose pull store
docker-compose up -d
docker-compose ps --services --filter status=running | sort
docker-compose ps -q | wc -l
docker-compose images
docker-compose logs --no-color store
docker-compose port store 80
docker-compose exec -T store cat /www/index.html
docker-compose exec -T made sh -c 'echo $A; echo err >&2; exit 4'
script -qec 'docker-compose exec store sh -c "test -t 0 && echo terminal"' /dev/null </dev/null
docker-compose run --rm -T made wget -qO- http://shop/index.html
docker-compose up -d --scale made=2
docker-compose top store
docker-compose pause && docker-compose unpause
docker-compose restart -t 0 store
docker-compose kill -s HUP store
docker-compose stop -t 0
docker-compose start
docker-compose up -d --force-recreate -t 0 made
docker-compose rm -fs store
(sleep 6; docker-compose stop -t 0 >/dev/null 2>&1) & timeout -s KILL 30 docker-compose up --no-color --exit-code-from store store; wait
docker-compose events --json & sleep 1; docker-compose up -d store; sleep 1; kill %1
docker-compose down -v --rmi local -t 0
docker-compose ps -q
docker network ls --format '{{.Name}}' | sort
"""

SKOPEO = """
skopeo inspect --daemon-host HOST --format '{{.Architecture}} {{.Os}} {{len .Layers}}' docker-daemon:busybox:latest
skopeo inspect --daemon-host HOST --config --format '{{.Config.Cmd}}' docker-daemon:busybox:latest
skopeo inspect --daemon-host HOST --raw docker-daemon:hello-world:latest | wc -c
skopeo inspect --daemon-host HOST docker-daemon:missing:latest
skopeo copy -q --src-daemon-host HOST docker-daemon:busybox:latest dir:as-dir && ls as-dir | wc -l
skopeo copy -q --src-daemon-host HOST docker-daemon:busybox:latest oci:as-oci:v1 && ls as-oci
skopeo copy -q --src-daemon-host HOST docker-daemon:hello-world:latest docker-archive:as.tar:hello:copied && tar -tf as.tar | grep -c json
skopeo copy -q --dest-daemon-host HOST dir:as-dir docker-daemon:from-dir:v1
skopeo copy -q --dest-daemon-host HOST oci:as-oci:v1 docker-daemon:from-oci:v1
skopeo copy -q --dest-daemon-host HOST docker-archive:as.tar docker-daemon:from-archive:v1
skopeo copy -q --src-daemon-host HOST --dest-daemon-host HOST docker-daemon:busybox:latest docker-daemon:from-daemon:v1
docker run --rm from-dir:v1 echo runs
docker run --rm from-archive:v1
docker images --format '{{.Repository}}:{{.Tag}}' | grep from- | sort
docker rmi from-dir:v1 from-oci:v1 from-archive:v1 from-daemon:v1
"""

# What differs between two runs that did the same.
CHANGING = [
    (r"[0-9a-f]{64}", "ID"),
    (r"\b[0-9a-f]{12}\b", "ID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?\+\d{4})?(Z| UTC)?", "TIME"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "CLOCK"),
    (r"digest: sha256:[0-9a-f]+", "digest: ID"),
    (r"(?m)^(root|nobody) +\d+ +\d+ ", "\\1 PID PARENT "),
    (r"(About a|Less than a|\d+) (second|minute)s?( ago)?", "AGO"),
    (r"\b\d+(\.\d+)?(ms|µs|s)\b", "DURATION"),
    (r"Total reclaimed space: .*", "Total reclaimed space"),
    (r"\b(tcp|unix|http)://[^\s\"']+", "HOST"),
    (r"\d+\.\d+%|\d+\.\d+[kMG]i?B", "AMOUNT"),
    (r"/var/lib/sockwarden-test-suites-\d+/\w+", "DIRECTORY"),
    (r"\b172\.\d+\.\d+\.\d+", "ADDRESS"),
    (r"\x1b\[[0-9;]*[A-Za-z]|\r", ""),
    # What a terminal echoes of the end of its input.
    (r"\^[@D]\x08*", ""),
    # Whether the CLI says this of a container that could not start is a matter of luck.
    (r'(?m)^time=.*error waiting for container: context canceled"\n', ""),
    # The shell tells of jobs by process id.
    (r"(?m)^(bash: line \d+:)? +\d+ (Done|Killed) .*\n", ""),
]


def normal(output):
    """Output without what changes from run to run."""
    text = output.decode(errors="replace")
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return text


class Commands:
    """A list of commands, run in order by a shell; each is a test, and its code and output are what must be the same."""

    compared_by_transcript = True
    more_images = False

    def __init__(self, name, title, cases, prepare=None, program=None, in_any_order=False, in_quick=True):
        self.name, self.title = name, title
        self.in_quick = in_quick
        self._in_any_order = in_any_order
        self._cases = [line for line in cases.strip().splitlines() if line]
        self._prepare = prepare
        self._program = program
        self._path = None

    def prepare(self, cache, _quick):
        """Puts the program where it is found first."""
        if self._program:
            self._path = cache / "cli" / self.name
            self._path.mkdir(parents=True, exist_ok=True)
            link = self._path / "docker"
            link.unlink(missing_ok=True)
            link.symlink_to(self._program)

    def run(self, lane, _quick, only=None):
        """Runs all commands, as later ones need what earlier ones made; says how those asked for ended."""
        directory = lane.home / self.name
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(lane.home / ".docker", ignore_errors=True)
        directory.mkdir(parents=True)
        if self._prepare:
            self._prepare(directory)
        environment = dict(lane.environment)
        if self._path:
            environment["PATH"] = f"{self._path}{os.pathsep}{environment['PATH']}"
        # Skopeo takes tcp:// for TLS.
        host = lane.host.replace("tcp://", "http://")
        found = {}
        for number, case in enumerate(self._cases, 1):
            command = ["bash", "-o", "pipefail", "-c", case.replace("REGISTRY", REGISTRY).replace("HOST", host)]
            code, output, errors = lane.run(command, CASE_SECONDS, cwd=directory, env=environment)
            ended = "too slow" if code is None else f"exit code {code}"
            transcript = f"{ended}\n{normal(output)}\n{normal(errors)}"
            if self._in_any_order:
                transcript = "\n".join(sorted(transcript.splitlines()))
            with open(lane.logs / f"{self.name}.log", "a", encoding="utf-8") as log:
                log.write(f"$ {case}\n{transcript}\n")
            found[f"{number:03} {case}"] = ("fail" if code is None else "pass", transcript)
        return {test: outcome for test, outcome in found.items() if not only or test in only}


def docker_clis():
    """The docker CLIs of this machine: version and path, the oldest first."""
    found = {}
    for directory in os.environ["PATH"].split(os.pathsep):
        path = shutil.which("docker", path=directory)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            version = re.search(r"version (\d+)\.(\d+)", said)
            if version:
                found.setdefault((int(version[1]), int(version[2])), path)
    return sorted(found.items())


def all_suites():
    """The programs, in the order in which they run."""
    suites = []
    clis = docker_clis()
    for (major, minor), path in clis:
        name = f"docker-{major}.{minor}"
        suites.append(Commands(name, f"docker CLI {major}.{minor}", DOCKER, program=path, in_quick=path == clis[-1][1]))

    def compose_project(directory):
        (directory / "docker-compose.yml").write_text(COMPOSE_FILE)
        (directory / "Dockerfile").write_text("FROM busybox\nARG A\nENV A=$A\nCMD [\"httpd\", \"-f\", \"-p\", \"80\"]\n")

    suites.append(Commands("compose", "Compose 1.29", COMPOSE, compose_project, in_any_order=True))
    suites.append(Commands("skopeo", "skopeo", SKOPEO))
    return suites
