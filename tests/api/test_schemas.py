"""Schemas over HTTP: Rakam's clients send to a source that learns, and operators read what was learnt."""

from typing import Any

from msgspec import structs

from engine.project.source import Source
from engine.schema.schema import DeclaredField, Schema
from engine.schema.value_type import TYPES
from tests.api.conftest import Serve
from tests.api.foreign_requests import stored
from tests.projects import USERS, project

APP = Source(source="WK", accepts=("rakam",))
VISITS = Schema(collection="visit", fields={"length": DeclaredField(type=TYPES["DOUBLE"])})
LEARNING = project(sources=(APP,), settings=USERS, schemas=(VISITS,))
FIXED = project(sources=(structs.replace(APP, schema="fixed"),), settings=USERS, schemas=(VISITS,))


def event(id: str, collection: str = "visit", **properties: Any) -> dict[str, Any]:
    return {"collection": collection, "properties": {"_device_id": "d-1", "_id": id, **properties}}


def collect(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "api": {"api_key": "WK"}}


async def test_a_value_of_another_type_is_left_out_and_the_event_taken_as_by_rakam(serve: Serve) -> None:
    client = await serve(LEARNING)
    for id, ip in (("e1", 10), ("e2", "11"), ("e3", "ab:cd")):
        answer = await client.post("/event/collect", json=collect(event(id, ip=ip)))
        assert (answer.status_code, answer.content) == (200, b"1")
    assert {one["id"]: one.get("properties", {}) for one in await stored(client)} == {
        "e1": {"ip": 10},
        "e2": {"ip": 11},
        "e3": {},
    }
    (refused,) = await stored(client, "rejected")
    assert (refused["event"], refused["at_field"], refused["body"]) == ("e3", "/properties/ip", "ab:cd")
    assert refused["profile"] == (await stored(client))[0]["profile"]


async def test_an_operator_reads_what_was_declared_learnt_and_refused(serve: Serve) -> None:
    client = await serve(LEARNING)
    for id, properties in (("e1", {"page": "/", "length": "5"}), ("e2", {"length": "long"})):
        await client.post("/event/collect", json=collect(event(id, **properties)))
    (of_all,) = (await client.get("/schemas")).json()
    one = (await client.get("/schemas/visit")).json()
    assert [field["name"] for field in of_all["fields"]] == ["length", "page"]
    assert {field["name"]: (field["type"], field["from"], field["refused"]) for field in one["fields"]} == {
        "length": ("DOUBLE", "declared", 1),
        "page": ("STRING", "learnt", 0),
    }
    assert one["fields"][1]["event"] == "e1"
    unknown = await client.get("/schemas/visits")
    assert unknown.status_code == 404
    assert "did you mean `visit`?" in unknown.json()["detail"]


async def test_a_fixed_schema_refuses_a_new_field_with_the_words_of_rakam(serve: Serve) -> None:
    client = await serve(FIXED)
    answer = await client.post("/event/collect", json=collect(event("e1", length=1, new=2)))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["title"].startswith("Schema is invalid")
    events = [event("e2", length=1), event("e3", new=2)]
    batch = await client.post("/event/batch", json={"api": {"api_key": "WK"}, "events": events})
    assert (batch.status_code, batch.content) == (200, b"1")
    assert [one["id"] for one in await stored(client)] == ["e2"]
    assert len(await stored(client, "rejected")) == 2


async def test_stored_schemas_need_the_admin_key(serve: Serve) -> None:
    client = await serve(LEARNING, stranger=True)
    assert [(await client.get(path)).status_code for path in ("/schemas", "/schemas/visit")] == [401, 401]
