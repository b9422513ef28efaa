"""The requests of Segment's and RudderStack's clients, from the request to what is stored."""

import gzip
import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from msgspec import Struct, field

from effects.clock import ManualClock
from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import USERS, project

TIME = "2026-11-30T12:00:00.000Z"
SENT = "2026-11-30T12:00:01.000Z"
PAGE = "https://shop.example"
TAKEN = {"success": True, "status": 1}
PAGES = Source(source="pages", accepts=("segment",), origins=(PAGE,))
SERVER = Source(source="server", kind="secret", key=sha256(b"server-key").hexdigest(), accepts=("segment",))
TRACKER = Source(source="tracker")
PROJECT = project(sources=(PAGES, SERVER, TRACKER), settings=USERS)

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain", "Origin": PAGE}
PYTHON = {"library": {"name": "analytics-python", "version": "2.4.0"}}
BROWSER = {
    "page": {"path": "/", "referrer": "", "search": "", "title": "Shop", "url": "https://shop.example/"},
    "userAgent": "Mozilla/5.0",
    "locale": "en",
    "library": {"name": "analytics.js", "version": "next-1.84.3"},
}
RUDDER = {"traits": {"plan": "gold"}, "sessionId": 1764504000123, "sessionStart": True, "locale": "en"}


def basic(key: str) -> dict[str, str]:
    return {**JSON, "Authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}


class Sent(Struct, frozen=True):
    """A request of a client with events m-0, m-1, …, and for each of them what is to be stored."""

    path: str
    body: Mapping[str, Any]
    stored: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]  # type, properties, context without `sent`
    headers: Mapping[str, str] = field(default_factory=lambda: basic("server-key"))
    packed: bool = False


def server(n: int, type: str, **members: Any) -> dict[str, Any]:
    """An event as Segment's servers send it."""
    given = {"userId": "c-1", "anonymousId": None, "context": PYTHON, "integrations": {}, "timestamp": TIME}
    return {"messageId": f"m-{n}", "type": type, **given, **members}


def browser(n: int, type: str, **members: Any) -> dict[str, Any]:
    """An event as Segment's client in a page sends it."""
    given = {"userId": None, "anonymousId": "v-1", "context": BROWSER, "integrations": {}, "writeKey": "pages"}
    return {"messageId": f"m-{n}", "type": type, "timestamp": TIME, "sentAt": SENT, **given, **members}


def rudder(n: int, type: str, **members: Any) -> dict[str, Any]:
    """An event as RudderStack's client in a page sends it."""
    given = {"userId": "", "anonymousId": "v-1", "context": RUDDER, "integrations": {"All": True}, "channel": "web"}
    return {"messageId": f"m-{n}", "type": type, "originalTimestamp": TIME, "sentAt": SENT, **given, **members}


