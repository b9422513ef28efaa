"""The pages of segments: their conditions, their members by day, and explanations."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.api.console.pages import HOSTILE, IMAGE, read
from tests.projects import payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: {merged: count, unchanged: count}
  count: {profile.increment: {traits.logins: 1}}
"""
LISTENS = """
flow: listens
trigger: {event: segment-entered}
nodes:
  add: {profile.increment: {traits.entered: 1}}
"""
SEGMENTS = {"regulars": "profile.traits.logins >= 2", "chosen": None}


async def served(serve: Serve, *flows: str) -> tuple[Any, str]:
    """A client of a server, and the id of a profile that has logged in twice."""
    client = await serve(project(LOGIN, *flows, segments=SEGMENTS))
    for _ in range(2):
        event = {"type": "login", "properties": {"email": "ann@example.com", "note": HOSTILE}}
        answer = await client.post("/track", json=payload(event))
    return client, answer.json()["profile"]["id"]


async def test_the_list_has_conditions_and_members(serve: Serve) -> None:
    client, _ = await served(serve)
    page = read(await client.get("/console/segments"))
    assert "2 segments" in page.text
    assert "regulars profile.traits.logins >= 2 1" in page.text
    assert "chosen by hand: flows add and remove 0" in page.text
    assert "Members are counted of all profiles." in page.text


async def test_a_segment_shows_its_members(serve: Serve) -> None:
    client, id = await served(serve)
    page = read(await client.get("/console/segments/regulars"))
    assert "regulars has 1 member" in page.text
    assert f"/console/profiles/{id}" in page.links()
    assert "No flow listens to segment-entered or segment-left" in page.text
    assert "No profile belongs to it." in read(await client.get("/console/segments/chosen")).text


async def test_those_who_enter_and_leave_are_counted_by_day(serve: Serve) -> None:
    client, _ = await served(serve, LISTENS)
    page = read(await client.get("/console/segments/regulars"))
    assert "1 profile entered, 0 left since" in page.text
    assert [attrs for tag, attrs in page.elements if tag == "svg" and attrs.get("role") == "img"]


@pytest.mark.parametrize("text", ["ann@example.com", "the id"])
async def test_a_profile_is_explained_without_its_key_in_the_address(serve: Serve, text: str) -> None:
    client, id = await served(serve)
    given = id if text == "the id" else text
    answer = await client.post("/console/segments/regulars/explain", data={"q": given}, follow_redirects=False)
    assert answer.headers["location"] == f"/console/segments/regulars?profile={id}#explain"
    page = read(await client.get(answer.headers["location"]))
    assert "is a member since" in page.text
    assert "profile.traits.logins (2) >= 2→ true" in page.text


async def test_an_unknown_profile_is_said_to_be_unknown(serve: Serve) -> None:
    client, _ = await served(serve)
    page = read(await client.post("/console/segments/regulars/explain", data={"q": "absent@example.com"}))
    assert "No profile has this id or key." in page.text


async def test_an_unknown_segment_is_answered_in_words(serve: Serve) -> None:
    client = await serve(project())
    assert "The project has no segment." in read(await client.get("/console/segments")).text
    assert "the project has no segment absent" in read(await client.get("/console/segments/absent"), 404).text
    read(await client.get(f"/console/segments/{IMAGE.replace('/', '')}"), 404)
