from engine.flow.message import HttpMessage
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery, queue_of
from engine.ports.records import RecordWrite, Unit
from engine.project.source import Target
from engine.sending.full_targets import AHEAD_MS, full_targets
from storage.memory import MemoryStore

NOW = 1_700_000_000_000
TARGETS = {"crm": Target(url="https://crm.example", shards=2), "erp": Target(url="https://erp.example")}


async def _filled(*due: tuple[str, int, int]) -> MemoryStore:
    """A store with deliveries: to a target, in a shard, due so long after now."""
    store = MemoryStore()
    made = [
        StoredDelivery(
            f"d{i}", target, queue_of(target, shard), NOW, "shop", "e", "flow", "node", HttpMessage(), NOW + after
        )
        for i, (target, shard, after) in enumerate(due)
    ]
    await store.commit(Unit(changes=tuple(RecordWrite(DELIVERIES, each, 0) for each in made)))
    return store


async def test_a_target_is_full_when_the_deliveries_of_all_its_shards_are_as_many_as_may_wait() -> None:
    store = await _filled(("crm", 0, 0), ("crm", 1, -5), ("crm", 1, AHEAD_MS), ("erp", 0, 0), ("erp", 0, 0))
    assert await full_targets(store, TARGETS, 3, NOW) == {"crm"}


async def test_what_is_due_much_later_does_not_count() -> None:
    store = await _filled(("crm", 0, 0), ("crm", 1, 0), ("crm", 1, AHEAD_MS + 1))
    assert await full_targets(store, TARGETS, 3, NOW) == frozenset()
