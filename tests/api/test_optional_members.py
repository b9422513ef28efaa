"""Null and absent are the same for every optional member of a request."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.projects import payload, project

NULL_IN_EVENTS = [
    {"type": "page-view", member: None} for member in ("id", "time", "properties", "context", "options")
] + [{"type": "page-view", "options": {"saveEvents": None}}]
NULL_IN_PAYLOAD: list[dict[str, Any]] = [
    *[{member: None} for member in ("profile", "context", "properties", "options", "userToken")],
    {"profile": {"id": None}},
    {"options": {"debugger": None, "profile": None, "saveSession": None, "saveEvents": None}},
]


async def stored(client: Any) -> dict[str, int]:
    """The numbers of stored documents."""
    counts: dict[str, int] = (await client.get("/counts")).json()["stored"]
    return counts


async def test_events_with_null_members_are_taken_as_events_without_them(serve: Serve) -> None:
    client = await serve(project())
    answer = await client.post("/track", json=payload(*NULL_IN_EVENTS))
    assert (answer.status_code, answer.json().get("errors")) == (200, None)
    events = (await client.get("/search/events")).json()["items"]
    for event in events:
        assert not event.keys() & {"properties", "context", "time"}  # empty ones are left out
    assert len(events) == len(NULL_IN_EVENTS)


@pytest.mark.parametrize("members", NULL_IN_PAYLOAD, ids=str)
async def test_a_payload_with_null_members_is_taken_as_one_without_them(serve: Serve, members: dict[str, Any]) -> None:
    client = await serve(project())
    sent = await client.post("/track", json=payload("order", **members))
    without = await client.post("/track", json=payload("order"))
    assert (sent.status_code, sent.json()) == (200, without.json())
    assert ((await stored(client))["sessions"], (await stored(client))["events"]) == (1, 2)


async def test_null_as_an_option_is_its_default_and_false_is_not(serve: Serve) -> None:
    client = await serve(project())
    for keep in (None, False):
        event = {"type": "order", "options": {"saveEvents": keep}}
        await client.post("/track", json=payload(event, options={"saveSession": keep}, session=f"s-{keep}"))
    assert ((await stored(client))["sessions"], (await stored(client))["events"]) == (1, 1)


async def test_a_context_of_the_payload_reaches_events_whose_context_is_null(serve: Serve) -> None:
    client = await serve(project())
    await client.post("/track", json=payload({"type": "order", "context": None}, context={"device": "phone"}))
    (event,) = (await client.get("/search/events")).json()["items"]
    assert event["context"] == {"device": "phone"}


async def test_null_as_a_body_of_collect_is_an_event_without_properties(serve: Serve) -> None:
    client = await serve(project())
    assert (await client.post("/collect/pinged/shop", content=b" null ")).status_code == 200
    (event,) = (await client.get("/search/events")).json()["items"]
    assert "properties" not in event


@pytest.mark.parametrize("given", [True, False])
async def test_null_members_of_a_consent_request_are_taken_as_absent(serve: Serve, given: bool) -> None:
    client = await serve(project())
    body = payload(consents={"news": {"given": given, "expires_in": None}}, profile=None, context=None)
    body |= dict.fromkeys(("id", "time", "properties", "options", "userToken"))
    del body["events"]
    answer = await client.post("/consent", json=body)
    assert answer.status_code == 200, answer.text
    shown = (await client.get(f"/profiles/{answer.json()['profile']['id']}")).json()
    assert ("given" in shown["consents"].get("news", {})) is given


@pytest.mark.parametrize(
    ("member", "at"), [("source", "/source"), ("events", "/events"), ("session", "/session/id")], ids=str
)
async def test_null_as_a_required_member_is_refused_with_its_place(serve: Serve, member: str, at: str) -> None:
    answer = await (await serve(project())).post("/track", json=payload("order") | {member: None})
    assert (answer.status_code, answer.json()["at"]) == (400, at)
