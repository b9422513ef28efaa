"""`/track` and `/collect` over HTTP: shapes, refusals, encodings."""

import gzip
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""


def body(*events: Any, **more: Any) -> bytes:
    return msgspec.json.encode(payload(*(events or ("counted",)), **more))


async def test_the_answer_has_the_seeds_shape(serve: Serve) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=body())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"profile": {"id": answer.json()["profile"]["id"]}, "source": {"consent": False}}


async def test_the_debuggers_answer_has_the_seeds_shape(serve: Serve) -> None:
    client = await serve(project(COUNT))
    answer = (
        await client.post("/track", content=body({"type": "counted", "id": "e-1"}, options={"debugger": True}))
    ).json()
    debugging = answer["debugging"]
    assert list(debugging) == ["session", "events", "profile", "execution", "segmentation", "logs"]
    assert debugging["session"] == {"saved": 1, "errors": [], "ids": ["s-1"], "types": []}
    assert debugging["events"] == {"saved": 1, "errors": [], "ids": ["e-1"], "types": ["counted"]}
    assert debugging["profile"] == {"saved": 1, "errors": [], "ids": [answer["profile"]["id"]], "types": []}
    assert debugging["segmentation"] == {"errors": [], "ids": []}
    assert debugging["execution"]["e-1"]["runs"][0]["steps"][0]["node"] == "add"


async def test_a_source_that_forbids_the_debugger_reports_it_in_a_header(serve: Serve) -> None:
    client = await serve(project(COUNT, sources=(Source(source="shop"),)))
    answer = await client.post("/track", content=body(options={"debugger": True}))
    assert answer.headers["headrace-debugger"] == "refused"
    assert "debugging" not in answer.json()


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        pytest.param(body(), {"content-type": "text/plain;charset=UTF-8"}, id="text from sendBeacon"),
        pytest.param(body(), {"content-type": "application/json; charset=utf-8"}, id="JSON with a charset"),
        pytest.param(body(), {}, id="no media type"),
        pytest.param(gzip.compress(body()), {"content-encoding": "gzip"}, id="gzip"),
    ],
)
async def test_payloads_of_known_trackers_are_accepted(serve: Serve, content: bytes, headers: dict[str, str]) -> None:
    client = await serve(project(COUNT))
    assert (await client.post("/track", content=content, headers=headers)).status_code == 200


SESSION = '"source":{"id":"shop"},"session":{"id":"s"}'

