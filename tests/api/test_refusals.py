"""Requests that the API refuses, and the text of the refusals."""

import asyncio
from typing import Any

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from api.app import create_app
from api.tracking.endpoint import handle as desk
from effects.scripted import ScriptedPerformer
from engine.ports.records import Unit
from engine.ports.store import TooLarge
from engine.tracking.intake.payload import MAX_CONTEXT, MAX_KEPT, Intake
from storage.memory import MemoryStore
from tests.api.conftest import Serve
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
SESSION = '"source":{"id":"shop"},"session":{"id":"s"}'


def body(*events: Any, **more: Any) -> bytes:
    return msgspec.json.encode(payload(*(events or ("counted",)), **more))


@pytest.mark.parametrize(
    ("content", "at", "message"),
    [
        pytest.param(
            b'{"source":"web-shop","events":[{"type":"x"}]}',
            "/source",
            'write {"id": "web-shop"}',
            id="a source as text",
        ),
        pytest.param(
            b'{"source":{"id":"shop"},"session":42,"events":[{"type":"x"}]}',
            "/session",
            'write {"id": 42}',
            id="a session as a number",
        ),
        pytest.param(f"{{{SESSION}}}".encode(), "/events", "missing", id="no events"),
        pytest.param(b'{"events":[{"type":"x"}]}', "/source", "missing", id="no source"),
        pytest.param(body(options={"debuger": True}), "/options/debuger", "did you mean `debugger`?", id="an option"),
        pytest.param(
            f'{{{SESSION},"context":{{"a":"'.encode() + b'\xff"},"events":[{"type":"x"}]}',
            "/context/a",
            "not UTF-8",
            id="bytes that are no UTF-8 in the context",
        ),
    ],
)
async def test_a_refusal_names_the_position_and_the_remedy(serve: Serve, content: bytes, at: str, message: str) -> None:
    answer = await (await serve(project(COUNT))).post("/track", content=content)
    assert answer.status_code == 400
    assert answer.json().get("at", "") == at
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("event", "at", "message"),
    [
        ({"type": "x", "time": True}, "/events/0/time", "ISO 8601"),
        ({"type": "x", "options": {"saveEvent": False}}, "/events/0/options/saveEvent", "did you mean `saveEvents`?"),
        ({"id": "e"}, "/events/0/type", "missing"),
    ],
    ids=["a time that is true", "an option", "no type"],
)
async def test_an_event_is_rejected_with_its_position(serve: Serve, event: Any, at: str, message: str) -> None:
    answer = await (await serve(project(COUNT))).post("/track", content=body(event, "counted"))
    (error,) = answer.json()["errors"]
    assert error["at"] == at
    assert message in error["reason"]


@pytest.mark.parametrize(("events", "status"), [(1, 200), (64, 200), (65, 413)])
async def test_a_context_that_is_large_in_all_events_together_is_refused(
    serve: Serve, events: int, status: int
) -> None:
    content = body(*["counted"] * events, context={"a": "x" * (MAX_CONTEXT // 64 - 8)})
    answer = await (await serve(project(COUNT))).post("/track", content=content)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["at"] == "/context"


@pytest.mark.parametrize("name", ["context", "properties"])
@pytest.mark.parametrize(("size", "status"), [(MAX_KEPT, 200), (MAX_KEPT + 1, 413)])
async def test_what_a_session_keeps_of_a_payload_is_limited(serve: Serve, name: str, size: int, status: int) -> None:
    content = body(**{name: {"a": "x" * (size - len('{"a":""}'))}})
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=content)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["at"] == f"/{name}"
    assert (await client.get("/counts")).json()["events"]["received"] == (status == 200)


async def test_events_that_cannot_be_decoded_are_stored_as_text(serve: Serve) -> None:
    client = await serve(project(COUNT))
    content = f'{{{SESSION},"events":[{{"type":"counted"}},{{"type":"x","properties":{{"n":1e999}}}}]}}'.encode()
    assert len((await client.post("/track", content=content)).json()["errors"]) == 1
    assert (await client.get("/rejected")).json()[0]["body"] == '{"type":"x","properties":{"n":1e999}}'


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8; v=1", 'application/json;v=1;charset="UTF-8"']
)
async def test_a_media_type_may_have_more_parameters(serve: Serve, content_type: str) -> None:
    client = await serve(project(COUNT))
    assert (await client.post("/track", content=body(), headers={"content-type": content_type})).status_code == 200


@pytest.mark.parametrize("path", ["/collectfoo/shop", "/collectfoo/a/shop", "/x/collect/a/shop"])
async def test_collect_is_one_address(serve: Serve, path: str) -> None:
    assert (await (await serve(project(COUNT))).post(path, json={})).status_code == 404


async def test_the_front_page_lists_the_addresses(serve: Serve) -> None:
    index = (await (await serve(project(COUNT))).get("/")).json()
    assert (index["schema"], index["health"]) == ("/schema", "/health/ready")


async def test_a_request_that_is_cancelled_at_shutdown_is_answered_with_retry_after(serve: Serve) -> None:
    client = await serve(project(COUNT))
    begun, sent = asyncio.Event(), []

    async def wait(headers: dict[bytes, bytes]) -> Intake:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "POST", "headers": []}
    task = asyncio.create_task(desk(client.app.state.tracker, scope, send, ("POST",), wait))
    await begun.wait()
    task.cancel()
    await task
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


class SmallStore(MemoryStore):
    """Refuses every unit as too large."""

    async def commit(self, unit: Unit) -> None:
        raise TooLarge("a unit of 99 characters is too large to be committed")


async def test_a_unit_that_is_too_large_to_store_is_refused_for_good_and_the_answer_says_why() -> None:
    app = create_app(project(COUNT), SmallStore(), performer=ScriptedPerformer())
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        answer = await client.post("/track", content=body())
    assert answer.status_code == 413
    assert "retry-after" not in answer.headers
    problem = answer.json()
    assert (problem["title"], problem["status"]) == ("The request is too large", 413)
    assert "99 characters" in problem["detail"]
    assert "send fewer or smaller events" in problem["detail"]
