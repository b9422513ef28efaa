"""Recurring work of a running server, on APScheduler. No work runs twice at once; all of it ends with the server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from engine.ports.store import Unavailable

Work = Callable[[], Awaitable[None]]

log = structlog.get_logger("headrace.recurring-work")


class RecurringWork(AbstractAsyncContextManager["RecurringWork"]):
    """Named work that recurs while the context is open. Leaving the context cancels running work and waits for its end.

    Work that is still running when it is due again does not start a second time; several missed runs are made up by
    one run. Work that fails is logged and runs again when it is due next: `Unavailable` is passed to `report`, or
    logged as a warning without one; any other exception, which is a bug, is logged with its traceback. `done` is called
    with the name of work that has ended well.
    """

    def __init__(
        self, report: Callable[[Unavailable], None] | None = None, done: Callable[[str], None] = lambda _name: None
    ) -> None:
        self._report = report
        self._done = done
        # A busy event loop or a suspended machine can delay a run by any time, hence no grace time.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False

    def every(self, name: str, seconds: float, work: Work, *, first: float, jitter: float = 0) -> None:
        """Run `work` after `first` seconds and then every `seconds`, each time up to `jitter` random seconds later."""

        async def run() -> None:
            await self._run(name, work)

        trigger = IntervalTrigger(seconds=seconds, timezone=UTC, jitter=jitter or None)
        now = datetime.now(UTC)
        first_run = trigger.get_next_fire_time(now + timedelta(seconds=first - seconds), now)
        self._scheduler.add_job(run, trigger, id=name, name=name, next_run_time=first_run)

    async def __aenter__(self) -> Self:
        """Start the work."""
        self._scheduler.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Start no more work, cancel the running work, and wait for its end."""
        self._closing = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # tasks created in this turn of the loop start now and find it closing
        for task in self._running:
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)
        self._scheduler.shutdown()
        await asyncio.sleep(0)  # the scheduler shuts down in the next turn of the loop

    async def _run(self, name: str, work: Work) -> None:
        task = asyncio.current_task()
        if self._closing or task is None:
            return
        self._running.add(task)
        try:
            await work()
            self._done(name)
        except Unavailable as unavailable:
            if self._report is not None:
                self._report(unavailable)
                return
            log.warning("recurring work failed and runs again later", work=name, reason=unavailable.reason)
        except asyncio.CancelledError:
            if not self._closing:
                raise
        finally:
            self._running.discard(task)
