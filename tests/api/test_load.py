"""A server under load as clients see it: what it sheds, refuses and closes, and what it serves all the same."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api.connection import Connection
from api.gate import Bounds, Gate
from engine.tracking.intake.payload import MAX_BODY
from tests.api.test_connection import answer, post

HEALTH = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hasty(Connection):
    head_seconds = 0.2


class Patient(Connection):
    head_seconds = 0.05
    seconds = 30


class Loaded:
    """A server whose application answers a request for tracking when the test says so, and others at once."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.begun = 0
        self.go_on = asyncio.Event()
        self._more = asyncio.Condition()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def listen(self, kind: type[Connection] = Connection, **bounds: int) -> None:
        self.gate = Gate(bounds=Bounds(**bounds))
        config = uvicorn.Config(
            self._answer, interface="asgi3", ws="none", log_config=None, access_log=False, server_header=False
        )
        self._server = await asyncio.get_running_loop().create_server(
            partial(kind, config, self._state, {}, gate=self.gate), "127.0.0.1", 0
        )

    async def connect(self, sent: bytes = b"") -> Streams:
        assert self._server is not None
        reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname())
        self._writers.append(writer)
        writer.write(sent)
        return reader, writer

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is true that the server brings about."""
        async with asyncio.timeout(10):
            while not reached():  # noqa: ASYNC110  # the server does not say when
                await asyncio.sleep(0)

    async def close(self) -> None:
        self.go_on.set()
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self.until(lambda: not (self.gate.bytes or self.gate.arriving or self._state.connections))

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        if scope["path"] == "/track":
            self.begun += 1
            await self.go_on.wait()
        body = b"%d" % len(message["body"])
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def loaded() -> AsyncIterator[Loaded]:
    server = Loaded()
    yield server
    await server.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b"\r\n\r\n")).lower()


async def test_beyond_the_bytes_under_way_the_next_request_is_answered_503_with_retry_after(loaded: Loaded) -> None:
    await loaded.listen(body_bytes=1_000)
    first, _ = await loaded.connect(post(b"x" * 800))
    await loaded.until(lambda: loaded.begun == 1)
    second, _ = await loaded.connect(post(b"x" * 300))
    head = await head_of(second)
    assert b" 503 " in head
    assert b"retry-after: 1\r\n" in head
    loaded.go_on.set()
    assert await answer(first) == (200, b"800")
    third, _ = await loaded.connect(post(b"x" * 300))
    assert await answer(third) == (200, b"300")


async def test_half_sent_bodies_make_room_for_whole_ones(loaded: Loaded) -> None:
    await loaded.listen(body_bytes=1_000)
    loaded.go_on.set()
    half_sent = [await loaded.connect(post(b"x" * 800)[:-400]) for _ in range(2)]
    await loaded.until(lambda: len(loaded.gate.arriving) == 2)
    good, _ = await loaded.connect(post(b"x" * 500))
    assert await answer(good) == (200, b"500")
    assert (await answer(half_sent[0][0]))[0] == 503
    half_sent[1][1].write(b"x" * 400)
    assert await answer(half_sent[1][0]) == (200, b"800")


async def test_large_bodies_that_are_read_in_turns_arrive_whole(loaded: Loaded) -> None:
    await loaded.listen()
    loaded.go_on.set()
    connections = [await loaded.connect(post(b"x" * MAX_BODY)) for _ in range(12)]
    for reader, _ in connections:
        assert (await answer(reader))[1] == str(MAX_BODY).encode()


async def test_a_gzip_body_counts_with_the_bytes_that_it_holds(loaded: Loaded) -> None:
    await loaded.listen(body_bytes=100_000)
    loaded.go_on.set()
    bomb, _ = await loaded.connect(post(gzip.compress(b"x" * 100_001)))
    assert (await answer(bomb))[0] == 503
    good, _ = await loaded.connect(post(gzip.compress(b"x" * 90_000)))
    assert (await answer(good))[0] == 200


async def test_the_application_sees_no_request_before_it_is_complete(loaded: Loaded) -> None:
    await loaded.listen()
    loaded.go_on.set()
    reader, writer = await loaded.connect(post(b"x" * 10)[:-1])
    await loaded.until(lambda: len(loaded.gate.arriving) == 1)
    assert loaded.begun == 0
    writer.write(b"x")
    assert await answer(reader) == (200, b"10")


async def test_a_client_that_waits_to_be_told_is_told_to_send_its_body(loaded: Loaded) -> None:
    await loaded.listen()
    loaded.go_on.set()
    request = post(b"x" * 10, b"Expect: 100-continue\r\n")
    reader, writer = await loaded.connect(request[:-10])
    assert b" 100 continue" in await head_of(reader)
    writer.write(request[-10:])
    assert await answer(reader) == (200, b"10")


async def test_what_waits_too_long_is_shed_and_its_connection_serves_on(loaded: Loaded) -> None:
    await loaded.listen(running=1)
    first, _ = await loaded.connect(post(b"1"))
    await loaded.until(lambda: loaded.begun == 1)
    shed, writer = await loaded.connect(post(b"22"))
    head = await head_of(shed)
    assert b" 503 " in head
    assert b"retry-after: 1\r\n" in head
    assert b"connection: close" not in head
    await shed.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    loaded.go_on.set()
    assert await answer(first) == (200, b"1")
    writer.write(post(b"333"))
    assert await answer(shed) == (200, b"3")
    assert loaded.begun == 2


async def test_health_is_answered_while_tracking_is_overloaded(loaded: Loaded) -> None:
    await loaded.listen(running=1)
    for _ in range(3):
        await loaded.connect(post(b"1"))
    await loaded.until(lambda: loaded.begun == 1)
    health, _ = await loaded.connect(HEALTH)
    assert (await answer(health))[0] == 200


async def test_a_client_that_leaves_while_it_waits_is_not_processed(loaded: Loaded) -> None:
    await loaded.listen(running=1)
    first, _ = await loaded.connect(post(b"1"))
    await loaded.until(lambda: loaded.begun == 1)
    _, gone = await loaded.connect(post(b"22"))
    await loaded.until(lambda: loaded.gate.bytes == 3)
    gone.close()
    await loaded.until(lambda: loaded.gate.bytes == 1)
    loaded.go_on.set()
    assert await answer(first) == (200, b"1")
    last, _ = await loaded.connect(post(b"1"))
    assert (await answer(last))[0] == 200
    assert loaded.begun == 2


async def test_pipelined_requests_are_answered_in_order_and_each_passes_the_gate(loaded: Loaded) -> None:
    await loaded.listen(running=1)
    reader, _ = await loaded.connect(post(b"1") + post(b"22") + HEALTH + post(b"333"))
    await loaded.until(lambda: loaded.begun == 1)
    loaded.go_on.set()
    assert [await answer(reader) for _ in range(4)] == [(200, b"1"), (200, b"2"), (200, b"0"), (200, b"3")]


async def test_pipelined_requests_beyond_the_bytes_are_refused_with_their_connection(loaded: Loaded) -> None:
    await loaded.listen(body_bytes=1_000)
    first, _ = await loaded.connect(post(b"x" * 400) + post(b"x" * 400) * 4)
    assert await first.read() == b""
    assert loaded.begun <= 1
    loaded.go_on.set()
    await loaded.until(lambda: not loaded.gate.bytes)
    good, _ = await loaded.connect(post(b"x" * 900))
    assert await answer(good) == (200, b"900")


async def test_of_too_many_connections_the_one_that_is_idle_for_longest_is_closed(loaded: Loaded) -> None:
    await loaded.listen(connections=3)
    busy, _ = await loaded.connect(post(b"1"))
    await loaded.until(lambda: loaded.begun == 1)
    half_open, _ = await loaded.connect(b"POST /tr")
    await loaded.until(lambda: len(loaded.gate.idle) == 1)
    silent, _ = await loaded.connect()
    await loaded.until(lambda: len(loaded.gate.idle) == 2)
    good, _ = await loaded.connect(HEALTH)
    assert (await answer(good))[0] == 200
    assert (await answer(half_open))[0] == 503
    other, _ = await loaded.connect(HEALTH)
    assert (await answer(other))[0] == 200
    assert await silent.read() == b""
    loaded.go_on.set()
    assert (await answer(busy))[0] == 200


async def test_of_two_idle_connections_the_gate_closes_the_one_without_a_request_under_way(loaded: Loaded) -> None:
    await loaded.listen()
    loaded.go_on.set()
    idle, _ = await loaded.connect(post(b"1"))
    arriving, writer = await loaded.connect(post(b"1"))
    assert [(await answer(one))[0] for one in (idle, arriving)] == [200, 200]
    await loaded.until(lambda: len(loaded.gate.idle) == 2)
    body = post(b"22")
    writer.write(body[:-1])
    await loaded.until(lambda: bool(loaded.gate.arriving))
    for connection in list(loaded.gate.idle):
        connection.expire()
    assert await idle.read() == b""
    writer.write(body[-1:])
    assert await answer(arriving) == (200, b"2")


async def test_a_half_sent_head_is_refused_after_its_time(loaded: Loaded) -> None:
    await loaded.listen(Hasty)
    reader, _ = await loaded.connect(b"POST /track HTTP/1.1\r\nHost: loc")
    assert (await answer(reader))[0] == 408
    assert await reader.read() == b""


async def test_a_body_may_take_longer_than_a_head(loaded: Loaded) -> None:
    await loaded.listen(Patient)
    loaded.go_on.set()
    reader, writer = await loaded.connect(post(b"x" * 10)[:-1])
    await loaded.until(lambda: len(loaded.gate.arriving) == 1)
    waited = asyncio.get_running_loop().time() + 2 * Patient.head_seconds
    await loaded.until(lambda: asyncio.get_running_loop().time() > waited)
    writer.write(b"x")
    assert await answer(reader) == (200, b"10")


async def test_a_sender_of_a_body_that_is_too_large_gets_the_answer_while_it_still_sends(loaded: Loaded) -> None:
    await loaded.listen()
    request = post(b"x" * 3_000_000)
    reader, writer = await loaded.connect(request[:1_500_000])
    assert (await answer(reader))[0] == 413
    writer.write(request[1_500_000:2_000_000])
    assert await reader.read() == b""
