"""Timers while the server runs: profiles that are due are woken, by one process at a time; see `waits.timers`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog

from api.metrics.worked import worked
from effects.ids import new_id
from effects.recurring_work import RecurringWork
from engine.ports.lease import RENEW_SECONDS, Lease
from engine.ports.store import Unavailable
from engine.profile.document import WaitStub
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.waits.resuming import LATER_MS
from engine.tracking.waits.timers import Timers
from engine.tracking.waits.waking import wake

SECONDS: Final = 1  # between two turns: how late a wait may end, or a change of segments by time be noticed
SHARE: Final = 0.9  # of that time a turn may take
MAX_DUE: Final = 500  # profiles in a turn
UNTIMED_EVERY: Final = 30  # turns, where neither segments nor flows depend on time: then a profile is hardly ever due
LEASE: Final = "timers"

log = structlog.get_logger("headrace.timers")


class BackgroundTimers:
    """The timers of one application; `running` is its context.

    `searches`: it takes part in finding due profiles in the store, under a lease; else it wakes only those that it has
    committed itself. `sole`: the store serves one process at a time. `visitors` and `held_up` are as of `Timers`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        searches: bool = True,
        sole: bool = False,
        visitors: Callable[[], bool] = lambda: False,
        held_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._pipeline = pipeline
        self._searches = searches
        self._lease = Lease(pipeline.store, LEASE, new_id(), pipeline.clock.ticks, sole=sole)
        self._timers = Timers(
            pipeline,
            partial(wake, pipeline, report=log_postponed),
            self._lease,
            visitors=visitors,
            held_up=held_up,
            report_jump=_log_jump,
        )
        self._turn = 0
        self._found_due = False  # by the turn before: an upgrade leaves many that are to be set apart

    async def turn(self) -> None:
        """Wake the profiles that are due. Raises `Unavailable`."""
        self._turn += 1
        project = self._pipeline.project
        timed = project.segment_rules.timed or project.waits
        search = self._searches and (timed or self._found_due or self._turn % UNTIMED_EVERY == 1)
        woken = await self._timers.turn(SECONDS * SHARE, MAX_DUE, search=search)
        if search:
            self._found_due = woken > 0

    async def tend(self) -> None:
        """Renew the lease, or follow who holds it. Raises `Unavailable`."""
        await self._lease.tend()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Wake profiles as long as the context is open; at its end, leave the lease to another process."""
        self._pipeline.listeners.append(self._timers.remember)
        try:
            async with self._recurring():
                yield
        finally:
            self._pipeline.listeners.remove(self._timers.remember)
            with suppress(Unavailable):
                await self._lease.release()

    def _recurring(self) -> AbstractAsyncContextManager[object]:
        recurring = RecurringWork(self._pipeline.report, worked(self._pipeline))
        recurring.every("waking profiles that are due", SECONDS, self.turn, first=SECONDS)
        if self._searches:
            recurring.every("keeping the lease of timers", RENEW_SECONDS, self.tend, first=0)
        return recurring


def log_postponed(stub: WaitStub) -> None:
    """Log that a run which is due was put off, since its profile moved in every attempt to resume it."""
    log.warning("a run that waits was put off", flow=stub.flow, run=stub.run, seconds=LATER_MS // 1000)


def _log_jump(expected: int, found: int) -> None:
    message = "the clock was set: what waits for a time is late or early by as much"
    log.warning(message, expected=_time(expected), found=_time(found))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
