"""Outages: the one place where failures of the store and of the spool are logged.

Callers report each failure that they meet. The log gets the first one of an outage, then a line with their number every
`REPEAT_SECONDS`, and a line when the outage is over: when the store (or spool) says that it is ready and no failure was
reported for `PROBE_SECONDS`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import structlog

from engine.ports.spool import Spool, SpoolUnavailable
from engine.ports.store import Contention, Overloaded, Store, TooLarge, Unavailable

REPEAT_SECONDS = 60.0
PROBE_SECONDS = 1.0
NO_FAILURE = (Contention, Overloaded, TooLarge)  # the store works

Part = Literal["store", "spool"]
Ready = Callable[[], Awaitable[str | None]]

log = structlog.get_logger("headrace.outages")


@dataclass(slots=True)
class Outage:
    """An outage under way. Times are in seconds of the event loop."""

    started: float
    logged: float
    reason: str
    failures: int = 1


class Outages:
    """The outages of a server's store and spool. For one event loop; `close` it at the end."""

    def __init__(self, store: Store, spool: Spool | None) -> None:
        self._ready: dict[Part, Ready] = {"store": store.ready}
        if spool is not None:
            self._ready["spool"] = spool.ready
        self._open: dict[Part, Outage] = {}
        self._watch: asyncio.Task[None] | None = None

    def report(self, failure: Unavailable) -> None:
        """Log a failure, or count it if one like it was logged a moment ago."""
        if isinstance(failure, NO_FAILURE):
            return
        part: Part = "spool" if isinstance(failure, SpoolUnavailable) else "store"
        outage = self._open.get(part)
        if outage is not None:
            outage.failures += 1
            outage.reason = str(failure)
            return
        log.error(f"the {part} fails", reason=str(failure))
        now = asyncio.get_running_loop().time()
        self._open[part] = Outage(now, now, str(failure))
        if self._watch is None:
            self._watch = asyncio.create_task(self._until_over())

    async def close(self) -> None:
        """Stop looking for the end of outages."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch

    async def _until_over(self) -> None:
        try:
            while self._open:
                before = {part: outage.failures for part, outage in self._open.items()}
                await asyncio.sleep(PROBE_SECONDS)
                for part, failures in before.items():
                    await self._look(part, failures)
        finally:
            self._open.clear()  # the next failure is logged again, also after a bug
            self._watch = None

    async def _look(self, part: Part, failures: int) -> None:
        """End an outage, or log that it goes on. It had so many failures `PROBE_SECONDS` ago."""
        outage, now = self._open[part], asyncio.get_running_loop().time()
        ready = self._ready.get(part)
        if outage.failures == failures and (ready is None or await ready() is None):
            del self._open[part]
            log.info(f"the {part} works again", failures=outage.failures, seconds=round(now - outage.started, 1))
        elif now - outage.logged >= REPEAT_SECONDS:
            outage.logged = now
            log.error(
                f"the {part} still fails",
                reason=outage.reason,
                failures=outage.failures,
                seconds=round(now - outage.started),
            )
