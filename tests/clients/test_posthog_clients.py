"""PostHog's clients: what is stored is what was sent."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.client import POSTHOG, Client
from tests.clients.conftest import Begin, named
from tests.clients.samples import ANN, ORDER, TEAM, VIEW, Call

SERVERS = [client for client in POSTHOG if not client.page]
PAGES = [client for client in POSTHOG if client.page]

Said = tuple[str, dict[str, Any]]  # the type and the properties of the event that a call makes


def server_calls(run: str) -> list[tuple[str, Call, Said]]:
    """Calls of the server's client, each with the person who it is about and what is to be stored."""
    ann, later, bob = f"{run}-ann", f"{run}-later", f"{run}-bob"
    group = {"group_type": "company", "group_key": "g-1", "properties": TEAM}
    alias = {"previousId": ann, "userId": later}
    calls: list[tuple[str, Call, Said]] = [
        ("ann", {"method": "capture", "event": "viewed", "distinct_id": ann, "properties": VIEW}, ("viewed", VIEW)),
        ("ann", {"method": "set", "distinct_id": ann, "properties": ANN}, ("identify", ANN)),
        ("ann", {"method": "capture", "event": "signed up", "distinct_id": later}, ("signed up", {})),
        ("ann", {"method": "alias", "previous_id": ann, "distinct_id": later}, ("alias", alias)),
        (
            "ann",
            {"method": "group_identify", **group, "distinct_id": ann},
            ("group", {**TEAM, "groupId": "g-1", "groupType": "company"}),
        ),
        ("bob", {"method": "capture", "event": "paid", "distinct_id": bob, "properties": ORDER}, ("paid", ORDER)),
    ]
    begin = datetime.now(UTC).replace(microsecond=123_000) - timedelta(minutes=5)
    for number, (_, call, _) in enumerate(calls):
        call |= {"uuid": str(uuid4()), "timestamp": (begin + timedelta(seconds=number)).isoformat()}
    return calls


@pytest.mark.parametrize("client", SERVERS, ids=named)
async def test_every_call_of_a_server_is_stored_as_it_was_made(begin: Begin, client: Client) -> None:
    trial = await begin(client, "calls")
    calls = server_calls(trial.source)
    await trial.send([call for _, call, _ in calls])
    events = trial.events()
    stored = {event.id: event for event in events}
    assert len(stored) == len(events) == len(calls)
    persons = defaultdict(list)
    for person, call, (type, properties) in calls:
        event = stored[call["uuid"]]
        assert event.type == type
        assert event.properties.items() >= properties.items()
        assert event.time is not None
        assert datetime.fromisoformat(event.time) == datetime.fromisoformat(call["timestamp"])
        persons[person].append(event)
    ann, bob = (trial.persons(persons[name]) for name in ("ann", "bob"))
    assert (len(ann), len(bob), len(ann | bob)) == (1, 1, 2)


@pytest.mark.parametrize("client", PAGES, ids=named)
async def test_every_call_of_a_page_is_stored_as_it_was_made(begin: Begin, client: Client) -> None:
    trial = await begin(client, "calls")
    ann, later = f"{trial.source}-ann", f"{trial.source}-later"
    calls: list[tuple[str, list[Any], Said]] = [
        ("capture", ["viewed", VIEW], ("viewed", VIEW)),
        ("identify", [ann, ANN], ("identify", ANN)),
        ("capture", ["paid", ORDER], ("paid", ORDER)),
        ("group", ["company", "g-1", TEAM], ("group", {**TEAM, "groupId": "g-1", "groupType": "company"})),
        ("alias", [later], ("alias", {"previousId": ann, "userId": later})),
        ("capture", ["$pageview"], ("page", {"$pathname": "/posthog"})),
    ]
    await trial.send([{"method": method, "with": given} for method, given, _ in calls])
    events = trial.events()
    assert sorted(event.id for event in events) == sorted(trial.proxy.sent)
    by_type = {event.type: event for event in events}
    assert len(by_type) == len(events) == len(calls)
    for _, _, (type, properties) in calls:
        assert by_type[type].properties.items() >= properties.items()
    assert len(trial.persons(events)) == 1


@pytest.mark.parametrize("client", PAGES, ids=named)
async def test_the_next_user_of_a_page_is_another_person(begin: Begin, client: Client) -> None:
    trial = await begin(client, "more")
    calls: list[tuple[str, list[Any]]] = [
        ("capture", ["before"]),
        ("identify", [f"{trial.source}-ann", ANN]),
        ("capture", ["of Ann"]),
        ("reset", []),
        ("identify", [f"{trial.source}-bob"]),
        ("capture", ["of Bob"]),
    ]
    await trial.send([{"method": method, "with": given} for method, given in calls], len(calls) - 1)
    events = trial.events()
    ann, bob = (
        trial.persons(one for one in events if one.type in types) for types in (("before", "of Ann"), ("of Bob",))
    )
    assert (len(ann), len(bob), len(ann | bob)) == (1, 1, 2)
