"""Every n-th write fails in turn, for n from 1 until nothing fails; then whatever was not acknowledged is sent again.

Whichever write it was, everything has taken effect exactly once, and nothing is left half done.
"""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

import pytest
from msgspec import Struct

from engine.ports.records import StoredEvent
from engine.ports.store import Unavailable
from storage.elasticsearch.store import ElasticsearchStore
from tests.engine.tracking.collector import Collector
from tests.projects import project
from tests.storage.elasticsearch_requests import asked, dropped
from tests.storage.failing_connection import FailingConnection, WriteFailure

PROJECT = project(
    """
    flow: a-identify
    trigger: {event: [order, hello], when: event.properties.email is defined}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
    """,
    """
    flow: b-count
    trigger: {event: order}
    nodes:
      add: {profile.increment: {traits.revenue: "{{ event.properties.total }}"}, next: visit}
      visit: {session.set: {properties.orders: "{{ session.properties.orders|default(0) + 1 }}"}, next: child}
      child: {event.emit: {type: counted, properties: {total: "{{ event.properties.total }}"}}}
    """,
    """
    flow: c-call
    trigger: {event: call}
    nodes:
      who: {profile.attach: {key: {pii.email: "{{ event.properties.email }}"}, create: true}, next: add}
      add: {profile.increment: {traits.revenue: "{{ event.properties.total }}"}}
    """,
    """
    flow: d-visit
    trigger: {event: visit}
    nodes:
      note: {session.set: {properties.visits: "{{ session.properties.visits|default(0) + 1 }}"}}
    """,
)


class Payload(Struct, frozen=True):
    """One event that a client sends until it is acknowledged."""

    session: str | None
    id: str | None
    type: str
    properties: dict[str, Any] = {}
    profile_less: bool = False

    def body(self, name: str) -> dict[str, Any]:
        """As it is sent in the history of that name."""
        own = {key: f"{value}@{name}" if key == "email" else value for key, value in self.properties.items()}
        event: dict[str, Any] = {"type": self.type, "properties": own}
        if self.id is not None:
            event["id"] = f"{self.id}@{name}"
        session = {} if self.session is None else {"session": {"id": f"{self.session}@{name}"}}
        return {"source": {"id": "shop"}, **session, "events": [event]}


def order(session: str, id: str | None, total: int, email: str | None = None) -> Payload:
    return Payload(session, id, "order", {"total": total, **({"email": email} if email else {})})


PAYLOADS = (
    order("ann", "e1", 1),
    order("bob", "e2", 10, "x"),
    order("ann", "e3", 100, "x"),  # two that have been stored are merged
    order("cid", "e4", 1000, "x"),  # one is merged that has not been stored
    Payload("dan", "e5", "visit", profile_less=True),
    Payload("dan", "e6", "visit", profile_less=True),
    Payload("eve", "e7", "call", {"total": 10_000, "email": "x"}, profile_less=True),
    Payload("eve", "e8", "call", {"total": 100_000, "email": "y"}, profile_less=True),  # another profile, a new one
    Payload("fay", "e9", "hello", {"email": "y"}),
    order("fay", "e10", 1_000_000, "x"),  # all are one by now
)
WITHOUT_ID = order("bob", None, 10_000_000)


class History:
    """A client, and processes one after another. Names are this history's own."""

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name
        self.stores: list[ElasticsearchStore] = []

    def process(self) -> Collector:
        """A new process, which remembers nothing."""
        self.stores.append(ElasticsearchStore.open(self.address))
        return Collector(PROJECT, self.stores[-1])

    async def send(self, collector: Collector, payloads: Sequence[Payload], acknowledged: list[Payload]) -> None:
        """Each payload until it is acknowledged."""
        for payload in payloads:
            while payload not in acknowledged:
                try:
                    await collector.track(payload.body(self.name), profile_less=payload.profile_less)
                except Unavailable:
                    continue
                acknowledged.append(payload)

    async def close(self) -> None:
        for store in self.stores:
            await store.close()


async def crash(history: History, payloads: Sequence[Payload], nth: int) -> bool:
    """Send all; the process ends before its n-th write, and another one goes on. Whether that write came."""
    collector = history.process()
    await collector.tracker.start()
    failing = FailingConnection(history.stores[-1], nth, WriteFailure.CRASH)
    acknowledged: list[Payload] = []
    came = await failing.until(_whole(history, collector, payloads, acknowledged))
    if came:
        await history.stores.pop()._connection.close()
        await history.send(history.process(), payloads, acknowledged)
    return came


async def _whole(
    history: History, collector: Collector, payloads: Sequence[Payload], acknowledged: list[Payload]
) -> None:
    store = history.stores[-1]
    await history.send(collector, payloads, acknowledged)
    await store.close()  # what is written after the acknowledgement counts, too


