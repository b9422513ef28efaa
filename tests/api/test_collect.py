"""`/collect` for systems that cannot be changed: their ids of deliveries, their forms and their lists."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import AsyncTestClient

from api.app import create_app
from effects.scripted import ScriptedPerformer
from engine.ports.store import Store
from engine.project.source import EventIdPlace, Source
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.api.conftest import ADMIN_KEY, Serve
from tests.projects import project

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
LAST = """
flow: last
trigger: {event: mail-event}
nodes:
  count: {profile.increment: {traits.events: 1}, next: keep}
  keep: {profile.set: {traits.last: "{{ event.properties.event }}"}}
"""
BY_HEADER = Source(source="hook", identify="trust", event_id=EventIdPlace(header="X-Delivery-Id"))
BY_PATH = Source(source="hook", identify="trust", event_id=EventIdPlace(path="delivery.id"))
ORDER = {"delivery": {"id": "d-4711"}, "order": 4711, "email": "dup@example.com", "total": "10.00"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def events_of(client: Any) -> list[dict[str, Any]]:
    found = (await client.get("/search/events", params={"q": "NOT type:profile-created"})).json()["items"]
    return sorted(found, key=lambda event: str(event["id"]))


async def rejected_of(client: Any) -> list[tuple[str, str]]:
    return sorted([(one["at_field"], one["reason"]) for one in (await client.get("/rejected")).json()])


# ---- deliveries that come several times ------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "headrace.db")


@pytest.mark.parametrize("source", [BY_HEADER, BY_PATH], ids=["named by a header", "named by a path"])
async def test_a_delivery_that_is_sent_again_and_twenty_times_at_once_takes_effect_once(
    store: Store, source: Source
) -> None:
    app: Litestar = create_app(
        project(HOOK, sources=(source,)), store, performer=ScriptedPerformer(), admin_key=ADMIN_KEY
    )

    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:

        async def deliver(number: int) -> Response:
            order = {**ORDER, "delivery": {"id": f"d-{number}"}}
            return await client.post("/collect/order-hook/hook", json=order, headers={"X-Delivery-Id": f"d-{number}"})

        answers = [await deliver(1) for _ in range(3)]
        answers += await asyncio.gather(*[deliver(2) for _ in range(20)])
        assert {answer.status_code for answer in answers} == {200}
        client.headers["authorization"] = f"Bearer {ADMIN_KEY}"
        found = await client.get("/search/profiles", params={"q": "pii.email:dup@example.com"})
        (profile,) = found.json()["items"]
        assert profile["traits"] == {"orders": 2, "spent": 20.0}
        assert [event["id"] for event in await events_of(client)] == ["d-1", "d-2"]


@pytest.mark.parametrize(
    ("source", "headers", "body", "at", "place"),
    [
        pytest.param(BY_HEADER, {}, {}, "", "the header `X-Delivery-Id`", id="no header"),
        pytest.param(BY_HEADER, {"x-delivery-id": " "}, {}, "", "the header `X-Delivery-Id`", id="an empty header"),
        pytest.param(BY_HEADER, {"x-delivery-id": "null"}, {}, "", "the header `X-Delivery-Id`", id="a placeholder"),
        pytest.param(BY_PATH, {}, {"id": "d-1"}, "/delivery/id", "`delivery.id`", id="nothing at the path"),
        pytest.param(BY_PATH, {}, {"delivery": {"id": [1]}}, "/delivery/id", "`delivery.id`", id="a list"),
        pytest.param(BY_PATH, {}, {"delivery": {"id": True}}, "/delivery/id", "`delivery.id`", id="true"),
        pytest.param(BY_PATH, {}, {"delivery": {"id": 1.5}}, "/delivery/id", "`delivery.id`", id="a fraction"),
        pytest.param(BY_PATH, {}, {"delivery": "d-1"}, "/delivery/id", "`delivery.id`", id="a text on the way"),
    ],
)
async def test_a_delivery_without_its_id_is_rejected_with_the_place_and_kept(
    serve: Serve, source: Source, headers: dict[str, str], body: dict[str, Any], at: str, place: str
) -> None:
    client = await serve(project(HOOK, sources=(source,)))
    answer = await client.post("/collect/order-hook/hook", json=body, headers=headers)
    assert (answer.status_code, answer.json().get("at", "")) == (422, at)
    ((kept_at, reason),) = await rejected_of(client)
    assert (kept_at, reason.startswith(f"{place} has no id of the delivery: ")) == (at, True)


@pytest.mark.parametrize(
    ("id", "kept"), [(720182990123456789, "720182990123456789"), ("d-1", "d-1"), ("x" * 201, None)], ids=repr
)
async def test_an_id_is_kept_as_text_and_a_very_long_one_by_its_hash(serve: Serve, id: Any, kept: str | None) -> None:
    client = await serve(project(sources=(BY_PATH,)))
    for _ in range(2):
        assert (await client.post("/collect/x/hook", json={"delivery": {"id": id}})).status_code == 200
    (event,) = await events_of(client)
    assert kept is None or event["id"] == kept


async def test_the_id_may_stand_in_a_query_or_in_a_form(serve: Serve) -> None:
    client = await serve(project(sources=(Source(source="hook", event_id=EventIdPlace(path="Id")),)))
    for _ in range(2):
        assert (await client.get("/collect/sms/hook?Id=SM1")).status_code == 200
        assert (await client.post("/collect/sms/hook", content="Id=SM2", headers=FORM)).status_code == 200
    assert [event["id"] for event in await events_of(client)] == ["SM1", "SM2"]


# ---- forms -----------------------------------------------------------------------------------------------------------


async def test_a_form_becomes_the_same_properties_as_a_query(serve: Serve) -> None:
    client = await serve(project())
    text = "From=%2B4930901820&Body=Gr%C3%BC%C3%9Fe+%26+K%C3%BCsse&Id=SM1&Media=a&Media=b&Empty="
    assert (await client.post("/collect/sms/shop", content=text, headers=FORM)).status_code == 200
    assert (await client.get(f"/collect/sms/shop?{text}")).status_code == 200
    posted, asked = [event["properties"] for event in await events_of(client)]
    assert posted == asked
    assert posted == {
        "From": "+4930901820",
        "Body": "Grüße & Küsse",
        "Id": "SM1",
        "Media": ["a", "b"],
        "Empty": "",
    }


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        (b' {"code": "SPRING-10"}', {"code": "SPRING-10"}),
        (b"", {}),
        (b" \r\n", {}),
        (b"null", {}),
        (b"{not=json", None),
        (b'"text"', None),
        ("name=Grüße".encode(), {"name": "Grüße"}),
        (b"name=%FC", None),
        (b"name=\xfc", None),
    ],
    ids=repr,
)
async def test_json_goes_under_the_media_type_that_curl_names_by_itself(
    serve: Serve, body: bytes, properties: dict[str, str] | None
) -> None:
    client = await serve(project())
    answer = await client.post("/collect/coupon/shop", content=body, headers=FORM)
    assert answer.status_code == (422 if properties is None else 200), answer.text
    assert [event.get("properties", {}) for event in await events_of(client)] == (
        [] if properties is None else [properties]
    )
    assert len(await rejected_of(client)) == (properties is None)


async def test_the_parts_of_a_form_become_properties_and_a_file_its_name_and_size(serve: Serve) -> None:
    client = await serve(project())
    answer = await client.post(
        "/collect/mail/shop",
        data={"sender": "jo@example.com", "subject": "Grüße", "to": ["a@example.com", "b@example.com"]},
        files={"attachment": ("order.pdf", b"\xff\xfe%PDF", "application/pdf")},
    )
    assert answer.status_code == 200, answer.text
    (event,) = await events_of(client)
    assert event["properties"] == {
        "sender": "jo@example.com",
        "subject": "Grüße",
        "to": ["a@example.com", "b@example.com"],
        "attachment": {"filename": "order.pdf", "content_type": "application/pdf", "size": 6},
    }


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("multipart/form-data", b"--b\r\n", "the form is malformed"),
        ("multipart/form-data; boundary=b", b"--other\r\n\r\n", "the form is malformed"),
        ("multipart/form-data; boundary=b", b"", "the form is malformed"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\xff\r\n--b--',
            "a field is not UTF-8",
        ),
        ("application/x-www-form-urlencoded", b"&".join([b"x=1"] * 501), "a form or a query has at most 500 fields"),
    ],
)
async def test_a_malformed_form_is_rejected_with_the_reason_and_kept(
    serve: Serve, content_type: str, body: bytes, reason: str
) -> None:
    client = await serve(project())
    answer = await client.post("/collect/mail/shop", content=body, headers={"content-type": content_type})
    assert answer.status_code == 422
    ((_, kept),) = await rejected_of(client)
    assert kept.startswith(reason)


async def test_other_media_types_are_refused(serve: Serve) -> None:
    client = await serve(project())
    for address, kind in (("/collect/x/shop", "application/xml"), ("/track", "multipart/form-data; boundary=b")):
        assert (await client.post(address, content=b"x", headers={"content-type": kind})).status_code == 415


# ---- lists -----------------------------------------------------------------------------------------------------------


async def test_each_object_of_a_list_is_an_event_and_a_bad_one_is_rejected_alone(serve: Serve) -> None:
    client = await serve(project())
    body = (
        b'[{"event": "open"}, 7, {"event": NaN}, {"event": "click", "n": 0.10000000000000000001}, {"event": "click"}]'
    )
    answer = await client.post("/collect/mail-event/shop", content=body)
    assert answer.status_code == 200, answer.text
    assert [(one["index"], one["at"]) for one in answer.json()["errors"]] == [(1, "/1"), (2, "/2/event"), (3, "/3/n")]
    stored = [event["properties"] for event in await events_of(client)]
    assert sorted(stored, key=lambda one: str(one["event"])) == [{"event": "click"}, {"event": "open"}]
    assert [at for at, _ in await rejected_of(client)] == ["/1", "/2/event", "/3/n"]


async def test_a_list_with_a_session_is_processed_in_its_order(serve: Serve) -> None:
    client = await serve(project(LAST))
    answer = await client.post("/collect/mail-event/shop/s-1", json=[{"event": "open"}, {"event": "click"}])
    profile = (await client.get(f"/profiles/{answer.json()['profile']['id']}")).json()
    assert profile["traits"] == {"events": 2, "last": "click"}


@pytest.mark.parametrize(
    ("source", "ids"),
    [(BY_HEADER, ["d-1-0", "d-1-1"]), (BY_PATH, ["a", "b"])],
    ids=["a header names the list", "a path names each item"],
)
async def test_a_list_that_is_sent_again_takes_effect_once(serve: Serve, source: Source, ids: list[str]) -> None:
    client = await serve(project(sources=(source,)))
    for _ in range(3):
        items = [{"delivery": {"id": "a"}}, {"delivery": {"id": "b"}}]
        answer = await client.post("/collect/mail-event/hook", json=items, headers={"X-Delivery-Id": "d-1"})
        assert answer.status_code == 200
    assert [event["id"] for event in await events_of(client)] == ids


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b" []", 400, "the list is empty: send at least one event"),
        (b"[" + b",".join([b"{}"] * 501) + b"]", 413, "a list has at most 500 events, this one has 501"),
        (b'[{"n": 1}', 422, "truncated"),
        (b"[[{}]]", 422, "expected `object | null`, got `array`"),
    ],
    ids=["empty", "501 events", "no JSON", "a list in a list"],
)
async def test_a_list_that_cannot_be_taken_is_refused_with_the_remedy(
    serve: Serve, body: bytes, status: int, detail: str
) -> None:
    client = await serve(project())
    answer = await client.post("/collect/mail-event/shop", content=body)
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
