"""Deliveries in queues that no process works on: their target is gone from the project, or has fewer shards now.

A delivery of a target that still exists moves to its first queue. One of a target that is gone waits, since the target
may come back; once it is older than a target may take by default, it is dead, and `retry` brings it back. Records of
ended ones are deleted when they are due. A target that is called differently from now on counts as gone.
"""

from collections.abc import Mapping
from typing import Final

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery, queue_of
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.search.field import Field
from engine.search.query import Is, Not, Query
from engine.sending.changes import Keeping, ended_as, moved
from engine.sending.delivery_writes import DeliveryWrites
from engine.sending.sender import QueueRules

STRAYS_SECONDS: Final = 60.0
PAGE: Final = 200


class Strays:
    """Looks after the strays of a store, for one project."""

    def __init__(self, store: Store, clock: Clock, writes: DeliveryWrites, rules: Mapping[str, QueueRules]) -> None:
        searchable = DELIVERIES.searchable
        assert searchable is not None  # noqa: S101
        self._store = store
        self._clock = clock
        self._writes = writes
        self._queues = frozenset(rules)
        self._query = Query(searchable, Not(Is(Field("queue"), tuple(rules))))
        self._keeping = next((each.keeping for each in rules.values()), Keeping())

    async def turn(self) -> int:
        """Look at all strays once. Returns how many were changed or deleted. Raises `Unavailable`."""
        changed, after = 0, None
        while True:
            page = await self._store.search(self._query, PAGE, after)
            for found in page.items:
                if isinstance(found, StoredDelivery):
                    changed += await self._look(found.id)
            after = page.after
            if after is None:
                return changed

    async def _look(self, id: str) -> bool:
        """Read a stray, and change it if it is time. Returns whether it was changed."""
        delivery = await self._store.record(DELIVERIES, id)
        now = self._clock.now()
        if delivery is None or delivery.queue in self._queues:
            return False
        if delivery.state != "waiting":
            return delivery.due <= now and await self._writes.delete(delivery)
        home = queue_of(delivery.target)
        if home in self._queues:
            return await self._writes.write(moved(delivery, home))
        since = delivery.due if delivery.since is None else delivery.since
        if now - since < self._keeping.give_up:
            return False
        reason = f"the project has had no target {delivery.target} for too long"
        return await self._writes.write(ended_as(delivery, "dead", now, self._keeping, reason))
