"""The pages of rejected events: the reason, the place, and sending one again that was mended."""

import json
from typing import Any

import pytest
from msgspec import structs

from engine.schema.schema import DeclaredField, Schema
from engine.schema.value_type import TYPES
from tests.api.conftest import Serve
from tests.api.console.pages import CONTROLS, HOSTILE, IMAGE, read
from tests.projects import SHOP, payload, project

COUNTS = """
flow: counts
trigger: {event: order}
nodes:
  add: {profile.increment: {traits.orders: 1}}
"""
LATE = {"type": "order", "time": "yesterday", "properties": {"total": 5}}


async def served(serve: Serve, *events: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A client of a server that has rejected events, and these, the newest first."""
    client = await serve(project(COUNTS))
    for event in events:
        await client.post("/track", json=payload(event))
    return client, (await client.get("/rejected")).json()


async def test_the_list_has_reasons_with_counts_and_places(serve: Serve) -> None:
    client, _ = await served(serve, LATE, LATE, {"properties": {}})
    page = read(await client.get("/console/rejected"))
    assert "3 rejected events" in page.text
    assert "or leave time out shop 2" in page.text
    assert '/time "yesterday" shop' in page.text
    grouped = next(link for link in page.links() if "reason" in link)
    assert "rejected event" in read(await client.get(grouped)).text


async def test_a_mended_event_is_sent_again_and_takes_effect_once(serve: Serve) -> None:
    client, (rejected,) = await served(serve, LATE)
    address = f"/console/rejected/{rejected['id']}"
    assert "Send it again" in read(await client.get(address)).text
    mended = json.dumps(LATE | {"time": "2024-05-01T12:00:00Z"})
    for _ in range(2):
        answer = await client.post(f"{address}/resubmit", data={"body": mended}, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/console/events/{rejected['id']}"
    event = (await client.get(f"/events/{rejected['id']}")).json()
    profile = (await client.get(f"/profiles/{event['profile']}")).json()
    assert profile["traits"] == {"orders": 1}
    assert "An event of its id is stored." in read(await client.get(address)).text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps(LATE), "/time: a time is ISO 8601 text"),
        ("{", "this is not a JSON object"),
        ("[]", "this is not a JSON object"),
        ('{"properties": {}}', "/type"),
    ],
)
async def test_an_event_that_is_still_wrong_is_shown_again_and_not_rejected_twice(
    serve: Serve, body: str, said: str
) -> None:
    client, (rejected,) = await served(serve, LATE)
    page = read(await client.post(f"/console/rejected/{rejected['id']}/resubmit", data={"body": body}), 422)
    assert said in page.text
    assert body in page.text
    assert len((await client.get("/rejected")).json()) == 1


async def test_an_event_without_a_time_occurs_when_it_was_rejected(serve: Serve) -> None:
    client, (rejected,) = await served(serve, LATE)
    await client.post(f"/console/rejected/{rejected['id']}/resubmit", data={"body": '{"type": "order"}'})
    event = (await client.get(f"/events/{rejected['id']}")).json()
    assert event["received"] >= rejected["at"]
    assert event["time"].startswith("20")


async def test_sending_again_is_in_the_audit_log(serve: Serve) -> None:
    client, (rejected,) = await served(serve, LATE)
    form = {"body": '{"type": "order"}', "reason": "the clock was wrong"}
    await client.post(f"/console/rejected/{rejected['id']}/resubmit", data=form)
    page = read(await client.get("/console/audit"))
    assert "resubmit an event" in page.text
    assert "the clock was wrong" in page.text


async def test_a_refused_value_leads_to_its_event(serve: Serve) -> None:
    schema = Schema(collection="order", fields={"total": DeclaredField(type=TYPES["DOUBLE"])})
    client = await serve(project(COUNTS, schemas=(schema,), sources=(structs.replace(SHOP, schema="fixed"),)))
    await client.post("/track", json=payload({"id": "o-1", "type": "order", "properties": {"total": "many"}}))
    (rejected,) = (await client.get("/rejected")).json()
    page = read(await client.get(f"/console/rejected/{rejected['id']}"))
    assert "/console/events/o-1" in page.links()
    assert "This is one value of an event that is stored without it." in page.text
    answer = await client.post(f"/console/rejected/{rejected['id']}/resubmit", data={"body": "{}"})
    assert answer.status_code == 409


async def test_hostile_text_stays_text(serve: Serve) -> None:
    hostile = {"type": 7, "properties": {IMAGE: HOSTILE, "c": CONTROLS, "e": "</textarea><script>alert(1)</script>"}}
    client, (rejected, *_) = await served(serve, f"{HOSTILE}{CONTROLS}", hostile)
    assert IMAGE in read(await client.get(f"/console/rejected/{rejected['id']}")).text
    read(await client.get("/console/rejected"))
    answer = await client.post(f"/console/rejected/{rejected['id']}/resubmit", data={"body": f"{IMAGE}</textarea>"})
    assert IMAGE in read(answer, 422).text


async def test_without_rejected_events_the_page_says_so(serve: Serve) -> None:
    client, _ = await served(serve)
    assert "Nothing was rejected" in read(await client.get("/console/rejected")).text
    assert "No rejected event is found by this" in read(await client.get("/console/rejected?q=source:absent")).text
    assert "there is no rejected event absent" in read(await client.get("/console/rejected/absent"), 404).text
