"""The ledger and the store agree, wherever a request is cancelled and whichever answer of the store is lost."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from engine.ports.store import Conflict, Store, Unavailable
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.late_counting import LateCounting
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.ledger import Totals
from tests.engine.tracking.cancelling import CancellingPort
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opening
from tests.engine.tracking.shop_project import SHOPPING
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import payload

BUSY: dict[str, Any] = payload(
    {"type": "counted", "id": "e-{n}"}, "counted", {"typo": 1}, {"type": "x", "options": {"saveEvents": False}}
)
PAYLOADS = {
    "events of every kind": BUSY,
    "one event with an id": payload({"type": "counted", "id": "e-{n}"}),
    "one event without an id": payload("counted"),
    "one rejected event": payload({"typo": 1}),
    "a merge": payload(
        {"type": "joined", "id": "e-{n}", "properties": {"email": "ann@example.com"}}, session="visit-{n}"
    ),
    "a repeat with a rejected event": payload({"type": "counted", "id": "first"}, {"typo": 1}),
}


def numbered(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The payload with its ids made different from those of other numbers."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body).replace(b"{n}", str(number).encode()))
    return found


def look_at_once(pipeline: Pipeline) -> None:
    """Let units whose commit got no answer be looked for without pauses."""
    pipeline.late = pipeline.queues.late = LateCounting(pipeline.store, pipeline.ledger, pauses=(0.0,))


async def settled(pipeline: Pipeline) -> Totals:
    """The totals when nothing is under way; checks that the store has what the ledger counts."""
    for queue in list(pipeline.queues.active):
        with suppress(Conflict, Unavailable):
            async with pipeline.queues.rewriting(queue.id):
                pass  # nothing of the queue is under way
    await pipeline.late.settled()
    totals = pipeline.ledger.totals()
    places = totals.stored + totals.processed + totals.rejected + totals.duplicate + totals.queued
    assert totals.received == places
    counts = await pipeline.store.counts()
    assert (totals.stored, totals.rejected) == (counts["events"], counts["rejected"])
    return totals


async def finishes(task: "asyncio.Task[Any]") -> bool:
    """Whether a task ends without having been cancelled."""
    await asyncio.wait([task])
    if task.cancelled():
        return False
    assert isinstance(task.exception(), Refusal | None)
    return True


@pytest.mark.parametrize("body", PAYLOADS.values(), ids=PAYLOADS)
async def test_a_request_that_is_cancelled_anywhere_is_counted_if_it_is_stored(
    store: Store, body: dict[str, Any]
) -> None:
    port = CancellingPort(store)
    collector = Collector(SHOPPING, port)
    look_at_once(collector.pipeline)
    await collector.track(payload({"type": "counted", "id": "first"}))
    done = False
    while not done:
        collector.clock.advance(1)
        port.passed = 0
        port.victim = asyncio.create_task(collector.track(numbered(body, port.at)))
        done = await finishes(port.victim)
        await settled(collector.pipeline)
        port.at += 1
    assert port.at > 2


async def test_units_behind_one_that_is_cancelled_are_counted_once(store: Store) -> None:
    port = CancellingPort(store)
    collector = Collector(SHOPPING, port)
    look_at_once(collector.pipeline)
    await collector.tracker.start()
    done = False
    while not done:
        collector.clock.advance(1)
        port.passed = 0
        bodies = [payload({"type": "counted", "id": f"e-{port.at}-{n}"}) for n in range(4)]
        tasks = [asyncio.create_task(collector.track(body)) for body in bodies]
        port.victim = tasks[0]
        done = all([await finishes(task) for task in tasks])
        await settled(collector.pipeline)
        port.at += 1


@pytest.mark.parametrize("body", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("away", [False, True], ids=["the store is there", "the store is away"])
async def test_a_request_that_is_cancelled_anywhere_on_the_way_to_the_spool_is_counted_once(
    store: Store, opening: Opening, body: dict[str, Any], away: bool
) -> None:
    port, spool = CancellingPort(store), CancellingPort(opening())
    shop = Shop(SHOPPING, AwayStore(port), spool)
    look_at_once(shop.pipeline)
    await shop.track(payload({"type": "counted", "id": "first"}))
    done = False
    while not done:
        spool.passed = port.passed = 0
        spool.at = port.at
        shop.clock.advance(1)
        shop.away.away = away
        victim = asyncio.create_task(shop.track(numbered(body, port.at)))
        port.victim = spool.victim = victim
        done = await finishes(victim)
        await at_rest(shop)
        port.at += 1


async def at_rest(shop: Shop) -> None:
    """Drain the spool, also of what a cancelled request is still putting into it."""
    await shop.spool.ready()  # behind what is being put
    await shop.back()
    assert (await settled(shop.pipeline)).queued == 0


async def test_a_unit_whose_answer_is_lost_is_counted(store: Store) -> None:
    away = AwayStore(store)
    collector = Collector(SHOPPING, away)
    look_at_once(collector.pipeline)
    for n, body in enumerate(PAYLOADS.values()):
        away.fails = [None]
        with pytest.raises((Unavailable, Refusal)):
            await collector.track(numbered(body, n))
    assert (await settled(collector.pipeline)).stored > 0


async def test_a_unit_whose_answer_is_lost_and_that_its_sender_repeats_is_stored_once_and_a_duplicate(
    store: Store,
) -> None:
    away = AwayStore(store)
    collector = Collector(SHOPPING, away)
    look_at_once(collector.pipeline)
    await collector.track(payload("counted"))
    away.fails = [None]
    with pytest.raises(Unavailable):
        await collector.track(payload({"type": "counted", "id": "e-1"}))
    await collector.track(payload({"type": "counted", "id": "e-1"}))
    totals = await settled(collector.pipeline)
    assert (totals.received, totals.stored, totals.duplicate) == (3, 2, 1)


async def test_a_unit_that_the_store_did_not_take_is_not_counted(store: Store) -> None:
    away = AwayStore(store)
    collector = Collector(SHOPPING, away)
    look_at_once(collector.pipeline)
    await collector.track(payload("counted"))
    away.fails = [Unavailable("no")]
    with pytest.raises(Unavailable):
        await collector.track(payload({"type": "counted", "id": "e-1"}))
    assert (await settled(collector.pipeline)).received == 1


@pytest.mark.parametrize("looked", [False, True], ids=["drained first", "looked for first"])
async def test_a_unit_whose_answer_is_lost_and_that_is_spooled_is_counted_once(
    store: Store, opening: Opening, looked: bool
) -> None:
    shop = Shop(SHOPPING, AwayStore(store), opening())
    look_at_once(shop.pipeline)
    await shop.track(payload("counted"))
    shop.away.fails = [None]
    await shop.track(payload({"type": "counted", "id": "e-1"}))
    if looked:
        await shop.pipeline.late.settled()
    await shop.back()
    totals = await settled(shop.pipeline)
    assert (totals.received, totals.stored, totals.queued) == (2, 2, 0)
