"""The libraries' own suites: fetched from their package registries by name and version, and run as they are."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

from stage import Failed

HERE = pathlib.Path(__file__).resolve().parent


def checked(command, **options):
    """Runs a command of ours to its end and fails with what it said."""
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise Failed(f"{' '.join(str(it) for it in command)}:\n" + "\n".join(said[-20:]))
    return done.stdout


def once(marker, content, make):
    """Makes something, unless the marker says that it was made from the same."""
    if not marker.exists() or marker.read_text() != content:
        make()
        marker.write_text(content)


class PythonSuite:
    """A Python library whose source distribution holds its tests."""

    compared_by_transcript = False

    def __init__(self, name, package, version, requirements, tests, quick, timeout, options=(), more_images=False):
        self.name = name
        self.more_images = more_images
        self.in_quick = quick is not None
        self._package, self._version = package, version
        self._requirements = requirements
        self._tests, self._quick = tests, quick
        self._timeout = timeout
        self._options = options
        self._python = self._source = None

    @property
    def title(self):
        """Name and version, for the table."""
        return f"{self.name} {self._version}"

    def prepare(self, cache, _quick):
        """Fetches the source and installs it with what its tests need."""
        home = cache / self.name
        home.mkdir(parents=True, exist_ok=True)
        self._python = home / "python" / "bin" / "python"
        self._source = home / f"{self._package}-{self._version}"
        wanted = f"{self._package}=={self._version}"

        def make():
            shutil.rmtree(home / "python", ignore_errors=True)
            checked([sys.executable, "-m", "venv", home / "python"])
            pip = [self._python, "-m", "pip", "--disable-pip-version-check"]
            checked([*pip, "download", "--no-deps", "--no-binary", ":all:", "--dest", home, wanted])
            archive = next(home.glob(f"*-{self._version}.tar.gz"))
            checked(["tar", "-xzf", archive, "-C", home])
            checked([*pip, "install", archive, *self._requirements])

        once(home / "made", " ".join([wanted, *self._requirements]), make)

    def run(self, lane, quick, only=None):
        """Runs the suite, or some of its tests, in a lane."""
        written = lane.logs / f"{self.name}{'-again' if only else ''}.tsv"
        written.unlink(missing_ok=True)
        tests = only or (self._quick if quick and self._quick else self._tests)
        command = [self._python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "outcomes"]
        command += [f"--timeout={self._timeout}", *self._options, *tests]
        environment = lane.environment | {
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SUITES_OUTCOMES": str(written),
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }
        with open(lane.logs / f"{self.name}.log", "ab") as log:
            lane.run(command, 900, cwd=self._source, env=environment, stdout=log, stderr=subprocess.STDOUT)
        if not written.exists():
            raise Failed(f"{self.title}: no test ran in the lane {lane.name} (see {lane.logs / self.name}.log)")
        found = {}
        for line in written.read_text(encoding="utf-8").splitlines():
            test, state, detail = line.split("\t", 2)
            found[test] = (state, detail)
        return found


class BollardSuite:
    """bollard, whose package holds its tests. For TCP they are compiled a second time: they choose by feature."""

    compared_by_transcript = False
    # It has to be compiled first.
    in_quick = False
    more_images = False
    name = "bollard"
    version = "0.21.1"
    title = f"{name} {version}"
    _seconds = 60
    _quick = ("container_test", "exec_test", "network_test", "volume_test", "race_test", "version_test")

    def __init__(self):
        self._source = None
        self._programs = {}
        self._exports = threading.Lock()

    def prepare(self, cache, quick):
        """Fetches the source and compiles its tests."""
        home = cache / self.name
        fetch = home / "fetch"
        (fetch / "src").mkdir(parents=True, exist_ok=True)
        (fetch / "src" / "lib.rs").write_text("")
        (fetch / "Cargo.toml").write_text(
            f'[package]\nname = "fetch"\nedition = "2024"\n[dependencies]\nbollard = "={self.version}"\n[workspace]\n'
        )
        listed = json.loads(checked(["cargo", "metadata", "--format-version=1"], cwd=fetch))
        manifest = next(it["manifest_path"] for it in listed["packages"] if it["name"] == "bollard")
        self._source = home / f"bollard-{self.version}"

        def copy():
            shutil.rmtree(self._source, ignore_errors=True)
            shutil.copytree(pathlib.Path(manifest).parent, self._source)
            with open(self._source / "Cargo.toml", "a", encoding="utf-8") as file:
                file.write("\n[workspace]\n")

        once(home / "made", self.version, copy)
        which = [f"--test={name}" for name in self._quick] if quick else ["--tests"]
        environment = os.environ | {
            "CARGO_TARGET_DIR": str(home / "target"),
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "CARGO_PROFILE_TEST_DEBUG": "0",
        }
        for transport, features in (("unix", "test_websocket"), ("tcp", "test_websocket,test_http")):
            command = ["cargo", "test", "--no-run", "--message-format=json", f"--features={features}", *which]
            built = checked(command, cwd=self._source, env=environment)
            messages = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
            self._programs[transport] = {
                it["target"]["name"]: it["executable"]
                for it in messages
                if it.get("executable") and "test" in it["target"]["kind"]
            }
            if not self._programs[transport]:
                raise Failed(f"{self.title}: no test was built")

    def run(self, lane, _quick, only=None):
        """Runs the suite, or some of its tests, in a lane."""
        found = {}
        environment = lane.environment | {"RUST_BACKTRACE": "0"}
        for program, path in sorted(self._programs["tcp" if lane.over_tcp else "unix"].items()):
            listed = checked([path, "--list", "--format=terse"], cwd=self._source)
            for test in re.findall(r"^(\S+): test$", listed, re.MULTILINE):
                if only and f"{program}::{test}" not in only:
                    continue
                # One by one, so that one that hangs costs itself only.
                command = [path, "--exact", test]
                # Those that write to a file with a fixed name disturb their like in another lane.
                with self._exports if "_export_" in test else contextlib.nullcontext():
                    code, output, errors = lane.run(command, self._seconds, cwd=self._source, env=environment)
                text = output.decode(errors="replace") + errors.decode(errors="replace")
                with open(lane.logs / f"{self.name}.log", "a", encoding="utf-8") as log:
                    log.write(f"=== {program}::{test}: {code}\n{text}\n")
                said = [line for line in text.splitlines() if "panicked at" in line or line.startswith("called ")]
                state = "skip" if " 1 ignored" in text else "pass" if code == 0 else "fail"
                found[f"{program}::{test}"] = (state, " ".join(said)[:300])
        return found


def all_suites():
    """The libraries, in the order in which they run."""
    docker_py = PythonSuite(
        *("docker-py", "docker", "6.1.3"),
        # docker-py 6.1 cannot be used with newer ones.
        ["requests==2.31.0", "urllib3==1.26.20", "websocket-client==1.8.0", "paramiko==3.5.1"]
        + ["pytest==7.4.4", "pytest-timeout==2.4.0"],
        ["tests/integration"],
        # Two newer libraries for Python are quick enough.
        None,
        120,
    )
    modern = ["docker==7.1.0", "pytest==9.0.3", "pytest-asyncio==1.3.0", "pytest-timeout==2.4.0", "packaging==26.1"]
    aiodocker = PythonSuite(
        *("aiodocker", "aiodocker", "0.27.0"),
        [*modern, "testcontainers==4.14.2", "async-timeout==5.0.1"],
        ["tests"],
        ["tests/test_execs.py", "tests/test_networks.py", "tests/test_volumes.py", "tests/test_system.py"],
        60,
        options=["-o", "addopts="],
        more_images=True,
    )
    testcontainers = PythonSuite(
        *("testcontainers", "testcontainers", "4.14.2"),
        [*modern, "pytest-mock==3.15.1", "httpx==0.28.1", "bcrypt==4.3.0", "tomli==2.2.1"],
        ["core/tests"],
        ["core/tests/test_core.py", "core/tests/test_network.py", "core/tests/test_container.py"],
        60,
        options=["-o", "addopts="],
        more_images=True,
    )
    return [docker_py, aiodocker, testcontainers, BollardSuite()]
