"""Traintracks' clients: what is stored is what they sent, and they are answered as they expect."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.api.foreign_requests import profiles_by_type, stored
from tests.projects import USERS, project

EXAMPLE = Path(__file__).parents[1] / "engine/tracking/foreign/traintracks_example.json"
SECRET = "product-secret"
GAME = Source(source="a32e6578", accepts=("traintracks",), product_secret=SECRET, origins=("https://game.example",))
UNSIGNED = Source(source="unsigned", accepts=("traintracks",))
ELSEWHERE = Source(source="elsewhere", product_secret=SECRET)
PROJECT = project(sources=(GAME, UNSIGNED, ELSEWHERE), settings=USERS)


def signature(body: bytes, secret: str = SECRET) -> str:
    return hashlib.md5(body + secret.encode(), usedforsecurity=False).hexdigest()


async def send(client: Any, events: Any, *, path: str = "/v1/events", **headers: Any) -> Response:
    """Send events as the clients do. A header that is None is left out."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    given: dict[str, Any] = {
        "content-type": "application/json;charset=utf-8",
        "x-requested-with": "XMLHttpRequest",
        "x-product-key": "a32e6578",
        "x-product-auth": signature(body),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    answer: Response = await client.post(
        path, content=body, headers={name: value for name, value in given.items() if value is not None}
    )
    return answer


async def test_the_example_of_the_documentation_is_stored_as_it_was_sent(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await send(client, EXAMPLE.read_bytes(), remote_address="1.2.3.4")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "accepted": 2, "errors": []})
    events = await stored(client)
    for event, sent in zip(events, json.loads(EXAMPLE.read_bytes()), strict=True):
        assert (event["type"], event["properties"]) == (sent["eventType"], sent["data"])
        assert event["context"] == {
            "build": sent["build"],
            "device": sent["device"],
            "user_name": sent["userName"],
            "location": sent["location"],
        } | {name: value for name, value in event["context"].items() if name == "sent"}
        assert event["session"] == sent["sessionId"]
    assert [event["time"] for event in events] == ["2012-03-14T09:33:42.416Z", "2012-03-14T09:43:43.416Z"]


async def test_a_repeated_request_counts_once(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    for _ in range(2):
        answer = await send(client, EXAMPLE.read_bytes())
        assert answer.json() == {"status": "ok", "accepted": 2, "errors": []}
    assert len(await stored(client)) == 2


async def test_the_address_that_a_client_names_is_in_the_context(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    await send(client, [{"eventType": "x", "sessionId": 1412345678901}], path="/v1", remote_address="203.0.114.9")
    (event,) = await stored(client)
    assert (event["context"]["ip"], event["session"][:14]) == ("203.0.114.9", "1412345678901-")


async def test_bad_events_are_answered_with_success_and_their_places(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    events: list[Any] = [{"eventType": "a"}, {"data": {}}, {"eventType": "b", "userId": "u" * 201}, {"eventType": "c"}]
    answer = await send(client, events)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(error["index"], error["at"]) for error in answer.json()["errors"]] == [(1, "/1/eventType"), (2, "/2")]
    assert [event["type"] for event in await stored(client)] == ["a", "c"]
    assert len(await stored(client, "rejected")) == 2


async def test_a_request_of_bad_events_alone_is_success(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await send(client, [{}])
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_product_key": None},
        {"x_product_key": "unknown"},
        {"x_product_key": "unsigned"},
        {"x_product_key": "elsewhere"},
        {"x_product_auth": None},
        {"x_product_auth": hashlib.md5((SECRET + "[]").encode(), usedforsecurity=False).hexdigest()},
        {"x_product_auth": hashlib.md5(b"[]a32e6578", usedforsecurity=False).hexdigest()},
        {"x_product_auth": signature(b"[ ]")},
    ],
)
async def test_a_wrong_key_or_signature_is_not_taken(serve: Serve, headers: dict[str, Any]) -> None:
    client = await serve(PROJECT, stranger=True)
    assert (await send(client, b"[]", **headers)).status_code == 401
    assert (await send(client, b"[]")).status_code == 200


async def test_a_source_without_a_secret_takes_nothing(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    auth = signature(b"[]", "")
    assert (await send(client, b"[]", x_product_key="unsigned", x_product_auth=auth)).status_code == 401


@pytest.mark.parametrize(("body", "status"), [(b"{}", 400), (b"[{]", 400), (b"[%s]" % b",".join([b"{}"] * 501), 413)])
async def test_an_envelope_that_is_no_list_of_at_most_500_events_is_refused(
    serve: Serve, body: bytes, status: int
) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await send(client, body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_a_page_may_send_the_headers_of_the_protocol(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    asked = {"origin": "https://game.example", "access-control-request-method": "POST"}
    preflight = await client.options("/v1/events", headers=asked)
    allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
    assert {"content-type", "x-product-key", "x-product-auth", "x-requested-with", "remote-address"} <= allowed
    answer = await send(client, b"[]", origin="https://game.example")
    assert answer.headers["access-control-allow-origin"] == "https://game.example"
    assert (await send(client, b"[]", origin="https://other.example")).status_code == 403


async def test_who_is_anonymous_in_a_session_becomes_its_first_user_and_no_second_one(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    tablet = {"sessionId": "s-1"}
    events = [
        {"eventType": "anonymous", **tablet},
        {"eventType": "first", **tablet, "userId": "u-1"},
        {"eventType": "second", **tablet, "userId": "u-2"},
        {"eventType": "phone", "sessionId": "s-2", "userId": "u-1"},
    ]
    assert (await send(client, events)).json()["accepted"] == 4
    profiles = await profiles_by_type(client)
    assert profiles["anonymous"] == profiles["first"] == profiles["phone"] != profiles["second"]
