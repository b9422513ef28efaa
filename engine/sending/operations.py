"""Operators' work on deliveries: finding them, having dead ones sent again, dropping waiting ones.

Each change is a compare-and-set at the version that was just read. A delivery that has moved on meanwhile is skipped,
with the reason. A page is handled at a time, so that no request of an operator takes long.
"""

from typing import Final, Literal

from msgspec import Struct

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import DeliveryState, StoredDelivery
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Conflict, Store
from engine.ports.world import Clock
from engine.search.field import Field
from engine.search.query import AllOf, Is, Query, Within
from engine.sending.changes import Keeping, ended_as, retried

PAGE: Final = 100  # deliveries that one step changes
LATER_PAGE: Final = 500  # later deliveries that are counted
DROPPED: Final = "dropped by an operator"

Change = Literal["retry", "drop"]
STATE_BEFORE: Final[dict[Change, DeliveryState]] = {"retry": "dead", "drop": "waiting"}


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries: these ids, or all that meet all the other conditions."""

    ids: tuple[str, ...] = ()
    target: str | None = None
    flow: str | None = None
    state: DeliveryState | None = None

    def query(self) -> Query:
        """Return the query that finds them."""
        searchable = DELIVERIES.searchable
        assert searchable is not None  # noqa: S101
        fields = {"target": self.target, "flow": self.flow, "state": self.state}
        conditions = [Is(Field(name), (value,)) for name, value in fields.items() if value is not None]
        return Query(searchable, AllOf(tuple(conditions)))


class SkippedDelivery(Struct, frozen=True):
    """A delivery that was not changed, and why."""

    id: str
    reason: str


class ChangedDeliveries(Struct, frozen=True):
    """The result of a step. `after` leads to the next one; None after the last.

    `later` says of ordered deliveries that are sent again how many later ones of their profile have been sent.
    """

    changed: tuple[str, ...] = ()
    skipped: tuple[SkippedDelivery, ...] = ()
    later: dict[str, int] = {}
    after: str | None = None


class DeliveryOperations:
    """Operations on the deliveries of a store. Raises `Unavailable`."""

    def __init__(self, store: Store, clock: Clock, keeping: Keeping) -> None:
        self._store = store
        self._clock = clock
        self._keeping = keeping

    async def page(self, choice: Choice, limit: int, after: str | None) -> tuple[list[StoredDelivery], str | None]:
        """Return deliveries, the newest first, and the cursor of the next page. Raises `BadCursor`."""
        if choice.ids:
            read = [await self.one(id) for id in choice.ids[:limit]]
            return [each for each in read if each is not None], None
        page = await self._store.search(choice.query(), limit, after)
        return [each for each in page.items if isinstance(each, StoredDelivery)], page.after

    async def one(self, id: str) -> StoredDelivery | None:
        """Return a delivery by its id."""
        return await self._store.record(DELIVERIES, id)

    async def change(self, what: Change, choice: Choice, after: str | None = None) -> ChangedDeliveries:
        """Retry dead deliveries or drop waiting ones: one page of those chosen. Raises `BadCursor`."""
        before = STATE_BEFORE[what]
        if choice.ids:
            ids, following = choice.ids, None
        else:
            chosen = Choice(target=choice.target, flow=choice.flow, state=before)
            page, following = await self.page(chosen, PAGE, after)
            ids = tuple([each.id for each in page])
        wanted: list[StoredDelivery] = []
        skipped: list[SkippedDelivery] = []
        for id in ids:
            delivery = await self.one(id)
            if delivery is None:
                skipped.append(SkippedDelivery(id, "there is no such delivery"))
            elif delivery.state != before:
                skipped.append(SkippedDelivery(id, f"it is {delivery.state}, not {before}"))
            else:
                wanted.append(delivery)
        done, moved = await self._write(what, wanted)
        later = {each.id: count for each in done if what == "retry" and (count := await self._later(each))}
        return ChangedDeliveries(tuple([each.id for each in done]), (*skipped, *moved), later, following)

    async def _write(
        self, what: Change, wanted: list[StoredDelivery]
    ) -> tuple[list[StoredDelivery], list[SkippedDelivery]]:
        """Write the changes of deliveries that were just read: together, else one by one."""
        now = self._clock.now()
        writes = [
            RecordWrite(
                DELIVERIES,
                retried(each, now) if what == "retry" else ended_as(each, "dropped", now, self._keeping, DROPPED),
                each.version,
            )
            for each in wanted
        ]
        if not writes:
            return [], []
        try:
            await self._store.commit(Unit(changes=tuple(writes)))
        except Conflict:
            pass
        else:
            return wanted, []
        done, moved = [], []
        for each, write in zip(wanted, writes, strict=True):
            try:
                await self._store.commit(Unit(changes=(write,)))
                done.append(each)
            except Conflict:
                moved.append(SkippedDelivery(each.id, "it was changed at the same moment"))
        return done, moved

    async def _later(self, delivery: StoredDelivery) -> int:
        """Return how many later ordered deliveries of its profile to its target have been sent, about."""
        if delivery.profile is None or not delivery.ordered:
            return 0
        query = Choice(target=delivery.target, state="sent").query()
        same = Is(Field("profile"), (delivery.profile,))
        later = Within(Field("at", type="moment"), low=delivery.at)
        page = await self._store.search(Query(query.searchable, AllOf((query.node, same, later))), LATER_PAGE)
        return sum(isinstance(each, StoredDelivery) and each.ordered and each.id != delivery.id for each in page.items)