OF_SERVERS = [
    server(0, "track", event="Order Completed", properties={"total": 620, "coupon": None, "list": [{"sku": "a"}]}),
    server(1, "identify", traits={"plan": "gold"}),
    server(2, "page", name="Home", category=None, properties={"path": "/"}),
    server(3, "screen", name=None, category="Home", properties={}),
    server(4, "group", groupId="g-1", traits={"size": 3}),
    server(5, "alias", previousId="c-0"),
]
STORED_OF_SERVERS: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("Order Completed", {"total": 620, "coupon": None, "list": [{"sku": "a"}]}, PYTHON),
    ("identify", {"plan": "gold"}, PYTHON),
    ("page", {"path": "/", "name": "Home"}, PYTHON),
    ("screen", {"category": "Home"}, PYTHON),
    ("group", {"size": 3, "groupId": "g-1"}, PYTHON),
    ("alias", {"previousId": "c-0", "userId": "c-1"}, PYTHON),
]
CLIENTS = {
    "segment-python": Sent("/v1/batch", {"batch": OF_SERVERS, "sentAt": SENT, "writeKey": "server-key"},
                           STORED_OF_SERVERS),
    "segment-python, gzip": Sent("/v1/batch", {"batch": OF_SERVERS, "sentAt": SENT}, STORED_OF_SERVERS, packed=True),
    "segment-python 2.3": Sent("/v1/batch", {"batch": OF_SERVERS, "writeKey": "server-key"}, STORED_OF_SERVERS, JSON),
    "segment-node": Sent("/v1/batch", {"batch": [{**one, "_metadata": {"nodeVersion": "22"}} for one in OF_SERVERS],
                                       "writeKey": "server-key", "sentAt": SENT}, STORED_OF_SERVERS),
    "analytics-node": Sent("/v1/batch", {"batch": OF_SERVERS, "timestamp": SENT, "sentAt": SENT}, STORED_OF_SERVERS),
    "segment-browser": Sent("/v1/t", browser(0, "track", event="seen", properties={"a": 1}),
                            [("seen", {"a": 1}, BROWSER)], TEXT),
    "segment-browser, identify": Sent("/v1/i", browser(0, "identify", userId="c-1", traits={"plan": "gold"}),
                                      [("identify", {"plan": "gold"}, BROWSER)], TEXT),
    "segment-browser, batch": Sent("/v1/b", {"batch": [browser(0, "page", name="Home", properties={"path": "/"}),
                                                       browser(1, "group", groupId="g-1", traits={"size": 3})],
                                             "sentAt": SENT, "writeKey": "pages"},
                                   [("page", {"path": "/", "name": "Home"}, BROWSER),
                                    ("group", {"size": 3, "groupId": "g-1"}, BROWSER)], TEXT),
    "rudder-python": Sent("/v1/batch", {"batch": [server(0, "identify", channel="server", integrations={"All": True},
                                                         context={**PYTHON, "traits": {"plan": "gold"}})],
                                        "sentAt": SENT},
                          [("identify", {"plan": "gold"}, {**PYTHON, "traits": {"plan": "gold"}})], packed=True),
    "rudder-browser": Sent("/v1/track", rudder(0, "track", event="seen", properties={"a": 1}),
                           [("seen", {"a": 1}, RUDDER)],
                           {**basic("pages"), "Origin": PAGE, "AnonymousId": "di0x", "SentAt": SENT}),
    "rudder-browser, identify": Sent("/v1/identify", rudder(0, "identify", userId="c-1"),
                                     [("identify", {"plan": "gold"}, RUDDER)], {**basic("pages"), "Origin": PAGE}),
    "rudder-browser, beacon": Sent("/beacon/v1/batch?writeKey=pages",
                                   {"batch": [rudder(0, "page", name="Home", properties={"path": "/"})]},
                                   [("page", {"path": "/", "name": "Home"}, RUDDER)], TEXT),
}  # fmt: skip


async def send(client: Any, path: str, body: Any, headers: Mapping[str, str] = TEXT, packed: bool = False) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = {"Content-Encoding": "gzip"} if packed else {}
    return await client.post(path, content=gzip.compress(content) if packed else content, headers={**headers, **more})


async def stored(client: Any, id: str) -> dict[str, Any]:
    answer = await client.get(f"/events/{id}")
    assert answer.status_code == 200, id
    found: dict[str, Any] = answer.json()
    return found


