"""Whole numbers of any length over HTTP: they are stored, found and answered exactly."""

from typing import Any

import msgspec
import pytest

from tests.api.conftest import Serve
from tests.projects import payload, project

IDS = [720182990123456789, -(2**63) - 1, 2**64, 10**99 + 7, -(10**299)]
KEEP = """
flow: keep
trigger: {event: order}
nodes:
  keep:
    profile.set:
      traits.id: "{{ event.properties.id }}"
      traits.text: "no. {{ event.properties.id }}"
      traits.lines: "{{ event.properties.lines }}"
    next: tags
  tags:
    profile.add: {traits.orders: "{{ event.properties.id }}"}
    next: say
  say:
    respond: {id: "{{ event.properties.id }}"}
"""


@pytest.mark.parametrize("id", IDS, ids=lambda number: f"{len(str(number))} digits")
async def test_a_whole_number_comes_back_exactly_everywhere(serve: Serve, id: int) -> None:
    client = await serve(project(KEEP))
    properties = {"id": id, "lines": [{"id": id}], "text": str(id)}
    event = {"type": "order", "id": "o", "properties": properties, "context": {"id": id}}
    options = {"debugger": True, "profile": True}
    answer = (await client.post("/track", json=payload(event, options=options, context={"shop": id}))).json()
    traits = {"id": id, "text": f"no. {id}", "lines": [{"id": id}], "orders": [id]}
    assert (answer["response"], answer["profile"]["traits"]) == ({"id": id}, traits)
    (run,) = answer["debugging"]["execution"]["o"]["runs"]
    assert run["steps"][0]["read"]["event.properties.id"] == id
    stored = (await client.get("/events/o")).json()
    assert (stored["properties"], stored["context"]) == (properties, {"shop": id, "id": id})
    assert (await client.get("/events/o/runs")).json()[0]["steps"][0]["read"]["event.properties.id"] == id
    assert (await client.get(f"/profiles/{answer['profile']['id']}")).json()["traits"] == traits


@pytest.mark.parametrize("id", IDS, ids=lambda number: f"{len(str(number))} digits")
async def test_a_whole_number_is_found_by_its_digits_and_by_ranges(serve: Serve, id: int) -> None:
    client = await serve(project(KEEP))
    events: Any = [
        {"type": "order", "id": name, "properties": {"id": number, "lines": []}}
        for name, number in (("a", id), ("b", id + 1))
    ]
    await client.post("/track", json=payload(*events))
    for query, found in ((f'properties.id:"{id}"', ["a"]), (f'properties.id:["{id}" TO "{id}"]', ["a"])):
        answer = await client.get("/search/events", params={"q": query})
        assert [one["id"] for one in answer.json()["items"]] == found, answer.text
    assert len((await client.get("/search/profiles", params={"q": f'traits.id:"{id + 1}"'})).json()["items"]) == 1


async def test_a_profile_refuses_a_whole_number_of_more_than_300_digits_with_the_reason(serve: Serve) -> None:
    client = await serve(project(KEEP))
    event = {"type": "order", "id": "o", "properties": {"id": 10**300, "lines": []}}
    answer = (await client.post("/track", json=payload(event, options={"debugger": True}))).json()
    (run,) = answer["debugging"]["execution"]["o"]["runs"]
    assert (run["outcome"], "300 digits" in run["reason"]) == ("failed", True)
    assert (await client.get("/events/o")).json()["properties"]["id"] == 10**300


@pytest.mark.parametrize("digits", [1001, 4300, 5000, 100_000])
async def test_a_longer_number_is_rejected_with_its_place_and_the_remedy(serve: Serve, digits: int) -> None:
    client = await serve(project(KEEP))
    body = msgspec.json.encode(payload("order", {"type": "order", "properties": {"n": ["?"]}}))
    answer = await client.post("/track", content=body.replace(b'"?"', b"-" + b"7" * digits))
    (error,) = answer.json()["errors"]
    assert (error["at"], error["reason"]) == (
        "/events/1/properties/n/0",
        "a number has at most 1,000 digits: send a longer one as text",
    )
