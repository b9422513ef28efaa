"""A lease over one store, with several processes of which one after the other is paused and goes on."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.empty_prefix import empty_prefix

ROOT = Path(__file__).parents[2]
PAUSES = 6
PATIENCE = 3.0  # seconds; a lease is taken over after 0.5


async def started(address: str, holder: str) -> Process:
    command = (sys.executable, "-m", "tests.storage.lease_process", address, holder)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"started"
    return process


async def acts_of(process: Process, acts: list[tuple[float, int, int]], acted: asyncio.Queue[Process]) -> None:
    """Gather what a process writes: when it looked, the term, and its pid."""
    assert process.stdout is not None
    async for line in process.stdout:
        looked, term = line.split()
        acts.append((float(looked), int(term), process.pid))
        acted.put_nowait(process)


async def next_of(acted: asyncio.Queue[Process], paused: Process | None) -> Process:
    """The next process that acts and is not the paused one."""
    while (process := await acted.get()) is paused:
        pass
    return process


async def paused_in_a_write(acted: asyncio.Queue[Process], paused: Process) -> bool:
    """Whether the process was stopped while it held SQLite's write lock: then nobody can succeed it."""
    try:
        async with asyncio.timeout(PATIENCE):
            acted.put_nowait(await next_of(acted, paused))
    except TimeoutError:
        return True
    return False


@asynccontextmanager
async def running(address: str, count: int) -> AsyncIterator[list[Process]]:
    """Processes that tend the lease; killed at the end where a test has not ended them."""
    processes = [await started(address, f"start {n}") for n in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture(params=["sqlite", "elasticsearch"])
async def address(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'store.db'}"
        return
    server = request.getfixturevalue("elasticsearch_url")
    async with empty_prefix(server) as prefix:
        address = f"{server}?prefix={prefix}"
        store = ElasticsearchStore.open(address)
        await store.migrate()
        await store.close()
        yield f"elasticsearch:{address}"


async def test_each_paused_or_killed_holder_has_one_successor(address: str) -> None:
    acts: list[tuple[float, int, int]] = []
    acted: asyncio.Queue[Process] = asyncio.Queue()
    paused: Process | None = None
    async with running(address, 3) as processes, asyncio.timeout(60):
        gathering = [asyncio.create_task(acts_of(process, acts, acted)) for process in processes]
        successions = 0
        while successions < PAUSES:
            holder = await next_of(acted, paused)
            if paused is not None:
                paused.send_signal(signal.SIGCONT)
            holder.send_signal(signal.SIGSTOP)
            paused = holder
            if await paused_in_a_write(acted, paused):
                paused.send_signal(signal.SIGCONT)
                paused = None
            else:
                successions += 1
        assert paused is not None
        paused.kill()
        last = await next_of(acted, paused)
        last.terminate()
        for process in processes:
            if process not in (paused, last):
                assert process.stdin is not None
                process.stdin.close()
        await asyncio.gather(*gathering)
    acts.sort()
    terms = [term for _, term, _ in acts]
    assert terms == sorted(terms)  # no former holder acts after the start of the next term
    assert terms[-1] > PAUSES
    assert len({(term, pid) for _, term, pid in acts}) == len(set(terms))  # one holder in each term
