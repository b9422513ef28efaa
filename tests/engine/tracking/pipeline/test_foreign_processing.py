"""Foreign requests: each event once, all or nothing for the client, and no event in the way of others."""

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
from engine.tracking.pipeline.foreign_processing import SIDE_BY_SIDE, ForeignProcessing, Processed
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
    """A processing over a store that may be away."""

    def __init__(self, store: Store, source: Source = SHOP) -> None:
        self.away = AwayStore(store)
        self.source = source
        self.slots = FewSlots()
        super().__init__(project(sources=(source,), settings=USERS), self.away)
        self.processing = ForeignProcessing(self.tracker, self.slots)

    async def process(self, *events: ForeignEvent) -> Processed:
        if not self.pipeline.loading.secret:
            await self.tracker.start()
        groups = grouped_intakes(Translation(events=events), self.source, "segment", USERS.keys)
        return await self.processing.process(groups, self.source)

    async def counts(self) -> tuple[int, int, int]:
        """Stored profiles and events, and rejected ones."""
        counts = await self.away.store.counts()
        return counts["profiles"], counts["events"], counts["rejected"]


async def test_the_events_of_many_persons_are_stored_side_by_side(store: Store) -> None:
    shipping = Shipping(store)
    processed = await shipping.process(*[event(n, f"v-{n % 40}") for n in range(80)])
    assert (processed.accepted, processed.errors) == (80, [])
    assert await shipping.counts() == (40, 80, 0)
    assert (shipping.slots.taken, shipping.slots.free) == (SIDE_BY_SIDE - 1, 100)


async def test_without_free_slots_the_events_are_stored_one_after_another(store: Store) -> None:
    shipping = Shipping(store)
    shipping.slots.free = 0
    assert (await shipping.process(*[event(n, f"v-{n}") for n in range(20)])).accepted == 20
    assert (await shipping.counts())[:2] == (20, 20)


async def test_a_request_that_comes_again_takes_effect_once(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(0, "v-1"), event(1, "v-1", user="u-1"), event(2, "v-2")]
    assert (await shipping.process(*events)).accepted == 3
    assert (await shipping.process(*events)).accepted == 3
    assert (await shipping.counts())[1:] == (3, 0)


async def test_a_request_that_comes_twice_at_once_takes_effect_once(store: Store) -> None:
    shipping, other = Shipping(store), Shipping(store)  # two processes
    events = [event(n, f"v-{n % 5}") for n in range(20)]
    processed = await asyncio.gather(*[one.process(*events) for one in (shipping, other, shipping)])
    assert [one.accepted for one in processed] == [20, 20, 20]
    assert await shipping.counts() == (5, 20, 0)
    assert not shipping.pipeline.unmarked.ids


