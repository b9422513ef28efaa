"""The behaviour that the endpoints of all foreign protocols have in common, by the example of one of them."""

import gzip
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from api.app import create_app
from api.tracking.discovery import endpoints, most_bytes, takes_events
from api.tracking.foreign import LARGE_BODY, Endpoint
from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.ports.store import Unavailable
from engine.project.source import Source, Target
from engine.tracking.intake.payload import MAX_BODY
from storage.memory import MemoryStore
from tests.engine.tracking.unavailable_store import AwayStore
from tests.projects import USERS, project

PAGE = "https://shop.example"
KEY = "k" * 32
PAGES = Source(source="pages", accepts=("segment",), origins=(PAGE,))
SERVER = Source(source="server", kind="secret", key=hashlib.sha256(KEY.encode()).hexdigest(), accepts=("segment",))
SOURCES = (PAGES, SERVER, Source(source="tracker"))


class Served:
    """An application over a store that may be away."""

    def __init__(self, client: AsyncTestClient[Litestar], store: AwayStore) -> None:
        self.client = client
        self.store = store

    async def post(self, body: Any, headers: dict[str, str] | None = None, path: str = "/v1/batch") -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(path, content=content, headers=headers or {})

    async def events(self) -> int:
        return (await self.store.store.counts())["events"]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    store = AwayStore(MemoryStore())
    app = create_app(project(sources=SOURCES, settings=USERS), store, performer=ScriptedPerformer(), admin_key="a" * 32)
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        yield Served(client, store)


def batch(*visitors: str, **more: Any) -> dict[str, Any]:
    """A batch of one event of each visitor."""
    events = [
        {"type": "track", "event": "seen", "messageId": f"m-{number}", "anonymousId": visitor}
        for number, visitor in enumerate(visitors)
    ]
    return {"batch": events, **more}


def basic(key: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        pytest.param(basic("pages"), "", None, id="user of Basic"),
        pytest.param(
            {"authorization": basic("pages")["authorization"].lower()[:6] + basic("pages")["authorization"][6:]},
            "",
            None,
            id="a scheme in lower case",
        ),
        pytest.param({"authorization": f"Bearer {KEY}"}, "", None, id="bearer"),
        pytest.param({}, "?writeKey=pages", None, id="query"),
        pytest.param({}, "", "pages", id="body"),
        pytest.param(basic(KEY), f"?writeKey={KEY}", KEY, id="the same key everywhere"),
    ],
)
async def test_the_key_may_be_in_any_place(
    served: Served, headers: dict[str, str], query: str, key: str | None
) -> None:
    answer = await served.post(batch("v-1", **({"writeKey": key} if key else {})), headers, f"/v1/batch{query}")
    assert (answer.status_code, await served.events()) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        pytest.param({}, None, id="no key"),
        pytest.param(basic("server"), None, id="the id of a secret source"),
        pytest.param(basic("tracker"), None, id="a source that accepts other protocols"),
        pytest.param(basic("pages"), KEY, id="keys of two sources"),
        pytest.param(basic("pages"), "nobody", id="a second key that is unknown"),
        pytest.param({"authorization": "Basic ???"}, None, id="no base64"),
    ],
)
async def test_without_one_good_key_nothing_is_stored(served: Served, headers: dict[str, str], key: str | None) -> None:
    answer = await served.post(batch("v-1", **({"writeKey": key} if key else {})), headers)
    assert (answer.status_code, await served.events()) == (401, 0)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_source_that_accepts_foreign_protocols_only_takes_no_payload_of_track(served: Served) -> None:
    body = {"source": {"id": "pages"}, "session": {"id": "s-1"}, "events": [{"type": "seen"}]}
    assert (await served.post(body, path="/track")).status_code == 401


async def test_if_the_store_is_away_the_whole_request_is_to_be_sent_again(served: Served) -> None:
    served.store.refused["seen"] = Unavailable("the disk is full", retry_after=7)
    answer = await served.post(batch("v-1", "v-2"), {**basic("pages"), "origin": PAGE})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    served.store.refused.clear()
    assert (await served.post(batch("v-1", "v-2"), basic("pages"))).status_code == 200
    assert (await served.post(batch("v-1", "v-2"), basic("pages"))).status_code == 200
    assert await served.events() == 2


