"""Work that recurs. Nothing here waits for a clock: one task's runs are the clock of the others."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from effects.schedule import Schedule
from engine.ports.store import Unavailable

SHORT = 0.002  # seconds


class Counting:
    """Work that counts its runs and can be waited for."""

    def __init__(self, then: Callable[[int], None] = lambda n: None) -> None:
        self.runs = 0
        self._then = then
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        self.runs += 1
        async with self._changed:
            self._changed.notify_all()
        self._then(self.runs)

    async def reached(self, runs: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.runs >= runs)


def fail_with(error: Exception) -> Callable[[int], None]:
    def fail(_: int) -> None:
        raise error

    return fail


async def test_work_runs_again_and_again_until_the_schedule_ends() -> None:
    schedule, work = Schedule(), Counting()
    schedule.every("count", SHORT, work, first=0)
    async with schedule:
        await work.reached(4)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_first_run_waits_for_its_time() -> None:
    schedule, late, work = Schedule(), Counting(), Counting()
    schedule.every("late", SHORT, late, first=3600)
    schedule.every("clock", SHORT, work, first=0)
    async with schedule:
        await work.reached(5)
    assert late.runs == 0


async def test_work_may_be_later_by_a_part_of_chance() -> None:
    schedule, work = Schedule(), Counting()
    schedule.every("chance", SHORT, work, first=0, jitter=SHORT)
    async with schedule:
        await work.reached(3)


async def test_work_that_still_runs_is_not_begun_again() -> None:
    schedule, clock = Schedule(), Counting()
    begun = 0

    async def slow() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    schedule.every("slow", SHORT, slow, first=0)
    schedule.every("clock", SHORT, clock, first=0)
    async with schedule:
        await clock.reached(8)
        assert begun == 1


async def test_a_store_that_is_away_is_told_and_asked_again() -> None:
    schedule, work = Schedule(), Counting(fail_with(Unavailable("the disk is full")))
    schedule.every("sweeping", SHORT, work, first=0)
    with capture_logs() as said:
        async with schedule:
            await work.reached(3)
    assert said[0]["log_level"] == "warning"
    assert (said[0]["work"], said[0]["reason"]) == ("sweeping", "the disk is full")


async def test_a_bug_is_logged_with_its_traceback_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    schedule, work, other = Schedule(), Counting(fail_with(ZeroDivisionError("a bug"))), Counting()
    schedule.every("broken", SHORT, work, first=0)
    schedule.every("whole", SHORT, other, first=0)
    async with schedule:
        await work.reached(2)
        await other.reached(2)
    found = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "broken" in found.getMessage()
    assert found.exc_info is not None
    assert isinstance(found.exc_info[1], ZeroDivisionError)


async def test_ending_cancels_what_runs_and_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    schedule = Schedule()
    begun, told = asyncio.Event(), []

    async def long() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("tidied up")

    schedule.every("long", 3600, long, first=0)
    async with schedule:
        await begun.wait()
    assert told == ["tidied up"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_schedule_that_fails_to_be_used_still_ends() -> None:
    schedule, work = Schedule(), Counting()
    schedule.every("count", SHORT, work, first=0)
    with pytest.raises(ZeroDivisionError):
        async with schedule:
            raise ZeroDivisionError
    assert asyncio.all_tasks() == {asyncio.current_task()}
