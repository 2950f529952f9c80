"""A private Docker Engine, a registry and a sockwarden: what one run of the suites talks to.

Each lane (direct, unix, tcp) has a network namespace of its own with an engine in it, so the three run beside each other, cannot disturb
the machine's engine, and leave nothing behind."""

import os
import pathlib
import signal
import subprocess
import time

LANES = ("direct", "unix", "tcp")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS")
REGISTRY = "localhost:5000"
PORT = 2375
# Not below target/: engines put sockets deep below it, whose paths may have 107 bytes.
RUN = pathlib.Path("/var/lib") / f"sockwarden-test-suites-{os.getpid()}"


class Failed(Exception):
    """What cannot be done, and why."""


def wait_until(what, condition, seconds=60):
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not after {seconds} s")
        time.sleep(0.05)


class Lane:
    """One engine, and the address at which clients find it."""

    def __init__(self, name, logs, sockwarden, registry):
        self.name = name
        self.logs = logs / name
        self.directory = RUN / name
        self.home = self.directory / "home"
        self.engine_socket = self.directory / "docker.sock"
        self.proxy_socket = self.directory / "proxy.sock"
        # A client that talks to the engine directly may do that over TCP as well.
        self.over_tcp = name == "tcp"
        self._sockwarden = sockwarden
        self._registry = registry
        self._processes = []
        self._holder = None

    @property
    def host(self):
        """The value of DOCKER_HOST for a client of this lane."""
        if self.over_tcp:
            return f"tcp://127.0.0.1:{PORT}"
        return f"unix://{self.engine_socket if self.name == 'direct' else self.proxy_socket}"

    @property
    def environment(self):
        """The environment of a client of this lane."""
        mine = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DOCKER_", "COMPOSE_", "SP_", "TESTCONTAINERS_"))
        }
        return mine | {"DOCKER_HOST": self.host, "HOME": str(self.home), "NO_COLOR": "1"}

    def inside(self, command):
        """The command, in the lane's network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *map(str, command)]

    def run(self, command, timeout, **options):
        """Runs a client to its end; what it started dies with it. Returns its exit code (None: too slow) and its output."""
        options = {"cwd": self.home, "env": self.environment, "stdin": subprocess.DEVNULL} | options
        feed = options.pop("input", None)
        if feed is not None:
            options["stdin"] = subprocess.PIPE
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen(self.inside(command), start_new_session=True, **options)
        try:
            output, errors = process.communicate(feed, timeout=timeout)
            return process.returncode, output or b"", errors or b""
        except subprocess.TimeoutExpired as late:
            kill_tree(process)
            process.wait()
            return None, late.stdout or b"", late.stderr or b""
        except BaseException:
            kill_tree(process)
            raise

    def docker(self, *arguments, **options):
        """Runs the docker CLI straight on the engine and expects it to succeed."""
        command = ["docker", "-H", f"unix://{self.engine_socket}", *arguments]
        code, output, errors = self.run(command, 900, **options)
        if code != 0:
            raise Failed(f"{self.name}: {' '.join(map(str, command))}: {errors.decode(errors='replace')}")
        return output.decode(errors="replace")

    def start(self):
        """Starts the engine, the registry and, unless the lane is direct, sockwarden."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True)
        # It lives as long as its standard input is open, so not longer than we do.
        holding = "ip link set lo up && echo ready && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        if self._holder.stdout.readline() != b"ready\n":
            raise Failed("no network namespace can be made here; that takes root")
        # An address that is neither loopback nor a container network's, which a swarm wants to find.
        for command in (
            "ip link add uplink type veth peer name uplink-peer",
            "ip addr add 192.0.2.1/24 dev uplink",
            "ip link set uplink up",
            "ip link set uplink-peer up",
        ):
            subprocess.run(self.inside(command.split()), check=True)
        self._start_registry()
        self._start_engine()
        if self.name != "direct":
            self._start_sockwarden()

    def _start_registry(self):
        config = self.directory / "registry.yml"
        data = self.directory / "registry"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}\n"
            'http: {addr: "127.0.0.1:5000"}\n'
        )
        self._daemon("registry", [self._registry, "serve", config])

    def _start_engine(self):
        # The registry is also where the engine looks before Docker Hub, which is out of reach.
        config = self.directory / "daemon.json"
        config.write_text(f'{{"registry-mirrors": ["http://{REGISTRY}"]}}')
        command = ["dockerd", "--config-file", config, "--host", f"unix://{self.engine_socket}"]
        command += ["--data-root", self.directory / "data", "--exec-root", self.directory / "exec"]
        command += ["--pidfile", self.directory / "dockerd.pid"]
        if self.name == "direct":
            command += ["--host", f"tcp://127.0.0.1:{PORT}", "--tls=false"]
        self._daemon("dockerd", command)
        ready = ["docker", "-H", f"unix://{self.engine_socket}", "version"]
        wait_until(f"{self.name}: dockerd answers (see {self.logs})", lambda: self.run(ready, 10)[0] == 0)

    def _start_sockwarden(self):
        command = [self._sockwarden, f"-socketpath={self.engine_socket}", "-shutdowngracetime=1"]
        command += [f"-allow{method}=.*" for method in METHODS]
        if self.name == "unix":
            command.append(f"-proxysocketendpoint={self.proxy_socket}")
        else:
            command += ["-listenip=127.0.0.1", f"-proxyport={PORT}", "-allowfrom=127.0.0.1"]
        self._daemon("sockwarden", command)
        ready = ["docker", "version"]
        wait_until(f"{self.name}: sockwarden answers (see {self.logs})", lambda: self.run(ready, 10)[0] == 0)

    def _daemon(self, name, command):
        with open(self.logs / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                self.inside(["setpriv", "--pdeathsig", "TERM", *command]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        self._processes.append((name, process))

    def check_alive(self):
        """Fails if a process of this stage is gone."""
        for name, process in self._processes:
            if process.poll() is not None:
                raise Failed(f"{self.name}: {name} ended with code {process.returncode} (see {self.logs})")

    def sweep(self):
        """Removes what a suite left on this engine, which nobody else uses. Images stay."""
        docker = ["docker", "-H", f"unix://{self.engine_socket}"]
        # First, or it makes its services' containers again.
        self.run([*docker, "swarm", "leave", "--force"], 60)
        containers = self.docker("ps", "-aq").split()
        if containers:
            self.run([*docker, "rm", "--force", "--volumes", *containers], 120)
        for kind in ("network", "volume"):
            self.run([*docker, kind, "prune", "--force"], 60)

    def stop(self):
        """Ends everything and removes the lane's files."""
        for name, process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                print(f"{self.name}: {name} had to be killed")
                kill_tree(process)
                process.wait()
        if self._holder:
            self._holder.stdin.close()
            self._holder.wait()
        remove(self.directory)


def kill_tree(process):
    """Kills a process and everything that descends from it, also what made itself a leader of a session."""
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
        except (OSError, IndexError):
            continue
        children.setdefault(int(parent), []).append(int(entry.name))
    family = [process.pid]
    for member in family:
        family += children.get(member, [])
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            pass


def remove(directory):
    """Removes a directory, after what an engine that was killed left mounted below it."""
    mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((it for it in mounts if it.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", directory], check=False)