async def lose(history: History, payloads: Sequence[Payload], nth: int, how: WriteFailure) -> bool:
    """Send all; the n-th write has no answer, and the process goes on. Whether that write came."""
    collector = history.process()
    await collector.tracker.start()
    failing = FailingConnection(history.stores[-1], nth, how)
    await history.send(collector, payloads, [])
    await history.stores[-1].close()
    return failing.failed.is_set()


async def effects(history: History, payloads: Sequence[Payload], sweep: bool) -> dict[str, Any]:
    """Return the final state as a new process reads it; repeats are sent before."""
    collector = history.process()
    for payload in payloads:
        if payload.id is not None:
            await collector.track(payload.body(history.name), profile_less=payload.profile_less)
    store = history.stores[-1]
    if sweep:
        for _ in range(3):
            await store.sweep(older_ms=0)
    sessions = {}
    for name in ("ann", "bob", "cid", "dan", "eve", "fay"):
        session = await store.session("shop", f"{name}@{history.name}")
        assert session is not None
        sessions[name] = session
    ids = {session.profile for session in sessions.values() if session.profile is not None}
    persons = [await store.profile(id) for id in ids]
    profiles = {profile.id: profile.version for profile in persons if profile is not None}
    (one,) = profiles
    profile = await collector.profile(one)
    events: list[StoredEvent] = []
    for id in profile["ids"]:
        events += await store.events_of(id, 99)
    marks = await store.marks("shop", tuple(f"{payload.id}@{history.name}" for payload in payloads if payload.id))
    return {
        "revenue": profile["traits"]["revenue"],
        "orders": {name: session.properties.get("orders") for name, session in sessions.items()},
        "visits": sessions["dan"].properties,
        "events": Counter(event.type for event in events),
        "twice": [id for id, times in Counter(event.id for event in events).items() if times > 1],
        "unmarked": len([payload for payload in payloads if payload.id]) - len(marks),
    }


def expected(payloads: Sequence[Payload]) -> dict[str, Any]:
    """Return the expected state."""
    orders = [payload for payload in payloads if payload.type == "order"]
    kinds = Counter(payload.type for payload in payloads if payload.type != "visit")
    per_session = Counter(payload.session for payload in orders)
    return {
        "revenue": sum(payload.properties.get("total", 0) for payload in payloads),
        "orders": {name: per_session.get(name) for name in ("ann", "bob", "cid", "dan", "eve", "fay")},
        "visits": {"visits": 2},
        "events": Counter({**kinds, "counted": len(orders)}),
        "twice": [],
        "unmarked": 0,
    }


@pytest.fixture
async def place(elasticsearch_url: str) -> AsyncIterator[tuple[str, str]]:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    yield elasticsearch_url, prefix
    await dropped(elasticsearch_url, prefix)


async def left(server: str, prefix: str) -> dict[str, int]:
    """Return unfinished documents: those with pending writes, and tombstones that are open or name no chain end."""
    await asked(server, "POST", f"/{prefix}-*/_refresh")
    profiles = [hit["_source"] for hit in await hits(server, f"{prefix}-profiles")]
    committing = [*profiles, *[hit["_source"] for hit in await hits(server, f"{prefix}-sessions,{prefix}-marks")]]
    into = {source["id"]: source["merged_into"] for source in profiles if "merged_into" in source}
    return {
        "pending": len([source for source in committing if source.get("pending") or "unfinished" in source]),
        "open": len([source for source in profiles if source.get("open")]),
        "hops": len([id for id, end in into.items() if end in into]),
        "claims": len([source for source in committing if "on" in source]),
    }


async def hits(server: str, index: str) -> list[dict[str, Any]]:
    found = await asked(server, "GET", f"/{index}/_search?size=10000")
    return list(found["hits"]["hits"])


DONE = {"pending": 0, "open": 0, "hops": 0, "claims": 0}


@pytest.mark.timeout(600)
async def test_a_process_may_end_before_any_write(place: tuple[str, str]) -> None:
    server, prefix = place
    for nth in count(1):
        history = History(f"{server}?prefix={prefix}", f"{nth}")
        came = await crash(history, PAYLOADS, nth)
        assert await effects(history, PAYLOADS, sweep=nth % 8 == 0) == expected(PAYLOADS), f"write {nth}"
        await history.close()
        if not came:
            break
    assert nth > 40
    history = History(f"{server}?prefix={prefix}", "last")
    history.process()
    for _ in range(3):
        await history.stores[0].sweep(older_ms=0)
    await history.close()
    assert await left(server, prefix) == DONE


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", [WriteFailure.NOT_DONE, WriteFailure.UNHEARD], ids=lambda how: how.value)
async def test_any_write_may_have_no_answer(place: tuple[str, str], how: WriteFailure) -> None:
    server, prefix = place
    payloads = (*PAYLOADS, WITHOUT_ID)
    for nth in count(1):
        history = History(f"{server}?prefix={prefix}", f"{nth}")
        came = await lose(history, payloads, nth, how)
        assert await effects(history, payloads, sweep=nth % 8 == 0) == expected(payloads), f"write {nth}"
        await history.close()
        if not came:
            break
    assert nth > 40
