"""For all tests: how many cases laws draw and how long they may take, `--fast`, and the seed of the random order.

Property tests have no deadline, as machines may be busy; on CI they try the same cases each time.
"""

import gc
import os

import pytest
from hypothesis import settings

from tests import fast

settings.register_profile(fast.FULL, deadline=None, derandomize="CI" in os.environ)
settings.register_profile(fast.FAST, settings.get_profile(fast.FULL), max_examples=100 // fast.DIVISOR)
settings.load_profile(fast.FULL)

pytest_plugins = ["tests.servers.left_out", "tests.servers.elasticsearch"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fast`."""
    parser.addoption("--fast", action="store_true", help="leave out tests that start servers or processes; fewer cases")


def pytest_configure(config: pytest.Config) -> None:
    """Before test modules are imported: their decorators ask for the number of cases."""
    if config.getoption("fast"):
        settings.load_profile(fast.FAST)
        fast.keep_files_in_memory()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out with `--fast` what is slow."""
    if config.getoption("fast"):
        items[:], left_out = fast.split(items)
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of collected tests, which stay until the end: a tenth of the time."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the seed of the order: with `-q` the header, which has it, is not shown."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"Random order: `--randomly-seed={seed}` repeats it.")
