"""The deliveries of a queue that a process knows to be due: in order of their time, each once. No I/O.

A delivery is *offered* by a search or by the commit that wrote it, *taken* to be sent, and *released* when that has
ended. From offer to release its id is reserved: no second offer of it is accepted, so it is sent once at a time. While
it waits for another one that is reserved here, it is kept *behind* that one and offered again at its release.
"""

from collections import OrderedDict, deque
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

CAPACITY: Final = 1_000  # offers in memory; the others are found by the search
REMEMBERED: Final = 10_000  # versions that this process has written: a search may still return older ones


class Offer(Struct, frozen=True, order=True):
    """A delivery to look at. It is read before it is sent, so this may be outdated."""

    due: int  # ms
    id: str


class Offers:
    """The offers of one queue."""

    def __init__(self) -> None:
        self._heap: list[Offer] = []
        self._reserved: set[str] = set()
        self._behind: dict[str, deque[Offer]] = {}
        self._written: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heap)

    def offer(self, id: str, due: int, version: int) -> bool:
        """Add a delivery. Returns False if it is known already, outdated, or one too many."""
        if id in self._reserved or version < self._written.get(id, 0) or len(self._reserved) >= CAPACITY:
            return False
        self._reserved.add(id)
        heappush(self._heap, Offer(due, id))
        return True

    def ripe(self, now: int) -> bool:
        """Return whether an offer is due at `now` (ms)."""
        return bool(self._heap) and self._heap[0].due <= now

    def pause_ms(self, now: int) -> int:
        """Return how long until the next offer is due; 0 if one is, or there is none."""
        return max(self._heap[0].due - now, 0) if self._heap else 0

    def take(self) -> Offer:
        """Return the offer that is due longest. It stays reserved until `release`. Raises `IndexError` without any."""
        return heappop(self._heap)

    def is_reserved(self, id: str) -> bool:
        """Return whether a delivery is offered or under way here."""
        return id in self._reserved

    def keep_behind(self, id: str, offer: Offer) -> None:
        """Keep a taken offer until the delivery `id`, which is reserved, is released."""
        self._behind.setdefault(id, deque()).append(offer)

    def release(self, id: str) -> None:
        """End an offer. Those behind it are offered again."""
        self._reserved.discard(id)
        for offer in self._behind.pop(id, ()):
            heappush(self._heap, offer)

    def remember(self, id: str, version: int) -> None:
        """Remember the version of a delivery that this process has written."""
        self._written[id] = version
        self._written.move_to_end(id)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def clear(self) -> None:
        """Forget all offers but those that are under way."""
        waiting = [*self._heap, *(offer for behind in self._behind.values() for offer in behind)]
        self._reserved -= {offer.id for offer in waiting}
        self._heap.clear()
        self._behind.clear()
