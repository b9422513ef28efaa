"""Upkeep: the recurring work of a server. It runs in one process of a server; several would do no harm."""

from contextlib import AbstractAsyncContextManager, suppress

import structlog

from api import segment_refresh
from api.forgetting import Forgettings
from api.metrics.worked import worked
from api.segment_refresh import SegmentRefresh
from effects.recurring_work import RecurringWork
from engine.ports.kinds import RETAINED
from engine.ports.store import Contention, Sweepable
from engine.profile.grouping import Regrouped
from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.pipeline.pipeline import Pipeline

FORGET_SECONDS = 600
RESUME_SECONDS = 60  # of forgettings that another process has left
RESUME_FIRST = 2
SWEEP_SECONDS = 60
SWEEP_FIRST = 5  # soon: a process that was killed may have left writes half done
SETTLE_SECONDS = 15
SETTLE_AT_ONCE = 100  # profiles
RETAIN_SECONDS = 86_400
RETAIN_FIRST = 900  # a server that is restarted every day drops something, too
RETAIN_JITTER = 1800  # servers that start together do not drop together

log = structlog.get_logger("headrace.upkeep")


class Upkeep:
    """The work itself, each by one call. Raises `Unavailable`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._store = pipeline.store

    async def forget(self) -> None:
        """Forget deduplication marks beyond the window, and cache entries that have expired."""
        now, window = self._pipeline.clock.now(), self._pipeline.project.settings.window_ms
        forgotten = await self._store.forget_marks(now - window)
        if forgotten:
            log.info("deduplication marks beyond the window were dropped", marks=forgotten)

    async def retain(self) -> None:
        """Drop records that are older than the project keeps them."""
        retention = self._pipeline.project.settings.retention
        if retention:
            dropped = await self._store.retain(retention.keep(self._pipeline.clock.now()))
            if dropped.total():
                log.info("what is not kept any longer was dropped", **{kind: dropped[kind] for kind in RETAINED})

    async def sweep(self) -> None:
        """Let the store finish writes that were left half done."""
        if isinstance(self._store, Sweepable):
            finished = await self._store.sweep()
            if finished:
                log.info("what was left half done was finished", documents=finished)

    async def settle(self) -> None:
        """Judge the merges that units have begun and not committed: what does not belong together is set apart.

        What does belong together is written as one profile, with the time at which it is due: until then no timer finds
        what the frozen profile waits for.
        """
        for id in await self._store.unsettled(SETTLE_AT_ONCE):
            with suppress(Contention):  # the units that move it settle it
                await reevaluate(self._pipeline, id)


def log_apart(apart: Regrouped) -> None:
    """Log that a profile was set apart, by a unit or in the background."""
    log.info("a profile was set apart", ids=len(apart.ids), profiles=len(apart.profiles))


def upkeep(pipeline: Pipeline, forgettings: Forgettings) -> AbstractAsyncContextManager[object]:
    """Do the upkeep of a pipeline's store as long as the context is open."""
    work, again, recurring = (
        Upkeep(pipeline),
        SegmentRefresh(pipeline),
        RecurringWork(pipeline.report, worked(pipeline)),
    )
    recurring.every("forgetting marks", FORGET_SECONDS, work.forget, first=FORGET_SECONDS)
    recurring.every("forgetting profiles", RESUME_SECONDS, forgettings.resume, first=RESUME_FIRST)
    recurring.every("setting apart", SETTLE_SECONDS, work.settle, first=SETTLE_SECONDS)
    recurring.every("retention", RETAIN_SECONDS, work.retain, first=RETAIN_FIRST, jitter=RETAIN_JITTER)
    # At once: a new store stores the version of its segments before its first event.
    recurring.every("looking at all profiles", segment_refresh.SECONDS, again.renew, first=0)
    if isinstance(pipeline.store, Sweepable):
        recurring.every("sweeping", SWEEP_SECONDS, work.sweep, first=SWEEP_FIRST)
    return recurring
