"""The connection as a client sees it: bytes in, bytes out. The application answers what it was asked, body and all."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api.connection import MAX_HEAD, MAX_WAITING, Connection

Open = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
INNER = b"GET /counts HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    names = b",".join(name for name, _ in scope["headers"])
    text = b"%s %s [%s] %s" % (scope["method"].encode(), scope["raw_path"], body, names)
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


class Hasty(Connection):
    seconds = 0.2


@pytest.fixture
async def connect() -> AsyncIterator[Open]:
    """A function that connects to a server of its own."""
    servers, writers = [], []

    async def start(kind: type[Connection] = Connection) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        config = uvicorn.Config(echo, http=kind, ws="none", log_config=None, access_log=False, server_header=False)
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(lambda: kind(config, state, {}), "127.0.0.1", 0)
        servers.append(server)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writers.append(writer)
        return reader, writer

    yield start
    for writer in writers:
        writer.close()
    for server in servers:
        server.close()
        await server.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next answer: its status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return int(head.split()[1]), await reader.readexactly(int(length.partition(b":")[2]))


def post(body: bytes, more: bytes = b"", method: bytes = b"POST") -> bytes:
    return b"%s /track HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s" % (method, more, len(body), body)


@pytest.mark.parametrize("offer", [OFFER, WEBSOCKET], ids=["h2c", "websocket"])
@pytest.mark.parametrize("cut", [None, 60, -len(INNER), -5], ids=["whole", "head cut", "body later", "body cut"])
async def test_the_body_of_a_request_that_offers_an_upgrade_is_its_body(
    connect: Open, offer: bytes, cut: int | None
) -> None:
    reader, writer = await connect()
    request = post(INNER, offer)
    for piece in [request] if cut is None else [request[:cut], request[cut:]]:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write(post(b"next"))
    status, text = await answer(reader)
    assert (status, text[: 15 + len(INNER)]) == (200, b"POST /track [" + INNER + b"] ")
    assert b"upgrade" not in text
    assert (await answer(reader))[1].startswith(b"POST /track [next]")


async def test_offers_may_follow_one_another_and_be_chunked(connect: Open) -> None:
    reader, writer = await connect()
    chunked = b"POST /a HTTP/1.1\r\nHost: x\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    writer.write(post(b"1", OFFER) + chunked + post(b"3", WEBSOCKET))
    texts = [(await answer(reader))[1] for _ in range(3)]
    assert [one.partition(b"]")[0] for one in texts] == [b"POST /track [1", b"POST /a [abc", b"POST /track [3"]


async def test_connection_close_is_kept_when_the_upgrade_offer_is_removed(connect: Open) -> None:
    reader, writer = await connect()
    writer.write(post(b"1", b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n"))
    assert b"connection: close" in await reader.read()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEAD // 6), 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * MAX_HEAD + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * (MAX_HEAD // 6) + b"\r\n", 431),
        (b"GET /" + b"y" * MAX_HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    ],
    ids=[
        "no HTTP",
        "CONNECT",
        "many headers",
        "a long header",
        "a long header, whole",
        "many headers, whole",
        "a long line",
    ],
)
async def test_bytes_that_are_no_request_are_refused_and_the_connection_is_closed(
    connect: Open, sent: bytes, status: int
) -> None:
    reader, writer = await connect()
    writer.write(sent)
    assert (await answer(reader))[0] == status
    assert await reader.read() == b""


@pytest.mark.parametrize(
    "hosts",
    [
        *([b"a.example", b"b.example"], [b"a.example", b"a.example"], [b"a.example", b""], [], [b""], [b" "]),
        *([b"a b"], [b"a, b"], [b"a/b"], [b"user@a"], [b"a:b"], [b"a:1:2"], [b"[::1"], [b"[x]"], [b"a\x01"]),
        *([b"\xc3\xa4.example"], [b"http://a"], [b"a?b"], [b"a#b"], [b"a\\b"], [b'"a"'], [b":80"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("offer", [b"", OFFER], ids=["", "with an offer"])
async def test_a_request_without_one_valid_host_is_refused(connect: Open, hosts: list[bytes], offer: bytes) -> None:
    reader, writer = await connect()
    writer.write(b"GET /counts HTTP/1.1\r\n" + b"".join(b"Host: %s\r\n" % host for host in hosts) + offer + b"\r\n")
    status, body = await answer(reader)
    assert status == 400
    assert b"Host header" in body or b"no HTTP request" in body
    assert await reader.read() == b""


@pytest.mark.parametrize(
    "host", [b"a.example", b"A-b_c.example:8686", b"127.0.0.1:1", b"[::1]", b"[2001:db8::1]:80", b"a:", b"x%41", b" a "]
)
async def test_a_valid_host_is_taken_again_and_again(connect: Open, host: bytes) -> None:
    reader, writer = await connect()
    for sent in (host, host, b"another.example", host):
        writer.write(b"GET / HTTP/1.1\r\nhOsT: %s\r\n\r\n" % sent)
        assert (await answer(reader))[0] == 200


async def test_only_http_1_0_may_name_no_host(connect: Open) -> None:
    reader, writer = await connect()
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await answer(reader))[0] == 200


async def test_a_second_request_without_a_host_is_refused(connect: Open) -> None:
    reader, writer = await connect()
    writer.write(post(b"1"))
    assert (await answer(reader))[0] == 200
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await answer(reader))[0] == 400


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /track HTTP/1.1\r\nHost: loc", post(b"x" * 9)[:-9], post(b"x" * 9)[:-8], post(b"x", OFFER)[:-1]],
    ids=["nothing", "half a header", "no body", "half a body", "no body after an offer"],
)
async def test_a_request_that_does_not_arrive_in_time_is_refused(connect: Open, sent: bytes) -> None:
    reader, writer = await connect(Hasty)
    writer.write(sent)
    assert (await answer(reader))[0] == 408
    assert await reader.read() == b""


async def test_the_deadline_applies_to_each_request(connect: Open) -> None:
    reader, writer = await connect(Hasty)
    writer.write(post(b"1"))
    assert (await answer(reader))[0] == 200
    await asyncio.sleep(2 * Hasty.seconds)
    writer.write(post(b"2"))
    assert (await answer(reader))[0] == 200


@pytest.mark.parametrize("offer", [b"", OFFER], ids=["plain", "offers of an upgrade"])
async def test_of_many_requests_at_once_the_first_are_answered_and_the_connection_is_closed(
    connect: Open, offer: bytes
) -> None:
    reader, writer = await connect()
    writer.write(b"".join([post(b"%d" % number, offer) for number in range(3 * MAX_WAITING)]))
    answered = (await reader.read()).decode()
    numbers = [int(number) for number in re.findall(r"POST /track \[(\d+)\]", answered)]
    assert numbers == list(range(len(numbers)))
    assert MAX_WAITING <= len(numbers) < 2 * MAX_WAITING
    assert answered.count("connection: close") == 1
    assert "connection: close" in answered.rpartition("HTTP/1.1")[2]


async def test_requests_that_are_answered_meanwhile_may_be_many(connect: Open) -> None:
    reader, writer = await connect()
    for number in range(10 * MAX_WAITING):
        writer.write(post(b"%d" % number) + post(b"again"))
        assert f"[{number}]".encode() in (await answer(reader))[1]
        assert b"[again]" in (await answer(reader))[1]
