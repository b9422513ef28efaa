"""`POST /consent`: its effect on the profile, its answers and its refusals."""

from typing import Any

import msgspec
import pytest

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import SHOP, project

MAILING = """
flow: mailing
trigger: {event: mail-wanted}
consents: [newsletter]
nodes:
  send: {respond: {mail: sent}}
"""
WELCOME = """
flow: welcome
trigger: {event: consent-changed}
nodes:
  greet: {respond: {hello: "you"}, consents: newsletter}
"""
YEAR_MS = 365 * 86_400_000


def body(consents: Any, **more: Any) -> bytes:
    given = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "consents": consents, **more}
    return msgspec.json.encode({name: part for name, part in given.items() if part is not None})


def want() -> bytes:
    return msgspec.json.encode(
        {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": [{"type": "mail-wanted"}]}
    )


async def test_the_answer_is_that_of_track(serve: Serve) -> None:
    client = await serve(project(MAILING))
    answer = await client.post("/consent", content=body({"newsletter": True}))
    assert answer.status_code == 200
    assert answer.json() == {"profile": {"id": answer.json()["profile"]["id"]}, "source": {"consent": False}}


async def test_granting_a_consent_lets_flows_run_and_revoking_it_stops_them(serve: Serve) -> None:
    client = await serve(project(MAILING))

    async def mails() -> bool:
        return "response" in (await client.post("/track", content=want())).json()

    assert not await mails()
    await client.post("/consent", content=body({"newsletter": True}))
    assert await mails()
    await client.post("/consent", content=body({"newsletter": False}))
    assert not await mails()
    await client.post("/consent", content=body({"newsletter": {"given": True, "expires_in": "1h"}}))
    assert await mails()
    await client.post("/consent", content=body({"newsletter": {"given": False}}))
    assert not await mails()


async def test_flows_that_take_the_event_see_what_it_changed(serve: Serve) -> None:
    client = await serve(project(WELCOME))
    assert (await client.post("/consent", content=body({"newsletter": True}))).json()["response"] == {"hello": "you"}
    assert "response" not in (await client.post("/consent", content=body({"newsletter": False}))).json()


async def test_the_debugger_shows_the_event_and_what_it_did(serve: Serve) -> None:
    client = await serve(project(WELCOME))
    given = {"newsletter": {"given": True, "expires_in": "365d"}, "ads": False}
    answer = (await client.post("/consent", content=body(given, id="c-1", options={"debugger": True}))).json()
    assert answer["debugging"]["events"]["types"] == ["consent-changed"]
    entry = answer["debugging"]["execution"]["c-1"]
    assert (entry["type"], entry["disposition"]) == ("consent-changed", "stored")
    first = entry["runs"][0]
    (newsletter, ads) = (one["value"] for one in first["operations"])
    assert first == {
        "outcome": "finished",
        "operations": [
            {"op": "set", "path": "consents.newsletter", "value": newsletter},
            {"op": "set", "path": "consents.ads", "value": ads},
        ],
    }
    assert newsletter == {"given": newsletter["given"], "expires": newsletter["given"] + YEAR_MS}
    assert ads == {"revoked": newsletter["given"]}
    event = (await client.get("/events/c-1")).json()
    assert (event["type"], event["properties"]) == ("consent-changed", {"consents": given})


async def test_the_profile_contains_the_consent(serve: Serve) -> None:
    client = await serve(project(MAILING))
    options = {"profile": True}
    profile = (await client.post("/consent", content=body({"ads": True}, options=options))).json()["profile"]
    assert profile["consents"] == {"ads": {"given": profile["consents"]["ads"]["given"]}}


async def test_an_id_takes_effect_once(serve: Serve) -> None:
    client = await serve(project(MAILING))
    for consents in ({"newsletter": True}, {"newsletter": False}):
        await client.post("/consent", content=body(consents, id="c-1"))
    assert "response" in (await client.post("/track", content=want())).json()


async def test_track_and_collect_take_the_same_event(serve: Serve) -> None:
    client = await serve(project(MAILING))
    event = {"type": "consent-changed", "properties": {"consents": {"newsletter": True}}}
    given = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": [event]}
    await client.post("/track", content=msgspec.json.encode(given))
    assert "response" in (await client.post("/track", content=want())).json()
    off = msgspec.json.encode({"consents": {"newsletter": False}})
    await client.post("/collect/consent-changed/shop/s-1", content=off)
    assert "response" not in (await client.post("/track", content=want())).json()


@pytest.mark.parametrize(
    ("content", "at"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"[]", "", id="a list"),
        pytest.param(body(None), "/consents", id="no consents"),
        pytest.param(body({}), "/consents", id="none at all"),
        pytest.param(body(["newsletter"]), "/consents", id="a list of names"),
        pytest.param(body({"a.b": True}), "/consents", id="a path"),
        pytest.param(body({"": True}), "/consents", id="an empty name"),
        pytest.param(body({f"c{i}": True for i in range(51)}), "/consents", id="too many"),
        pytest.param(body({"ads": "yes"}), "/consents/ads", id="a text"),
        pytest.param(body({"ads": 1}), "/consents/ads", id="a number"),
        pytest.param(body({"ads": {}}), "/consents/ads", id="nothing said"),
        pytest.param(body({"ads": {"given": 1700000000000}}), "/consents/ads", id="a time"),
        pytest.param(body({"ads": {"given": True, "expires_in": "soon"}}), "/consents/ads", id="no duration"),
        pytest.param(body({"ads": {"given": True, "expires_in": "0s"}}), "/consents/ads", id="no time at all"),
        pytest.param(body({"ads": {"given": True, "until": "365d"}}), "/consents/ads", id="an unknown word"),
        pytest.param(body({"ads": {"given": False, "expires_in": "1d"}}), "/consents/ads", id="taken back for a time"),
        pytest.param(body({"ads": True}, source="shop"), "/source", id="a source that is a text"),
        pytest.param(body({"ads": True}, session=None), "/session/id", id="no session"),
        pytest.param(body({"ads": True}, id=5.5), "/id", id="an id with a fraction"),
        pytest.param(body({"ads": True}, options={"debug": True}), "/options/debug", id="an unknown option"),
        pytest.param(b'{"consents": {"ads": true}, "source": {"id": "\xff"}}', "/source/id", id="not UTF-8"),
    ],
)
async def test_an_invalid_consent_is_refused_with_its_position(serve: Serve, content: bytes, at: str) -> None:
    answer = await (await serve(project(MAILING))).post("/consent", content=content)
    assert (answer.status_code, answer.json().get("at", "")) == (400, at)


