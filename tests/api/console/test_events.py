"""The pages of events: who handled them, and for every other flow why it did not."""

import pytest

from engine.project.project import Settings
from engine.project.source import Target
from tests.api.conftest import Serve
from tests.api.console.pages import BREAKS_OUT, CONTROLS, HOSTILE, IMAGE, read
from tests.projects import PAGE, SHOP, payload, project

COUNTS = """
flow: counts
trigger: {event: order}
nodes:
  add: {profile.increment: {traits.orders: 1}}
"""
LARGE = """
flow: large
trigger: {event: order, when: "event.properties.total > 100"}
nodes:
  add: {profile.increment: {traits.large: 1}}
"""
LOYAL = """
flow: loyal
trigger: {event: order, when: "profile.traits.orders > 7"}
nodes:
  add: {profile.increment: {traits.loyal: 1}}
"""
ELSEWHERE = """
flow: elsewhere
trigger: {event: "*", source: page}
nodes:
  add: {profile.increment: {traits.pages: 1}}
"""
OTHER = """
flow: other
trigger: {event: [cancelled, returned]}
nodes:
  add: {profile.increment: {traits.other: 1}}
"""
FAILS = """
flow: fails
trigger: {event: broken}
nodes:
  ask: {lookup.http: {target: crm, path: "/people"}}
"""
SENDS = """
flow: sends
trigger: {event: order}
nodes:
  post: {deliver.http: {target: crm, path: /orders, body: {total: "{{ event.properties.total }}"}}}
"""
ALL = Settings(shares={"finished": 1.0})
CRM = {"crm": Target(url="http://127.0.0.1:9/", private=True)}
ORDER = {"id": "o-1", "type": "order", "properties": {"total": 12.5, "inner": {"deep": "value"}}}


def shop(settings: Settings = ALL, *more: str) -> object:
    """Return a project in which one flow counts orders, and four do not take this one."""
    return project(COUNTS, LARGE, LOYAL, ELSEWHERE, OTHER, *more, settings=settings, targets=CRM, sources=(SHOP, PAGE))


async def test_an_event_shows_who_handled_it(serve: Serve) -> None:
    client = await serve(shop())
    await client.post("/track", json=payload(ORDER))
    page = read(await client.get("/console/events/o-1"))
    assert "order ran in 1 flow" in page.text
    assert "finished counts add" in page.text
    assert "inner.deep" in page.text
    listed = read(await client.get("/console/events"))
    assert "total=12.5 inner=…" in listed.text
    assert "finished counts" in listed.text


@pytest.mark.parametrize(
    "why",
    [
        "large its `when` did not hold event.properties.total (12.5) > 100→ false".replace("`", ""),
        "loyal its when did not hold, or it ran and no run is kept: of those that finish, 100% are",
        "elsewhere it takes events from page",
        "other it takes cancelled, returned",
    ],
)
async def test_an_event_says_why_a_flow_did_not_handle_it(serve: Serve, why: str) -> None:
    client = await serve(shop())
    await client.post("/track", json=payload(ORDER))
    assert why in read(await client.get("/console/events/o-1")).text


async def test_a_kept_record_says_why_a_flow_did_not_begin(serve: Serve) -> None:
    client = await serve(shop())
    await client.post("/track", json=payload(ORDER, options={"debugger": True}))
    page = read(await client.get("/console/events/o-1"))
    assert "loyal its trigger did not match · the record profile.traits.orders (1) > 7→ false" in page.text


async def test_an_event_that_failed_says_where(serve: Serve) -> None:
    client = await serve(shop(ALL, FAILS))
    await client.post("/track", json=payload({"id": "b-1", "type": "broken"}))
    page = read(await client.get("/console/events/b-1"))
    assert "broken failed in fails" in page.text
    assert "at ask:" in page.text


async def test_an_event_shows_what_is_delivered_for_it(serve: Serve) -> None:
    client = await serve(shop(ALL, SENDS))
    await client.post("/track", json=payload(ORDER))
    page = read(await client.get("/console/events/o-1"))
    assert "POST crm /orders" in page.text


async def test_hostile_text_stays_text(serve: Serve) -> None:
    client = await serve(shop())
    named = f"{IMAGE}{BREAKS_OUT}"
    event = {"id": named, "type": named, "properties": {IMAGE: HOSTILE, "c": CONTROLS, "n": {IMAGE: [IMAGE]}}}
    sent = payload(event, context={"agent": HOSTILE})
    answer = await client.post("/track", json=sent)
    assert answer.status_code == 200, answer.text
    listed = read(await client.get("/console/events"))
    assert IMAGE in listed.text
    assert "a\\x00b\\x07c" in listed.text
    (address,) = [link for link in listed.links() if link.startswith("/console/events/")]
    page = read(await client.get(address))
    assert IMAGE in page.text
    read(await client.get("/console/events", params={"q": f'type:"{IMAGE}"'}))
    assert IMAGE in read(await client.get("/console/events", params={"q": f"type:({IMAGE}"})).text


async def test_a_page_without_events_says_why(serve: Serve) -> None:
    client = await serve(project())
    assert "No event is stored yet" in read(await client.get("/console/events")).text
    assert "No stored event is found by this" in read(await client.get("/console/events?q=type:absent")).text


async def test_an_unknown_id_is_answered_in_words(serve: Serve) -> None:
    client = await serve(project())
    assert "there is no event absent" in read(await client.get("/console/events/absent"), 404).text


async def test_the_next_page_shows_older_events(serve: Serve) -> None:
    client = await serve(project())
    for batch in range(3):
        await client.post("/track", json=payload(*[{"id": f"{batch}-{n}", "type": "t"} for n in range(20)]))
    page = read(await client.get("/console/events"))
    older = next(link for link in page.links() if "after=" in link)
    shown = {link for each in (page, read(await client.get(older))) for link in each.links() if "events/" in link}
    assert len(shown) == 60
