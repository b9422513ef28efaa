"""A real server whose store fails: senders get 503 in time or the spool takes over, and log and health report it."""

import asyncio
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from tests.servers.node import Node
from tests.storage.elasticsearch_requests import dropped
from tests.system.load_generator import JSON, LoadGenerator
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_ledger import adds_up, counts

LONGEST = 4.0  # seconds until a sender is answered: 2, with as many for a busy machine; else it would be 10 and more
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

Fault = Callable[[ServerProcess, Path], AbstractContextManager[None]]


@contextmanager
def locked(served: ServerProcess, database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full_disk(served: ServerProcess, database: Path) -> Iterator[None]:
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)


@contextmanager
def moved_away(served: ServerProcess, database: Path) -> Iterator[None]:
    away = database.with_name("away")
    database.rename(away)
    try:
        yield
    finally:
        away.rename(database)


@contextmanager
def no_log(served: ServerProcess, database: Path) -> Iterator[None]:
    log, away = Path(f"{database}-wal"), database.with_name("away")
    log.rename(away)
    try:
        yield
    finally:
        away.rename(log)


FAULTS: list[Fault] = [locked, full_disk, moved_away, no_log]


async def answers(address: str, load: LoadGenerator, clients: int) -> list[tuple[int, float, aiohttp.ClientResponse]]:
    """Send events side by side. Returns the status, the seconds and the rest of each answer."""
    loop = asyncio.get_running_loop()

    async def one(http: aiohttp.ClientSession) -> tuple[int, float, aiohttp.ClientResponse]:
        started, body = loop.time(), load.body(load.next_number())
        async with http.post(f"{address}/track", data=body, headers=JSON) as answer:
            await answer.read()
            return answer.status, loop.time() - started, answer

    async with aiohttp.ClientSession() as http:
        return await asyncio.gather(*[one(http) for _ in range(clients)])


async def ready(address: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{address}/health/ready") as answer:
        document: dict[str, Any] = msgspec.json.decode(await answer.read())
        return answer.status, document


async def until_ready(address: str) -> None:
    while (await ready(address))[1]["status"] != "ready":
        pass


async def refuses(served: ServerProcess, load: LoadGenerator, root: Path) -> None:
    """Senders get 503 in time, log and health report it, and nothing names a path."""
    for _ in range(2):  # at first, and when it is known
        for status, seconds, answer in await answers(served.address, load, clients=20):
            assert (status, seconds < LONGEST, int(answer.headers["Retry-After"]) > 0) == (503, True, True)
            assert str(root) not in await answer.text()
    status, document = await ready(served.address)
    assert (status, document["status"]) == (503, "not ready")
    assert document["reason"]
    assert str(root) not in document["reason"]
    await asyncio.to_thread(served.wait_for_output, "the store fails")


async def goes_on(served: ServerProcess, load: LoadGenerator) -> None:
    """The store is back: health and log report it, and every event takes effect once."""
    await until_ready(served.address)
    await asyncio.to_thread(served.wait_for_output, "the store works again")
    assert served.output.count('"the store fails"') <= 2
    await load.resend(served.address)
    report = await counts(served)
    while not report["events"]["stored"] == report["stored"]["events"] == len(load.sent):
        report = await counts(served)  # what was written without an answer is counted a little later
    assert adds_up(report["events"])
    assert report["events"]["queued"] == 0


@pytest.mark.parametrize("fault", FAULTS)
async def test_senders_get_503_in_time_while_the_store_fails(tmp_path: Path, fault: Fault) -> None:
    load, database = LoadGenerator(), tmp_path / "store.db"
    with serving_on(write_project(tmp_path / "project"), f"sqlite:{database}") as served:
        await load.load(served.address, until=20)
        with fault(served, database):
            await refuses(served, load, tmp_path)
        await goes_on(served, load)
        assert served.stop() == 0


@pytest.mark.parametrize("fault", [locked, moved_away, no_log])
async def test_the_spool_takes_over_in_time_while_the_store_fails(tmp_path: Path, fault: Fault) -> None:
    load, database = LoadGenerator(), tmp_path / "store.db"
    options = ("--spool", str(tmp_path / "spool"))
    with serving_on(write_project(tmp_path / "project"), f"sqlite:{database}", *options) as served:
        await load.load(served.address, until=20)
        with fault(served, database):
            await spools(served, load)
        await goes_on(served, load)
        assert served.stop() == 0


async def spools(served: ServerProcess, load: LoadGenerator) -> None:
    """Senders get 200 in time, and health reports that payloads wait."""
    for _ in range(2):
        for status, seconds, _ in await answers(served.address, load, clients=20):
            assert (status, seconds < LONGEST) == (200, True)
    status, document = await ready(served.address)
    assert (status, document["status"], document["spooled"] > 0) == (200, "spooling", True)
    await asyncio.to_thread(served.wait_for_output, "the store fails")


async def test_a_spool_that_fails_is_reported_and_used_again(tmp_path: Path) -> None:
    load, database = LoadGenerator(), tmp_path / "store.db"
    options = ("--spool", str(tmp_path / "spool"))
    with serving_on(write_project(tmp_path / "project"), f"sqlite:{database}", *options) as served:
        await load.load(served.address, until=20)
        with full_disk(served, database):
            await refuses(served, load, tmp_path)
            assert "spool" in (await ready(served.address))[1]["reason"]
        await asyncio.to_thread(served.wait_for_output, "the spool works again")
        await goes_on(served, load)
        assert served.stop() == 0


@pytest.mark.parametrize("spool", [False, True], ids=["without a spool", "with a spool"])
async def test_an_elasticsearch_that_hangs_is_waited_for_briefly(
    tmp_path: Path, elasticsearch_node: Node, *, spool: bool
) -> None:
    load, prefix = LoadGenerator(patient=True), f"t-{uuid4().hex}"
    options = ("--spool", str(tmp_path / "spool")) if spool else ()
    store = f"elasticsearch:{elasticsearch_node.url}?prefix={prefix}"
    with ExitStack() as stack:
        served = stack.enter_context(serving_on(write_project(tmp_path / "project"), store, *options))
        await load.load(served.address, until=20)
        with elasticsearch_node.stopped():
            await (spools(served, load) if spool else refuses(served, load, tmp_path))
        await goes_on(served, load)
        assert served.stop() == 0
    await dropped(elasticsearch_node.url, prefix)
