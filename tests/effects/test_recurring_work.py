"""Recurring work. No test waits for a time: each counts the runs of one work to know how far the others are."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from effects.recurring_work import RecurringWork
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


async def test_work_runs_again_and_again_until_the_context_ends() -> None:
    recurring, work = RecurringWork(), Counting()
    recurring.every("count", SHORT, work, first=0)
    async with recurring:
        await work.reached(4)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_first_run_waits_for_its_time() -> None:
    recurring, late, work = RecurringWork(), Counting(), Counting()
    recurring.every("late", SHORT, late, first=3600)
    recurring.every("clock", SHORT, work, first=0)
    async with recurring:
        await work.reached(5)
    assert late.runs == 0


async def test_work_with_jitter_runs_again_and_again() -> None:
    recurring, work = RecurringWork(), Counting()
    recurring.every("jittered", SHORT, work, first=0, jitter=SHORT)
    async with recurring:
        await work.reached(3)


async def test_work_that_still_runs_does_not_start_a_second_time() -> None:
    recurring, clock = RecurringWork(), Counting()
    started = 0

    async def slow() -> None:
        nonlocal started
        started += 1
        await asyncio.Event().wait()

    recurring.every("slow", SHORT, slow, first=0)
    recurring.every("clock", SHORT, clock, first=0)
    async with recurring:
        await clock.reached(8)
        assert started == 1


async def test_an_unavailable_store_is_a_warning_and_the_work_runs_again() -> None:
    recurring, work = RecurringWork(), Counting(fail_with(Unavailable("the disk is full")))
    recurring.every("sweeping", SHORT, work, first=0)
    with capture_logs() as entries:
        async with recurring:
            await work.reached(3)
    assert entries[0]["log_level"] == "warning"
    assert (entries[0]["work"], entries[0]["reason"]) == ("sweeping", "the disk is full")


async def test_a_bug_is_logged_with_its_traceback_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    recurring, work, other = RecurringWork(), Counting(fail_with(ZeroDivisionError("a bug"))), Counting()
    recurring.every("broken", SHORT, work, first=0)
    recurring.every("healthy", SHORT, other, first=0)
    async with recurring:
        await work.reached(2)
        await other.reached(2)
    error = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "broken" in error.getMessage()
    assert error.exc_info is not None
    assert isinstance(error.exc_info[1], ZeroDivisionError)


async def test_the_end_of_the_context_cancels_running_work_and_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    recurring = RecurringWork()
    started, ended = asyncio.Event(), []

    async def long() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("tidied up")

    recurring.every("long", 3600, long, first=0)
    async with recurring:
        await started.wait()
    assert ended == ["tidied up"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_recurring_work_ends_also_after_an_error_in_its_context() -> None:
    recurring, work = RecurringWork(), Counting()
    recurring.every("count", SHORT, work, first=0)
    with pytest.raises(ZeroDivisionError):
        async with recurring:
            raise ZeroDivisionError
    assert asyncio.all_tasks() == {asyncio.current_task()}
