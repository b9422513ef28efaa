"""Two workers on a real Elasticsearch: exact counters, and nothing lost when one of them is killed under load."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from storage.elasticsearch.store import ElasticsearchStore
from tests.system.load_generator import LoadGenerator, found_in
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_serve_workers import until

pytestmark = pytest.mark.timeout(300)  # starting an Elasticsearch is part of the first test


@pytest.fixture
def address(elasticsearch_url: str) -> str:
    """A store of this test's own."""
    return f"{elasticsearch_url}?prefix=t-{uuid4().hex}"


@contextmanager
def serving(tmp_path: Path, address: str, workers: int = 2) -> Iterator[ServerProcess]:
    project = write_project(tmp_path / "project")
    with serving_on(project, f"elasticsearch:{address}", "--workers", str(workers)) as served:
        served.workers(workers)
        yield served


async def stored(address: str, ledger: LoadGenerator) -> tuple[set[int], int]:
    """The numbers of the stored events, and the sum of all counters."""
    store = ElasticsearchStore.open(address)
    try:
        await store.sweep(0)
        return await found_in(store, ledger)
    finally:
        await store.close()


async def test_16_clients_at_two_workers_count_exactly_and_repeats_change_nothing(tmp_path: Path, address: str) -> None:
    ledger = LoadGenerator(
        profiles=1, patient=True
    )  # of one profile at two processes, a unit may be overtaken too often
    with serving(tmp_path, address) as served:
        await ledger.load(served.address, until=1000, clients=16)
        await asyncio.gather(ledger.resend(served.address), ledger.resend(served.address))
        assert served.stop() == 0
    found, total = await stored(address, ledger)
    assert found == ledger.sent
    assert total == len(ledger.sent) >= 1000
    assert ledger.refused <= len(ledger.sent) // 20


async def test_a_worker_killed_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path, address: str) -> None:
    ledger = LoadGenerator(profiles=4, patient=True)
    missing: set[int] = set()
    with serving(tmp_path, address) as served:
        for kills in range(4):
            before = await asyncio.to_thread(served.workers, 2 + kills)
            enough = len(ledger.acknowledged) + 80
            load = asyncio.create_task(ledger.load(served.address, until=enough + 40, clients=16))
            await until(ledger.reached(enough), load)
            os.kill(before[kills % 2], signal.SIGKILL)
            await load
        found, _ = await stored(address, ledger)
        missing |= ledger.acknowledged - found
        await asyncio.to_thread(served.workers, 6)
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(address, ledger)
    assert missing == set()
    assert found == ledger.sent == ledger.acknowledged
    assert total == len(ledger.sent)


def test_an_unreachable_elasticsearch_is_reported_before_the_server_starts(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    with (
        pytest.raises(AssertionError, match="cannot be used now"),
        serving_on(project, "elasticsearch:http://127.0.0.1:1", "--workers", "2"),
    ):
        pass
