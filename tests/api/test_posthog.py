"""The requests of PostHog's clients, from the request to what is stored."""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest

from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import USERS, project

TIME = "2026-11-30T12:00:00.000Z"
SENT = "2026-11-30T12:00:01.000Z"
PAGE = "https://shop.example"
TAKEN = {"status": 1}
PAGES = Source(source="pages", accepts=("posthog",), origins=(PAGE,))
SERVER = Source(source="server", kind="secret", key=sha256(b"server-key").hexdigest(), accepts=("posthog",))
SHOP = Source(source="shop", accepts=("segment",))
PROJECT = project(sources=(PAGES, SERVER, SHOP), settings=USERS)
TEXT = {"Content-Type": "text/plain", "Origin": PAGE}
PYTHON = {"$lib": "posthog-python", "$lib_version": "7.91.0", "$is_server": True}
BEFORE = {"distinct_id": "d-1", "$is_identified": False}
AFTER = {"distinct_id": "c-1", "$user_id": "c-1", "$is_identified": True}


def server(n: int, event: str, properties: Mapping[str, Any] = {}, **members: Any) -> dict[str, Any]:
    """An event as PostHog's servers send it."""
    given = {"distinct_id": "c-1", "timestamp": TIME, "uuid": f"u-{n}"}
    return {"event": event, "properties": {**PYTHON, **properties}, **given, **members}


def browser(n: int, event: str, who: Mapping[str, Any] = BEFORE, **properties: Any) -> dict[str, Any]:
    """An event as PostHog's client in a page sends it."""
    given = {"token": "pages", "$lib": "web", "$device_id": "d-1", "$insert_id": f"i-{n}", "$session_id": "s-1"}
    return {"uuid": f"u-{n}", "event": event, "timestamp": TIME, "properties": {**given, **who, **properties}}


async def send(client: Any, path: str, body: Any, headers: Mapping[str, str] = TEXT) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(path, content=content, headers=headers)


async def stored(client: Any, id: str) -> dict[str, Any]:
    answer = await client.get(f"/events/{id}")
    assert answer.status_code == 200, id
    found: dict[str, Any] = answer.json()
    return found


