"""Workers kept alive: toy processes that answer at the shared address with what they were told and their process id."""

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

HASTY = RestartBackoff(stable_after=3600, first_pause=0, max_pause=0, max_deaths=4, stop_timeout=20)

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
DEAF = SERVING.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")


Address = tuple[str, int]


def bound(address: Address = ("127.0.0.1", 0)) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(address)
    return made


@pytest.fixture
def address() -> Iterator[Address]:
    """An address at which several may listen."""
    with bound() as kept:
        yield kept.getsockname()


def workers(address: Address, program: str, count: int = 1, backoff: RestartBackoff = HASTY) -> Workers:
    command = [sys.executable, "-c", program]
    return Workers(command, count, lambda: bound(address), lambda *told: "{} {}".format(*told).encode(), backoff)


async def answer(address: Address, other_than: int = 0) -> tuple[int, int]:
    """The number and the process id of a worker that serves. One that was killed may answer for a moment longer."""
    while True:
        try:
            reading, writing = await asyncio.open_connection(*address)
        except ConnectionError:
            continue  # nobody listens yet, or whoever did was just killed
        try:
            said = await reading.read()
        except ConnectionResetError:
            said = b""  # it was killed meanwhile
        finally:
            writing.close()
        if said:
            number, pid = map(int, said.split())
            if pid != other_than:
                return number, pid


@asynccontextmanager
async def running(held: Workers) -> AsyncIterator["asyncio.Task[int]"]:
    task = asyncio.create_task(held.run())
    try:
        yield task
    finally:
        if not task.done():
            held.stop()
            held.stop()
            await task


async def test_a_worker_is_told_its_orders_and_serves_at_the_shared_address(address: Address) -> None:
    held = workers(address, SERVING)
    async with running(held) as task:
        number, pid = await answer(address)
        assert number == 1
        assert os.getsid(pid) == pid  # Ctrl-C does not reach it
        held.stop()
        assert await task == 0


async def test_workers_that_were_told_to_stop_before_they_were_ready_have_ended_well(address: Address) -> None:
    held = workers(address, SERVING, count=3)
    async with running(held) as task:
        held.stop()
        assert await task == 0


async def test_a_worker_that_is_killed_is_begun_anew(address: Address) -> None:
    held = workers(address, SERVING)
    with capture_logs() as said:
        async with running(held) as task:
            _, first = await answer(address)
            os.kill(first, signal.SIGKILL)
            number, _ = await answer(address, other_than=first)
            assert number == 1
            held.stop()
            assert await task == 0
    assert [(line["worker"], line["end"]) for line in said] == [(1, "signal SIGKILL")]


async def test_workers_that_die_again_and_again_are_given_up(address: Address) -> None:
    with capture_logs() as said:
        async with running(workers(address, "raise SystemExit(7)", count=2)) as task:
            assert await task == 1
    assert {line["end"] for line in said if "end" in line} == {"exit code 7"}
    assert "gives up" in " ".join(line["event"] for line in said)


async def test_as_long_as_one_worker_runs_the_others_are_begun_anew(address: Address) -> None:
    program = "import sys; number, descriptor = sys.stdin.readline().split()\nif number == '2': sys.exit(7)\n"
    served = SERVING.replace("number, descriptor = sys.stdin.readline().split()", "")
    held = workers(address, program + served, count=2)
    async with running(held) as task:
        while held.workers[1].deaths < HASTY.max_deaths + 2:
            assert (await answer(address))[0] == 1
        assert not task.done()


async def test_a_worker_that_cannot_begin_ends_the_server(address: Address) -> None:
    async with running(workers(address, "raise SystemExit(2)", count=2)) as task:
        assert await task == 2


async def test_a_worker_that_cannot_begin_any_more_is_tried_again(address: Address) -> None:
    held = workers(address, "raise SystemExit(2)")
    held.workers[0].starts = 1  # its first process served
    async with running(held) as task:
        assert await task == 1
    assert held.workers[0].deaths == HASTY.max_deaths


async def test_a_worker_that_has_run_steadily_has_its_deaths_forgotten(address: Address) -> None:
    backoff = RestartBackoff(stable_after=0, first_pause=0, max_pause=0, max_deaths=2)
    held = workers(address, SERVING, backoff=backoff)
    async with running(held) as task:
        pid = 0
        for _ in range(5):
            _, pid = await answer(address, other_than=pid)
            os.kill(pid, signal.SIGKILL)
        await answer(address, other_than=pid)
        assert held.workers[0].deaths == 1
        assert not task.done()


async def test_a_command_that_does_not_exist_is_given_up(address: Address) -> None:
    held = Workers(["/nowhere/at/all"], 1, lambda: bound(address), lambda *_: b"", HASTY)
    async with running(held) as task:
        assert await task == 1


async def test_a_worker_that_does_not_stop_in_time_is_killed(address: Address) -> None:
    backoff = RestartBackoff(stop_timeout=0.05)
    held = workers(address, DEAF, backoff=backoff)
    async with running(held) as task:
        await answer(address)
        held.stop()
        assert await task == 1


async def test_who_is_told_twice_to_stop_is_killed_at_once(address: Address) -> None:
    held = workers(address, DEAF)
    with capture_logs() as said:
        async with running(held) as task:
            await answer(address)
            held.stop()
            held.stop()
            assert await task == 1
    assert said[0]["why"] == "it was told twice to stop"


async def test_nobody_is_let_in_any_more_once_it_is_stopping(address: Address) -> None:
    held = workers(address, SERVING)
    async with running(held) as task:
        await answer(address)
        held.stop()
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


@pytest.mark.parametrize(("deaths", "pause"), [(1, 0), (2, 0.5), (3, 1), (4, 2), (8, 30), (10_000, 30)])
def test_pauses_double_up_to_the_longest(deaths: int, pause: float) -> None:
    assert RestartBackoff().pause(deaths) == pause
