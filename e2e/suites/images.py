"""The images that the suites want, made from this machine's own files: busybox, Python and a registry."""

import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

from stage import REGISTRY

GREETING = "\nHello from Docker!\nThis image was made from busybox.\n"
PASSWORDS = "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = "root:x:0:\npostgres:x:70:\nnobody:x:65534:\n"


class Archive:
    """A tar archive in memory."""

    def __init__(self):
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w")
        self._names = set()

    def directory(self, name, mode=0o755):
        """Adds a directory and those above it."""
        for parent in [str(it) for it in reversed(pathlib.PurePath(name).parents) if str(it) != "."] + [name]:
            if parent not in self._names:
                self._names.add(parent)
                entry = tarfile.TarInfo(parent)
                entry.type, entry.mode = tarfile.DIRTYPE, mode if parent == name else 0o755
                self._tar.addfile(entry)

    def file(self, name, data, mode=0o644):
        """Adds a file."""
        self.directory(str(pathlib.PurePath(name).parent))
        data = data.encode() if isinstance(data, str) else data
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), mode
        self._tar.addfile(entry, io.BytesIO(data))
        self._names.add(name)

    def link(self, name, target):
        """Adds a symbolic link, unless the name is taken."""
        if name not in self._names:
            self.directory(str(pathlib.PurePath(name).parent))
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            self._tar.addfile(entry)
            self._names.add(name)

    def program(self, path, name=None):
        """Adds a program of this machine, under this name if one is given, and the libraries it loads."""
        self.file(name or path.lstrip("/"), pathlib.Path(path).read_bytes(), 0o755)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            name = library.lstrip("/")
            if name not in self._names:
                self.file(name, pathlib.Path(library).read_bytes(), 0o755)

    def finish(self):
        """Its bytes."""
        self._tar.close()
        return self._bytes.getvalue()


def busybox(archive=None):
    """A root with busybox, and what little the suites want to find in an Alpine or an OpenWrt."""
    archive = archive or Archive()
    program = shutil.which("busybox")
    archive.program(program, "bin/busybox")
    for applet in subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split():
        archive.link(f"bin/{applet}", "busybox")
    archive.directory("tmp", 0o1777)
    for name in ("root", "mnt", "var/opt", "usr/bin", "www", "home"):
        archive.directory(name)
    archive.file("etc/passwd", PASSWORDS)
    archive.file("etc/group", GROUPS)
    archive.file("etc/config/uhttpd", "config uhttpd main\n\tlist listen_http 0.0.0.0:80\n")
    archive.file("www/index.html", "hello\n")
    archive.file("usr/sbin/run_uhttpd", '#!/bin/sh\nexec /bin/httpd "$@"\n', 0o755)
    archive.file("hello", f"#!/bin/sh\ncat <<'END'\n{GREETING}END\n", 0o755)
    archive.file("hello-server", "#!/bin/sh\nexec /bin/httpd -f -p 80 -h /www\n", 0o755)
    return archive


def python():
    """Busybox, and this machine's Python with its standard library."""
    archive = busybox()
    interpreter = os.path.realpath("/usr/bin/python3")
    archive.program(interpreter)
    for name in ("python", "python3"):
        archive.link(f"usr/bin/{name}", interpreter)
    library = pathlib.Path(f"/usr/lib/{pathlib.Path(interpreter).name}")
    unwanted = {"__pycache__", "test", "idlelib", "ensurepip", "dist-packages", "lib2to3", "turtledemo", "tkinter", "pydoc_data"}
    for path in sorted(library.rglob("*")):
        if unwanted.isdisjoint(path.parts) and path.is_file() and "config-3" not in str(path):
            name = str(path).lstrip("/")
            if path.suffix == ".so":
                archive.program(str(path))
            else:
                archive.file(name, path.read_bytes())
    return archive


def registry(program):
    """A registry, where suites want to start one."""
    archive = Archive()
    archive.program(str(program))
    archive.link("bin/registry", str(program))
    archive.file(
        "etc/docker/registry/config.yml",
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}\nhttp: {addr: ':5000'}\n",
    )
    archive.directory("var/lib/registry")
    archive.directory("tmp", 0o1777)
    return archive


def all_images(registry_program, more):
    """(root file system, what the import changes, the names) of each image."""
    path = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    box = busybox().finish()
    shell = [path, 'CMD ["sh"]']
    hub = ["busybox:latest", "alpine:latest", "alpine:3.10", "ubuntu:latest"]
    serve = f'ENTRYPOINT ["{registry_program}"]', 'CMD ["serve", "/etc/docker/registry/config.yml"]'
    web = [path, "EXPOSE 80", 'CMD ["/hello-server"]']
    images = [
        (box, shell, hub + [f"{REGISTRY}/alpine:latest"]),
        (box, [path, 'CMD ["/hello"]'], ["hello-world:latest", f"{REGISTRY}/hello-world:linux"]),
        (box, web, ["nginx:latest", "nginx:alpine", "nginx:alpine-slim", f"{REGISTRY}/fussybeaver/uhttpd:latest"]),
    ]
    if more:
        images += [
            (python().finish(), [path, 'CMD ["python"]'], ["python:3.13-alpine", "python:3.14-alpine"]),
            (registry(registry_program).finish(), serve, ["registry:2"]),
        ]
    return images


class Images:
    """The images, and how they get onto an engine."""

    def __init__(self, registry_program, more):
        """With `more`, also those with Python and a registry in them, which are large."""
        self._images = all_images(registry_program, more)

    def publish(self, lane):
        """Pushes them to the lane's registry, where a pull finds those of Docker Hub too."""
        self.put(lane)
        for _, _, names in self._images:
            for name in names:
                there = name
                if not name.startswith(REGISTRY):
                    there = f"{REGISTRY}/library/{name}"
                    lane.docker("tag", name, there)
                lane.docker("push", "--quiet", there)
                if there != name:
                    lane.docker("rmi", there)

    def put(self, lane):
        """Imports those that are missing."""
        there = set(lane.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())
        for root, changes, names in self._images:
            missing = [name for name in names if name not in there]
            if not missing:
                continue
            changes = [word for change in changes for word in ("--change", change)]
            lane.docker("import", *changes, "-", missing[0], input=root)
            for name in missing[1:]:
                lane.docker("tag", missing[0], name)
