import pytest

from effects.clock import ManualClock
from engine.ports.kinds import DELIVERIES
from engine.ports.records import RecordWrite, Unit
from engine.sending.changes import Keeping
from engine.sending.operations import PAGE, Change, ChangedDeliveries, Choice, DeliveryOperations
from storage.memory import MemoryStore
from tests.engine.sending.samples import NOW, sample


class Desk:
    """An operator's desk over a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.operations = DeliveryOperations(self.store, ManualClock(NOW), Keeping())

    async def write(self, *deliveries):
        await self.store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in deliveries])))

    async def all_of(self, what: Change, choice: Choice) -> list[ChangedDeliveries]:
        """Change all pages."""
        done = [await self.operations.change(what, choice)]
        while done[-1].after is not None:
            done.append(await self.operations.change(what, choice, done[-1].after))
        return done


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_dead_ones_are_retried_and_others_are_skipped_with_the_reason(desk: Desk) -> None:
    await desk.write(sample("d1", state="dead", ended=NOW), sample("d2", state="sent"))
    done = await desk.operations.change("retry", Choice(("d1", "d2", "d3")))
    assert done.changed == ("d1",)
    assert [(each.id, each.reason) for each in done.skipped] == [
        ("d2", "it is sent, not dead"),
        ("d3", "there is no such delivery"),
    ]
    again = await desk.operations.one("d1")
    assert again is not None
    assert (again.state, again.rounds, again.due) == ("waiting", 1, NOW)


async def test_waiting_ones_are_dropped(desk: Desk) -> None:
    await desk.write(sample("d1"), sample("d2", state="dead"))
    done = await desk.operations.change("drop", Choice(("d1", "d2")))
    assert (done.changed, [each.id for each in done.skipped]) == (("d1",), ["d2"])
    dropped = await desk.operations.one("d1")
    assert dropped is not None
    assert dropped.last is not None
    assert (dropped.state, dropped.last.reason) == ("dropped", "dropped by an operator")


async def test_all_of_a_target_are_retried_page_by_page(desk: Desk) -> None:
    many = [sample(f"d{n}", state="dead", at=NOW + n) for n in range(2 * PAGE + 5)]
    await desk.write(*many, sample("x1", state="dead", target="erp"), sample("d-sent", state="sent"))
    done = await desk.all_of("retry", Choice(target="crm"))
    assert len(done) >= 3
    assert sorted(id for each in done for id in each.changed) == sorted(each.id for each in many)
    other = await desk.operations.one("x1")
    assert other is not None
    assert other.state == "dead"


async def test_they_are_found_by_state_target_and_flow(desk: Desk) -> None:
    await desk.write(
        sample("d1"), sample("d2", state="dead"), sample("d3", state="dead", flow="other"), sample("d4", target="erp")
    )
    found = {}
    for choice in (Choice(state="waiting"), Choice(state="dead", flow="other"), Choice(target="erp"), Choice()):
        page, _ = await desk.operations.page(choice, 10, None)
        found[choice] = {each.id for each in page}
    assert list(found.values()) == [{"d1", "d4"}, {"d3"}, {"d4"}, {"d1", "d2", "d3", "d4"}]


async def test_a_retry_says_how_many_later_ones_of_its_profile_have_been_sent(desk: Desk) -> None:
    await desk.write(
        sample("d1", profile="ann", state="dead", ordered=True),
        sample("d2", profile="ann", state="sent", after=("d1",), ordered=True, at=NOW + 1),
        sample("d3", profile="ann", state="sent", after=("d2",), ordered=True, at=NOW + 2),
        sample("d4", profile="ann", after=("d3",), ordered=True, at=NOW + 3),
        sample("d5", profile="ann", state="sent", at=NOW + 3),
        sample("d6", profile="bob", state="sent", after=("d0",), ordered=True, at=NOW + 3),
    )
    done = await desk.operations.change("retry", Choice(("d1",)))
    assert done.later == {"d1": 2}


async def test_one_that_moves_at_the_same_moment_does_not_keep_the_others_from_being_changed(desk: Desk) -> None:
    class Racing(MemoryStore):
        async def record(self, kind, id):
            found = await super().record(kind, id)
            if id == "d2" and found is not None and found.version == 1:
                await super().commit(Unit(changes=(RecordWrite(DELIVERIES, sample("d2", state="sent", version=2), 1),)))
            return found

    store = Racing()
    await store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, sample(f"d{n}"), 0) for n in (1, 2, 3)])))
    done = await DeliveryOperations(store, ManualClock(NOW), Keeping()).change("drop", Choice(("d1", "d2", "d3")))
    assert done.changed == ("d1", "d3")
    assert [(each.id, each.reason) for each in done.skipped] == [("d2", "it was changed at the same moment")]