async def profile_of(client: Any, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/profiles/{(await stored(client, id))['profile']}")).json()
    return found


@pytest.mark.parametrize("packed", [True, False])
async def test_what_is_stored_is_what_a_server_has_sent(serve: Serve, packed: bool) -> None:
    client = await serve(PROJECT)
    batch = [
        server(0, "order completed", {"total": 620, "coupon": None}),
        server(1, "$set", **{"$set": {"plan": "gold"}}),
        server(2, "$groupidentify", {"$group_type": "company", "$group_key": "g-1", "$group_set": {"size": 3}}),
        server(3, "$create_alias", {"distinct_id": "c-1", "alias": "c-0"}),
    ]
    body = {"batch": batch, "historical_migration": False, "sent_at": SENT, "api_key": "server-key"}
    text = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Content-Encoding": "gzip"} if packed else {})}
    answer = await send(client, "/batch/", gzip.compress(text) if packed else text, headers)
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    about = {"sent": {"timestamp": TIME, "sentAt": SENT}}
    group = {"$group_type": "company", "$group_key": "g-1"}
    alias = {"distinct_id": "c-1", "alias": "c-0"}
    assert [
        (event["type"], event["properties"], event["context"], event["time"])
        for event in [await stored(client, f"u-{n}") for n in range(4)]
    ] == [
        ("order completed", {**PYTHON, "total": 620, "coupon": None}, about, TIME),
        ("identify", {"plan": "gold"}, {**PYTHON, **about}, TIME),
        ("group", {"size": 3, "groupId": "g-1", "groupType": "company"}, {**PYTHON, **group, **about}, TIME),
        (
            "alias",
            {"previousId": "c-1", "userId": "c-0"},
            {**PYTHON, **alias, **about},
            TIME,
        ),
    ]


@pytest.mark.parametrize("path", ["/e/", "/e", "/i/v0/e/", "/capture/"])
@pytest.mark.parametrize("form", ["gzip", "json", "base64"])
async def test_what_is_stored_is_what_a_page_has_sent(serve: Serve, path: str, form: str) -> None:
    client = await serve(PROJECT)
    event = browser(0, "$pageview", BEFORE, **{"$current_url": "https://shop.example/", "title": "Shop"})
    text = json.dumps({"api_key": "pages", "batch": [event], "sent_at": SENT}).encode()
    bodies = {
        "gzip": gzip.compress(text),  # without `Content-Encoding`
        "json": text,
        "base64": b"data=" + quote(b64encode(text)).encode(),
    }
    answer = await send(client, path, bodies[form])
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert answer.headers["access-control-allow-origin"] == PAGE
    found = await stored(client, "u-0")
    assert (found["type"], found["properties"], found["session"]) == ("page", event["properties"], "s-1")


async def test_the_anonymous_past_joins_its_user_and_a_second_user_is_another_profile(serve: Serve) -> None:
    client = await serve(PROJECT)
    logged_out = {"distinct_id": "d-2", "$is_identified": False}
    second = {"distinct_id": "c-2", "$user_id": "c-2", "$is_identified": True}
    events = [
        browser(0, "$pageview"),
        browser(1, "$identify", AFTER, **{"$anon_distinct_id": "d-1", "$set": {"plan": "gold"}}),
        browser(2, "seen", AFTER),
        browser(3, "$pageview", logged_out),  # after `reset`
        browser(4, "$identify", second, **{"$anon_distinct_id": "d-2"}),
        browser(5, "seen", second),
    ]
    for event in events:
        assert (await send(client, "/e/", {"api_key": "pages", "batch": [event]})).status_code == 200
    ids = [(await profile_of(client, f"u-{n}"))["id"] for n in range(6)]
    assert (ids[0], ids[3]) == (ids[2], ids[5])
    assert ids == [ids[0]] * 3 + [ids[3]] * 3
    assert ids[0] != ids[3]
    assert [(await profile_of(client, f"u-{n}"))["traits"]["customer"] for n in (0, 3)] == ["c-1", "c-2"]


async def test_an_alias_joins_two_users(serve: Serve) -> None:
    client = await serve(PROJECT)
    before = [server(0, "seen", distinct_id="c-0"), server(1, "seen")]
    await send(client, "/batch/", {"api_key": "server-key", "batch": before})
    assert (await profile_of(client, "u-0"))["id"] != (await profile_of(client, "u-1"))["id"]
    alias = server(2, "$create_alias", {"distinct_id": "c-0", "alias": "c-1"}, distinct_id="c-0")
    await send(client, "/batch/", {"api_key": "server-key", "batch": [alias]})
    assert (await profile_of(client, "u-0"))["id"] == (await profile_of(client, "u-1"))["id"]


async def test_an_event_of_nobody_has_no_profile(serve: Serve) -> None:
    client = await serve(PROJECT)
    event = server(0, "seen", {"$process_person_profile": False}, distinct_id="0b1e9c8a-random")
    await send(client, "/batch/", {"api_key": "server-key", "batch": [event]})
    assert "profile" not in await stored(client, "u-0")


async def test_a_bad_event_is_kept_with_its_reason_and_the_others_are_stored(serve: Serve) -> None:
    client = await serve(PROJECT)
    batch = [server(0, "seen"), {"event": None}, server(2, "seen", timestamp="soon")]
    answer = await send(client, "/batch/", {"api_key": "server-key", "batch": batch})
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert (await stored(client, "u-0"))["type"] == "seen"
    assert {one["at_field"] for one in (await client.get("/rejected")).json()} == {"/batch/1/event", "/batch/2"}


@pytest.mark.parametrize("key", ["unknown", "shop", "server", "", None])
async def test_a_request_needs_a_key_and_its_error_names_a_code_and_a_message(serve: Serve, key: str | None) -> None:
    client = await serve(PROJECT)
    answer = await send(client, "/batch/", {"api_key": key, "batch": [server(0, "seen")]})
    assert answer.status_code == 401
    assert answer.json()["code"] == answer.json()["title"]
    assert "does not accept posthog" in answer.json()["message"]


async def test_the_client_in_a_page_gets_a_configuration_without_other_features(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await client.get("/array/pages/config", headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "max-age" in answer.headers["cache-control"]
    document = answer.json()
    assert document["supportedCompression"] == ["gzip-js"]
    assert not any(document[name] for name in ("hasFeatureFlags", "sessionRecording", "surveys", "heatmaps"))
    assert (await client.get("/array/unknown/config")).status_code == 401


@pytest.mark.parametrize("path", ["/flags/?v=2&config=true", "/decide/?v=3"])
@pytest.mark.parametrize("body", [b'{"token":"pages","distinct_id":"d"}', b"data=" + b64encode(b'{"api_key":"pages"}')])
async def test_there_are_no_feature_flags(serve: Serve, path: str, body: bytes) -> None:
    client = await serve(PROJECT)
    answer = await send(client, path, body)
    assert answer.status_code == 200
    assert answer.json() == {
        "flags": {},
        "featureFlags": {},
        "featureFlagPayloads": {},
        "errorsWhileComputingFlags": False,
    }
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert (await send(client, path, {"token": "unknown"})).status_code == 401
    assert (await send(client, path, {"token": "pages", "long": "x" * 70_000})).status_code == 413
