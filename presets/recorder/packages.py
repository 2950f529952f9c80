"""Where the programs come from: Python packages, Debian packages and Rust crates, unpacked below target/presets. Few are installed on the machine."""

import functools
import os
import shutil
import subprocess
import sys

from stage import CACHE, ROOT, Failed

CARGO_TARGET = CACHE / "crates-target"


def _do(*command, **options):
    ran = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, **options)
    if ran.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr).strip()[-3000:]}")
    return ran.stdout


def python(name, *packages):
    """The `bin` of a virtual environment with these packages of PyPI."""
    where = CACHE / "python" / name
    ready = where / "ready"
    if not ready.exists() or ready.read_text() != " ".join(packages):
        shutil.rmtree(where, ignore_errors=True)
        _do(sys.executable, "-m", "venv", where)
        _do(where / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
        ready.write_text(" ".join(packages))
    return where / "bin"


@functools.cache
def _update():
    _do("apt-get", "-qq", "update")


def installed(program, package):
    """A program of Debian that is installed on the machine if it is missing."""
    if not shutil.which(program):
        _update()
        _do("apt-get", "-qq", "install", "-y", "--no-install-recommends", package)
    return shutil.which(program)


def unpacked(*packages):
    """The root of an unpacked package of Debian, with further packages it needs: nothing of it starts by itself."""
    where = CACHE / "debian" / packages[0]
    ready = where / "ready"
    if not ready.exists() or ready.read_text() != " ".join(packages):
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        _update()
        _do("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=where)
        for archive in where.glob("*.deb"):
            _do("dpkg", "-x", archive, where)
            archive.unlink()
        ready.write_text(" ".join(packages))
    return where


def crate(name):
    """A Rust crate, built here. That takes minutes."""
    where = CACHE / "crates"
    if not (where / "bin" / name).exists():
        _cargo("install", "--quiet", "--locked", "-j1", "--root", where, name, cwd="/")
    return where / "bin" / name


def crate_user(name, source, dependency):
    """A program that is built here of one file and one dependency: a line of Cargo.toml."""
    where = CACHE / "crate-users" / name
    (where / "src").mkdir(parents=True, exist_ok=True)
    # A workspace of its own, since it lies in ours.
    (where / "Cargo.toml").write_text(
        f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n{dependency}\n\n[workspace]\n')
    shutil.copy(source, where / "src" / "main.rs")
    _cargo("build", "--quiet", "-j1", cwd=where)
    return CARGO_TARGET / "debug" / name


def _cargo(*words, cwd):
    # One job, at the lowest priority: this machine may have other work.
    _do("nice", "-n", "19", "cargo", *words, cwd=cwd, env={**os.environ, "CARGO_TARGET_DIR": str(CARGO_TARGET)})


@functools.cache
def docker_clients():
    """Paths of an old and a new docker command, and of the new one's plugins, as e2e/engines unpacks them."""
    printed = _do(ROOT / "e2e" / "engines", "clients")
    return dict(line.split("=", 1) for line in printed.splitlines())
