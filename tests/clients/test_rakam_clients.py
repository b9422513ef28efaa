"""Rakam's clients: what is stored is what was sent, although no event has an id."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from tests.clients.client import RAKAM
from tests.clients.conftest import Begin
from tests.clients.samples import TIME, Call

PYTHON, PAGE = RAKAM


async def test_every_event_of_a_server_is_stored_as_it_was_made(begin: Begin) -> None:
    trial = await begin(PYTHON, "calls")
    ann, bob = {"_user": f"{trial.source}-ann"}, {"_user": f"{trial.source}-bob"}
    order = {"total": 49.5, "currency": "EUR", "gift": False, "colours": ["red", "blue"]}
    calls: list[Call] = [
        {"collection": "pageView", "properties": {**ann, "n": 0, "title": "Straßenschuh 🥾", "_time": TIME}},
        {"collection": "order", "properties": {**ann, "n": 1, **order, "_time": TIME + 1}},
        {"collection": "order", "properties": {**bob, "n": 2, **order, "_time": TIME + 2}},
    ]
    await trial.send(calls)
    stored = sorted(trial.events(), key=lambda event: event.properties["n"])
    assert [event.type for event in stored] == ["pageview", "order", "order"]
    for event, call in zip(stored, calls, strict=True):
        sent = call["properties"]
        assert event.properties == {name: value for name, value in sent.items() if not name.startswith("_")}
        assert event.time is not None
        assert datetime.fromisoformat(event.time) == datetime.fromtimestamp(sent["_time"] / 1000, UTC)
    assert len(trial.persons(stored[:2])) == 1
    assert len(trial.persons(stored)) == 2


async def test_events_that_are_equal_are_as_many_as_were_sent(begin: Begin) -> None:
    trial = await begin(PYTHON, "more")
    trial.let_fail()
    said = {"_user": f"{trial.source}-ann", "_time": TIME}
    first, click = ({"collection": "counted", "properties": {**said, "n": number}} for number in (6, 7))
    await trial.send([first, *[click] * 4])
    assert Counter(event.properties["n"] for event in trial.events()) == {6: 1, 7: 4}
    assert trial.counted(trial.events()) == 5


async def test_every_event_of_a_page_is_stored_as_it_was_made(begin: Begin) -> None:
    trial = await begin(PAGE, "calls")
    calls: list[Call] = [
        {"collection": "pageView", "properties": {"n": 0, "title": "Straßenschuh 🥾"}},
        {"collection": "order", "properties": {"n": 1, "total": 49.5, "colours": ["red", "blue"]}},
    ]
    await trial.send(calls)
    stored = sorted(trial.events(), key=lambda event: event.properties["n"])
    assert [event.type for event in stored] == ["pageview", "order"]
    for event, call in zip(stored, calls, strict=True):
        assert event.properties.items() >= call["properties"].items()
        assert event.time is not None
        assert abs(datetime.now(UTC) - datetime.fromisoformat(event.time)).total_seconds() < 60
    assert len(trial.persons(stored)) == 1


async def test_every_operation_of_a_page_on_its_user_is_stored(begin: Begin) -> None:
    trial = await begin(PAGE, "more")
    operations: list[tuple[Call, str, dict[str, Any]]] = [
        ({"operation": "set", "with": [{"n": 1, "plan": "gold"}]}, "user-set", {"n": 1, "plan": "gold"}),
        ({"operation": "setOnce", "with": [{"n": 2, "campaign": "spring"}]}, "user-set-once", {"campaign": "spring"}),
        ({"operation": "increment", "with": ["points", 5]}, "user-increment", {"points": 5}),
        ({"operation": "unset", "with": ["plan"]}, "user-unset", {"names": ["plan"]}),
    ]
    calls = [{"collection": "view", "properties": {"n": 0}}, *(call for call, _, _ in operations)]
    await trial.send(calls, 3)
    events = {event.type: event for event in trial.events()}
    assert set(events) == {"view", *(type for _, type, _ in operations)}
    for _, type, properties in operations:
        assert events[type].properties.items() >= properties.items()
    assert len(trial.persons(events.values())) == 1
