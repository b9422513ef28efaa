"""Workers: toy processes that answer at the shared address with their number and process id."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from cli.workers import RestartBackoff, Workers

QUICK = RestartBackoff(stable_after=3600, first_pause=0, max_pause=0, max_deaths=4, stop_timeout=20)

SERVING = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
number, descriptor = sys.stdin.readline().split()
shared = socket.socket(fileno=int(descriptor))
shared.listen()
while True:
    client, _ = shared.accept()
    client.sendall(f"{number} {os.getpid()}".encode())
    client.close()
"""
IGNORES_SIGTERM = SERVING.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")


Address = tuple[str, int]


def bound(address: Address = ("127.0.0.1", 0)) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(address)
    return listening


@pytest.fixture
def address() -> Iterator[Address]:
    """An address at which several processes may listen."""
    with bound() as reserved:
        yield reserved.getsockname()


def workers(address: Address, program: str, count: int = 1, backoff: RestartBackoff = QUICK) -> Workers:
    command = [sys.executable, "-c", program]
    return Workers(command, count, lambda: bound(address), lambda *config: "{} {}".format(*config).encode(), backoff)


async def answer(address: Address, other_than: int = 0) -> tuple[int, int]:
    """The number and process id of a worker that serves. A killed worker may still answer for a moment."""
    while True:
        try:
            reading, writing = await asyncio.open_connection(*address)
        except ConnectionError:
            continue  # no worker listens yet, or the one that did was just killed
        try:
            content = await reading.read()
        except ConnectionResetError:
            content = b""  # it was killed meanwhile
        finally:
            writing.close()
        if content:
            number, pid = map(int, content.split())
            if pid != other_than:
                return number, pid


@asynccontextmanager
async def running(supervised: Workers) -> AsyncIterator["asyncio.Task[int]"]:
    task = asyncio.create_task(supervised.run())
    try:
        yield task
    finally:
        if not task.done():
            supervised.stop()
            supervised.stop()
            await task


async def test_a_worker_receives_its_configuration_and_serves_at_the_shared_address(address: Address) -> None:
    supervised = workers(address, SERVING)
    async with running(supervised) as task:
        number, pid = await answer(address)
        assert number == 1
        assert os.getsid(pid) == pid  # Ctrl-C does not reach it
        supervised.stop()
        assert await task == 0


async def test_a_stop_before_the_workers_are_ready_is_a_clean_one(address: Address) -> None:
    supervised = workers(address, SERVING, count=3)
    async with running(supervised) as task:
        supervised.stop()
        assert await task == 0


async def test_a_killed_worker_is_restarted(address: Address) -> None:
    supervised = workers(address, SERVING)
    with capture_logs() as logs:
        async with running(supervised) as task:
            _, first = await answer(address)
            os.kill(first, signal.SIGKILL)
            number, _ = await answer(address, other_than=first)
            assert number == 1
            supervised.stop()
            assert await task == 0
    assert [(line["worker"], line["end"]) for line in logs] == [(1, "signal SIGKILL")]


async def test_workers_that_die_again_and_again_are_given_up(address: Address) -> None:
    with capture_logs() as logs:
        async with running(workers(address, "raise SystemExit(7)", count=2)) as task:
            assert await task == 1
    assert {line["end"] for line in logs if "end" in line} == {"exit code 7"}
    assert "gives up" in " ".join(line["event"] for line in logs)


async def test_the_other_workers_are_restarted_as_long_as_one_runs(address: Address) -> None:
    program = "import sys; number, descriptor = sys.stdin.readline().split()\nif number == '2': sys.exit(7)\n"
    served = SERVING.replace("number, descriptor = sys.stdin.readline().split()", "")
    supervised = workers(address, program + served, count=2)
    async with running(supervised) as task:
        while supervised.workers[1].deaths < QUICK.max_deaths + 2:
            assert (await answer(address))[0] == 1
        assert not task.done()


async def test_a_worker_that_cannot_start_ends_the_server(address: Address) -> None:
    async with running(workers(address, "raise SystemExit(2)", count=2)) as task:
        assert await task == 2


async def test_a_worker_that_has_served_and_cannot_start_again_is_retried(address: Address) -> None:
    supervised = workers(address, "raise SystemExit(2)")
    supervised.workers[0].starts = 1  # its first process served
    async with running(supervised) as task:
        assert await task == 1
    assert supervised.workers[0].deaths == QUICK.max_deaths


async def test_a_steady_run_resets_the_deaths_of_a_worker(address: Address) -> None:
    backoff = RestartBackoff(stable_after=0, first_pause=0, max_pause=0, max_deaths=2)
    supervised = workers(address, SERVING, backoff=backoff)
    async with running(supervised) as task:
        pid = 0
        for _ in range(5):
            _, pid = await answer(address, other_than=pid)
            os.kill(pid, signal.SIGKILL)
        await answer(address, other_than=pid)
        assert supervised.workers[0].deaths == 1
        assert not task.done()


async def test_a_command_that_does_not_exist_is_given_up_after_retries(address: Address) -> None:
    supervised = Workers(["/nowhere/at/all"], 1, lambda: bound(address), lambda *_: b"", QUICK)
    async with running(supervised) as task:
        assert await task == 1


async def test_a_worker_that_does_not_stop_in_time_is_killed(address: Address) -> None:
    backoff = RestartBackoff(stop_timeout=0.05)
    supervised = workers(address, IGNORES_SIGTERM, backoff=backoff)
    async with running(supervised) as task:
        await answer(address)
        supervised.stop()
        assert await task == 1


async def test_a_second_stop_kills_the_workers_at_once(address: Address) -> None:
    supervised = workers(address, IGNORES_SIGTERM)
    with capture_logs() as logs:
        async with running(supervised) as task:
            await answer(address)
            supervised.stop()
            supervised.stop()
            assert await task == 1
    assert logs[0]["why"] == "it received a second stop signal"


async def test_no_connection_is_accepted_after_a_stop(address: Address) -> None:
    supervised = workers(address, SERVING)
    async with running(supervised) as task:
        await answer(address)
        supervised.stop()
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


@pytest.mark.parametrize(("deaths", "pause"), [(1, 0), (2, 0.5), (3, 1), (4, 2), (8, 30), (10_000, 30)])
def test_pauses_double_up_to_the_longest(deaths: int, pause: float) -> None:
    assert RestartBackoff().pause(deaths) == pause
