"""Webhooks over HTTP: requests of other systems become events, each once."""

import asyncio
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from api.app import create_app
from api.tracking.discovery import takes_events
from effects.scripted import ScriptedPerformer
from engine.ports.store import Unavailable
from storage.memory import MemoryStore
from tests.api.conftest import Serve
from tests.api.foreign_requests import stored
from tests.engine.tracking.unavailable_store import AwayStore
from tests.webhook_projects import webhook_project

KEY = "k" * 32
SECRET_SOURCE = f"source: shop\nkind: secret\naccepts: []\nkey: {hashlib.sha256(KEY.encode()).hexdigest()}\n"
ORDERS = """
    webhook: orders
    source: shop
    event:
      type: order-placed
      id: "{{ body.id }}"
      user: "{{ body.customer }}"
      time: "{{ body.at }}"
      properties: {total: "{{ body.total | float }}", id: "{{ body.id }}"}
"""
ANY = """
    webhook: any
    source: shop
    event: {type: seen, properties: {body: "{{ body }}", text: "{{ text }}", query: "{{ query }}"}}
"""
ORDER = {"id": 720182990123456789, "customer": "C-1", "at": "2026-05-01T12:00:00Z", "total": "41.90"}
PATH = "/webhook/collect/orders"


async def rejected(client: Any) -> list[dict[str, Any]]:
    return await stored(client, "rejected")


async def test_a_request_becomes_an_event_with_all_digits_of_its_ids(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS))
    answer = await client.post(PATH, json=ORDER)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "1", "application/json")
    [event] = await stored(client)
    assert (event["id"], event["type"], event["source"]) == ("720182990123456789", "order-placed", "shop")
    assert event["properties"] == {"total": 41.9, "id": 720182990123456789}
    profile = (await client.get(f"/profiles/{event['profile']}")).json()
    assert profile["traits"]["user_id"] == "C-1"


async def test_twenty_deliveries_at_once_and_three_more_take_effect_once(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS))
    answers = await asyncio.gather(*(client.post(PATH, json=ORDER) for _ in range(20)))
    answers += [await client.post(PATH, json=ORDER) for _ in range(3)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "1")}
    assert len(await stored(client)) == 1


async def test_without_ids_equal_content_counts_once_where_the_source_says_so(serve: Serve, tmp_path: Path) -> None:
    source = "source: shop\naccepts: []\ndeduplicate: content\n"
    client = await serve(webhook_project(tmp_path, ANY, source=source))
    for body in ({"a": 1}, {"a": 1}, {"a": 2}):
        assert (await client.post("/webhook/collect/any", json=body)).text == "1"
    assert len(await stored(client)) == 2


async def test_rakams_address_takes_the_key_of_the_source(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS), stranger=True)
    assert (await client.post("/event/hook/collect/orders", json=ORDER)).status_code == 401
    assert (await client.post("/event/hook/collect/orders?write_key=other", json=ORDER)).status_code == 401
    answer = await client.post("/event/hook/collect/orders?write_key=shop", json=ORDER)
    assert (answer.status_code, answer.text) == (200, "1")


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        pytest.param("", {}, 401, id="no key"),
        pytest.param("?write_key=shop", {}, 401, id="the id of a secret source"),
        pytest.param(f"?write_key={KEY}", {"authorization": "Bearer other"}, 401, id="two keys"),
        pytest.param(f"?write_key={KEY}", {}, 200, id="in the query"),
        pytest.param("", {"authorization": f"Bearer {KEY}"}, 200, id="bearer"),
        pytest.param("", {"write_key": KEY}, 200, id="Rakam's header"),
    ],
)
async def test_a_webhook_of_a_secret_source_needs_its_key(
    serve: Serve, tmp_path: Path, query: str, headers: dict[str, str], status: int
) -> None:
    client = await serve(webhook_project(tmp_path, ANY, source=SECRET_SOURCE), stranger=True)
    answer = await client.post(f"/webhook/collect/any{query}", json={}, headers=headers)
    assert answer.status_code == status
    if status == 200:
        [event] = await stored(client)
        assert KEY not in json.dumps(event)


