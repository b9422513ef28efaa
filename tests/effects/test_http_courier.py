"""Deliveries over HTTP to real servers, also hostile ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from effects.http_courier import HttpCourier
from engine.flow.message import HttpMessage, WebhookMessage
from engine.ports.courier import DeliveryResult
from engine.project.source import Target
from tests.effects.http_server import Serve, ServeRaw
from tests.engine.sending.samples import sample

Send = Callable[..., Any]


@pytest.fixture
async def send() -> AsyncIterator[Send]:
    """A function that makes one attempt at a target."""
    courier = HttpCourier()

    async def attempt(url: str, message: HttpMessage | WebhookMessage | None = None, **more: Any) -> DeliveryResult:
        target = Target(**{"url": url, "private": True, "timeout": "1s", **more})
        return await courier.send(sample(message=message or HttpMessage(body={"a": 1})), target)

    yield attempt
    await courier.close()


async def test_a_request_has_its_parts_its_key_and_the_secrets_of_the_target(serve: Serve, send: Send) -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, str(request.rel_url), dict(request.headers), await request.read()))
        return web.Response(status=201)

    message = HttpMessage("PUT", "/people/a%20b", {"v": [1, 2]}, {"X-Own": "yes"}, {"tier": "gold"})
    result = await send(await serve(handler), message, headers={"Authorization": "Bearer t0ken-t0ken"})
    assert (result.verdict, result.status) == ("sent", 201)
    method, url, headers, body = seen[0]
    assert (method, url, body) == ("PUT", "/people/a%20b?v=1&v=2", b'{"tier":"gold"}')
    assert headers["Idempotency-Key" if "Idempotency-Key" in headers else "idempotency-key"] == "d1"
    assert {"Bearer t0ken-t0ken", "yes", "application/json"} <= set(headers.values())


async def test_what_the_target_says_of_a_failure_is_kept_as_one_line_without_secrets(serve: Serve, send: Send) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"error": "no field\n x", "you sent": "t0ken-t0ken"}, status=422)

    result = await send(await serve(handler), headers={"Authorization": "Bearer t0ken-t0ken"})
    assert result.verdict == "dead"
    assert result.reason == 'the target answered 422: {"error": "no field\\n x", "you sent": "***"}'


@pytest.mark.parametrize(("said", "expected"), [("7", 7_000), ("nonsense", 0)])
async def test_the_pause_that_a_target_asks_for_is_read(serve: Serve, send: Send, said: str, expected: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": said})

    result = await send(await serve(handler))
    assert (result.verdict, result.retry_after_ms, result.health) == ("again", expected, "fails")


async def test_a_target_that_hangs_is_left_at_its_timeout(serve: Serve, send: Send) -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    result = await send(await serve(handler), timeout="100ms")
    assert (result.verdict, result.reason) == ("again", "no answer within 0.1 s")


async def test_a_target_that_drips_its_head_is_left_at_its_timeout(serve_raw: ServeRaw, send: Send) -> None:
    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    result = await send(await serve_raw(handler), timeout="200ms")
    assert (result.verdict, result.health) == ("again", "fails")
    assert result.took_ms < 1_000


@pytest.mark.parametrize(("status", "verdict"), [(200, "sent"), (503, "again")])
async def test_an_answer_without_an_end_delays_nothing(
    serve_raw: ServeRaw, send: Send, status: int, verdict: str
) -> None:
    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: text/plain\r\nContent-Length: 1073741824\r\n\r\n" % status)
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            await writer.drain()

    result = await send(await serve_raw(handler))
    assert (result.verdict, result.status) == (verdict, status)
    assert len(result.reason) < 300


async def test_bytes_that_are_no_http_are_a_failure(serve_raw: ServeRaw, send: Send) -> None:
    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff nonsense\r\n\r\n")

    result = await send(await serve_raw(handler))
    assert (result.verdict, result.health) == ("again", "fails")


async def test_a_target_without_a_server_is_a_failure(send: Send) -> None:
    result = await send("http://127.0.0.1:9")
    assert (result.verdict, result.health) == ("again", "fails")
    assert result.reason.startswith("no connection: ")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8686", "http://[::1]/", "http://localhost/", "http://169.254.169.254/"]
)
async def test_a_public_target_does_not_lead_to_a_private_address(send: Send, url: str) -> None:
    result = await send(url, private=False)
    assert result.verdict == "again"
    assert "only a target that says `private: true`" in result.reason


async def test_a_redirect_to_another_host_is_not_followed(serve: Serve, send: Send) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise AssertionError("it was followed")

    other = await serve(elsewhere)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": other})

    result = await send(await serve(handler), redirects=3)
    assert (result.verdict, result.health) == ("again", "fails")


@pytest.mark.parametrize(
    ("status", "verdict"), [(307, "sent"), (308, "sent"), (301, "again"), (302, "again"), (303, "again")]
)
async def test_a_redirect_is_followed_if_the_same_request_goes_there(
    serve: Serve, send: Send, status: int, verdict: str
) -> None:
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/moved":
            bodies.append(await request.read())
            return web.Response()
        return web.Response(status=status, headers={"Location": "/moved"})

    result = await send(await serve(handler), redirects=1)
    assert (result.verdict, bodies) == (verdict, [b'{"a":1}'] if verdict == "sent" else [])


async def test_redirects_without_an_end_are_a_failure(serve: Serve, send: Send) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/again"})

    result = await send(await serve(handler), redirects=2)
    assert (result.verdict, result.reason) == ("again", "the target redirects more than 2 times")


@pytest.mark.parametrize(
    "message", [HttpMessage(path="/../x"), HttpMessage(headers={"a": "b\r\nc: d"}), HttpMessage("TRACE")]
)
async def test_a_message_that_is_not_safe_is_dead(send: Send, message: HttpMessage) -> None:
    result = await send("http://127.0.0.1:9", message)
    assert (result.verdict, result.health) == ("dead", "unknown")


@pytest.mark.parametrize("wrong", [{"url": "https://user@crm.example"}, {"secret": "whsec_short"}])
async def test_a_target_that_cannot_be_used_keeps_its_deliveries_waiting(send: Send, wrong: dict[str, str]) -> None:
    result = await send(**{"url": "https://crm.example", "message": WebhookMessage("paid", {}, 5), **wrong})
    assert (result.verdict, result.health) == ("again", "refuses")


async def test_a_target_that_leads_back_to_this_server_ends_after_a_few_rounds(serve: Serve) -> None:
    hops: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        hops.append(request.headers["headrace-hops"])
        return web.Response()

    target, courier = Target(url=await serve(handler), private=True), HttpCourier()
    results = [await courier.send(sample(hops=number), target) for number in (0, 4, 5)]
    await courier.close()
    assert [result.verdict for result in results] == ["sent", "sent", "dead"]
    assert hops == ["1", "5"]
