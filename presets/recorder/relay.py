"""A relay in front of a Docker Engine that notes every request that passes.

It reads requests just far enough to find where each ends; after a connection leaves HTTP (attach, exec, a build session) it copies bytes."""

import json
import os
import re
import socket
import threading
import time

# Bodies are JSON documents or archives; no JSON document comes near this.
KEPT_BYTES = 4 << 20
NOTED_HEADERS = ("content-type", "upgrade", "connection")


class Relay:
    """Listens on a Unix socket and on a loopback TCP port, and passes everything on to the engine's socket."""

    def __init__(self, directory, engine):
        self.engine = engine
        self.socket = os.path.join(directory, "docker.sock")
        self.requests = []
        self._changed = threading.Condition()
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(self.socket)
        tcp = socket.socket()
        tcp.bind(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        self._listeners = [unix, tcp]
        for listener in self._listeners:
            listener.listen(64)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self):
        """Accepts nothing more; what is open ends with its clients."""
        for listener in self._listeners:
            listener.close()

    def mark(self):
        """How many requests were noted so far, to wait for later ones."""
        return len(self.requests)

    def wait_for(self, method, target, after=0, seconds=30):
        """Waits until a request with this method, whose target this expression finds, was noted after the mark."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for noted in self.requests[after:]:
                    if noted["method"] == method and re.search(target, noted["target"]):
                        return
                left = deadline - time.monotonic()
                if left <= 0:
                    seen = "\n".join(f"  {noted['method']} {noted['target']}" for noted in self.requests[after:])
                    raise TimeoutError(f"no {method} {target} within {seconds} s; there were:\n{seen}")
                self._changed.wait(left)

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        upstream = socket.socket(socket.AF_UNIX)
        try:
            upstream.connect(self.engine)
        except OSError:
            client.close()
            return
        answers = _Answers(upstream, client)
        down = threading.Thread(target=answers.copy, daemon=True)
        down.start()
        try:
            self._read_requests(client, upstream, answers)
        except OSError:
            pass
        _shut(upstream)
        down.join()
        client.close()
        upstream.close()

    def _read_requests(self, client, upstream, answers):
        reader = client.makefile("rb")
        while True:
            head = _read_head(reader)
            if not head:
                return
            line, headers = _parse(head)
            method, target = line.split(" ")[:2]
            leaves = "upgrade" in headers
            if leaves:
                answers.expect()
            upstream.sendall(head)
            noted = {"method": method, "target": target, "headers": {}}
            for name in NOTED_HEADERS:
                if name in headers and (name != "connection" or headers[name].lower() == "upgrade"):
                    noted["headers"][name.title()] = headers[name]
            body, length = _pass_body(reader, upstream, headers)
            _note_body(noted, body, length, headers)
            with self._changed:
                self.requests.append(noted)
                self._changed.notify_all()
            if leaves and answers.left_http():
                _pass_bytes(reader, upstream)
                return


class _Answers:
    """The engine's side of a connection, copied to the client; reads one status line when a request asked to leave HTTP."""

    def __init__(self, upstream, client):
        self.upstream = upstream
        self.client = client
        self.expected = threading.Event()
        self.known = threading.Event()
        self.status = b""

    def expect(self):
        """The next bytes are the answer to a request that wants to leave HTTP."""
        self.known.clear()
        self.expected.set()

    def left_http(self):
        """Whether the connection carries bytes and no more requests from here on."""
        self.known.wait()
        return self.status.split(b" ")[1:2] in ([b"101"], [b"200"])

    def copy(self):
        """Until the engine closes."""
        try:
            while data := self.upstream.recv(1 << 16):
                if self.expected.is_set():
                    self.expected.clear()
                    self.status = data.split(b"\r\n", 1)[0]
                    self.known.set()
                self.client.sendall(data)
        except OSError:
            pass
        self.known.set()
        _shut(self.client)


def _shut(end):
    try:
        end.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _read_head(reader):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            return b""
        head += line
    return head


def _parse(head):
    line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    return line, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _pass_body(reader, upstream, headers):
    """Passes a body on as it comes; returns its beginning and its length."""
    kept, length = b"", 0
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while True:
            size = reader.readline()
            upstream.sendall(size)
            left = int(size.split(b";")[0] or b"0", 16)
            if left == 0:
                # The trailer, which ends with an empty line.
                while (line := reader.readline()) not in (b"\r\n", b""):
                    upstream.sendall(line)
                upstream.sendall(b"\r\n")
                return kept, length
            kept, length = _pass_exactly(reader, upstream, left, kept, length)
            upstream.sendall(reader.readline())
    return _pass_exactly(reader, upstream, int(headers.get("content-length", "0")), kept, length)


def _pass_exactly(reader, upstream, left, kept, length):
    while left:
        data = reader.read1(min(left, 1 << 16))
        if not data:
            break
        upstream.sendall(data)
        left -= len(data)
        length += len(data)
        if len(kept) < KEPT_BYTES:
            kept += data
    return kept, length


def _note_body(noted, body, length, headers):
    if length == 0:
        return
    try:
        noted["body"] = json.loads(body)
    except ValueError:
        noted["stream"] = {"length": length, "type": headers.get("content-type", "")}


def _pass_bytes(reader, upstream):
    while data := reader.read1(1 << 16):
        upstream.sendall(data)
