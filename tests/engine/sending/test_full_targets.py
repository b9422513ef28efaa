from engine.ports.kinds import DELIVERIES
from engine.ports.records import RecordWrite, Unit
from engine.sending.full_targets import full_targets
from storage.memory import MemoryStore
from tests.engine.sending.samples import sample


async def test_a_target_is_full_once_as_many_deliveries_wait_as_may() -> None:
    store = MemoryStore()
    deliveries = [
        *(sample(f"c{n}") for n in range(5)),
        *(sample(f"e{n}", target="erp", state="sent") for n in range(9)),
        *(sample(f"f{n}", target="erp") for n in range(4)),
    ]
    await store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in deliveries])))
    assert await full_targets(store, ("crm", "erp"), 5) == {"crm"}
    assert await full_targets(store, ("crm", "erp"), 4) == {"crm", "erp"}
    assert await full_targets(store, ("crm", "erp"), 6) == frozenset()


class CountingStore(MemoryStore):
    """A store that must not be searched."""

    async def search(self, query, limit, after=None):
        raise AssertionError("it was searched")


async def test_nothing_is_searched_while_few_deliveries_are_stored() -> None:
    store = CountingStore()
    await store.commit(Unit(changes=(RecordWrite(DELIVERIES, sample(), 0),)))
    assert await full_targets(store, ("crm",), 2) == frozenset()
