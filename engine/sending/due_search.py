"""The search for due deliveries: one for all queues of a process as long as few are due, else one for each queue.

A process may send to dozens of queues, most of which are empty at any moment: a search for each of them every second
would be most of the requests of an idle server. What a search has found may be some moments old, as that of any search
is; a sender reads each delivery before it sends it.
"""

from asyncio import Lock
from typing import Final

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.ports.store import Store, Unavailable
from engine.ports.world import Clock

PAGE: Final = 500  # deliveries of the search of one queue
FEW: Final = 50  # due in all queues together: if there are more, each queue has a search of its own
FRESH_SECONDS: Final = 0.3  # for which what was found, or that the store is away, holds for all queues


class DueSearch:
    """The search of one process. `shared`: searches are requests to another machine, so the queues share them."""

    def __init__(self, store: Store, clock: Clock, *, shared: bool) -> None:
        self._store = store
        self._clock = clock
        self._shared = shared
        self._lock = Lock()  # held while all queues are searched
        self._fresh_until = float("-inf")  # ticks
        self._few: list[StoredDelivery] | None = None  # None: they were too many
        self._failure: Unavailable | None = None

    async def due(self, queue: str) -> list[StoredDelivery]:
        """Return the deliveries of a queue that are due, those due longest first, at most `PAGE`.

        Raises `Unavailable`.
        """
        few = await self._of_all() if self._shared else None
        if few is None:
            return await self._store.due_records(DELIVERIES, self._clock.now(), PAGE, queue)
        return [each for each in few if each.queue == queue]

    async def _of_all(self) -> list[StoredDelivery] | None:
        async with self._lock:
            began = self._clock.ticks()
            if began >= self._fresh_until:
                try:
                    found = await self._store.due_records(DELIVERIES, self._clock.now(), FEW)
                except Unavailable as failure:
                    self._failure, self._fresh_until = failure, self._clock.ticks() + FRESH_SECONDS
                    raise
                self._few = found if len(found) < FEW else None
                self._failure, self._fresh_until = None, began + FRESH_SECONDS
            if self._failure is not None:
                raise self._failure
            return self._few