async def test_one_invalid_event_of_track_is_rejected_with_its_position(serve: Serve) -> None:
    client = await serve(project(MAILING))
    events = [{"type": "consent-changed", "properties": {"consents": {"ads": 1}}}, {"type": "x"}]
    given = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": events}
    answer = await client.post("/track", content=msgspec.json.encode(given))
    assert [(error["index"], error["at"]) for error in answer.json()["errors"]] == [
        (0, "/events/0/properties/consents/ads")
    ]


async def test_a_page_of_the_source_may_send_it(serve: Serve) -> None:
    client = await serve(project(MAILING))
    origin = {"origin": "https://shop.example"}
    assert (await client.options("/consent", headers=origin)).status_code == 204
    answer = await client.post("/consent", content=body({"ads": True}), headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    other = await client.post("/consent", content=body({"ads": True}), headers={"origin": "https://evil.example"})
    assert other.status_code == 403


async def test_an_unknown_source_and_another_method_are_refused(serve: Serve) -> None:
    client = await serve(project(MAILING))
    assert (await client.post("/consent", content=body({"ads": True}, source={"id": "x"}))).status_code == 401
    assert (await client.get("/consent")).status_code == 405


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("path", ["/track", "/consent", "/collect/x/shop/s-1", "/collect/x/shop"])
async def test_every_answer_reports_whether_the_source_requires_consent(
    serve: Serve, required: bool, path: str
) -> None:
    source = Source(source="shop", consent=required)
    client = await serve(project(MAILING, sources=(source,)))
    content = {"/track": want(), "/consent": body({"ads": True})}.get(path, b"{}")
    assert (await client.post(path, content=content)).json()["source"] == {"consent": required}


async def test_the_openapi_document_contains_the_consent_endpoint(serve: Serve) -> None:
    client = await serve(project(MAILING, sources=(SHOP,)))
    assert "/consent" in (await client.get("/schema/openapi.json")).json()["paths"]