BAD = [
    pytest.param(b"", {}, 400, "", "the body is empty", id="empty body"),
    pytest.param(b"{", {}, 400, "", "truncated", id="cut JSON"),
    pytest.param(body() + b"{}", {}, 400, "", "trailing", id="two documents"),
    pytest.param(b"[]", {}, 400, "", "object", id="a list"),
    pytest.param(b"\xff\xfe{\x00}\x00", {}, 400, "", "UTF-8", id="UTF-16"),
    pytest.param(b'{"source":{"id":"shop"},"session":{"id":"s"}}', {}, 400, "", "events", id="no events"),
    pytest.param(f'{{{SESSION},"events":[]}}'.encode(), {}, 400, "/events", "empty", id="an empty list of events"),
    pytest.param(b'{"events":[{"type":"x"}],"session":{"id":"s"}}', {}, 400, "", "source", id="no source"),
    pytest.param(
        b'{"source":{"id":5.5},"events":[]}', {}, 400, "/source/id", "an id is text", id="a source id with a part"
    ),
    pytest.param(
        b'{"source":{"id":true},"events":[]}', {}, 400, "/source/id", "an id is text", id="a source id of no kind"
    ),
    pytest.param(body(session="x" * 201), {}, 400, "/session/id", "200", id="an id that is too long"),
    pytest.param(body(session="\x07"), {}, 400, "/session/id", "control", id="an id of control characters"),
    pytest.param(body(session=None), {}, 400, "/session/id", "session.id", id="no session"),
    pytest.param(body(options={"debugger": "yes"}), {}, 400, "/options/debugger", "", id="an option of another kind"),
    pytest.param(
        body(context={"a": [[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}), {}, 400, "/context", "deep", id="deep"
    ),
    pytest.param(body(*["x"] * 501), {}, 413, "/events", "500", id="too many events"),
    pytest.param(b" " * 1_048_577, {}, 413, "", "1048576", id="too many bytes"),
    pytest.param(gzip.compress(b" " * 1_048_577), {"content-encoding": "gzip"}, 413, "", "1048576", id="a gzip bomb"),
    pytest.param(b"no gzip", {"content-encoding": "gzip"}, 400, "", "gzip", id="gzip that is none"),
    pytest.param(gzip.compress(body())[:-9], {"content-encoding": "gzip"}, 400, "", "gzip", id="gzip that is cut"),
    pytest.param(body(), {"content-encoding": "br"}, 415, "", "gzip", id="another encoding"),
    pytest.param(body(), {"content-type": "multipart/form-data"}, 415, "", "application/json", id="a form"),
    pytest.param(body(), {"content-type": "application/json; charset=utf-16"}, 415, "", "UTF-8", id="another charset"),
    pytest.param(body({"typo": 1}, {"type": " "}), {}, 422, "/events", "none", id="no event is acceptable"),
]


@pytest.mark.parametrize(("content", "headers", "status", "at", "message"), BAD)
async def test_invalid_input_is_refused_with_its_position_and_a_remedy(
    serve: Serve, content: bytes, headers: dict[str, str], status: int, at: str, message: str
) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["type"]) == (status, "about:blank")
    assert document.get("at", "").startswith(at)
    assert message in document["detail"]
    assert (await client.post("/track", content=body())).status_code == 200


EVENTS = [
    pytest.param(
        {"type": "x", "properties": {"n": 10**1000}}, "/events/0/properties/n", "1,000 digits", id="a long number"
    ),
    pytest.param({"type": "x", "properties": []}, "/events/0/properties", "object", id="properties that are a list"),
    pytest.param({"type": ""}, "/events/0/type", "length", id="an empty type"),
    pytest.param({"type": "x", "id": ""}, "/events/0/id", "length", id="an empty id"),
    pytest.param({"type": "x" * 201}, "/events/0/type", "200", id="a long type"),
    pytest.param({"type": "a\u0000b"}, "/events/0/type", "control", id="a control character"),
    pytest.param([], "/events/0", "object", id="a list"),
    pytest.param(None, "/events/0", "object", id="null"),
]


@pytest.mark.parametrize(("event", "at", "message"), EVENTS)
async def test_one_invalid_event_is_named_by_index_and_position(
    serve: Serve, event: Any, at: str, message: str
) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track", content=body(event, "counted"))
    assert answer.status_code == 200, answer.text
    (error,) = answer.json()["errors"]
    assert (error["index"], error["at"]) == (0, at)
    assert message in error["reason"]
    kept = (await client.get("/rejected")).json()
    assert [one["at_field"] for one in kept] == [at]
    assert kept[0]["body"] == event


async def test_numbers_that_are_not_finite_are_rejected(serve: Serve) -> None:
    client = await serve(project(COUNT))
    for number in (b"NaN", b"Infinity", b"1e400"):
        content = (
            b'{"source":{"id":"shop"},"session":{"id":"s"},"events":[{"type":"x","properties":{"n":%s}}]}' % number
        )
        assert (await client.post("/track", content=content)).status_code in {400, 422}


@pytest.mark.parametrize("source", [Source(source="shop", enabled=False), Source(source="other")])
async def test_an_unknown_and_a_disabled_source_get_the_same_answer(serve: Serve, source: Source) -> None:
    client = await serve(project(COUNT, sources=(source,)))
    answer = await client.post("/track", content=body())
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the source is unknown, disabled, or its key is wrong"


async def test_a_secret_source_requires_its_key(serve: Serve) -> None:
    source = Source(source="shop", kind="secret", key=sha256(b"k-1").hexdigest())
    client = await serve(project(COUNT, sources=(source,)))
    for header, status in (({}, 401), ({"authorization": "Bearer wrong"}, 401), ({"authorization": "bearer k-1"}, 200)):
        assert (await client.post("/track", content=body(), headers=header)).status_code == status


async def test_a_request_that_look_ups_led_to_says_how_many(serve: Serve) -> None:
    client = await serve(project())
    sent = [await client.post("/track", json=payload("x"), headers={"Headrace-Hops": text}) for text in ("0", "4")]
    assert [answer.status_code for answer in sent] == [200, 200]
    for wrong in ("", "-1", "1.5", "many", "9" * 40):
        answer = await client.post("/track", json=payload("x"), headers={"Headrace-Hops": wrong})
        assert answer.status_code == 400
        assert "Headrace-Hops" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused_and_the_right_one_is_named(serve: Serve, method: str) -> None:
    answer = await (await serve(project(COUNT))).request(method, "/track")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


# ---- profile-less ---------------------------------------------------------------------------------------------------


async def test_track_profile_less_makes_a_session_but_no_profile(serve: Serve) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/track?profile_less=true", content=body())
    assert answer.json()["profile"] == {"id": None}
    stored = (await client.get("/counts")).json()["stored"]
    assert (stored["profiles"], stored["sessions"], stored["events"]) == (0, 1, 1)
    assert (await client.post("/track?profile_less=maybe", content=body())).status_code == 400


async def test_collect_makes_neither_profile_nor_session(serve: Serve) -> None:
    client = await serve(project(COUNT))
    posted = await client.post("/collect/coupon%20used/shop", json={"code": "A/B"})
    asked = await client.get("/collect/coupon/shop?code=A&code=B&x=1")
    assert posted.json() == asked.json() == {"profile": {"id": None}, "source": {"consent": False}}
    stored = (await client.get("/counts")).json()["stored"]
    assert (stored["profiles"], stored["sessions"], stored["events"]) == (0, 0, 2)


async def test_collect_with_a_session_is_as_track(serve: Serve) -> None:
    client = await serve(project(COUNT))
    answer = await client.post("/collect/counted/shop/s-1", json={})
    profile = answer.json()["profile"]["id"]
    assert (await client.get("/collect/counted/shop/s-1")).json()["profile"]["id"] == profile
    assert (await client.get(f"/profiles/{profile}")).json()["traits"] == {"count": 2}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/collect/x", 404), ("/collect/x/shop/s/more", 404), ("/collect/x/nobody", 401), ("/collect/%07/shop", 400)],
)
async def test_collect_refuses_invalid_requests(serve: Serve, path: str, status: int) -> None:
    assert (await (await serve(project(COUNT))).post(path, json={})).status_code == status


