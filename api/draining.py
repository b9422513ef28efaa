"""Draining the spool in the background: as soon as the store is back, and again after a while as long as it is not."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.spool.draining import DrainingTracker, DrainResult

PAUSE_SECONDS = 0.1  # after the first failure; each time twice as long
MAX_SECONDS = 5.0

log = structlog.get_logger("headrace.spool")


@asynccontextmanager
async def draining(tracker: Tracker) -> AsyncIterator[None]:
    """Drain the tracker's spool, if it has one, as long as the context is open."""
    if not isinstance(tracker, DrainingTracker):
        yield
        return
    task = asyncio.create_task(_forever(tracker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forever(tracker: DrainingTracker) -> None:
    pause, away = PAUSE_SECONDS, False
    while True:
        await tracker.waits.wait()
        drained = await _drain(tracker)
        if drained.rejected:
            log.error("payloads could not be processed, they are kept as rejected events", units=drained.rejected)
        if drained.reason is None:
            if away and not tracker.spool.entries:
                log.info("the store is back, nothing waits any more")
                away = False
            pause = PAUSE_SECONDS
            if not drained.done:  # something is just being put in
                await asyncio.sleep(PAUSE_SECONDS)
            continue
        if not away:
            log.warning("payloads wait for the store", reason=drained.reason, entries=tracker.spool.entries)
            away = True
        if drained.done:
            pause = PAUSE_SECONDS
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # that processes do not come all at once
        pause = min(pause * 2, MAX_SECONDS)


async def _drain(tracker: DrainingTracker) -> DrainResult:
    try:
        return await tracker.drain()
    except Exception as error:  # a bug must not end the draining
        log.exception("draining the spool failed")
        return DrainResult(reason=str(error))
