"""Payloads with a malformed event over HTTP: the others take effect, and the bad one can be read at `/rejected`."""

import json
from typing import Any

import msgspec
import pytest

from tests.api.conftest import Serve
from tests.projects import payload, project

COUNT = """
flow: counted
trigger: {event: order}
nodes:
  n: {profile.increment: {traits.n: 1}}
"""
HOOK = """
flow: order-hook
trigger: {event: order-hook}
nodes:
  who:
    profile.attach: {key: {pii.email: "{{ event.properties.email }}"}, create: true}
    next: add
  add:
    profile.increment: {traits.orders: 1, traits.spent: "{{ event.properties.total | float }}"}
"""
ORDERS = rb"""{"source": {"id": "shop"}, "session": {"id": "cut-1"}, "options": {"profile": true},
 "events": [
  {"type": "order", "properties": {"total": 1}},
  %s,
  {"type": "order", "properties": {"total": 2}}
 ]}"""


async def test_a_title_that_was_cut_in_an_emoji_is_kept_with_a_replacement_character(serve: Serve) -> None:
    client = await serve(project(COUNT))
    cut = rb'{"type": "page-view", "id": "v", "properties": {"title": "Summer sale \ud83d"}}'
    answer = await client.post("/track", content=ORDERS % cut)
    assert (answer.status_code, answer.json().get("errors")) == (200, None)
    assert answer.json()["profile"]["traits"] == {"n": 2}
    assert (await client.get("/events/v")).json()["properties"] == {"title": "Summer sale \ufffd"}


@pytest.mark.parametrize(
    ("bad", "at", "reason", "kept"),
    [
        (b'{"type":"x","properties":{"n":[NaN]}}', "/properties/n/0", "`NaN` is no JSON", ...),
        (b'{"type":"x","properties":{"n":1e999}}', "/properties/n", "larger than", ...),
        (b'{"type":"x","properties":{"a/b":12345678901234567890.5}}', "/properties/a~1b", "exactly", {}),
        (
            b'{"type":"x","properties":{"t":"a\xffb"}}',
            "/properties/t",
            "UTF-8",
            '{"type":"x","properties":{"t":"a\\xffb"}}',
        ),
        (b'{"type":"x","properties":{"t":"\\q"}}', "", "escape", ...),
        (b'{"type":"x" "id":"e"}', "", "malformed", ...),
        (b'{"type":"x","properties":' + b"[" * 3000 + b"]" * 3000 + b"}", "", "deeper", ...),
        (b'{"type":5}', "/type", "expected `str`", {}),
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_a_malformed_event_is_rejected_with_its_place_and_kept_as_it_was_sent(
    serve: Serve, bad: bytes, at: str, reason: str, kept: Any
) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=ORDERS % bad)
    assert (answer.status_code, answer.json()["profile"]["traits"]) == (200, {"n": 2})
    (error,) = answer.json()["errors"]
    assert (error["index"], error["at"]) == (1, f"/events/1{at}")
    assert reason in error["reason"]
    (rejected,) = (await client.get("/rejected")).json()
    as_text = bad.decode(errors="backslashreplace")
    assert rejected["body"] == (json.loads(bad) if kept == {} else as_text if kept is ... else kept)
    assert (await client.get("/search/rejected")).json()["items"] == [rejected]


async def test_a_payload_whose_only_event_is_malformed_is_refused_and_leaves_a_trace(serve: Serve) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=ORDERS.replace(b'"type": "order"', b'"type": NaN') % b"NaN")
    assert (answer.status_code, [error["index"] for error in answer.json()["errors"]]) == (422, [0, 1, 2])
    assert len((await client.get("/rejected")).json()) == 3


# ---- /collect and /consent -------------------------------------------------------------------------------------------


async def test_a_hook_with_large_ids_is_taken_and_its_ids_are_kept_exactly(serve: Serve) -> None:
    client = await serve(project(HOOK))
    body = (
        b'{"id": 720182990123456789, "email": "jo@example.com", "total": "41.90",'
        b' "lines": [{"id": 660155031176643902, "qty": 1}]}'
    )
    assert (await client.post("/collect/order-hook/shop", content=body)).status_code == 200
    (event,) = (await client.get("/search/events", params={"q": "properties.id:720182990123456789"})).json()["items"]
    assert event["properties"] == json.loads(body)
    (jo,) = (await client.get("/search/profiles", params={"q": "pii.email:jo@example.com"})).json()["items"]
    assert jo["traits"] == {"orders": 1, "spent": 41.9}


@pytest.mark.parametrize("path", ["/collect/hook/shop", "/collect/hook/shop/s-1"])
@pytest.mark.parametrize(
    ("body", "at", "kept"),
    [
        (b'{"lines":[{"price":0.10000000000000000001}]}', "/lines/0/price", {"lines": [{"price": 0.1}]}),
        (b'{"n":NaN}', "/n", '{"n":NaN}'),
        (b'{"t":"\xff"}', "/t", '{"t":"\\xff"}'),
        (b"id=5&total=3", "", "id=5&total=3"),
        (b"[1]", "/0", 1),
        (b'{"n":' + b"1" * 1001 + b"}", "/n", ...),
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_a_bad_body_of_collect_is_refused_and_leaves_a_trace(
    serve: Serve, path: str, body: bytes, at: str, kept: Any
) -> None:
    client = await serve(project(COUNT))
    answer = await client.post(path, content=body)
    assert (answer.status_code, answer.json().get("at", "")) == (422, at)
    (error,) = answer.json()["errors"]
    assert (error["index"], error["at"]) == (0, at)
    assert error["reason"] in answer.json()["detail"]
    (rejected,) = (await client.get("/rejected")).json()
    assert (rejected["source"], rejected["at_field"], rejected["reason"]) == ("shop", at, error["reason"])
    assert rejected["body"] == (msgspec.json.decode(body) if kept is ... else kept)


async def test_a_bad_body_of_collect_from_an_unknown_source_leaves_no_trace(serve: Serve) -> None:
    client = await serve(project(COUNT))
    assert (await client.post("/collect/hook/nobody", content=b"{")).status_code == 401
    assert (await client.get("/rejected")).json() == []


async def test_half_of_an_emoji_in_a_body_of_collect_is_kept_as_a_replacement_character(serve: Serve) -> None:
    client = await serve(project(COUNT))
    assert (await client.post("/collect/hook/shop", content=rb'{"t":"a\ud83d"}')).status_code == 200
    (event,) = (await client.get("/search/events")).json()["items"]
    assert event["properties"] == {"t": "a\ufffd"}


async def test_half_of_an_emoji_in_the_context_of_a_consent_is_kept_as_a_replacement_character(serve: Serve) -> None:
    client = await serve(project(COUNT))
    body = json.dumps({**payload(session="s"), "consents": {"news": True}, "context": {"t": "\ud83d"}, "events": 0})
    assert (await client.post("/consent", content=body)).status_code == 200
    (session,) = (await client.get("/search/sessions")).json()["items"]
    assert session["context"] == {"t": "\ufffd"}
