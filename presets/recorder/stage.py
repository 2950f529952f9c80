"""What the programs are run on: an image, a few containers, a network and a volume, all called sockwarden-test-preset-*; and how a program is run."""

import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time

from relay import Relay

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "target" / "presets"
# Of all that is made on an engine, and of no other test's.
NAME = "sockwarden-test-preset-"
IMAGE = f"{NAME}busybox:1"
COMMAND_SECONDS = 120


class Failed(Exception):
    """A program did not do what it was started for."""


class Stage:
    """An engine with something on it, a relay in front of it, and a directory in which programs run."""

    def __init__(self, engine, docker):
        self.engine = engine
        self.docker = docker
        self.work = pathlib.Path(tempfile.mkdtemp(prefix=NAME))
        (self.work / "home" / "docker").mkdir(parents=True)
        (self.work / "home" / "docker" / "config.json").write_text("{}")
        self.relay = Relay(str(self.work), engine)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work / "home"),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "DOCKER_HOST": f"unix://{self.relay.socket}",
            "DOCKER_CONFIG": str(self.work / "home" / "docker"),
            "DOCKER_CLI_HINTS": "false",
            # Compose 1.29 sends sets in the order of their hashes.
            "PYTHONHASHSEED": "0",
        }

    # --- the engine, without the relay

    def direct(self, *arguments, check=True, data=None):
        """Runs the docker command on the engine itself; what that asks is not recorded."""
        environment = {**self.environment, "DOCKER_BUILDKIT": "0"}
        command = [self.docker, "-H", f"unix://{self.engine}", *arguments]
        ran = subprocess.run(command, env=environment, capture_output=True, input=data, check=False, timeout=COMMAND_SECONDS)
        if check and ran.returncode != 0:
            raise Failed(f"docker {' '.join(arguments)}: {ran.stderr.decode(errors='replace').strip()}")
        return ran.stdout.decode(errors="replace").strip()

    def engine_version(self):
        """As the engine says it."""
        server = self.server()
        return f"{server['Version']} (API {server['ApiVersion']})"

    def server(self):
        """What the engine says about itself."""
        return json.loads(self.direct("version", "--format", "{{json .Server}}"))

    def speaks(self, version):
        """Whether the engine still takes this version of the API."""
        oldest = self.server()["MinAPIVersion"]
        return [int(part) for part in oldest.split(".")] <= [int(part) for part in version.split(".")]

    def furnish(self):
        """Makes the image and what the programs look at. A name that is taken is an error, so that nobody else's things are touched."""
        context = self.work / "image"
        shutil.rmtree(context, ignore_errors=True)
        (context / "bin").mkdir(parents=True)
        (context / "tmp").mkdir()
        (context / "www").mkdir()
        (context / "www" / "index.html").write_text("recorded\n")
        shutil.copy(shutil.which("busybox"), context / "bin" / "busybox")
        for applet in ("sh", "ls", "cat", "sleep", "httpd", "echo", "tail", "wget", "mkdir", "true", "env", "tar", "chmod", "id", "rm"):
            (context / "bin" / applet).symlink_to("busybox")
        (context / "Dockerfile").write_text('FROM scratch\nCOPY . /\nENV PATH=/bin\nCMD ["sleep", "3600"]\n')
        self.direct("build", "-q", "-t", IMAGE, str(context))
        self.direct("network", "create", f"{NAME}net")
        self.direct("volume", "create", f"{NAME}data")
        self.run_container("web", "--health-cmd", "true", "--health-interval", "1s", command=["httpd", "-f", "-p", "80", "-h", "/www"])
        # Something for the logs, again and again.
        self.run_container("talker", command=["sh", "-c", "while echo talking; do sleep 1; done"])

    def run_container(self, name, *options, command=("sleep", "3600")):
        """Starts a container with the labels, the network and the volume of the stage."""
        labels = ["--label", f"{NAME}role={name}", "--network", f"{NAME}net", "-v", f"{NAME}data:/data"]
        return self.direct("run", "-d", "--init", "--name", NAME + name, *labels, *options, IMAGE, *command)

    def clear(self):
        """Takes everything away that is called sockwarden-test-preset-*, or that a program made of its image."""
        for flags in (["--filter", f"name={NAME}"], ["--filter", f"ancestor={IMAGE}"]):
            for container in self.direct("ps", "-aq", "--no-trunc", *flags, check=False).split():
                self.direct("rm", "-f", "-v", container, check=False)
        for network in self.direct("network", "ls", "-q", "--filter", f"name={NAME}", check=False).split():
            self.direct("network", "rm", network, check=False)
        for volume in self.direct("volume", "ls", "-q", "--filter", f"name={NAME}", check=False).split():
            self.direct("volume", "rm", volume, check=False)
        images = self.direct("images", "--format", "{{.Repository}}:{{.Tag}}", check=False).split()
        for image in images:
            if NAME in image:
                self.direct("rmi", "-f", image, check=False)

    def close(self):
        """Ends the relay and removes the directory."""
        self.relay.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    # --- programs, through the relay

    def run(self, *command, check=True, data=None, seconds=COMMAND_SECONDS, **environment):
        """Runs a program to its end; returns what it printed."""
        command = [str(word) for word in command]
        ran = subprocess.run(command, env={**self.environment, **environment}, cwd=self.work, check=False, timeout=seconds,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=None if data else subprocess.DEVNULL, input=data)
        printed = ran.stdout.decode(errors="replace")
        if check and ran.returncode != 0:
            raise Failed(f"{' '.join(command)} ended with {ran.returncode}:\n{printed.strip()}")
        return printed

    def background(self, *command, **environment):
        """Starts a program that goes on; use it in a `with`, whose end ends the program."""
        return Background([str(word) for word in command], self.work, {**self.environment, **environment})

    def terminal(self, *command, **environment):
        """Starts a program on a terminal of its own; use it in a `with`."""
        return Terminal([str(word) for word in command], self.work, {**self.environment, **environment})


class Background:
    """A program that runs until the `with` ends. What it prints goes to a file in the directory in which it runs."""

    def __init__(self, command, work, environment):
        self.log = work / f"{os.path.basename(command[0])}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        _end(self.process)
        if kind is not None:
            print(self.log.read_text(errors="replace")[-4000:])


class Terminal:
    """A program on a terminal: what it shows is read all the time, and keys can be typed."""

    def __init__(self, command, work, environment):
        self.shown = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

        # setsid makes the terminal the program's own, and becomes the program.
        self.process = subprocess.Popen(["setsid", "--ctty", *command], env=environment, cwd=work, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while not self._over:
            ready, _, _ = select.select([self._ours], [], [], 0.2)
            try:
                data = os.read(self._ours, 1 << 16) if ready else b""
            except OSError:
                return
            self.shown += data
            # A program may ask where the cursor is, and waits for the answer.
            for _ in range(data.count(b"\x1b[6n")):
                os.write(self._ours, b"\x1b[1;1R")

    def type(self, keys):
        """As a person would."""
        os.write(self._ours, keys.encode())

    def wait_for(self, text, seconds=30):
        """Waits until this was shown."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.shown:
            if time.monotonic() > deadline:
                raise TimeoutError(f"`{text}` was not shown within {seconds} s; the end of what was:\n{self.shown[-3000:]!r}")
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"the terminal's end: {self.shown[-2000:]!r}")
        _end(self.process)
        self._over = True
        self._reader.join()
        os.close(self._ours)


def _end(process):
    """Ends a program and what it started, which are a group of their own."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, ending)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
