"""Work that recurs while the server runs, on APScheduler: begun on time, never twice at once, ended with the server."""

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

log = structlog.get_logger("headrace.schedule")


class Schedule(AbstractAsyncContextManager["Schedule"]):
    """Tasks by name. They run while the context is open; leaving it cancels what is running and waits for its end.

    A task that is still running when it is due again is left alone, and what was missed is run once. Work that fails
    is logged and runs again when it is due: `Unavailable` as a warning, anything else, which is a bug, with its
    traceback.
    """

    def __init__(self) -> None:
        # A busy event loop or a machine that slept may be late by any time, hence no grace time.
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False

    def every(self, name: str, seconds: float, work: Work, *, first: float, jitter: float = 0) -> None:
        """Do `work` after `first` seconds and then every `seconds`; chance makes each up to `jitter` seconds later."""

        async def run() -> None:
            await self._run(name, work)

        trigger = IntervalTrigger(seconds=seconds, timezone=UTC, jitter=jitter or None)
        now = datetime.now(UTC)
        begin = trigger.get_next_fire_time(now + timedelta(seconds=first - seconds), now)
        self._scheduler.add_job(run, trigger, id=name, name=name, next_run_time=begin)

    async def __aenter__(self) -> Self:
        """Begin."""
        self._scheduler.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: no more work is begun, and what runs is cancelled and waited for."""
        self._closing = True
        self._scheduler.pause()
        await asyncio.sleep(0)  # what was begun in this turn of the loop sees that it is too late
        for task in self._running:
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)
        self._scheduler.shutdown()
        await asyncio.sleep(0)  # it does so in the loop's next turn

    async def _run(self, name: str, work: Work) -> None:
        task = asyncio.current_task()
        if self._closing or task is None:
            return
        self._running.add(task)
        try:
            await work()
        except Unavailable as unavailable:
            log.warning("scheduled work failed, it is tried again later", work=name, reason=unavailable.reason)
        except asyncio.CancelledError:
            if not self._closing:
                raise
        finally:
            self._running.discard(task)
