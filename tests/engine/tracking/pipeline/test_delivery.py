"""Delivery of foreign requests: each event once, all or nothing for the client, and no event in the way of others."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from engine.ports.store import Store, TooLarge, Unavailable
from engine.project.source import Source
from engine.tracking.foreign.senders import grouped_intakes
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.intake.payload import Intake
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.pipeline.delivery import SIDE_BY_SIDE, Delivered, Delivery
from engine.tracking.unit.sender import sender_of
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.unavailable_store import AwayStore
from tests.projects import USERS, project

SHOP = Source(source="shop", accepts=("segment",))


def event(number: int, visitor: str | None = None, **more: Any) -> ForeignEvent:
    given: dict[str, Any] = {"type": f"e{number}", "id": f"id-{number}", **more}
    return ForeignEvent(at=f"/{number}", raw=b'{"n": %d}' % number, visitor=visitor, **given)


class FewSlots:
    """Slots of which `free` are left; `taken` are those that were taken last."""

    def __init__(self) -> None:
        self.free = 100
        self.taken = 0

    def take_slots(self, wanted: int) -> int:
        self.taken = min(wanted, self.free)
        self.free -= self.taken
        return self.taken

    def return_slots(self, count: int) -> None:
        self.free += count


class Shipping(Collector):
    """A delivery over a store that may be away."""

    def __init__(self, store: Store, source: Source = SHOP) -> None:
        self.away = AwayStore(store)
        self.source = source
        self.slots = FewSlots()
        super().__init__(project(sources=(source,), settings=USERS), self.away)
        self.delivery = Delivery(self.tracker, self.slots)

    async def deliver(self, *events: ForeignEvent) -> Delivered:
        if not self.pipeline.loading.secret:
            await self.tracker.start()
        groups = grouped_intakes(Translation(events=events), self.source, "segment", USERS.keys)
        return await self.delivery.deliver(groups, self.source)

    async def counts(self) -> tuple[int, int, int]:
        """Stored profiles and events, and rejected ones."""
        counts = await self.away.store.counts()
        return counts["profiles"], counts["events"], counts["rejected"]


async def test_the_events_of_many_persons_are_stored_side_by_side(store: Store) -> None:
    shipping = Shipping(store)
    delivered = await shipping.deliver(*[event(n, f"v-{n % 40}") for n in range(80)])
    assert (delivered.accepted, delivered.errors) == (80, [])
    assert await shipping.counts() == (40, 80, 0)
    assert (shipping.slots.taken, shipping.slots.free) == (SIDE_BY_SIDE - 1, 100)


async def test_without_free_slots_the_events_are_stored_one_after_another(store: Store) -> None:
    shipping = Shipping(store)
    shipping.slots.free = 0
    assert (await shipping.deliver(*[event(n, f"v-{n}") for n in range(20)])).accepted == 20
    assert (await shipping.counts())[:2] == (20, 20)


async def test_a_request_that_comes_again_takes_effect_once(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(0, "v-1"), event(1, "v-1", user="u-1"), event(2, "v-2")]
    assert (await shipping.deliver(*events)).accepted == 3
    assert (await shipping.deliver(*events)).accepted == 3
    assert (await shipping.counts())[1:] == (3, 0)


async def test_a_request_that_comes_twice_at_once_takes_effect_once(store: Store) -> None:
    shipping, other = Shipping(store), Shipping(store)  # two processes
    events = [event(n, f"v-{n % 5}") for n in range(20)]
    delivered = await asyncio.gather(*[one.deliver(*events) for one in (shipping, other, shipping)])
    assert [one.accepted for one in delivered] == [20, 20, 20]
    assert await shipping.counts() == (5, 20, 0)
    assert not shipping.pipeline.unmarked.ids


async def test_the_marks_of_a_request_are_read_once_and_groups_take_only_the_slots_that_they_need(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.deliver(event(0, "v-0"))
    shipping.away.called.clear()
    assert (await shipping.deliver(event(1, "v-1"), event(2, "v-2"), event(3, "v-3"))).accepted == 3
    assert (shipping.away.called["marks"], shipping.slots.taken) == (1, 2)


async def test_an_event_that_another_process_has_taken_meanwhile_is_a_repeat(store: Store) -> None:
    shipping, other = Shipping(store), Shipping(store)
    events = [event(0, "v-1"), event(1, "v-2")]

    async def elsewhere() -> None:
        await other.deliver(*events)

    await shipping.deliver(event(2, "v-3"))
    shipping.away.meanwhile = elsewhere  # after it was read that no event has a mark
    assert (await shipping.deliver(*events)).accepted == 2
    assert (await shipping.counts())[1] == 3


async def test_one_bad_event_is_recorded_and_the_others_are_stored(store: Store) -> None:
    shipping = Shipping(store)
    delivered = await shipping.deliver(event(0, "v-1"), event(1, "v-1", type=""), event(2), event(3, user="u-1"))
    assert delivered.accepted == 2
    assert [(one.index, one.at) for one in delivered.errors] == [(1, "/1"), (3, "/3")]
    assert "and a user id is no secret" in delivered.errors[1].reason
    assert await shipping.counts() == (1, 2, 2)


async def test_if_one_sender_cannot_be_stored_the_whole_request_is_unavailable_and_comes_again(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(n, f"v-{n % 3}") for n in range(9)]
    shipping.away.refused |= {f"e{n}": Unavailable("the disk is full", retry_after=5 + n % 3) for n in (4, 5)}
    with pytest.raises(Unavailable) as away:
        await shipping.deliver(*events)
    assert away.value.retry_after == 7
    assert (await shipping.counts())[1] == 3  # the other sender is through
    assert not shipping.pipeline.unmarked.ids
    shipping.away.refused.clear()
    assert (await shipping.deliver(*events)).accepted == 9
    assert await shipping.counts() == (3, 9, 0)


async def test_the_events_behind_one_that_could_not_be_stored_wait_for_the_next_try(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(0, "v-1"), event(1, "v-1", user="u-1"), event(2, "v-1"), event(3, "v-2")]
    shipping.away.refused["e1"] = Unavailable("not now")
    with pytest.raises(Unavailable):
        await shipping.deliver(*events)
    assert (await shipping.counts())[1] == 2
    assert not shipping.pipeline.unmarked.ids  # that of the event that waits might be outdated by then


async def test_a_unit_that_is_too_large_is_divided_and_one_event_that_is_too_large_rejected(store: Store) -> None:
    shipping = Shipping(store)
    shipping.away.refused["e2"] = TooLarge("8 MiB")
    delivered = await shipping.deliver(*[event(n, "v-1") for n in range(5)], event(5, "v-1", type=""))
    assert [(one.index, one.at) for one in delivered.errors] == [(2, "/2"), (5, "/5")]
    assert await shipping.counts() == (1, 4, 2)


async def test_the_events_of_a_forgotten_person_are_dropped_and_counted(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.deliver(event(0, "v-1"), event(1, "v-2"))
    sender = sender_of(Intake(source="shop", visitor="v-1"), SHOP, None, USERS.keys, await store.secret())
    assert sender is not None
    forgetter = Forgetter(store, shipping.clock, shipping.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(sender.id, "the forgetting"))
    delivered = await shipping.deliver(event(2, "v-1"), event(3, "v-2"), event(4, "v-1"))
    assert (delivered.accepted, delivered.errors) == (3, [])
    assert (await shipping.counts())[1] == 2  # both of v-2
    assert shipping.pipeline.ledger.totals().rejected == 2


async def test_an_event_that_a_fixed_schema_refuses_has_its_place_in_the_request(store: Store) -> None:
    shipping = Shipping(store, structs.replace(SHOP, schema="fixed"))
    delivered = await shipping.deliver(event(7, "v-1"), event(8, "v-1", properties={"total": 1}))
    assert [(one.index, one.at) for one in delivered.errors] == [(1, "/8")]


async def test_a_cancelled_request_leaves_no_task_behind(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.deliver(event(0, "v-0"))
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    shipping.away.meanwhile = hang
    task = asyncio.create_task(shipping.deliver(*[event(n, f"v-{n}") for n in range(1, 30)]))
    await reached.wait()
    workers = [one for one in asyncio.all_tasks() if "_Request.work" in repr(one)]
    assert workers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert shipping.slots.free == 100
    assert all(worker.done() for worker in workers)
    never.set()


async def test_a_source_of_claims_only_takes_users_with_their_visitor(store: Store) -> None:
    trusted = structs.replace(SHOP, identify="trust")
    assert (await Shipping(store, trusted).deliver(event(0, user="u-1"))).accepted == 1
