"""The pages of profiles: who they are, what became of them, and how they are found without naming them in addresses."""

from typing import Any
from urllib.parse import unquote

import pytest

from engine.project.project import Settings
from engine.project.source import Target
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
  count:
    profile.increment: {traits.logins: 1}
    next: note
  note:
    profile.set: {traits.note: "{{ event.properties.note }}"}
"""
FAILS = """
flow: fails
trigger: {event: broken}
nodes:
  ask: {lookup.http: {target: crm, path: "/people"}}
"""
SEGMENTS = {"regulars": "profile.traits.logins >= 2", "never": "profile.traits.logins > 1000"}
CRM = {"crm": Target(url="http://127.0.0.1:9/", private=True)}
ALL_KEPT = Settings(shares={"finished": 1.0})


async def person(serve: Serve, note: str = "") -> tuple[Any, str]:
    """A client of a server, and the id of a profile with two ids, which has logged in twice."""
    client = await serve(project(LOGIN, FAILS, segments=SEGMENTS, targets=CRM, settings=ALL_KEPT))
    for session in ("phone", "laptop"):
        event = {"type": "login", "properties": {"email": "ann@example.com", "note": note}}
        answer = await client.post("/track", json=payload(event, session=session))
    await client.post("/track", json=payload({"type": "broken"}, session="laptop"))
    return client, answer.json()["profile"]["id"]


async def test_a_profile_shows_what_became_of_it(serve: Serve) -> None:
    client, id = await person(serve)
    page = read(await client.get(f"/console/profiles/{id}"))
    assert "ann@example.com" in page.text
    assert "two ids became one person" in page.text
    assert "entered regulars" in page.text
    assert "login › who, merged" not in page.text
    assert "fails failed" in page.text
    assert "Everything kept of this person is shown: 3 events" in page.text
    assert [link for link in page.links() if link.startswith(f"/console/profiles/{id}/unmerge?link=")]


async def test_a_condition_is_shown_with_the_values_that_it_read(serve: Serve) -> None:
    client, id = await person(serve)
    page = read(await client.get(f"/console/profiles/{id}"))
    assert "profile.traits.logins (2) >= 2→ true" in page.text
    assert "Not in 1 segment, and why" in page.text
    assert "profile.traits.logins (2) > 1000→ false" in page.text


async def test_a_trait_names_the_node_that_set_it(serve: Serve) -> None:
    client, id = await person(serve)
    page = read(await client.get(f"/console/profiles/{id}"))
    assert "login › count" in page.text


@pytest.mark.parametrize(
    ("show", "there", "absent"),
    [
        ("failed", "fails failed", "entered regulars"),
        ("segments", "entered regulars", "fails failed"),
        ("merges", "two ids became one person", "entered regulars"),
        ("events", "fails failed", "entered regulars"),
        ("deliveries", "Nothing of this kind is kept", "fails failed"),
        ("segments,merges", "two ids became one person", "fails failed"),
    ],
)
async def test_the_timeline_shows_what_is_asked_for(serve: Serve, show: str, there: str, absent: str) -> None:
    client, id = await person(serve)
    page = read(await client.get(f"/console/profiles/{id}?show={show}"))
    timeline = page.text[page.text.index("Timeline") : page.text.index("Who this is")]
    assert there in timeline
    assert absent not in timeline


async def test_another_id_of_a_profile_leads_to_it(serve: Serve) -> None:
    client, id = await person(serve)
    ids = (await client.get(f"/profiles/{id}")).json()["ids"]
    for each in ids:
        assert "ann@example.com" in read(await client.get(f"/console/profiles/{each}")).text


async def test_a_long_timeline_goes_on_without_a_gap(serve: Serve) -> None:
    client = await serve(project())
    for batch in range(8):
        events = [{"id": f"e-{batch}-{number}", "type": f"step-{batch}-{number}"} for number in range(20)]
        answer = await client.post("/track", json=payload(*events))
    here: str | None = f"/console/profiles/{answer.json()['profile']['id']}"
    shown: list[str] = []
    while here is not None:
        page = read(await client.get(here))
        shown += [link for link in page.links() if link.startswith("/console/events/e-")]
        here = next((link for link in page.links() if "before=" in link), None)
    assert sorted(shown) == sorted(f"/console/events/e-{batch}-{number}" for batch in range(8) for number in range(20))


async def test_hostile_text_stays_text(serve: Serve) -> None:
    client, id = await person(serve, HOSTILE)
    hostile = {"type": HOSTILE[:60], "properties": {HOSTILE[:40]: HOSTILE}}
    await client.post("/track", json=payload(hostile, session="laptop"))
    for address in (f"/console/profiles/{id}", "/console/profiles", f"/console/profiles?q={IMAGE}"):
        page = read(await client.get(address))
    page = read(await client.get(f"/console/profiles/{id}"))
    assert IMAGE in page.text


async def test_a_page_without_profiles_says_why(serve: Serve) -> None:
    client = await serve(project())
    assert "No profile is stored yet" in read(await client.get("/console/profiles")).text
    assert "No profile is found by this" in read(await client.get("/console/profiles?q=segments:vip")).text


async def test_an_unknown_id_is_answered_in_words(serve: Serve) -> None:
    client = await serve(project())
    page = read(await client.get("/console/profiles/absent"), 404)
    assert "no profile has the id absent" in page.text


async def test_a_mistaken_query_is_marked(serve: Serve) -> None:
    client = await serve(project())
    page = read(await client.get("/console/profiles?q=segment:vip"))
    assert "did you mean `segments`" in page.text


@pytest.mark.parametrize("text", ["ann@example.com", " Ann@Example.com ", "pii.email=ann@example.com"])
async def test_a_key_leads_to_the_id_of_its_profile(serve: Serve, text: str) -> None:
    client, id = await person(serve)
    answer = await client.post("/console/search", data={"q": text}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/profiles/{id}"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("outcome:failed", "/console/runs?q=outcome:failed"),
        ("type:login", "/console/events?q=type:login"),
        ("state:dead", "/console/deliveries?q=state:dead"),
        ("segments:vip", "/console/profiles?q=segments:vip"),
        ("", "/console/runs"),
    ],
)
async def test_a_query_leads_to_the_list_that_has_its_fields(serve: Serve, text: str, address: str) -> None:
    client = await serve(project())
    answer = await client.post("/console/search", data={"q": text}, follow_redirects=False)
    assert unquote(answer.headers["location"]) == address


async def test_an_id_leads_to_its_document(serve: Serve) -> None:
    client, id = await person(serve)
    run = (await client.get("/search/runs?q=flow:fails")).json()["items"][0]
    for text, address in (
        (id, f"/console/profiles/{id}"),
        (run["id"], f"/console/runs/{run['id']}"),
        (run["event"]["id"], f"/console/events/{run['event']['id']}"),
    ):
        answer = await client.post("/console/search", data={"q": text}, follow_redirects=False)
        assert answer.headers["location"] == address


async def test_a_query_with_personal_data_is_answered_without_an_address(serve: Serve) -> None:
    client, _ = await person(serve)
    for form, title in (
        ({"q": "pii.email:ann*"}, "Profiles"),
        ({"q": "absent@example.com"}, "Profiles"),
        ({"q": "properties.email:ann@example.com"}, "Events"),
        ({"q": "ann@example.com", "kind": "rejected"}, "No rejected event"),
    ):
        page = read(await client.post("/console/search", data=form, follow_redirects=False))
        assert page.text.startswith(title)
        assert not [link for link in page.links() if "ann" in link or "absent" in link]
    runs = {"q": "reason:ann@example.com", "kind": "runs"}
    assert "find the profile first" in read(await client.post("/console/search", data=runs), 400).text
