"""A pytest plugin that writes one line per finished test: its node id and pass, fail or skip."""

import os

# Read at once, because there are tests that empty the environment.
_FILE = os.environ["SUITES_OUTCOMES"]
_worst = {}
_DETAIL_BYTES = 300


def pytest_runtest_logreport(report):
    """Keeps the worst of set-up, call and tear-down, and writes it after the last."""
    state = {"passed": "pass", "failed": "fail", "skipped": "skip"}[report.outcome]
    if hasattr(report, "wasxfail"):
        state = "skip"
    known, detail = _worst.get(report.nodeid, ("pass", ""))
    if state != "pass" and known != "fail":
        said = str(report.longrepr).strip().splitlines() if report.longrepr else []
        raised = [line for line in said if line.startswith("E ")] or said[-1:]
        known, detail = state, " ".join(raised[-1:])[:_DETAIL_BYTES]
    _worst[report.nodeid] = (known, detail)
    if report.when == "teardown":
        with open(_FILE, "a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\t{known}\t{detail}\n")
