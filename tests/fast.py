"""`pytest --fast`: the tests that need no server and no process of their own, with fewer random cases: two minutes.

What is left out is decided here, by place and by fixture, so a new test is fast unless it is in one of these places.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

FAST = "fast"  # the name of the Hypothesis profile
FULL = "headrace"
DIVISOR = 10  # of the cases that a test draws
# Directories and files whose tests start servers or processes, or wait for time to pass.
SLOW = (
    "tests/benchmarks/",
    "tests/clients/",
    "tests/console/",
    "tests/servers/",
    "tests/system/",
    "tests/cli/test_demo.py",
    "tests/cli/test_forget.py",
    "tests/cli/test_init.py",
    "tests/docs/test_recipes.py",
    "tests/docs/test_tutorial.py",
    "tests/storage/test_sqlite_crash.py",
)
MEMORY = Path("/dev/shm")  # noqa: S108
SERVERS = "servers"  # the fixture on which every Elasticsearch rests


def cases(usual: int, divisor: int = DIVISOR) -> int:
    """How many cases a test draws that usually draws so many."""
    return max(1, usual // divisor) if settings.get_current_profile_name() == FAST else usual


def keep_files_in_memory() -> None:
    """Let pytest make its temporary directories in memory, where there is some: stores sync their files to the disk."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def split(items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that are fast, and the others."""
    fast = [item for item in items if _is_fast(item)]
    chosen = set(fast)
    return fast, [item for item in items if item not in chosen]


def _is_fast(item: pytest.Item) -> bool:
    if item.nodeid.startswith(SLOW):
        return False
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return SERVERS not in fixtures and "elasticsearch" not in parameters.values()
