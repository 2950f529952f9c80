"""What passed directly and not through, and the table of it."""

LANES = ("direct", "unix", "tcp")
RETRIES = 2


class Result:
    """How a suite went in the three lanes."""

    def __init__(self, suite, outcomes):
        self.suite = suite
        self.outcomes = outcomes
        self.broken = []
        self.flaky = []

    def differs(self, lane, test):
        """Whether a test passes directly and not in this lane."""
        return _differs(self.suite, self.outcomes["direct"].get(test), self.outcomes[lane].get(test))

    def tell_flaky(self, lanes, again, together):
        """Runs again, alone and side by side, what differed. A test is flaky if it then fails directly, or never again through."""
        for name in LANES[1:]:
            tests = [test for test in self.outcomes["direct"] if self.differs(name, test)]
            if not tests:
                continue
            pair = [lane for lane in lanes if lane.name in ("direct", name)]
            runs = [together(lambda lane, tests=tests: again(lane, tests), pair) for _ in range(RETRIES)]
            for test in tests:
                differs = [_differs(self.suite, direct.get(test), through.get(test)) for direct, through in runs]
                direct_passes = all(_passes(direct.get(test)) for direct, _ in runs)
                is_flaky = not any(differs) or not direct_passes
                (self.flaky if is_flaky else self.broken).append((name, test))

    def summary(self):
        """One line."""
        counts = ", ".join(f"{count} {lane}" for lane, count in self.counts().items())
        return f"{self.suite.title}: {counts}; {len(self.broken)} pass directly and not through, {len(self.flaky)} are flaky"

    def counts(self):
        """How many tests pass in each lane; through the proxy, of those that pass directly."""
        direct = [test for test, outcome in self.outcomes["direct"].items() if _passes(outcome)]
        excused = set(self.flaky)
        counts = {"direct": len(direct)}
        for lane in LANES[1:]:
            counts[lane] = sum(not self.differs(lane, test) or (lane, test) in excused for test in direct)
        return counts


def _passes(outcome):
    return outcome is not None and outcome[0] == "pass"


def _differs(suite, direct, through):
    if not _passes(direct):
        return False
    if getattr(suite, "compared_by_transcript", False):
        return through is None or through != direct
    return not _passes(through)


def table(results):
    """The table, and every test that passes directly and not through."""
    lines = ["", "| Suite | Tests | Directly | Through, Unix socket | Through, TCP |", "|---|--:|--:|--:|--:|"]
    total = [0, 0, 0, 0]
    for result in results:
        row = [len(result.outcomes["direct"]), *result.counts().values()]
        total = [sum(pair) for pair in zip(total, row)]
        lines.append(f"| {result.suite.title} | " + " | ".join(str(count) for count in row) + " |")
    lines.append("| **All** | " + " | ".join(str(count) for count in total) + " |")
    for word, chosen in (("passes directly and not through", "broken"), ("is flaky, passed when it ran alone", "flaky")):
        for result in results:
            for lane, test in getattr(result, chosen):
                lines.append(f"{word}: {result.suite.title}, {lane}: {test}")
                direct, through = result.outcomes["direct"].get(test), result.outcomes[lane].get(test)
                detail = ("directly", direct), ("through", through)
                lines += [f"    {how}: {_short(outcome)}" for how, outcome in detail if chosen == "broken"]
    return "\n".join(lines)


def _short(outcome):
    if outcome is None:
        return "did not run to its end"
    return f"{outcome[0]} {outcome[1]!r}"[:500]
