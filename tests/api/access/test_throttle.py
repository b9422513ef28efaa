"""Those who guess keys are slowed down."""

import asyncio
from typing import Any

from litestar.connection import ASGIConnection

from api.access.credentials import Credentials
from api.access.directory import Directory
from api.access.throttle import MAX_DELAY, PAUSE
from api.problem import HttpProblem
from effects.clock import SystemClock
from effects.virtual_time_loop import VirtualTimeLoop
from storage.memory import MemoryStore
from tests.api.conftest import ADMIN_KEY


def directory() -> Directory:
    return Directory(MemoryStore(), SystemClock())


def scope(key: str) -> Any:
    return {"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())]}


async def refused(credentials: Credentials, key: str) -> int:
    """Return the status by which a key is refused, 0 if it is right."""
    try:
        await credentials.principal(ASGIConnection(scope(key)))
    except HttpProblem as problem:
        return problem.status
    return 0


def test_wrong_keys_are_slowed_down_and_the_right_one_is_not() -> None:
    async def attack() -> tuple[int, float, list[int], float]:
        credentials, time = Credentials(ADMIN_KEY, directory()), asyncio.get_running_loop().time
        guesses = [asyncio.create_task(refused(credentials, f"wrong-{number}")) for number in range(4)]
        await asyncio.sleep(0)  # all of them have been compared and wait
        right, after = await refused(credentials, ADMIN_KEY), time()
        return right, after, await asyncio.gather(*guesses), time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        right, after, wrong, end = runner.run(attack())
    assert (right, after) == (0, 0)
    assert (wrong, end) == ([401] * 4, 4 * PAUSE)


def test_only_so_many_wrong_keys_wait_and_later_ones_are_slowed_down_again() -> None:
    most = round(MAX_DELAY / PAUSE)

    async def attack() -> list[int]:
        credentials = Credentials(ADMIN_KEY, directory())
        wrong = await asyncio.gather(*(refused(credentials, "wrong") for _ in range(most + 3)))
        return [*wrong, await refused(credentials, "wrong")]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(attack()) == [401] * most + [429] * 3 + [401]
