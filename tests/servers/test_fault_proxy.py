"""The fault proxy does what it says, and does it again for the same seed."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from tests.servers.bulk import items
from tests.servers.fault import Answer, Block, Cut, Delay, Fault, Hang, Loss, Pass, Rejection, Reset
from tests.servers.fault_proxy import FaultProxy, Silence
from tests.servers.message import Message, read_request


class Origin:
    """A server that executes every request and records it."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                request = await read_request(reader)
                self.got.append(request)
                writer.write(self._answer(request))
                await writer.drain()
        except (EOFError, OSError):
            writer.close()

    def _answer(self, request: Message) -> bytes:
        if request.start.startswith("HEAD"):
            return b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        if "/chunked" in request.start:
            return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\n"
        if "/_bulk" not in request.start:
            answer = Message("HTTP/1.1 200 OK", (("content-type", "application/json"),), b'{"done":true}')
            return answer.head() + answer.body
        results = [{item.operation: {"_id": item.id, "status": 201}} for item in items(request, "named")]
        body = json.dumps({"took": 1, "errors": False, "items": results}).encode()
        return Message("HTTP/1.1 200 OK", (), body).head() + body


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest.fixture
async def proxy(origin: Origin) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(origin.url, seed=7) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=30) as client:
        yield client


def bulk(count: int, index: str = "one") -> bytes:
    lines = [
        line
        for number in range(count)
        for line in ({"index": {"_index": index, "_id": str(number)}}, {"number": number})
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def statuses(answer: httpx.Response) -> list[tuple[str, int]]:
    return [(result["_id"], result["status"]) for item in answer.json()["items"] for result in item.values()]


def done(proxy: FaultProxy) -> list[str]:
    return [type(line.action).__name__ for line in proxy.log]


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        pytest.param("GET", "/one?a=b", b"", '{"done":true}', id="without a body"),
        pytest.param("PUT", "/one", b"x" * 3_000_000, '{"done":true}', id="with a large body"),
        pytest.param("GET", "/chunked", b"", "abcde", id="with an answer in chunks"),
        pytest.param("HEAD", "/one", b"", "", id="asking for the head only"),
    ],
)
async def test_a_request_passes_unchanged(
    origin: Origin, client: httpx.AsyncClient, method: str, path: str, body: bytes, text: str
) -> None:
    answer = await client.request(method, path, content=body)
    assert (answer.status_code, answer.text) == (200, text)
    assert [(got.start, got.body) for got in origin.got] == [(f"{method} {path} HTTP/1.1", body)]


