"""Draining the spool in the background: as soon as the store is back, with growing pauses as long as it is away."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from api.metrics.worked import worked
from engine.ports.backoff import BackoffFormula
from engine.tracking.spool.draining import Drain, DrainResult
from engine.tracking.spool.spooling import SpoolingTracker

BACKOFF = BackoffFormula(first=0.1, longest=5.0)
IDLE_SECONDS = 0.1  # when entries were just being put into the spool

log = structlog.get_logger("headrace.spool")


@asynccontextmanager
async def background_drain(tracker: SpoolingTracker | None) -> AsyncIterator[None]:
    """Drain the tracker's spool as long as the context is open; without a tracker, do nothing."""
    if tracker is None:
        yield
        return
    task = asyncio.create_task(_forever(tracker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forever(tracker: SpoolingTracker) -> None:
    drain = tracker.drain
    failures, away = 0, False
    while True:
        await drain.waits.wait()
        drained = await _run(drain)
        if drained.rejected:
            log.error("payloads could not be processed, they are kept as rejected events", units=drained.rejected)
        if drained.reason is None:
            worked(tracker.pipeline)("draining the spool")
            if away and not drain.spool.entries:
                log.info("nothing waits for the store any more")
                away = False
            failures = 0
            if not drained.done:
                await asyncio.sleep(IDLE_SECONDS)
            continue
        if drained.away is not None:
            tracker.pipeline.report(drained.away)
        if not away:
            log.warning("payloads wait for the store", entries=drain.spool.entries)
            away = True
        failures = 1 if drained.done else failures + 1
        await asyncio.sleep(BACKOFF.pause(failures, random.random()))  # noqa: S311 - only spreads the processes


async def _run(drain: Drain) -> DrainResult:
    try:
        return await drain.run()
    except Exception as error:  # a bug must not end the draining
        log.exception("draining the spool failed")
        return DrainResult(reason=str(error))