async def profile_of(client: Any, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/profiles/{(await stored(client, id))['profile']}")).json()
    return found


@pytest.mark.parametrize("name", CLIENTS)
async def test_what_is_stored_is_what_a_client_has_sent(serve: Serve, name: str) -> None:
    sent = CLIENTS[name]
    client = await serve(PROJECT)
    answer = await send(client, sent.path, sent.body, sent.headers, sent.packed)
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    given = sent.body.get("batch", [sent.body])
    for n, (type, properties, context) in enumerate(sent.stored):
        event = await stored(client, f"m-{n}")
        about = {name: value for name, value in event["context"].pop("sent").items() if name != "sentAt"}
        channel = {"channel": given[n]["channel"]} if "channel" in given[n] else {}
        assert about == {"timestamp": TIME, "integrations": given[n]["integrations"], **channel}
        assert (event["type"], event["properties"], event["context"]) == (type, properties, context)
        assert event["time"] == TIME
    assert len((await client.get("/search/events")).json()["items"]) == len(given)
    assert (await client.get("/rejected")).json() == []


async def test_a_request_that_is_sent_again_takes_effect_once(serve: Serve) -> None:
    client = await serve(PROJECT)
    sent = CLIENTS["segment-python"]
    for _ in range(3):
        assert (await send(client, sent.path, sent.body, sent.headers)).status_code == 200
    assert (await client.get("/counts")).json()["stored"]["events"] == len(OF_SERVERS)


async def test_a_session_of_the_client_is_that_of_the_event(serve: Serve) -> None:
    client = await serve(PROJECT)
    await send(client, "/v1/page", rudder(0, "page"), {**basic("pages"), "Origin": PAGE})
    assert (await stored(client, "m-0"))["session"].startswith("1764504000123-")


async def test_the_anonymous_past_joins_the_first_user_and_no_second_one(serve: Serve) -> None:
    client = await serve(PROJECT)
    for event in (
        browser(0, "page"),
        browser(1, "identify", userId="c-1"),
        browser(2, "track", event="seen", userId="c-1"),
        browser(3, "page"),  # after `reset` without a new anonymous id
        browser(4, "identify", userId="c-2"),
        browser(5, "page", anonymousId="v-2"),  # after `reset`
        browser(6, "identify", userId="c-2", anonymousId="v-2"),
    ):
        assert (await send(client, f"/v1/{event['type'][0]}", event)).status_code == 200
    first, second = await profile_of(client, "m-1"), await profile_of(client, "m-4")
    assert (first["traits"]["customer"], second["traits"]["customer"]) == ("c-1", "c-2")
    assert first["id"] != second["id"]
    by_event = {n: (await profile_of(client, f"m-{n}"))["id"] for n in range(7)}
    assert by_event == {**dict.fromkeys((0, 1, 2, 3), first["id"]), **dict.fromkeys((4, 5, 6), second["id"])}


async def test_an_alias_joins_two_users(serve: Serve) -> None:
    client = await serve(PROJECT)
    old, new = server(0, "track", event="seen", userId="c-0"), server(1, "track", event="seen", userId="c-1")
    await send(client, "/v1/batch", {"batch": [old, new]}, basic("server-key"))
    assert (await profile_of(client, "m-0"))["id"] != (await profile_of(client, "m-1"))["id"]
    await send(client, "/v1/alias", server(2, "alias", previousId="c-0", userId="c-1"), basic("server-key"))
    ids = {(await profile_of(client, f"m-{n}"))["id"] for n in range(3)}
    assert len(ids) == 1


@pytest.mark.parametrize("first", ["c-0", "c-1"])
async def test_after_an_alias_the_later_id_of_the_user_shows_whichever_came_first(serve: Serve, first: str) -> None:
    clock = ManualClock(1_764_504_000_000)
    client = await serve(PROJECT, clock=clock)
    for n, user in enumerate(sorted(("c-0", "c-1"), reverse=first == "c-1")):
        await send(client, "/v1/track", server(n, "track", event="seen", userId=user), basic("server-key"))
        clock.advance(1000)
    await send(client, "/v1/alias", server(2, "alias", previousId="c-0", userId="c-1"), basic("server-key"))
    assert (await profile_of(client, "m-0"))["traits"]["customer"] == "c-1"


async def test_two_users_of_one_batch_have_profiles_of_their_own(serve: Serve) -> None:
    client = await serve(PROJECT)
    batch = [server(n, "track", event="seen", userId=f"c-{n % 2}") for n in range(6)]
    await send(client, "/v1/batch", {"batch": batch}, basic("server-key"))
    ids = [(await profile_of(client, f"m-{n}"))["id"] for n in range(6)]
    assert ids == ids[:2] * 3
    assert ids[0] != ids[1]


async def test_a_page_that_names_only_a_user_is_told_so_in_the_rejected_event(serve: Serve) -> None:
    client = await serve(PROJECT)
    batch = [browser(0, "page", userId="c-1", anonymousId=None), browser(1, "page"), {"type": "page", "userId": []}]
    answer = await send(client, "/v1/b", {"batch": batch})
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert (await stored(client, "m-1"))["type"] == "page"
    rejected = {one["at_field"]: one["reason"] for one in (await client.get("/rejected")).json()}
    assert rejected.keys() == {"/batch/0", "/batch/2/userId"}
    assert "a user id is no secret" in rejected["/batch/0"]


@pytest.mark.parametrize("id", [None, "", "null", "undefined", "00000000-0000-0000-0000-000000000000"])
async def test_a_placeholder_is_as_no_id(serve: Serve, id: str | None) -> None:
    client = await serve(PROJECT)
    await send(client, "/v1/b", {"batch": [browser(0, "page", userId=id), browser(1, "page", anonymousId=id)]})
    assert "customer" not in (await profile_of(client, "m-0"))["traits"]
    assert "profile" not in await stored(client, "m-1")


ONE = {"batch": [server(0, "page")]}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/batch", ONE, basic("server-key"), 200),
        ("/v1/batch", ONE, {**JSON, "Authorization": "Bearer server-key"}, 200),
        ("/v1/batch", {**ONE, "writeKey": "server-key"}, JSON, 200),
        ("/v1/batch?writeKey=server-key", ONE, JSON, 200),
        ("/v1/batch/", ONE, basic("server-key"), 200),
        ("/v1/batch", ONE, JSON, 401),
        ("/v1/batch", ONE, basic("server"), 401),  # the id of a secret source is no key
        ("/v1/batch", ONE, basic("unknown"), 401),
        ("/v1/batch", ONE, basic("tracker"), 401),  # accepts no Segment
        ("/v1/batch", {**ONE, "writeKey": "pages"}, basic("server-key"), 401),
        ("/v1/batch", {"batch": [{**server(0, "page"), "writeKey": "pages"}]}, basic("server-key"), 401),
        ("/v1/t", browser(0, "track", event="x"), {**TEXT, "Origin": "https://other.example"}, 403),
        ("/v1/batch", b"{", basic("server-key"), 400),
        ("/v1/batch", {"events": []}, basic("server-key"), 400),
        ("/v1/batch", {"batch": [{}] * 2501}, basic("server-key"), 413),
    ],
)
async def test_a_request_needs_one_key_and_its_error_names_a_code_and_a_message(
    serve: Serve, path: str, body: Any, headers: Mapping[str, str], status: int
) -> None:
    client = await serve(PROJECT)
    answer = await send(client, path, body, headers)
    assert answer.status_code == status, answer.text
    if status != 200:
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert document["status"] == status
        assert (document["code"], document["message"]) == (document["title"], document["detail"])