# ---- reading --------------------------------------------------------------------------------------------------------


async def test_stored_traces_can_be_read_by_run_and_by_event(serve: Serve) -> None:
    client = await serve(project(COUNT))
    await client.post("/track", content=body({"type": "counted", "id": "e-1"}, options={"debugger": True}))
    (run,) = (await client.get("/events/e-1/runs")).json()
    assert run["flow"] == "count"
    assert run["steps"][0]["operations"] == [{"op": "increment", "path": "traits.count", "by": 1}]
    assert (await client.get(f"/runs/{run['id']}")).json() == run
    assert (await client.get("/events/e-1")).json()["type"] == "counted"


@pytest.mark.parametrize("path", ["/runs/x", "/profiles/x", "/events/x", "/nowhere"])
async def test_an_unknown_address_is_answered_with_a_problem_document(serve: Serve, path: str) -> None:
    answer = await (await serve(project(COUNT))).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_health_reports_liveness_and_readiness(serve: Serve) -> None:
    client = await serve(project(COUNT), broken=("flows/bad.yaml",))
    assert (await client.get("/health/live")).status_code == 200
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["broken"] == ["flows/bad.yaml"]


async def test_the_openapi_document_describes_tracking_with_the_decoders_own_structs(serve: Serve) -> None:
    client = await serve(project(COUNT))
    document = (await client.get("/schema/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert {"/track", "/collect/{type}/{source}", "/collect/{type}/{source}/{session}", "/runs/{id}"} <= set(
        document["paths"]
    )
    schemas = document["components"]["schemas"]
    assert set(schemas["EventPayload"]["properties"]) == {"type", "id", "time", "properties", "context", "options"}
    assert "events" in schemas["TrackPayload"]["properties"]