async def test_a_page_of_another_origin_may_not_send(serve: Serve, tmp_path: Path) -> None:
    source = "source: shop\naccepts: []\norigins: [https://shop.example]\n"
    client = await serve(webhook_project(tmp_path, ANY, source=source))
    for origin, status in (("https://shop.example", 200), ("https://other.example", 403)):
        answer = await client.post("/webhook/collect/any", json={}, headers={"origin": origin})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "passes"),
    [(PATH, True), ("/event/hook/collect/orders", True), ("/webhook/collected", False), ("/webhook/orders", False)],
)
def test_requests_to_webhooks_pass_the_gate(path: str, passes: bool) -> None:
    assert takes_events(path) == passes


async def test_unknown_webhooks_methods_and_disabled_sources_are_refused(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS, source="source: shop\naccepts: []\nenabled: false\n"))
    assert (await client.post("/webhook/collect/other", json={})).status_code == 404
    assert (await client.post("/webhook/collect", json={})).status_code == 404
    wrong = await client.get(PATH)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    with capture_logs() as logs:
        assert (await client.post(PATH, json=ORDER)).status_code == 403
    assert logs[0]["detail"] == "the source `shop` is disabled"


@pytest.mark.parametrize(
    ("content_type", "body", "properties"),
    [
        pytest.param("application/json", b'{"a": 1.5}', {"body": {"a": 1.5}, "text": '{"a": 1.5}'}, id="JSON"),
        pytest.param(
            "application/vnd.x+json; charset=utf-8", b"[1]", {"body": [1], "text": "[1]"}, id="JSON of a kind"
        ),
        pytest.param(
            "application/x-www-form-urlencoded",
            b"a=1&a=2&b=Gr%C3%BC%C3%9Fe",
            {"body": {"a": ["1", "2"], "b": "Grüße"}, "text": "a=1&a=2&b=Gr%C3%BC%C3%9Fe"},
            id="form",
        ),
        pytest.param(
            "application/x-www-form-urlencoded", b'{"a": 1}', {"body": {"a": 1}, "text": '{"a": 1}'}, id="curl"
        ),
        pytest.param(
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\ncontent-disposition: form-data; '
            b'name="f"; filename="f.txt"\r\ncontent-type: text/plain\r\n\r\nlong\r\n--x--\r\n',
            {"body": {"a": "1", "f": {"filename": "f.txt", "content_type": "text/plain", "size": 4}}},
            id="parts",
        ),
        pytest.param("text/xml", b"<a/>", {"text": "<a/>"}, id="XML"),
        pytest.param("text/plain; charset=ISO-8859-1", "Grüße".encode("latin-1"), {"text": "Grüße"}, id="latin-1"),
        pytest.param("", b"", {"text": ""}, id="nothing"),
    ],
)
async def test_a_body_is_read_by_its_media_type(
    serve: Serve, tmp_path: Path, content_type: str, body: bytes, properties: dict[str, Any]
) -> None:
    client = await serve(webhook_project(tmp_path, ANY))
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post("/webhook/collect/any?q=1&q=2", content=body, headers=headers)
    assert (answer.status_code, answer.text) == (200, "1")
    [event] = await stored(client)
    assert event["properties"] == {**properties, "query": {"q": ["1", "2"]}}