async def test_the_marks_of_a_request_are_read_once_and_groups_take_only_the_slots_that_they_need(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.process(event(0, "v-0"))
    shipping.away.called.clear()
    assert (await shipping.process(event(1, "v-1"), event(2, "v-2"), event(3, "v-3"))).accepted == 3
    assert (shipping.away.called["marks"], shipping.slots.taken) == (1, 2)


async def test_an_event_that_another_process_has_taken_meanwhile_is_a_repeat(store: Store) -> None:
    shipping, other = Shipping(store), Shipping(store)
    events = [event(0, "v-1"), event(1, "v-2")]

    async def elsewhere() -> None:
        await other.process(*events)

    await shipping.process(event(2, "v-3"))
    shipping.away.meanwhile = elsewhere  # after it was read that no event has a mark
    assert (await shipping.process(*events)).accepted == 2
    assert (await shipping.counts())[1] == 3


async def held_deliveries(shipping: Shipping, *requests: tuple[ForeignEvent, ...]) -> list[Processed | BaseException]:
    """Process requests while one worker at a time is all that there is, and the first commit waits for all of them."""
    await shipping.process(event(999, "v-first"))
    shipping.slots.free = 0
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await go_on.wait()

    shipping.away.meanwhile = hang
    tasks = [asyncio.create_task(shipping.process(*events)) for events in requests]
    await reached.wait()
    go_on.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_events_of_one_sender_in_several_requests_are_one_unit(store: Store) -> None:
    shipping = Shipping(store)
    first = (event(0, "v-0"), event(1, "v-1"), event(2, "v-2"))
    second = (event(10, "v-1"), event(11, "v-2"), event(12, "v-3"), event(13, "v-1"))
    ends = await held_deliveries(shipping, first, second)
    assert [end.accepted for end in ends if isinstance(end, Processed)] == [3, 4]
    assert await shipping.counts() == (5, 8, 0)  # with the first one
    assert shipping.away.commits == 1 + 4  # v-0 to v-3, each once


async def test_of_joined_requests_each_learns_of_its_own_rejected_events(store: Store) -> None:
    shipping = Shipping(store)
    first = (event(0, "v-0"), event(1, "v-1"), event(2, "v-1", type=""))
    second = (event(10, "v-2"), event(11, "v-1", type=""), event(12, "v-1"))
    ends = await held_deliveries(shipping, first, second)
    errors = [[(one.index, one.at) for one in end.errors] for end in ends if isinstance(end, Processed)]
    assert errors == [[(2, "/2")], [(1, "/11")]]
    assert await shipping.counts() == (4, 5, 2)


async def test_if_joined_events_cannot_be_stored_all_their_requests_are_to_come_again(store: Store) -> None:
    shipping = Shipping(store)
    first = (event(0, "v-0"), event(1, "v-1"))
    second = (event(10, "v-2"), event(11, "v-1"))
    shipping.away.refused["e1"] = Unavailable("the disk is full")
    ends = await held_deliveries(shipping, first, second, (event(20, "v-3"), event(21, "v-4")))
    assert [type(end) for end in ends] == [Unavailable, Unavailable, Processed]
    shipping.away.refused.clear()
    assert [(await shipping.process(*again)).accepted for again in (first, second)] == [2, 2]
    assert (await shipping.counts())[1] == 7


async def test_joined_events_come_in_the_order_of_their_requests_and_repeats_count_once(store: Store) -> None:
    shipping = Shipping(store)
    first = (event(0, "v-0"), event(1, "v-1"))
    ends = await held_deliveries(shipping, first, first, (event(5, "v-1"), event(6, "v-2")))
    assert [end.accepted for end in ends if isinstance(end, Processed)] == [2, 2, 2]
    assert (await shipping.counts())[1] == 5


async def test_a_request_whose_events_another_one_delivers_ends_if_that_one_is_cancelled(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.process(event(999, "v-first"))
    shipping.slots.free = 0
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    shipping.away.refused["e2"] = Unavailable("not reached")
    shipping.away.meanwhile = hang
    first = asyncio.create_task(shipping.process(event(0, "v-0"), event(1, "v-1")))
    second = asyncio.create_task(shipping.process(event(10, "v-0"), event(11, "v-1")))
    await reached.wait()
    first.cancel()
    ends = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(ends[0], asyncio.CancelledError)
    assert isinstance(ends[1], Unavailable | Processed)
    again = await shipping.process(event(0, "v-0"), event(1, "v-1"), event(10, "v-0"), event(11, "v-1"))
    assert again.accepted == 4
    assert (await shipping.counts())[1] == 5
    never.set()


async def test_a_request_without_events_ends_at_once(store: Store) -> None:
    assert (await Shipping(store).process()).accepted == 0


async def test_one_bad_event_is_recorded_and_the_others_are_stored(store: Store) -> None:
    shipping = Shipping(store)
    processed = await shipping.process(event(0, "v-1"), event(1, "v-1", type=""), event(2), event(3, user="u-1"))
    assert processed.accepted == 2
    assert [(one.index, one.at) for one in processed.errors] == [(1, "/1"), (3, "/3")]
    assert "and a user id is no secret" in processed.errors[1].reason
    assert await shipping.counts() == (1, 2, 2)


async def test_if_one_sender_cannot_be_stored_the_whole_request_is_unavailable_and_comes_again(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(n, f"v-{n % 3}") for n in range(9)]
    shipping.away.refused |= {f"e{n}": Unavailable("the disk is full", retry_after=5 + n % 3) for n in (4, 5)}
    with pytest.raises(Unavailable) as away:
        await shipping.process(*events)
    assert away.value.retry_after == 7
    assert (await shipping.counts())[1] == 3  # the other sender is through
    assert not shipping.pipeline.unmarked.ids
    shipping.away.refused.clear()
    assert (await shipping.process(*events)).accepted == 9
    assert await shipping.counts() == (3, 9, 0)


async def test_the_events_behind_one_that_could_not_be_stored_wait_for_the_next_try(store: Store) -> None:
    shipping = Shipping(store)
    events = [event(0, "v-1"), event(1, "v-1", user="u-1"), event(2, "v-1"), event(3, "v-2")]
    shipping.away.refused["e1"] = Unavailable("not now")
    with pytest.raises(Unavailable):
        await shipping.process(*events)
    assert (await shipping.counts())[1] == 2
    assert not shipping.pipeline.unmarked.ids  # that of the event that waits might be outdated by then


async def test_a_unit_that_is_too_large_is_divided_and_one_event_that_is_too_large_rejected(store: Store) -> None:
    shipping = Shipping(store)
    shipping.away.refused["e2"] = TooLarge("8 MiB")
    processed = await shipping.process(*[event(n, "v-1") for n in range(5)], event(5, "v-1", type=""))
    assert [(one.index, one.at) for one in processed.errors] == [(2, "/2"), (5, "/5")]
    assert await shipping.counts() == (1, 4, 2)


async def test_the_events_of_a_forgotten_person_are_dropped_and_counted(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.process(event(0, "v-1"), event(1, "v-2"))
    sender = sender_of(Intake(source="shop", visitor="v-1"), SHOP, None, USERS.keys, await store.secret())
    assert sender is not None
    forgetter = Forgetter(store, shipping.clock, shipping.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(sender.id, "the forgetting"))
    processed = await shipping.process(event(2, "v-1"), event(3, "v-2"), event(4, "v-1"))
    assert (processed.accepted, processed.errors) == (3, [])
    assert (await shipping.counts())[1] == 2  # both of v-2
    assert shipping.pipeline.ledger.totals().rejected == 2


async def test_an_event_that_a_fixed_schema_refuses_has_its_place_in_the_request(store: Store) -> None:
    shipping = Shipping(store, structs.replace(SHOP, schema="fixed"))
    processed = await shipping.process(event(7, "v-1"), event(8, "v-1", properties={"total": 1}))
    assert [(one.index, one.at) for one in processed.errors] == [(1, "/8")]


async def test_a_cancelled_request_leaves_no_task_behind(store: Store) -> None:
    shipping = Shipping(store)
    await shipping.process(event(0, "v-0"))
    reached, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        reached.set()
        await never.wait()

    shipping.away.meanwhile = hang
    task = asyncio.create_task(shipping.process(*[event(n, f"v-{n}") for n in range(1, 30)]))
    await reached.wait()
    workers = [one for one in asyncio.all_tasks() if "ForeignProcessing._work" in repr(one)]
    assert workers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert shipping.slots.free == 100
    assert all(worker.done() for worker in workers)
    never.set()


async def test_a_source_of_claims_only_takes_users_with_their_visitor(store: Store) -> None:
    trusted = structs.replace(SHOP, identify="trust")
    assert (await Shipping(store, trusted).process(event(0, user="u-1"))).accepted == 1
