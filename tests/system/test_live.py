"""The stream of a real server: it misses nothing and repeats nothing, over reconnects and the end of workers."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import COUNT, ServerProcess, serving_on, write_project


@contextmanager
def keeping_all_runs(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of two workers over one file, which keeps all runs."""
    project = write_project(tmp_path / "project", count=f"keep: 1\n{COUNT.lstrip()}")
    store = f"shared:{tmp_path / 'store.db'}"
    with serving_on(project, store, "--workers", "2", module="tests.system.shared_sqlite_server") as served:
        yield served


class Tail:
    """A client that follows a server, comes again when the connection ends, and notes what it gets."""

    def __init__(self, served: ServerProcess, after: str = "n.0.0") -> None:
        self.served = served
        self.after = after
        self.events: list[str] = []
        self.runs: list[str] = []
        self.connections = 0
        self.place: str | None = None
        self._more = asyncio.Condition()

    async def follow(self) -> None:
        """Follow until it is cancelled."""
        while True:
            with suppress(aiohttp.ClientError):
                await self._connect()

    async def has(self, count: int) -> None:
        """Wait until so many events and runs have come."""
        async with self._more:
            await self._more.wait_for(lambda: min(len(self.events), len(self.runs)) >= count)

    async def _connect(self) -> None:
        headers = self.served.admin | ({"Last-Event-ID": self.place} if self.place is not None else {})
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(f"{self.served.address}/live", params={"after": self.after}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            self.connections += 1
            async with aclosing(messages(answer)) as coming:
                async for fields in coming:
                    async with self._more:
                        self._take(fields)
                        self._more.notify_all()

    def _take(self, fields: dict[str, str]) -> None:
        self.place = fields.get("id", self.place)
        if fields.get("event") == "row":
            row = msgspec.json.decode(fields["data"])
            found = self.events if row["kind"] == "events" else self.runs
            if self.after.startswith("n") or row["id"] not in found:  # other stores begin a little earlier again
                found.append(row["id"])


async def messages(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, str]]:
    """Yield the fields of each message."""
    fields: dict[str, str] = {}
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(": ")
            fields[name] = value
        elif fields:
            yield fields
            fields = {}


@asynccontextmanager
async def tailing(served: ServerProcess, after: str = "n.0.0") -> AsyncIterator[Tail]:
    """Follow a server that has two workers."""
    await asyncio.to_thread(served.workers, 2)
    tail = Tail(served, after)
    following = asyncio.create_task(tail.follow())
    try:
        yield tail
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@pytest.mark.parametrize("events", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_a_tail_misses_nothing_and_repeats_nothing_while_workers_end(tmp_path: Path, events: int) -> None:
    load = LoadGenerator(profiles=50)
    with keeping_all_runs(tmp_path) as served:
        async with tailing(served) as tail:
            for begun in (3, 4):  # kill each of the first two workers: one of them serves the stream
                enough = events * (begun - 2) // 3
                await load.load(served.address, until=enough, clients=16)
                await tail.has(enough // 2)
                os.kill((await asyncio.to_thread(served.workers, begun - 1))[0], signal.SIGKILL)
                await asyncio.to_thread(served.workers, begun)
            await load.load(served.address, until=events, clients=16)
            await load.resend(served.address)
            await tail.has(len(load.sent))
        assert served.stop() == 0
    assert tail.connections >= 2
    assert len(tail.events) == len(tail.runs) == len(set(tail.runs)) == len(load.sent)
    assert set(tail.events) == {f"e-{number}" for number in load.sent}


async def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    load = LoadGenerator()
    with keeping_all_runs(tmp_path) as served:
        async with tailing(served) as tail:
            await load.load(served.address, until=1)
            await tail.has(1)
            assert await asyncio.wait_for(asyncio.to_thread(served.stop), 10) == 0
    assert '"level": "error"' not in served.output


@pytest.mark.timeout(300)  # starting an Elasticsearch is a part of it
async def test_a_tail_of_elasticsearch_misses_nothing_while_a_worker_ends(
    tmp_path: Path, elasticsearch_url: str
) -> None:
    load, prefix = LoadGenerator(patient=True), f"t-{uuid4().hex}"
    project = write_project(tmp_path / "project", count=f"keep: 1\n{COUNT.lstrip()}")
    store = f"elasticsearch:{elasticsearch_url}?prefix={prefix}"
    with serving_on(project, store, "--workers", "2") as served:
        async with tailing(served, f"t.{time.time_ns() // 1_000_000}") as tail:
            await load.load(served.address, until=100)
            os.kill((await asyncio.to_thread(served.workers, 2))[0], signal.SIGKILL)
            await asyncio.to_thread(served.workers, 3)
            await load.load(served.address, until=250)
            await load.resend(served.address)
            await tail.has(len(load.sent))
        assert served.stop() == 0
    assert set(tail.events) == {f"e-{number}" for number in load.sent}
    assert len(tail.events) == len(tail.runs) == len(load.sent)