async def test_a_number_that_cannot_be_kept_exactly_is_kept_as_text(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ANY))
    body = b'{"a": 12345678901234567890.5, "b": 123456789012345678901234567890, "c": 1e400}'
    await client.post("/webhook/collect/any", content=body, headers={"content-type": "application/json"})
    [event] = await stored(client)
    assert event["properties"]["body"] == {
        "a": "12345678901234567890.5",
        "b": 123456789012345678901234567890,
        "c": "1e400",
    }


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        pytest.param("application/json", b'{"id": ', "webhook `orders`: Input data was truncated", id="half"),
        pytest.param("application/json", b"\xff", "webhook `orders`: the body is not utf-8 at byte 0", id="no text"),
        pytest.param("application/json; charset=x", b"{}", "webhook `orders`: the charset `x`", id="charset"),
        pytest.param("application/json", b"{}", "webhook `orders`, the event: `body.id` is absent", id="no id"),
        pytest.param(
            "application/json",
            b'{"id": 1, "total": "much", "customer": "c"}',
            "webhook `orders`, the event: `float` needs a number",
            id="no number",
        ),
        pytest.param("multipart/form-data", b"x", "webhook `orders`: the form is malformed", id="no boundary"),
    ],
)
async def test_what_cannot_be_read_is_rejected_with_its_reason_and_answered_with_success(
    serve: Serve, tmp_path: Path, content_type: str, body: bytes, reason: str
) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS))
    answer = await client.post(PATH, content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.text) == (200, "0")
    assert await stored(client) == []
    [record] = await rejected(client)
    assert record["reason"].startswith(reason)


LIST = """
    webhook: mails
    source: shop
    methods: [POST, PUT]
    when: headers['x-kind'] != 'test'
    each: "{{ body }}"
    event:
      type: "mail-{{ item.event }}"
      id: "{{ item.sg_event_id }}"
      when: item.event != 'processed'
      properties: {number: "{{ index }}"}
"""


async def test_a_list_becomes_an_event_for_each_item_and_bad_items_are_rejected_alone(
    serve: Serve, tmp_path: Path
) -> None:
    client = await serve(webhook_project(tmp_path, LIST))
    items = [
        {"event": "open", "sg_event_id": "a"},
        {"event": "processed", "sg_event_id": "b"},
        {"event": "click"},
        {"event": "click", "sg_event_id": "c"},
        {"event": "open", "sg_event_id": "a"},
    ]
    assert (await client.put("/webhook/collect/mails", json=items)).text == "1"
    assert sorted((event["type"], event["properties"]["number"]) for event in await stored(client)) == [
        ("mail-click", 3),
        ("mail-open", 0),
    ]
    [record] = await rejected(client)
    assert (record["reason"], record["body"]) == (
        "webhook `mails`, the event of item 2: `item.sg_event_id` is absent",
        {"event": "click"},
    )
    none = await client.post("/webhook/collect/mails", json=items, headers={"x-kind": "test"})
    assert (none.status_code, none.text, none.headers["content-type"]) == (200, "0", "application/json")


@pytest.mark.parametrize(("body", "reason"), [({"a": 1}, "`each` is no list"), ([{}] * 501, "`each` has 501 items")])
async def test_what_is_no_list_or_too_long_is_rejected_whole(
    serve: Serve, tmp_path: Path, body: Any, reason: str
) -> None:
    client = await serve(webhook_project(tmp_path, LIST))
    assert (await client.post("/webhook/collect/mails", json=body)).text == "0"
    [record] = await rejected(client)
    assert (record["reason"].startswith(f"webhook `mails`: {reason}"), record["body"]) == (True, body)


async def test_two_mappings_with_one_id_make_two_events(serve: Serve, tmp_path: Path) -> None:
    both = """
        webhook: both
        source: shop
        events:
          - {type: first, id: "{{ body.id }}"}
          - {type: second, id: "{{ body.id }}"}
    """
    client = await serve(webhook_project(tmp_path, both))
    for _ in range(2):
        await client.post("/webhook/collect/both", json={"id": "e-1"})
    assert sorted((event["type"], event["id"]) for event in await stored(client)) == [
        ("first", "e-1"),
        ("second", "e-1:1"),
    ]


WHOLE = """
    webhook: erp
    source: shop
    methods: [POST, GET]
    flow: orders
    params: {shop: de}
"""
FLOW = """
    flow: orders
    trigger: {event: webhook.erp}
    nodes:
      who:
        profile.attach: {key: {pii.email: "{{ event.properties.body.email }}"}, create: true}
        next: add
      add:
        profile.increment: {traits.orders: 1}
"""


