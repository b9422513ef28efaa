"""Late counting: units whose commit got no answer are counted when the store turns out to have them.

The store may make a commit although its caller never learns of it: the connection broke, the answer took too long, or
the caller was cancelled. The unit is not counted then. So this asks the store for a document that only that unit can
have written.

States of a unit
----------------
    waiting      the store is asked after each pause of `PAUSES`; while it is unavailable, no pause is used up
    counted      the store has it: it was counted once
    dropped      the store did not have it after the last pause, or a repeat of its request counts it (`withdraw`)

Invariants
----------
* A unit is counted once: by its caller, here, or by the drain that repeats its request, which asks `has_counted`.
* At most `MAX_WAITING` units wait. Further ones are dropped: their events stay uncounted.
* A unit of which the store keeps nothing by an id (events without an id that are not to be saved) is dropped, too.
"""

import asyncio
import heapq
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from engine.ports.bounded import BoundedCache
from engine.ports.kinds import REJECTED
from engine.ports.store import Conflict, Contention, Overloaded, Reads, TooLarge, Unavailable
from engine.tracking.unit.ledger import Counted, Ledger
from engine.tracking.unit.request import UnitRequest

PAUSES = (0.5, 2.0, 8.0, 30.0)  # seconds before each look
AWAY_SECONDS = 1.0  # before the next look when the store is unavailable
MAX_WAITING = 10_000
NOT_WRITTEN = (Conflict, Contention, Overloaded, TooLarge)  # failures after which the store has nothing of a unit


@dataclass(slots=True)
class LateUnit:
    """A unit that may have been stored, and how its events are counted if it was."""

    request: UnitRequest
    counted: Counted
    looks: int = 0


class LateCounting:
    """Counts units whose commit got no answer. For one event loop; `close` it at the end."""

    def __init__(self, store: Reads, ledger: Ledger, pauses: Sequence[float] = PAUSES) -> None:
        self._store = store
        self._ledger = ledger
        self._pauses = pauses
        self._waiting: dict[str, LateUnit] = {}  # by the seed of the request
        self._looks: list[tuple[float, str]] = []  # a heap of the times (of the loop) of the next looks, with the seeds
        self._counted: BoundedCache[bool] = BoundedCache()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, request: UnitRequest, counted: Counted, failure: BaseException) -> None:
        """Count a unit later, if the store has it; `failure` is that of its commit."""
        if isinstance(failure, NOT_WRITTEN) or counted == Counted() or len(self._waiting) >= MAX_WAITING:
            return
        self._waiting[request.seed] = late = LateUnit(request, counted)
        self._look_after(self._pauses[0], late)
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._work())

    def withdraw(self, seed: str) -> None:
        """Leave a unit to the repeat of its request."""
        self._waiting.pop(seed, None)

    def has_counted(self, seed: str) -> bool:
        """Whether a unit was counted here."""
        return seed in self._counted

    async def settled(self) -> None:
        """Wait until no unit waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Drop the units that wait."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _look_after(self, seconds: float, late: LateUnit) -> None:
        heapq.heappush(self._looks, (asyncio.get_running_loop().time() + seconds, late.request.seed))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._looks:
                wait = self._looks[0][0] - loop.time()
                if wait > 0:
                    await asyncio.sleep(min(wait, self._pauses[0]))  # a unit that is added may be due earlier
                    continue
                late = self._waiting.get(heapq.heappop(self._looks)[1])
                if late is not None:
                    await self._look(late)
        finally:
            self._task = None

    async def _look(self, late: LateUnit) -> None:
        seed = late.request.seed
        try:
            found = await self._is_stored(late.request)
        except Unavailable:
            self._look_after(AWAY_SECONDS, late)
            return
        if self._waiting.get(seed) is not late:
            return  # withdrawn meanwhile
        late.looks += 1
        if found:
            self._ledger.count(late.counted)
            self._counted.put(seed, True)
        elif late.looks < len(self._pauses):
            self._look_after(self._pauses[late.looks], late)
            return
        del self._waiting[seed]

    async def _is_stored(self, request: UnitRequest) -> bool:
        """Whether the store has anything that only this unit can have written. Raises `Unavailable`."""
        ids = tuple([event.id for event in request.events if event.marked])
        marks = await self._store.marks(request.source.source, ids) if ids else {}
        if any((mark.at, mark.session) == (request.now, request.intake.session) for mark in marks.values()):
            return True
        drawn = [event.id for event in request.events if event.save and not event.marked]
        if drawn and await self._store.event(drawn[0]) is not None:
            return True
        rejected = request.rejected()[:1]
        return bool(rejected) and await self._store.record(REJECTED, rejected[0].id) is not None