async def test_a_request_in_chunks_passes(origin: Origin, client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"de"

    await client.post("/one", content=chunks())
    assert origin.got[0].body == b"abcde"


async def test_a_connection_is_kept_for_the_next_request(origin: Origin, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await client.get("/one")
    assert (origin.connections, len(origin.got)) == (1, 3)


async def test_a_delayed_request_arrives(origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient) -> None:
    proxy.fail(Delay(0.01))
    assert (await client.get("/one")).json() == {"done": True}
    assert done(proxy) == ["Delay"]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_substituted_answer_keeps_the_request_from_the_server(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient, status: int
) -> None:
    proxy.fail(Answer(status, retry_after=2))
    answer = await client.put("/one", content=b"{}")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["status"]) == (status, "2", status)
    assert origin.got == []


@pytest.mark.parametrize(
    ("how", "error", "arrived"),
    [
        pytest.param(Reset(), httpx.ReadError, 0, id="a reset before the server"),
        pytest.param(Loss(), httpx.ReadError, 1, id="a lost answer"),
        pytest.param(Cut(), httpx.RemoteProtocolError, 1, id="a cut answer"),
        pytest.param(Cut(0), httpx.RemoteProtocolError, 1, id="an answer without its body"),
    ],
)
async def test_only_the_log_tells_whether_the_server_did_a_request_of_a_broken_connection(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient, how: Fault, error: type[Exception], arrived: int
) -> None:
    proxy.fail(how, nth=1)
    with pytest.raises(error):
        await client.put("/one", content=b"{}")
    assert len(origin.got) == arrived
    assert [line.action for line in proxy.log] == [how]
    assert (await client.get("/one")).status_code == 200


async def test_an_answer_of_a_head_only_is_cut_too(proxy: FaultProxy, client: httpx.AsyncClient) -> None:
    proxy.fail(Cut())
    with pytest.raises(httpx.RemoteProtocolError):
        await client.head("/one")


async def test_a_held_request_ends_with_the_patience_of_the_client(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Hang(), path="/slow")
    asking = asyncio.create_task(client.get("/slow"))
    await proxy.happened(Hang)
    assert (await client.get("/one")).status_code == 200
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(origin.got) == 1


async def test_a_stopped_proxy_refuses_and_goes_on_at_the_same_address(
    proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Hang(), path="/slow")
    asking = asyncio.create_task(client.get("/slow"))
    await proxy.happened(Hang)
    await proxy.stop()
    with pytest.raises(httpx.ReadError):
        await asking
    with pytest.raises(httpx.ConnectError):
        await client.get("/one")
    await proxy.go_on()
    assert (await client.get("/one")).status_code == 200


async def test_a_stop_resets_idle_connections(proxy: FaultProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
    writer.write(b"GET /one HTTP/1.1\r\n\r\n")
    await proxy.happened(Pass)
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len('{"done":true}'))
    await proxy.stop()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_server_that_is_not_there_breaks_the_connection() -> None:
    with socket.socket() as unused:  # bound, but not listening
        unused.bind(("127.0.0.1", 0))
        target = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with FaultProxy(target) as proxy, httpx.AsyncClient(base_url=proxy.url) as client:
            with pytest.raises(httpx.ReadError):
                await client.get("/one")
            assert [type(line.action) for line in proxy.log] == [Silence]


async def test_a_server_that_comes_back_is_found_again(origin: Origin, proxy: FaultProxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as client:
        await client.get("/one")
        for writer in origin._writers:
            writer.close()
            await writer.wait_closed()
        await client.get("/one")
    assert origin.connections == 2


async def test_rules_count_only_the_requests_that_they_describe(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    rule = proxy.fail(Answer(429), method="PUT", path="/some/*", nth=2)
    proxy.fail(Answer(503), when=lambda exchange: b"poison" in exchange.request.body, times=1)
    codes = [
        (await client.request(method, path, content=body)).status_code
        for method, path, body in [
            ("PUT", "/some/a", b""),
            ("GET", "/some/a", b""),
            ("PUT", "/other", b""),
            ("PUT", "/some/b?q", b""),
            ("PUT", "/some/c", b""),
            ("PUT", "/other", b"poison"),
            ("PUT", "/other", b"poison"),
        ]
    ]
    assert codes == [200, 200, 200, 429, 200, 503, 200]
    assert (rule.seen, rule.done) == (3, 1)


async def test_a_healed_proxy_passes_everything(proxy: FaultProxy, client: httpx.AsyncClient) -> None:
    proxy.fail(Answer(429))
    assert (await client.get("/one")).status_code == 429
    proxy.heal()
    assert (await client.get("/one")).status_code == 200


async def chances(origin: Origin, seed: int) -> list[int]:
    async with FaultProxy(origin.url, seed=seed) as proxy, httpx.AsyncClient(base_url=proxy.url) as client:
        proxy.fail(Answer(429), chance=0.3)
        proxy.fail(Answer(503), chance=0.3)
        return [(await client.get("/one")).status_code for _ in range(60)]


async def test_the_same_seed_fails_the_same_requests(origin: Origin) -> None:
    first = await chances(origin, 7)
    assert set(first) == {200, 429, 503}
    assert await chances(origin, 7) == first
    assert await chances(origin, 8) != first


async def test_the_log_contains_the_seed_and_the_fault_of_each_request(
    proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Answer(429, retry_after=1), nth=2)
    proxy.fail(Rejection(items=(0, 2)), path="*/_bulk")
    await client.get("/one?q=1")
    await client.get("/two")
    await client.post("/one/_bulk", content=bulk(3))
    assert str(proxy).splitlines() == [
        "seed 7",
        "1 GET /one Pass()",
        "2 GET /two Answer(status=429, retry_after=1)",
        "3 POST /one/_bulk Rejection(items=(0, 2)) items 0, 2",
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
async def test_rejected_items_do_not_reach_the_server_and_the_others_keep_their_places(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient, *, packed: bool
) -> None:
    proxy.fail(Rejection(items=(0, 2)), path="*/_bulk")
    body = bulk(2) + b'{"delete":{"_index":"one","_id":"2"}}\n{"create":{"_id":"3"}}\n{}\n'
    headers = {"content-encoding": "gzip"} if packed else {}
    content = gzip.compress(body) if packed else body
    answer = await client.post("/named/_bulk?filter_path=errors&refresh=true", content=content, headers=headers)
    assert statuses(answer) == [("0", 429), ("1", 201), ("2", 429), ("3", 201)]
    assert answer.json()["errors"] is True
    assert answer.json()["items"][2]["delete"]["error"]["type"] == "es_rejected_execution_exception"
    assert [item.id for item in items(origin.got[0], "named")] == ["1", "3"]
    assert origin.got[0].start == "POST /named/_bulk?refresh=true HTTP/1.1"


async def test_a_bulk_request_whose_items_are_all_rejected_is_not_sent(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Rejection())
    answer = await client.post("/_bulk", content=bulk(2))
    assert statuses(answer) == [("0", 429), ("1", 429)]
    assert origin.got == []


async def test_a_share_of_items_is_rejected_by_the_seed(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Rejection(share=0.5))
    refused = [id for id, status in statuses(await client.post("/_bulk", content=bulk(40))) if status == 429]
    assert 5 < len(refused) < 35
    assert tuple(map(int, refused)) == proxy.log[0].items
    assert {item.id for item in items(origin.got[0], "")} == {str(number) for number in range(40)} - set(refused)


async def test_a_block_holds_for_its_index(origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient) -> None:
    proxy.fail(Block(index="one*"), path="*/_bulk")
    answer = await client.post("/_bulk", content=bulk(1, "one-a") + bulk(1, "two"))
    assert statuses(answer) == [("0", 403), ("0", 201)]
    assert answer.json()["items"][0]["index"]["error"]["type"] == "cluster_block_exception"


async def test_another_request_to_a_blocked_index_is_refused_whole(
    origin: Origin, proxy: FaultProxy, client: httpx.AsyncClient
) -> None:
    proxy.fail(Block(), path="/one/_doc/*")
    answer = await client.put("/one/_doc/a", content=b"{}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "cluster_block_exception")
    assert origin.got == []


async def refusals(url: str, index: str) -> list[Any]:
    async with httpx.AsyncClient(base_url=url, headers={"content-type": "application/x-ndjson"}) as client:
        bulked = (await client.post("/_bulk", content=bulk(1, index))).json()
        put = await client.put(f"/{index}/_doc/1", json={})
        return [bulked["errors"], bulked["items"], put.status_code, put.json()]


async def test_a_block_has_the_error_text_of_a_real_server(elasticsearch_url: str) -> None:
    async with FaultProxy(elasticsearch_url) as proxy, httpx.AsyncClient(base_url=elasticsearch_url) as client:
        await client.put("/blocked", json={"settings": {"number_of_replicas": 0}})
        proxy.fail(Block())
        codes = await refusals(proxy.url, "blocked")
        await client.put("/blocked/_settings", json={"index.blocks.write": True})
        assert codes == await refusals(elasticsearch_url, "blocked")
        assert (await client.delete("/blocked")).status_code == 200
