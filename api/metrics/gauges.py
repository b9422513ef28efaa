"""Gauges: what a process holds now, written to the meter once a second, so that any process answers for all."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from api.gate import Gate
from effects.recurring_work import RecurringWork
from effects.shared_lookups import SharedLookups
from engine.ports.spool import Spool
from engine.sending.sending import OpenBreaker
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.families import (
    ANSWERS_KEPT,
    BREAKERS,
    CACHED,
    CACHED_BYTES,
    LOADS,
    LOOKUPS_SHARED,
    OTHER,
    RUNNING,
    SPOOLED,
    WAITING,
)
from engine.tracking.unit.meter import Cell

SECONDS: Final = 1.0


class _Total:
    """A counter of this process that something else counts: the meter gets what has been added since the last time."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._seen = 0

    def reach(self, total: int) -> None:
        """Note that it has come to a total."""
        self._cell.add(total - self._seen)
        self._seen = total


class Gauges:
    """The gauges of one process."""

    def __init__(
        self,
        pipeline: Pipeline,
        gate: Gate,
        lookups: SharedLookups,
        open_breakers: Callable[[], list[OpenBreaker]],
        spool: Spool | None,
    ) -> None:
        meter = self._meter = pipeline.ledger.meter
        self._pipeline = pipeline
        self._gate = gate
        self._lookups = lookups
        self._open_breakers = open_breakers
        self._spool = spool
        self._found = _Total(meter.cell(LOADS, "memory"))
        self._read = _Total(meter.cell(LOADS, "store"))
        self._shared = _Total(meter.cell(LOOKUPS_SHARED))

    async def publish(self) -> None:
        """Write all of them, and what has been counted since the last time."""
        meter, cache, loading = self._meter, self._pipeline.cache, self._pipeline.loading
        meter.cell(WAITING).put(self._gate.waiting)
        meter.cell(RUNNING).put(self._gate.running)
        meter.cell(SPOOLED).put(self._spool.entries if self._spool is not None else 0)
        meter.cell(ANSWERS_KEPT).put(self._lookups.kept)
        for name, cached in (("profiles", cache.profiles), ("sessions", cache.sessions)):
            meter.cell(CACHED, name).put(len(cached))
            meter.cell(CACHED_BYTES, name).put(cached.bytes)
        self._found.reach(loading.found)
        self._read.reach(loading.read)
        self._shared.reach(self._lookups.answered)
        self._publish_breakers()
        meter.flush()

    def _publish_breakers(self) -> None:
        names = self._meter.names.targets
        failing = {each.target if each.target in names else OTHER for each in self._open_breakers()}
        for target in (*names, OTHER):
            self._meter.cell(BREAKERS, target).put(target in failing)


@asynccontextmanager
async def publishing(gauges: Gauges) -> AsyncIterator[None]:
    """Write the gauges as long as the context is open."""
    recurring = RecurringWork()
    recurring.every("publishing gauges", SECONDS, gauges.publish, first=0)
    async with recurring:
        yield
    await gauges.publish()
