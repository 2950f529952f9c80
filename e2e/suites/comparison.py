"""What passed directly and not through, and the table of it."""

LANES = ("direct", "unix", "tcp")
RETRIES = 2


class Result:
    """How a suite went in the three lanes."""

    def __init__(self, suite, outcomes):
        self.suite = suite
        self.outcomes = outcomes
        # Pairs of lane and test. What is broken passes directly and not through, each time.
        self.broken, self.flaky, self.fail_directly = [], [], []

    def look_again(self, lanes, again, together):
        """Runs again, alone and side by side, what differed: on TCP, directly over TCP as well."""
        direct = lanes[0]
        for lane in lanes[1:]:
            tests = [test for test in self.outcomes["direct"] if self._differs(lane.name, test)]
            if not tests:
                continue
            direct.over_tcp = lane.over_tcp
            runs = [together(lambda it, tests=tests: again(it, tests), [direct, lane]) for _ in range(RETRIES)]
            direct.over_tcp = False
            for test in tests:
                self._class_of([(one.get(test), other.get(test)) for one, other in runs]).append((lane.name, test))

    def _class_of(self, pairs):
        if not any(_passes(direct) for direct, _ in pairs):
            return self.fail_directly
        if not all(_passes(direct) for direct, _ in pairs) or not any(_differ(self.suite, *pair) for pair in pairs):
            return self.flaky
        return self.broken

    def counts(self):
        """How many tests pass in each lane; through the proxy, of those that pass directly."""
        direct = [test for test, outcome in self.outcomes["direct"].items() if _passes(outcome)]
        counts = {"direct": len(direct)}
        for lane in LANES[1:]:
            passed = (test for test in direct if not self._differs(lane, test) or (lane, test) in self.flaky)
            counts[lane] = sum(1 for _ in passed)
        return counts

    def summary(self):
        """One line."""
        counts = ", ".join(f"{count} {lane}" for lane, count in self.counts().items())
        return f"{self.suite.title}: {counts}; {len(self.broken)} pass directly and not through, {len(self.flaky)} are flaky"

    def lines(self):
        """Every test that is not the same."""
        for lane, test in self.broken:
            yield f"passes directly and not through: {self.suite.title}, {lane}: {test}"
            yield f"    directly: {_short(self.outcomes['direct'].get(test))}"
            yield f"    through: {_short(self.outcomes[lane].get(test))}"
        for lane, test in self.flaky:
            yield f"flaky, the same when it ran alone or failing directly too: {self.suite.title}, {lane}: {test}"
        for lane, test in self.fail_directly:
            yield f"fails directly as well when it runs alone or over TCP: {self.suite.title}, {lane}: {test}"

    def _differs(self, lane, test):
        return _differ(self.suite, self.outcomes["direct"].get(test), self.outcomes[lane].get(test))


def _passes(outcome):
    return outcome is not None and outcome[0] == "pass"


def _differ(suite, direct, through):
    if not _passes(direct):
        return False
    return through != direct if suite.compared_by_transcript else not _passes(through)


def _short(outcome):
    if outcome is None:
        return "did not run to its end"
    return f"{outcome[0]} {outcome[1]!r}"[:500]


def table(results):
    """The table, and every test that is not the same."""
    lines = ["", "| Suite | Tests | Directly | Through, Unix socket | Through, TCP |", "|---|--:|--:|--:|--:|"]
    total = [0, 0, 0, 0]
    for result in results:
        row = [len(result.outcomes["direct"]), *result.counts().values()]
        total = [sum(pair) for pair in zip(total, row)]
        lines.append(f"| {result.suite.title} | " + " | ".join(map(str, row)) + " |")
    lines.append("| **All** | " + " | ".join(map(str, total)) + " |")
    return "\n".join(lines + [line for result in results for line in result.lines()])
