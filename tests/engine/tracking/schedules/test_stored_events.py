"""A scheduled flow that fetches pages, keeps a cursor, and stores an event of a person for each row, once."""

from typing import Any

import pytest

from engine.flow.ask import HttpReply
from engine.ports.kinds import DELIVERIES, SEARCHABLE
from engine.ports.outbox import SELF, queue_of
from engine.ports.store import Store
from engine.ports.world import OutsideCall
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.source import Target
from engine.search.parse import parse
from engine.tracking.operations.own_events import track_own
from tests.engine.tracking.schedules.process import MINUTE, Process
from tests.projects import USERS, project

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SHOP = {"erp": Target(url="https://erp.example")}
PULL = """
    flow: pull-orders
    trigger: {every: 10m}
    nodes:
      since: {state.get: {key: cursor, default: 0}, next: fetch}
      fetch:
        lookup.http: {target: erp, path: /orders, query: {after: "{{ nodes.since.out }}"}}
        next: {found: rows, missing: none, failed: none}
      rows:
        each:
          in: "{{ nodes.fetch.out.orders }}"
          do:
            order:
              event.store:
                type: order
                id: "{{ item.number }}"
                time: "{{ item.at }}"
                user: "{{ item.customer }}"
                properties: {total: "{{ item.total }}"}
        next: keep
      keep: {state.set: {key: cursor, value: "{{ nodes.fetch.out.last }}"}}
      none: {fail: the orders could not be fetched}
"""
COUNT = """
    flow: count
    trigger: {event: order}
    nodes: {add: {profile.increment: {traits.orders: 1, traits.spent: "{{ event.properties.total }}"}}}
"""
BAD = """
    flow: bad
    trigger: {every: 10m}
    nodes: {order: {event.store: {type: order, id: %s, time: %s, user: jo}}}
"""


class ShopSystem:
    """Answers with the two orders after a number, of which the customer of each is known."""

    def __init__(self, overlap: int) -> None:
        self.overlap = overlap
        self.asked: list[int] = []

    async def perform(self, call: OutsideCall) -> HttpReply:
        after = int(call.ask.query["after"])
        self.asked.append(after)
        first = max(after - self.overlap, 0)
        numbers = range(first + 1, after + 3)
        orders = [
            {"number": n, "at": f"2025-12-{n:02}T12:00:00Z", "customer": f"C-{n % 2}", "total": 10} for n in numbers
        ]
        return HttpReply(200, body={"orders": orders, "last": after + 2})


async def deliver(process: Process) -> list[str]:
    """Track all events that wait in the outbox, each twice, as after a crash. Returns their results."""
    found = await process.store.due_records(DELIVERIES, process.clock.now(), 100, queue_of(SELF))
    return [(await track_own(process.pipeline, each)).verdict for each in (*found, *found)]


async def found(store: Store, kind: str, text: str) -> list[Any]:
    return list((await store.search(parse(text, SEARCHABLE[kind], START), 100)).items)


@pytest.mark.parametrize("overlap", [0, 2], ids=["each page is new", "pages overlap"])
async def test_each_row_becomes_an_event_of_its_person_once(store: Store, overlap: int) -> None:
    shop = ShopSystem(overlap)
    process = Process(project(PULL, COUNT, targets=SHOP, settings=USERS), store, "a", START, shop)
    await process.start()
    for _ in range(3):
        await process.turn(10 * MINUTE)
        assert set(await deliver(process)) == {"sent"}
    assert shop.asked == [0, 2, 4]
    assert (await process.task("pull-orders")).state == {"cursor": 6}
    orders = await found(store, "events", "type:order")
    assert sorted([order.id for order in orders]) == [f"pull-orders:{n}" for n in range(1, 7)]
    first = next(order for order in orders if order.id == "pull-orders:1")
    assert (first.time, first.origin) == ("2025-12-01T12:00:00.000Z", "flow")
    for customer in ("C-0", "C-1"):
        (profile,) = await found(store, "profiles", f"traits.customer:{customer}")
        traits = profile_view(profile, fold(profile))["traits"]
        assert (traits["orders"], traits["spent"]) == (3, 30)


@pytest.mark.parametrize(
    ("id", "time"), [("null-ish", '"yesterday"'), ('"undefined"', "2026-01-01")], ids=["a bad time", "a placeholder"]
)
async def test_an_event_that_cannot_be_stored_is_a_dead_delivery_with_the_reason(
    store: Store, id: str, time: str
) -> None:
    process = Process(project(BAD % (id, time), settings=USERS), store, "a", START)
    await process.start()
    await process.turn(10 * MINUTE)
    assert set(await deliver(process)) == {"dead"}
    assert await found(store, "events", "type:order") == []
