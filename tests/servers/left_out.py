"""Tests that want what this machine does not have are left out, and the end of the run says so plainly.

On CI, and with `HEADRACE_SERVERS=required`, that is an error instead.
"""

import contextlib
from collections.abc import Iterator

import pytest

from tests.servers.missing import Missing, required

_LEFT_OUT = pytest.StashKey[dict[str, str]]()


@contextlib.contextmanager
def or_skipped(config: pytest.Config, what: str) -> Iterator[None]:
    """Skip the test if `Missing` is raised, or fail it where nothing may be left out; `what` is missing then."""
    try:
        yield
        return
    except Missing as missing:
        why = str(missing)
    if required():
        pytest.fail(f"{what}: {why}", pytrace=False)
    config.stash.setdefault(_LEFT_OUT, {})[what] = why
    pytest.skip(f"{what}: {why}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say plainly what was left out and what to install."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for what, why in config.stash.get(_LEFT_OUT, {}).items():
        count = sum(f"{what}: " in reason for reason in skipped)
        terminalreporter.write_line(
            f"LEFT OUT for want of {what}: {count} test{'s'[: count != 1]}. {why}.", yellow=True
        )
