"""Rakam's clients: what is stored is what they sent, and they are answered as they expect."""

import hashlib
import io
import json
from typing import Any

import fastavro
import pytest
from httpx import AsyncClient, Response

from api.problem import problem
from api.tracking.rakam import pixel_refused
from effects.clock import ManualClock
from engine.project.source import Source
from engine.tracking.foreign.rakam import MAX_BATCH
from engine.tracking.foreign.rakam_bulk import MAX_EVENTS
from engine.tracking.foreign.rakam_pixel import GIF
from tests.api.conftest import Serve
from tests.api.foreign_requests import profiles_by_type, stored
from tests.projects import USERS, project

MASTER = "the-master-key"
MASTER_KEY = hashlib.sha256(MASTER.encode()).hexdigest()
PAGES = Source(source="WK", accepts=("rakam",), origins=("https://shop.example",))
SERVER = Source(source="server", kind="secret", key=MASTER_KEY, accepts=("rakam",))
OTHER = Source(source="other")
PROPERTIES = """
flow: user-properties
trigger: {event: user-set}
nodes:
  copy: {profile.copy: {traits: "{{ event.properties }}"}}
"""
PROJECT = project(PROPERTIES, sources=(PAGES, SERVER, OTHER), settings=USERS)
NOW = 1_480_457_838_042


def batch(*events: dict[str, Any], key: str = "WK", **api: Any) -> dict[str, Any]:
    return {"api": {"api_key": key, "api_version": 1, **api}, "events": list(events)}


def event(collection: str, **properties: Any) -> dict[str, Any]:
    return {"collection": collection, "properties": properties}


def shown(events: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(event["type"], event["properties"]) for event in events]


