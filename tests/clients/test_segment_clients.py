"""Clients of Segment's protocol, Segment's own and RudderStack's: what is stored is what was sent."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.clients.client import SEGMENT, Client
from tests.clients.conftest import Begin, named
from tests.clients.samples import ANN, ORDER, TEAM, VIEW, Call

SERVERS = [client for client in SEGMENT if not client.page]
PAGES = [client for client in SEGMENT if client.page]


def server_calls(run: str) -> list[tuple[str, Call]]:
    """Calls of a server's client, each with the person who it is about."""
    device, ann, before, bob = {"anonymousId": f"{run}-device"}, f"{run}-ann", f"{run}-before", f"{run}-bob"
    calls: list[tuple[str, Call]] = [
        ("ann", {"method": "page", **device, "name": "Home", "properties": {"path": "/"}}),
        ("ann", {"method": "track", **device, "event": "Product Viewed", "properties": VIEW}),
        ("ann", {"method": "identify", **device, "userId": ann, "traits": ANN}),
        ("ann", {"method": "track", "userId": ann, "event": "Order Completed", "properties": ORDER}),
        ("ann", {"method": "screen", "userId": ann, "name": "Cart", "category": "Shop", "properties": {"items": 1}}),
        ("ann", {"method": "group", "userId": ann, "groupId": "g-1", "traits": TEAM}),
        ("ann", {"method": "track", "userId": before, "event": "Signed Up", "properties": {}}),
        ("ann", {"method": "alias", "previousId": before, "userId": ann}),
        ("bob", {"method": "track", "userId": bob, "event": "Order Completed", "properties": ORDER}),
    ]
    begin = datetime.now(UTC).replace(microsecond=123_000) - timedelta(minutes=5)
    for number, (_, call) in enumerate(calls):
        time = begin + timedelta(seconds=number)
        call |= {"messageId": f"{run}-{number}", "timestamp": time.isoformat(timespec="milliseconds")}
    return calls


def page_calls(run: str) -> list[Call]:
    """Calls of a page's client; all are of one person."""
    return [
        {"method": "page", "name": "Home", "properties": {"theme": "dark"}},
        {"method": "track", "event": "Product Viewed", "properties": VIEW},
        {"method": "identify", "userId": f"{run}-ann", "traits": ANN},
        {"method": "track", "event": "Order Completed", "properties": ORDER},
        {"method": "group", "groupId": "g-1", "traits": TEAM},
        {"method": "alias", "userId": f"{run}-ann", "previousId": f"{run}-before"},
    ]


def expected(call: Call) -> tuple[str, dict[str, Any]]:
    """The type and the properties of the event that a call makes."""
    method: str = call["method"]
    data: dict[str, Any] = call.get("traits") or call.get("properties") or {}
    names = {"page": ("name", "category"), "group": ("groupId",), "alias": ("previousId", "userId")}
    names["screen"] = names["page"]
    more = {name: call[name] for name in names.get(method, ()) if name in call}
    type: str = call.get("event", method)
    return type, {**data, **more}


@pytest.mark.parametrize("client", SERVERS, ids=named)
async def test_every_call_of_a_server_is_stored_as_it_was_made(begin: Begin, client: Client) -> None:
    trial = await begin(client, "calls")
    calls = server_calls(trial.source)
    await trial.send([call for _, call in calls])
    stored = {event.id: event for event in trial.events()}
    assert len(stored) == len(calls) == len(trial.events())
    persons = defaultdict(list)
    for person, call in calls:
        event = stored[call["messageId"]]
        assert (event.type, event.properties) == expected(call)
        assert event.time is not None
        assert datetime.fromisoformat(event.time) == datetime.fromisoformat(call["timestamp"])
        persons[person].append(event)
    ann, bob = (trial.persons(persons[name]) for name in ("ann", "bob"))
    assert (len(ann), len(bob), len(ann | bob)) == (1, 1, 2)


@pytest.mark.parametrize("client", PAGES, ids=named)
async def test_every_call_of_a_page_is_stored_as_it_was_made(begin: Begin, client: Client) -> None:
    trial = await begin(client, "calls")
    calls = page_calls(trial.source)
    await trial.send(calls)
    events = trial.events()
    assert sorted(event.id for event in events) == sorted(trial.proxy.sent)
    by_type = {event.type: event for event in events}
    assert len(by_type) == len(events) == len(calls)
    for type, properties in map(expected, calls):
        assert by_type[type].properties.items() >= properties.items()
    assert len(trial.persons(events)) == 1


@pytest.mark.parametrize("client", PAGES, ids=named)
async def test_the_next_user_of_a_page_is_another_person(begin: Begin, client: Client) -> None:
    trial = await begin(client, "more")
    calls: list[Call] = [
        {"method": "track", "event": "before", "properties": {}},
        {"method": "identify", "userId": f"{trial.source}-ann", "traits": ANN},
        {"method": "track", "event": "of Ann", "properties": {}},
        {"method": "reset"},
        {"method": "identify", "userId": f"{trial.source}-bob", "traits": {}},
        {"method": "track", "event": "of Bob", "properties": {}},
    ]
    await trial.send(calls, len(calls) - 1)
    events = trial.events()
    ann, bob = (
        trial.persons(one for one in events if one.type in types) for types in (("before", "of Ann"), ("of Bob",))
    )
    assert (len(ann), len(bob), len(ann | bob)) == (1, 1, 2)
