import asyncio

from msgspec import structs

from engine.ports.kinds import DELIVERIES
from engine.ports.records import RecordDelete, RecordWrite, Unit
from engine.ports.store import Unavailable
from engine.sending.delivery_writes import DeliveryWrites
from storage.memory import MemoryStore
from tests.engine.sending.samples import sample


def no_failure(failure: Unavailable) -> None:
    raise failure


class CountingStore(MemoryStore):
    """A store that counts commits."""

    commits = 0

    async def commit(self, unit: Unit) -> None:
        self.commits += 1
        await super().commit(unit)


async def test_a_change_that_comes_too_late_does_not_undo_those_that_share_its_commit() -> None:
    store = MemoryStore()
    first, late, last = sample("first"), sample("late"), sample("last")
    await store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in (first, late, last)])))
    await store.commit(Unit(changes=(RecordDelete(DELIVERIES, "late", 1),)))
    writes = DeliveryWrites(store, no_failure)
    sent = [structs.replace(each, state="sent", version=2) for each in (first, late, last)]
    assert await asyncio.gather(*[writes.write(each) for each in sent]) == [True, False, True]
    states = {id: await store.record(DELIVERIES, id) for id in ("first", "late", "last")}
    assert {id: each and each.state for id, each in states.items()} == {"first": "sent", "late": None, "last": "sent"}


async def test_changes_of_one_moment_share_a_commit() -> None:
    store = CountingStore()
    writes = DeliveryWrites(store, no_failure)
    assert all(await asyncio.gather(*[writes.write(sample(f"d{n}")) for n in range(20)]))
    assert store.commits == 1