async def test_an_event_is_stored_as_it_was_sent(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    sent = {"collection": "pageView", "api": {"api_key": "WK"}, "properties": {"pageUrl": "http://x/", "n": [1, 2]}}
    sent["properties"] |= {"_device_id": "d-1", "_session_id": NOW, "_time": NOW, "_id": "e-1"}  # type: ignore[operator]
    answer = await client.post("/event/collect", json=sent)
    assert (answer.status_code, answer.content) == (200, b"1")
    (one,) = await stored(client)
    assert (one["type"], one["properties"]) == ("pageview", {"page_url": "http://x/", "n": [1, 2]})
    assert (one["id"], one["session"][:14], one["time"]) == ("e-1", f"{NOW}-", "2016-11-29T22:17:18.042Z")


async def test_a_page_sends_json_as_text_with_credentials(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    headers = {"content-type": "text/plain", "origin": "https://shop.example"}
    answer = await client.post("/event/batch", content=json.dumps(batch(event("a"))), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"1")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_a_batch_with_bad_events_is_a_success_and_they_are_kept_with_their_reasons(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    bad = event("b", _user={}), event("c", _time="yesterday"), event("d", имя=1), event("x" * 101)
    answer = await client.post("/event/batch", json=batch(event("a", n=1), *bad, event("e", n=2)))
    assert (answer.status_code, answer.content) == (200, b"1")
    assert shown(await stored(client)) == [("a", {"n": 1}), ("e", {"n": 2})]
    rejected = await stored(client, "rejected")
    assert sorted(one["reason"].split(":")[0] for one in rejected)[:2] == [
        "Collection name must have maximum 100 characters.",
        "_user field must be numeric or string.",
    ]
    assert len(rejected) == 4


async def test_a_repeated_batch_counts_once_and_equal_events_of_one_batch_count_each(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    click = event("click", _device_id="d-1", _time=NOW // 1000 * 1000)
    for upload_time in (NOW + 1000, NOW + 9000):
        await client.post("/event/batch", json=batch(click, click, upload_time=upload_time))
    assert len(await stored(client)) == 2


async def test_equal_events_without_a_time_count_each(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    for _ in range(2):
        await client.post("/event/collect", json={**event("a", _device_id="d-1"), "api": {"api_key": "WK"}})
    assert len(await stored(client)) == 2


@pytest.mark.parametrize(
    ("body", "status", "title"),
    [
        ({**event("a"), "api": {"api_key": "unknown"}}, 403, "api_key is invalid"),
        ({**event("a"), "api": {"api_key": "other"}}, 403, "api_key is invalid"),
        ({**event("a"), "api": {}}, 400, "api.api_key is required"),
        ({**event("a", _user=[]), "api": {"api_key": "WK"}}, 400, "_user field must be numeric or string."),
    ],
)
async def test_an_error_is_told_in_each_of_the_ways_in_which_clients_look_for_it(
    serve: Serve, body: dict[str, Any], status: int, title: str
) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await client.post("/event/collect", json=body)
    document = answer.json()
    assert (answer.status_code, document["status"], document["detail"]) == (status, status, title)
    assert (document["errors"], document["error"]) == ([{"title": title}], title)
    assert await stored(client) == []


async def test_a_single_event_that_its_sender_cannot_send_is_refused(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await client.post("/event/collect", json={**event("a", _user="u-1"), "api": {"api_key": "WK"}})
    assert answer.status_code == 400
    assert "does not prove its users" in answer.json()["error"]
    assert len(await stored(client, "rejected")) == 1


async def test_a_batch_of_more_than_500_000_bytes_is_sent_elsewhere(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    for size in (MAX_BATCH + 1, 2_000_000):
        answer = await client.post("/event/batch", content=json.dumps(batch()).ljust(size))
        assert (answer.status_code, answer.json()["error"]) == (413, "The body is too big, use /bulk endpoint.")
    bulk = json.dumps(batch(event("a"), key=MASTER)).ljust(2_000_000)
    headers = {"content-type": "application/json"}
    assert (await client.post("/event/bulk", content=bulk, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/json", json.dumps(batch(event("Order", amount="9.5"), key=MASTER)), {}),
        ("application/x-ndjson", '{"amount":"9.5"}\n', {"collection": "Order", "master_key": MASTER}),
        ("text/csv", "amount\n9.5\n", {"collection": "Order", "master_key": MASTER, "use_header": "true"}),
    ],
)
@pytest.mark.parametrize("path", ["/event/bulk", "/event/copy"])
async def test_bulk_events_need_a_master_key(
    serve: Serve, path: str, kind: str, body: str, query: dict[str, str]
) -> None:
    client = await serve(PROJECT, stranger=True)
    headers = {"content-type": kind}
    answer = await client.post(path, content=body, params={**query, "commit": "false"}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert shown(await stored(client)) == [("order", {"amount": "9.5"})]
    public = {name: "WK" if name == "master_key" else value for name, value in query.items()}
    refused = await client.post(path, content=body.replace(MASTER, "WK"), params=public, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (403, "api_key is invalid")


def avro(*records: dict[str, Any], codec: str = "deflate") -> bytes:
    fields = [{"name": "_user", "type": "string"}, {"name": "total", "type": ["null", "double"]}]
    file = io.BytesIO()
    fastavro.writer(file, {"type": "record", "name": "order", "fields": fields}, records, codec=codec)
    return file.getvalue()


async def send_avro(client: AsyncClient, body: bytes) -> Response:
    headers = {"content-type": "application/avro", "master_key": MASTER}
    return await client.post("/event/bulk?collection=order", content=body, headers=headers)


async def test_the_records_of_an_avro_body_are_events(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    records = [{"_user": "u1", "total": 9.5}, {"_user": "u1", "total": float("nan")}, {"_user": "u2", "total": None}]
    answer = await send_avro(client, avro(*records))
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert sorted(event.get("properties", {}).get("total", 0) for event in await stored(client)) == [0, 9.5]
    assert len(await stored(client, "rejected")) == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (
            avro({"_user": "u", "total": 1.0})[:-3],
            400,
            "Avro couldn't be parsed: behind row 0: the file ends too early",
        ),
        (b"[]", 400, "Avro couldn't be parsed: the file does not begin as an Avro file does"),
        (avro(*[{"_user": "u", "total": 1.0}] * (MAX_EVENTS + 1)), 413, f"at most {MAX_EVENTS:,} events"),
        (avro(*[{"_user": "u" * 1_000_000, "total": 1.0}] * 5), 413, "the rows have at most 4194304 bytes as JSON"),
    ],
    ids=["cut", "other", "many", "large"],
)
async def test_an_avro_body_that_cannot_be_taken_is_refused(
    serve: Serve, body: bytes, status: int, reason: str
) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await send_avro(client, body)
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert await stored(client) == []


async def test_a_body_of_an_unknown_type_is_refused(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    headers = {"content-type": "application/xml", "master_key": MASTER}
    answer = await client.post("/event/bulk?collection=a", content=b"<a/>", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Unsupported content type: application/xml. Send one of application/json")


async def test_a_commit_is_taken(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await client.post("/event/bulk/commit", json={"collections": ["a"]}, headers={"master_key": MASTER})
    assert (answer.status_code, answer.json()) == (200, {"success": True})


@pytest.mark.parametrize("name", ["write_key", "master_key", "api_key"])
async def test_a_key_may_be_in_a_header_or_in_the_query(serve: Serve, name: str) -> None:
    client = await serve(PROJECT, stranger=True)
    assert (await client.post("/event/collect", json=event("a"), headers={name: MASTER})).status_code == 200
    assert (await client.post("/event/collect", json=event("b"), params={name: "WK"})).status_code == 200
    both = await client.post("/event/collect", json=event("c"), headers={name: MASTER}, params={name: "WK"})
    assert both.status_code == 403
    assert [one["source"] for one in await stored(client)] == ["server", "WK"]


async def test_a_pixel_is_an_image_and_its_event_is_stored(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    query = {"api.api_key": "WK", "collection": "Open", "prop.mail": "1", "prop._device_id": "d-1", "prop._time": NOW}
    for method in ("GET", "POST"):
        answer = await client.request(method, "/event/pixel", params={**query, "prop.by": method})
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/gif", GIF)
        assert "server-error" not in answer.headers
    assert shown(await stored(client)) == [("open", {"mail": "1", "by": "GET"}), ("open", {"mail": "1", "by": "POST"})]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"api.api_key": "unknown", "collection": "a"}, "api_key is invalid"),
        ({"collection": "a"}, "api.api_key is required"),
        ({"api.api_key": "WK"}, "collection parameter must be a string"),
        ({"api.api_key": "WK", "collection": "a", "prop._user": "u-1"}, "source `WK` does not prove its users"),
        (
            {"api.api_key": "WK", "collection": "a", "prop._device_id": "a\ufffd"},
            "the id of the visitor was cut inside",
        ),
        ({"api.api_key": "WK", "collection": "a", "prop.\nимя": "1"}, "the name `\\n\\u0438\\u043c"),
    ],
)
async def test_a_pixel_tells_an_error_in_a_header(serve: Serve, query: dict[str, str], error: str) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await client.get("/event/pixel", params=query)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/gif", GIF)
    assert answer.headers["server-error"].startswith(error.replace("\\n", " "))
    assert await stored(client) == []


@pytest.mark.parametrize(("status", "answered"), [(400, 200), (401, 200), (413, 200), (500, 500), (503, 503)])
def test_a_pixel_is_a_failure_only_if_it_may_be_taken_later(status: int, answered: int) -> None:
    reply = pixel_refused(status, problem(status, "why"))
    assert (reply.status, reply.media_type) == (answered, b"image/gif")


def test_the_error_of_a_pixel_is_printable_whatever_the_client_sent() -> None:
    (_, shown), _ = pixel_refused(400, problem(400, "the name `\x01\x00\x7f\r\n\u0131`")).headers
    assert shown == rb"the name `     \u0131`"


async def test_the_address_and_the_agent_of_a_request_are_filled_in(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    asked = event("a", _ip=True, _user_agent=True, n=1)
    await client.post("/event/batch", json=batch(asked), headers={"user-agent": "Firefox"})
    (one,) = await stored(client)
    assert one["properties"] == {"n": 1}
    assert one["context"]["user_agent"] == "Firefox"
    assert one["context"]["ip"]


async def test_who_is_anonymous_on_a_device_becomes_its_first_user_and_no_second_one(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    tablet = {"_device_id": "d-1"}
    events = (
        event("anonymous", **tablet),
        event("first", **tablet, _user="u-1"),
        event("second", **tablet, _user="u-2"),
        event("phone", _device_id="d-2", _user="u-1"),
        event("afterwards", **tablet),
    )
    assert (await client.post("/event/batch", json=batch(*events))).content == b"1"
    profiles = await profiles_by_type(client)
    assert profiles["anonymous"] == profiles["first"] == profiles["phone"] == profiles["afterwards"]
    assert profiles["second"] != profiles["first"]


async def test_a_server_names_users_only_and_sets_their_properties(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    api = {"api_key": MASTER}
    for path, body in (
        ("/user/set_properties", {"id": "u-1", "properties": {"favPlan": "gold"}}),
        ("/user/set_properties", {"id": "u-1", "properties": {"favPlan": "free"}}),
        ("/user/set_properties", {"id": "u-1", "properties": {"favPlan": "gold"}}),
        ("/user/set_properties_once", {"id": "u-1", "properties": {"ad": 1}}),
        ("/user/increment_property", {"id": "u-1", "property": "n", "value": 1}),
        ("/user/unset_properties", {"id": "u-1", "properties": ["age"]}),
        ("/user/batch", {"id": "u-1", "data": [{"set_properties": {"city": "Riga"}}]}),
        ("/user/batch_operations", {"data": [{"id": "u-2", "set_properties": {"city": "Oslo"}}]}),
    ):
        answer = await client.post(path, json={"api": api, **body})
        assert (answer.status_code, answer.content) == (200, b"1")
    assert [one["type"] for one in await stored(client)] == [
        *("user-set", "user-set", "user-set", "user-set-once", "user-increment", "user-unset", "user-set", "user-set")
    ]
    one, other = [profile["traits"] for profile in await stored(client, "profiles")]
    assert one == {"customer": "u-1", "fav_plan": "gold", "city": "Riga"}
    assert other == {"customer": "u-2", "city": "Oslo"}


async def test_operations_on_several_users_need_a_master_key(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    answer = await client.post("/user/batch_operations", json={"api": {"api_key": "WK"}, "data": []})
    assert (answer.status_code, answer.json()["error"]) == (403, "api_key is invalid")


async def test_a_merge_joins_a_visitor_with_a_user(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    await client.post("/event/batch", json=batch(event("before", _device_id="d-1")))
    merge = {"api": {"api_key": "WK"}, "id": "u-1", "anonymous_id": "d-1", "created_at": NOW, "merged_at": NOW}
    assert (await client.post("/user/merge", json=merge)).content == b"1"
    assert (await client.post("/user/merge", json={**merge, "anonymous_id": None})).content == b"1"
    profiles = await profiles_by_type(client)
    assert profiles["before"] == profiles["user-merge"]


async def test_a_preflight_of_a_page_is_answered(serve: Serve) -> None:
    client = await serve(PROJECT, stranger=True)
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    preflight = await client.options("/event/collect", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_time_in_milliseconds_is_shifted_by_the_clock_of_the_client_and_a_text_is_not(serve: Serve) -> None:
    clock = ManualClock(NOW + 3_600_000)
    client = await serve(PROJECT, stranger=True, clock=clock)
    text = "2016-11-29T22:17:18.042Z"
    await client.post(
        "/event/batch", json=batch(event("number", _time=NOW), event("text", _time=text), upload_time=NOW + 5)
    )
    number, said = await stored(client)
    assert (number["time"], number["occurred"]) == (text, NOW + 3_600_000 - 5)
    assert (said["time"], said.get("occurred")) == (text, None)


@pytest.mark.parametrize("path", ["//event/collect", "/event//collect", "/event/collect//", "/event/%63ollect"])
async def test_an_address_may_be_spelled_otherwise(serve: Serve, path: str) -> None:
    client = await serve(PROJECT, stranger=True)
    sent = {**event("a"), "api": {"api_key": "WK"}}
    assert (await client.post(f"http://127.0.0.1{path}", json=sent)).content == b"1"
    assert len(await stored(client)) == 1
