"""`headrace serve --workers N` as processes: one address, nothing lost when one is killed, a reported end."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from storage.sqlite.store import SqliteStore
from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_crash import stored


@contextmanager
def shared(tmp_path: Path, workers: int = 2) -> Iterator[ServerProcess]:
    """A server with workers, all over one file."""
    project = write_project(tmp_path / "project")
    store = f"shared:{tmp_path / 'store.db'}"
    with serving_on(project, store, "--workers", str(workers), module="tests.system.shared_sqlite_server") as served:
        yield served


async def until(reached: Coroutine[Any, Any, object], load: "asyncio.Task[None]") -> None:
    """Wait for it while the load goes on; fails if the load ends first."""
    waiting = asyncio.create_task(reached)
    await asyncio.wait([waiting, load], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await load
        raise AssertionError("the load has ended")


async def test_two_workers_count_exactly_and_every_event_once(tmp_path: Path) -> None:
    ledger = LoadGenerator(profiles=1)
    with shared(tmp_path) as served:
        assert len(served.workers(2)) == 2
        await ledger.load(served.address, until=600, clients=16)
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(tmp_path / "store.db", ledger)
    assert found == ledger.sent
    assert total == len(ledger.sent)


async def test_a_worker_killed_under_load_loses_nothing_and_is_begun_anew(tmp_path: Path) -> None:
    ledger = LoadGenerator()
    with shared(tmp_path) as served:
        for kills in range(3):
            before = await asyncio.to_thread(served.workers, 2 + kills)
            enough = len(ledger.acknowledged) + 60
            load = asyncio.create_task(ledger.load(served.address, until=enough + 40))
            await until(ledger.reached(enough), load)
            os.kill(before[0], signal.SIGKILL)
            await load
            after = await asyncio.to_thread(served.workers, 3 + kills)
            assert (before[0] in after, before[1] in after) == (False, True)
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(tmp_path / "store.db", ledger)
    assert found == ledger.sent == ledger.acknowledged
    assert total == len(ledger.sent)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_a_signal_stops_all_workers_well(tmp_path: Path, number: signal.Signals) -> None:
    with shared(tmp_path, workers=3) as served:
        assert len(served.workers(3)) == 3
        assert served.send(number) == 0
    assert "Everything that was acknowledged is stored." in served.output
    assert '"level": "error"' not in served.output


def test_workers_whose_parent_is_killed_end_as_well(tmp_path: Path) -> None:
    with shared(tmp_path) as served:
        served.workers(2)
        served.kill()  # and wait until nobody holds its standard error
    assert served.output.count("the parent process has exited") == 2


def test_workers_do_not_share_the_address_of_another_server(tmp_path: Path) -> None:
    with shared(tmp_path) as served:
        served.workers(1)
        port = str(urlsplit(served.address).port)
        project, store = tmp_path / "project", f"shared:{tmp_path / 'other.db'}"
        command = [sys.executable, "-m", "tests.system.shared_sqlite_server", "serve", str(project), "--store", store]
        ended = subprocess.run(
            [*command, "--workers", "2", "--port", port], capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.returncode == 2
    assert "--port 0" in ended.stderr


@pytest.mark.parametrize("store", ["memory:", "sqlite:store.db"])
def test_a_store_that_processes_cannot_share_is_refused_with_the_remedy(tmp_path: Path, store: str) -> None:
    project = write_project(tmp_path / "project")
    command = [sys.executable, "-m", "cli.main", "serve", str(project), "--store", store, "--workers", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert re.search(r"one process.*--store elasticsearch:http.*leave --workers out", ended.stderr.replace("\n", " "))


async def test_the_store_is_prepared_before_the_workers_begin(tmp_path: Path) -> None:
    with shared(tmp_path) as served:
        assert served.stop() == 0
    store = SqliteStore.open(tmp_path / "store.db")
    assert await store.migrate() == []
    await store.close()