async def test_gzip_is_known_by_its_bytes(served: Served) -> None:
    packed = gzip.compress(json.dumps(batch("v-1")).encode())
    answer = await served.post(packed, {**basic("pages"), "content-type": "text/plain"})
    assert (answer.status_code, await served.events()) == (200, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b'{"batch": 5}', 400, id="no list"),
        pytest.param(b"\x1f\x8bnot gzip", 400, id="no gzip"),
        pytest.param(gzip.compress(b" " * 5_000_000), 413, id="too large when it is decompressed"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(served: Served, body: bytes, status: int) -> None:
    answer = await served.post(body, basic("pages"))
    assert answer.status_code == status
    assert answer.json()["detail"] == answer.json()["message"]


async def test_another_method_is_refused(served: Served) -> None:
    answer = await served.client.get("/v1/batch")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


async def test_a_page_may_send_the_headers_of_its_client(served: Served) -> None:
    answer = await served.client.options("/v1/track", headers={"origin": PAGE})
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "anonymousid", "sentat"} <= allowed
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"


async def test_a_page_of_another_origin_is_refused_and_cannot_read_why(served: Served) -> None:
    answer = await served.post(batch("v-1"), {**basic("pages"), "origin": "https://evil.example"})
    assert (answer.status_code, await served.events()) == (403, 0)
    assert "access-control-allow-origin" not in answer.headers


async def test_requests_of_a_loop_of_look_ups_are_counted() -> None:
    flow = """
    flow: ask
    trigger: {event: seen}
    nodes:
      tier: {lookup.http: {target: crm, path: /tier}, next: {found: end, failed: end}}
      end: {profile.set: {traits.asked: true}}
    """
    targets = {"crm": Target(url="https://crm.example")}
    performer = ScriptedPerformer().on("crm", "*", HttpReply(200, {}))
    asking = project(flow, sources=SOURCES, settings=USERS, targets=targets)
    app = create_app(asking, MemoryStore(), performer=performer, admin_key="a" * 32)
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        for hops, status in (("x", 400), ("2", 200)):
            headers = {**basic("pages"), "headrace-hops": hops}
            assert (await client.post("/v1/batch", json=batch("v-1"), headers=headers)).status_code == status
    assert [call.hops for call in performer.calls] == [2]


def test_every_endpoint_that_takes_events_passes_the_gate() -> None:
    taking = [endpoint for endpoint in endpoints() if isinstance(endpoint, Endpoint)]
    assert taking
    assert max(endpoint.most_bytes for endpoint in taking) == LARGE_BODY  # the gate reckons with no larger one
    for endpoint in taking:
        for address in endpoint.addresses:
            assert takes_events(address)
            assert takes_events(f"{address}/")
            assert takes_events(address.replace("/", "//"))
            assert most_bytes(f"{address}/") == endpoint.most_bytes


@pytest.mark.parametrize("path", ["/track", "//track", "/consent", "/collect/seen/pages", "//collect//seen/pages"])
def test_the_addresses_of_headrace_itself_pass_the_gate(path: str) -> None:
    assert takes_events(path)
    assert most_bytes(path) == MAX_BODY


@pytest.mark.parametrize("path", ["/", "/health", "/profiles/ann", "/v1/projects/pages/settings"])
def test_other_addresses_do_not_pass_the_gate(path: str) -> None:
    assert not takes_events(path)


def test_no_two_protocols_share_an_address() -> None:
    addresses = [address for endpoint in endpoints() for address in endpoint.addresses]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        pytest.param(batch("v"), basic("nobody"), 401, "of no enabled source", id="an unknown key"),
        pytest.param(batch("v"), basic("tracker"), 401, "does not accept segment", id="a source of /track"),
        pytest.param(
            batch("v"), {**basic("pages"), "origin": "https://x.example"}, 403, "the origin", id="an unknown origin"
        ),
        pytest.param({}, basic("pages"), 400, "`batch`", id="no batch"),
    ],
)
async def test_a_refused_request_is_in_the_log_with_its_reason(
    served: Served, body: dict[str, Any], headers: dict[str, str], status: int, detail: str
) -> None:
    with capture_logs() as lines:
        await served.post(body, headers)
    assert [(line["protocol"], line["status"]) for line in lines] == [("segment", status)]
    assert detail in lines[0]["detail"]


async def test_a_good_request_and_one_by_the_wrong_method_are_not_in_the_log(served: Served) -> None:
    with capture_logs() as lines:
        assert (await served.post(batch("v"), basic("pages"))).status_code == 200
        assert (await served.client.get("/v1/batch")).status_code == 405
    assert lines == []
