"""Turns the requests that passed into the lines of a recording: what differs from run to run becomes one constant, what repeats is kept once."""

import json
import re

CONTAINER, EXEC, NETWORK, IMAGE, OTHER = (digit * 64 for digit in "ce1bd")
# Which kind of id a path names: routes of the Engine API.
KINDS = [
    (re.compile(r"/containers/([0-9a-f]{12,64})(?=/|$)"), CONTAINER),
    (re.compile(r"/exec/([0-9a-f]{12,64})(?=/|$)"), EXEC),
    (re.compile(r"/networks/([0-9a-f]{12,64})(?=/|$)"), NETWORK),
    (re.compile(r"/images/(?:sha256(?::|%3A))?([0-9a-f]{12,64})(?=/|$)"), IMAGE),
]
DIGEST = re.compile(r"sha256(?::|%3A)([0-9a-f]{64})")
HEX = re.compile(r"(?:(?<![0-9a-f])|(?<=%22)|(?<=%2F)|(?<=%3A))(?=[0-9]*[a-f])(?:[0-9a-f]{16,64}|[0-9a-f]{12})(?![0-9a-f])")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"20[2-9]\d-\d\d-\d\dT\d\d(:|%3A)\d\d(:|%3A)\d\d(\.\d+)?(Z|[+-]\d\d:\d\d|%2B\d\d%3A\d\d)")
SECONDS = re.compile(r"(?<![0-9])1[7-9]\d{8}(\.\d+)?(?![0-9])")


class Distiller:
    """Takes requests in and gives distinct lines out; `texts` are the paths and names of this machine and what to write instead."""

    def __init__(self, texts):
        self._texts = texts
        self.all = []
        self._ids = {}

    def add(self, requests):
        """Requests as the relay noted them."""
        self.all += requests
        for request in requests:
            path = request["target"].split("?")[0]
            for expression, constant in KINDS:
                for found in expression.finditer(path):
                    self._ids.setdefault(found[1], constant)
            for found in DIGEST.finditer(json.dumps(request)):
                self._ids.setdefault(found[1], IMAGE)

    def lines(self):
        """Each distinct request as one line of JSON, in an order that is the same whenever the requests are."""
        lines = {}
        for request in self.all:
            steady = self._steady(request)
            path = re.sub(r"^/v\d+\.\d+", "", steady["target"])
            lines[json.dumps(steady, ensure_ascii=False)] = (path.split("?")[0], steady["method"], path)
        return [line for line, _ in sorted(lines.items(), key=lambda item: (item[1], item[0]))]

    def _steady(self, request):
        wanted = ("method", "target", "headers", "body", "stream")
        text = json.dumps({key: request[key] for key in wanted if key in request}, ensure_ascii=False)
        for found, instead in sorted(self._texts.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(found, instead)
        text = HEX.sub(lambda found: self._constant(found[0]), text)
        text = UUID.sub("00000000-0000-4000-8000-000000000000", text)
        text = MOMENT.sub("2026-01-01T00\\g<1>00\\g<2>00Z", text)
        text = SECONDS.sub("1767225600", text)
        return _sorted_aliases(json.loads(text))

    def _constant(self, found):
        for known, constant in self._ids.items():
            if known.startswith(found):
                return constant[: len(found)]
        # Some programs shorten a hash, by its leading zeros or to a length that depends on other names.
        return OTHER[:12] if len(found) == 12 else OTHER


def _sorted_aliases(value):
    """Aliases in the order of the alphabet: Compose 1.29 sends them in that of their hashes, and one is the container's id."""
    if isinstance(value, dict):
        return {key: sorted(it) if key == "Aliases" and it else _sorted_aliases(it) for key, it in value.items()}
    return [_sorted_aliases(it) for it in value] if isinstance(value, list) else value
