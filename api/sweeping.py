"""Sweeping: what the store may forget after its time is forgotten in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from engine.tracking.ports import Unavailable
from engine.tracking.tracker import Tracker

EVERY_SECONDS = 600

log = structlog.get_logger("headrace.sweep")


@asynccontextmanager
async def sweep(tracker: Tracker) -> AsyncIterator[None]:
    """Sweep now and then as long as the context is open."""
    task = asyncio.create_task(_forever(tracker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forever(tracker: Tracker) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        before = tracker.clock.now() - tracker.project.settings.window_ms
        try:
            forgotten = await tracker.store.forget_marks(before)
        except Unavailable as unavailable:
            log.warning("sweeping failed, it is tried again later", reason=unavailable.reason)
        else:
            if forgotten:
                log.info("deduplication marks beyond the window were dropped", marks=forgotten)