async def test_a_batch_of_several_mebibytes_is_taken(serve: Serve) -> None:
    client = await serve(PROJECT)
    batch = [server(n, "track", event="seen", properties={"text": "x" * 400_000}) for n in range(9)]
    assert (await send(client, "/v1/batch", {"batch": batch}, basic("server-key"))).status_code == 200
    batch *= 2
    assert (await send(client, "/v1/batch", {"batch": batch}, basic("server-key"))).status_code == 413


RETRY = ("rsa-retry-attempt", "rsa-retry-reason", "rsa-since-first-attempt", "rsa-since-last-attempt")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(("content-type", "x-retry-count"), id="of Segment's client, again"),
        pytest.param(("authorization", "content-type", "anonymousid", "sentat"), id="of RudderStack's client"),
        pytest.param(("authorization", "sentat", "rsa-recovered", *RETRY), id="of RudderStack's client, again"),
    ],
)
async def test_a_page_may_ask_before_it_sends_with_the_headers_of_its_client(
    serve: Serve, headers: tuple[str, ...]
) -> None:
    client = await serve(PROJECT)
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(headers),
    }
    answer = await client.options("/v1/track", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert set(headers) <= allowed


async def test_a_page_may_read_the_answer_and_its_retry_after(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await send(client, "/v1/p", browser(0, "page"))
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_segments_page_client_gets_settings_that_name_its_key_and_load_nothing(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await client.get("/v1/projects/pages/settings", headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "max-age" in answer.headers["cache-control"]
    assert list(answer.json()["integrations"]) == ["Segment.io"]
    assert answer.json()["integrations"]["Segment.io"]["apiKey"] == "pages"
    assert answer.json()["plan"]["track"]["__default"]["enabled"] is True
    assert answer.json()["remotePlugins"] == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey=pages", {}), ("/sourceConfig/", basic("pages"))],
)
async def test_rudders_page_client_gets_a_source_without_destinations(
    serve: Serve, path: str, headers: Mapping[str, str]
) -> None:
    client = await serve(PROJECT)
    answer = await client.get(path, headers={**headers, "Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    source = answer.json()["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == ("pages", True, [])


@pytest.mark.parametrize("path", ["/v1/projects/unknown/settings", "/sourceConfig/?writeKey=unknown", "/sourceConfig/"])
async def test_an_unknown_source_has_no_configuration(serve: Serve, path: str) -> None:
    client = await serve(PROJECT)
    assert (await client.get(path)).status_code == 401


async def test_what_the_browser_client_says_about_itself_is_taken_and_dropped(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await send(client, "/v1/m", {"series": [{"type": "Counter", "metric": "x", "value": 1}]})
    assert (answer.status_code, answer.json()) == (200, TAKEN)
    assert (await client.get("/counts")).json()["stored"]["events"] == 0


@pytest.mark.parametrize("path", ["/v1/projects/pages", "/v1/projects/pages/other", "/v1/projects/a/b/settings"])
async def test_there_is_nothing_else_below_the_address_of_settings(serve: Serve, path: str) -> None:
    client = await serve(PROJECT)
    assert (await client.get(path)).status_code == 404
