"""The client's time of an event, from the request to flows and stored events."""

from typing import Any

import pytest

from engine.project.project import Settings
from tests.api.conftest import Serve
from tests.projects import payload, project

NOON = 1_714_564_800_000
KEEP = """
flow: keep
trigger: {event: order}
nodes:
  set: {profile.set: {traits.at: "{{ event.time }}"}}
"""


@pytest.mark.parametrize("time", [NOON, NOON // 1000, "2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", str(NOON)])
async def test_every_form_of_a_time_is_one_time_to_flows_and_readers(serve: Serve, time: Any) -> None:
    client = await serve(project(KEEP))
    event = {"type": "order", "id": "o-1", "time": time}
    answer = (await client.post("/track", json=payload(event, options={"profile": True}))).json()
    assert answer["profile"]["traits"]["at"] == NOON
    assert (await client.get("/events/o-1")).json()["time"] == "2024-05-01T12:00:00.000Z"
    found = (await client.get("/search/events", params={"q": "time:2024-05*"})).json()["items"]
    assert [one["id"] for one in found] == ["o-1"]


async def test_text_without_an_offset_is_in_the_time_zone_of_the_project(serve: Serve) -> None:
    client = await serve(project(KEEP, settings=Settings(timezone="Europe/Berlin")))
    event = {"type": "order", "id": "o-1", "time": "2024-05-01T14:00:00"}
    await client.post("/track", json=payload(event, {**event, "id": "o-2", "time": "2024-05-01T12:00:00Z"}))
    for id in ("o-1", "o-2"):
        assert (await client.get(f"/events/{id}")).json()["time"] == "2024-05-01T12:00:00.000Z"


async def test_without_a_time_flows_see_the_time_at_which_the_event_was_received(serve: Serve) -> None:
    client = await serve(project(KEEP))
    event = {"type": "order", "id": "o-1"}
    answer = (await client.post("/track", json=payload(event, options={"profile": True}))).json()
    assert answer["profile"]["traits"]["at"] == (await client.get("/events/o-1")).json()["received"]


@pytest.mark.parametrize("time", [True, "yesterday", "", {}, [], 2**53 + 2, 10**300], ids=repr)
async def test_an_event_with_another_time_is_rejected_with_its_place_and_the_remedy(serve: Serve, time: Any) -> None:
    client = await serve(project(KEEP))
    answer = await client.post("/track", json=payload("order", {"type": "order", "time": time}, "order"))
    assert answer.status_code == 200
    (error,) = answer.json()["errors"]
    assert (error["index"], error["at"]) == (1, "/events/1/time")
    assert "ISO 8601" in error["reason"]
    assert len((await client.get("/search/events")).json()["items"]) == 2
    assert (await client.get("/rejected")).json()[0]["body"] == {"type": "order", "time": time}


async def test_a_consent_request_with_another_time_is_refused_with_its_place(serve: Serve) -> None:
    body = payload(consents={"news": True}, time="soon")
    del body["events"]
    answer = await (await serve(project())).post("/consent", json=body)
    assert (answer.status_code, answer.json()["at"]) == (400, "/time")