async def test_a_flow_takes_the_whole_request(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, WHOLE, files={"flows/orders.yaml": FLOW}))
    headers = {"x-shop": "de", "authorization": "Bearer of-another-system", "cookie": "a=b"}
    await client.post("/webhook/collect/erp?a=1", json={"email": "jo@example.com"}, headers=headers)
    [event] = await stored(client)
    shown = event["properties"]
    assert (event["type"], shown["body"], shown["query"], shown["params"], shown["method"]) == (
        "webhook.erp",
        {"email": "jo@example.com"},
        {"a": "1"},
        {"shop": "de"},
        "POST",
    )
    assert shown["headers"]["x-shop"] == "de"
    assert not {"authorization", "cookie"} & shown["headers"].keys()
    [profile] = (await client.get("/search/profiles")).json()["items"]
    assert (profile["pii"], profile["traits"]) == ({"email": "jo@example.com"}, {"orders": 1})


@pytest.mark.parametrize(
    ("answer", "body", "expected"),
    [
        ('answer: "{{ body.challenge }}"', {"challenge": "c-1"}, ("c-1", "text/plain; charset=utf-8")),
        ('answer: "{{ body.challenge }}"', {}, ("1", "application/json")),
        ("answer: {body: <Response/>, type: text/xml}", {}, ("<Response/>", "text/xml")),
    ],
)
async def test_an_answer_may_be_what_the_sender_expects(
    serve: Serve, tmp_path: Path, answer: str, body: Any, expected: tuple[str, str]
) -> None:
    client = await serve(webhook_project(tmp_path, f"webhook: any\nsource: shop\n{answer}\nevent: {{type: seen}}\n"))
    response = await client.post("/webhook/collect/any", json=body)
    assert (response.text, response.headers["content-type"]) == expected


async def test_expressions_have_the_zone_and_the_hash_keys_of_the_project(serve: Serve, tmp_path: Path) -> None:
    settings = 'timezone: Europe/Berlin\nhash_keys: {mail: "${env:MAIL_KEY}"}\n'
    hook = """
        webhook: any
        source: shop
        event:
          type: seen
          properties: {day: "{{ body.at | date | format_date('%Y-%m-%d') }}", mail: "{{ body.mail | hmac('mail') }}"}
    """
    made = webhook_project(
        tmp_path, hook, files={"headrace.yaml": settings}, environment={"MAIL_KEY": "0123456789abcdef"}
    )
    client = await serve(made)
    await client.post("/webhook/collect/any", json={"at": "2026-05-01T23:30:00Z", "mail": "jo@example.com"})
    [event] = await stored(client)
    assert event["properties"]["day"] == "2026-05-02"
    assert len(event["properties"]["mail"]) == 64


async def test_gzip_is_unpacked_and_a_body_that_is_too_large_is_refused(serve: Serve, tmp_path: Path) -> None:
    client = await serve(webhook_project(tmp_path, ORDERS))
    packed = gzip.compress(json.dumps(ORDER).encode())
    answer = await client.post(PATH, content=packed, headers={"content-encoding": "gzip"})
    assert (answer.status_code, len(await stored(client))) == (200, 1)
    bomb = gzip.compress(b" " * 2_000_000)
    for body in (bomb, b" " * 1_100_000):
        assert (await client.post(PATH, content=body)).status_code == 413


async def test_if_the_store_is_away_the_delivery_is_to_be_sent_again(tmp_path: Path) -> None:
    store = AwayStore(MemoryStore())
    app = create_app(webhook_project(tmp_path, ORDERS), store, performer=ScriptedPerformer())
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        store.refused["order-placed"] = Unavailable("the disk is full", retry_after=7)
        answer = await client.post(PATH, json=ORDER)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        store.refused.clear()
        assert (await client.post(PATH, json=ORDER)).text == "1"
        assert (await store.store.counts())["events"] == 1
