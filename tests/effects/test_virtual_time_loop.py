"""The event loop on which waiting takes no time."""

import asyncio
import time

from effects.virtual_time_loop import VirtualTimeLoop


def test_sleeps_end_at_once_and_in_their_order() -> None:
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, round(asyncio.get_running_loop().time())))

    async def sleep_in_parallel() -> None:
        await asyncio.gather(sleep("week", 604_800), sleep("second", 1), sleep("day", 86_400), sleep("none", 0))

    started = time.monotonic()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(sleep_in_parallel())
    assert woken == [("none", 0), ("second", 1), ("day", 86_400), ("week", 604_800)]
    assert time.monotonic() - started < 5


def test_a_timeout_ends_a_longer_sleep() -> None:
    async def too_long() -> str:
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(3)
        except TimeoutError:
            return "timeout"
        return "slept"

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(too_long()) == "timeout"


def test_the_loop_waits_for_another_thread() -> None:
    async def ask() -> int:
        return await asyncio.to_thread(lambda: 42)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(ask()) == 42
