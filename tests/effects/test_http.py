import asyncio
import gzip
import socket
import tracemalloc
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from effects.http import HttpPerformer
from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.world import Performer
from engine.project.secret import Secret
from engine.project.source import Target
from tests.effects.calls import call
from tests.effects.http_server import Perform, Serve, ServeRaw

SECRET = "s3cr3t-token/1"


async def echo(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": await request.text(),
        }
    )


def answering(*args: Any, **kwargs: Any) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(*args, **kwargs)

    return handler


def refused(reply: Reply) -> NoAnswer:
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("refused", False)
    return reply


def body_of(reply: Reply) -> Any:
    assert isinstance(reply, HttpReply), reply
    return reply.body


# Answers


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param({"text": '{"tier": "gold"}', "content_type": "application/json"}, {"tier": "gold"}, id="JSON"),
        pytest.param({"text": "hello", "content_type": "text/plain"}, "hello", id="text"),
        pytest.param({"text": '{"tier": ', "content_type": "text/plain"}, '{"tier": ', id="text that begins like JSON"),
        pytest.param({"status": 204}, None, id="no body"),
        pytest.param({"text": "", "content_type": "application/json"}, None, id="no JSON at all"),
        pytest.param(
            {"text": "no", "content_type": "application/json", "status": 404}, "no", id="an error that is no JSON"
        ),
    ],
)
async def test_an_answer_becomes_a_reply(
    serve: Serve, performer: Perform, answer: dict[str, Any], body: object
) -> None:
    base = await serve(answering(**answer))
    reply = await performer(base).perform(call("crm", path="/customers/7"))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (answer.get("status", 200), body)
    assert reply.url == base + "/customers/7"


@pytest.mark.parametrize("text", ['{"tier": ', "[NaN]", "<html>", "[" * 65 + "]" * 65])
@pytest.mark.parametrize("media_type", ["application/json", "application/hal+json"])
async def test_an_answer_that_is_not_the_json_that_it_is_said_to_be_is_no_answer(
    serve: Serve, performer: Perform, text: str, media_type: str
) -> None:
    reply = await performer(await serve(answering(text=text, content_type=media_type))).perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.status, reply.retriable) == ("broken", 200, True)


async def test_a_request_arrives_as_the_ask_describes_it(serve: Serve, performer: Perform) -> None:
    to = performer(await serve(echo) + "/api", headers={"X-App": "shop"})
    put = call("crm", "PUT", "/a%2Fb", {"q": "ä&b", "n": [1, 2]}, {"X-Trace": "t"}, {"name": "Ann"})
    received = body_of(await to.perform(put))
    assert (received["method"], received["path"]) == ("PUT", "/api/a%2Fb?q=%C3%A4%26b&n=1&n=2")
    assert received["body"] == '{"name":"Ann"}'
    assert received["headers"]["content-type"] == "application/json"
    assert (received["headers"]["x-app"], received["headers"]["x-trace"]) == ("shop", "t")


async def test_head_has_a_status_and_no_body(serve: Serve, performer: Perform) -> None:
    reply = await performer(await serve(answering(text="x" * 100)), max_bytes=10).perform(call("crm", "HEAD"))
    assert (body_of(reply), reply.took_ms >= 0 if isinstance(reply, HttpReply) else None) == (None, True)


@pytest.mark.parametrize("status", [201, 301, 400, 401, 404, 409, 422, 501])
async def test_most_statuses_are_replies(serve: Serve, performer: Perform, status: int) -> None:
    reply = await performer(await serve(answering(status=status, text="no"))).perform(call("crm"))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (status, "no")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_answer_of_a_busy_target_is_retriable(serve: Serve, performer: Perform, status: int) -> None:
    base = await serve(answering(status=status, text="busy"))
    reply = await performer(base).perform(call("crm", path="/x"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.status, reply.retriable, reply.url) == ("status", status, True, base + "/x")


# Time


async def test_a_target_that_sends_nothing_is_a_timeout(serve_raw: ServeRaw, performer: Perform) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    reply = await performer(await serve_raw(silent)).perform(call("crm", timeout_ms=50))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("timeout", True)
    assert 45 <= reply.took_ms < 2000


async def test_a_body_that_arrives_too_slowly_is_a_timeout(serve_raw: ServeRaw, performer: Perform) -> None:
    async def send_slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.005)

    reply = await performer(await serve_raw(send_slowly)).perform(call("crm", timeout_ms=80))
    assert isinstance(reply, NoAnswer)
    assert reply.kind == "timeout"
    assert reply.took_ms < 2000


async def test_a_cancelled_call_raises_and_closes_its_connection(serve_raw: ServeRaw, performer: Perform) -> None:
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def watch(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()  # ends when the other side closes
        closed.set()

    to = performer(await serve_raw(watch))
    asking = asyncio.create_task(to.perform(call("crm", timeout_ms=60_000)))
    await arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(5):
        await closed.wait()


# Size


async def test_a_body_at_the_limit_is_read_and_a_longer_one_is_refused(serve: Serve, performer: Perform) -> None:
    base = await serve(answering(text="x" * 1000))
    assert body_of(await performer(base, max_bytes=1000).perform(call("crm"))) == "x" * 1000
    assert "999 bytes" in refused(await performer(base, max_bytes=999).perform(call("crm"))).reason


async def test_reading_stops_at_a_body_without_end(serve_raw: ServeRaw, performer: Perform) -> None:
    stopped = asyncio.Event()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        finally:
            stopped.set()

    refused(await performer(await serve_raw(endless)).perform(call("crm", timeout_ms=20_000)))
    async with asyncio.timeout(5):
        await stopped.wait()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_decompression_bomb_is_refused_before_it_fills_the_memory(
    serve: Serve, performer: Perform, encoding: str
) -> None:
    compressor = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(100)) + compressor.flush()
    to = performer(await serve(answering(body=bomb, headers={"Content-Encoding": encoding})), max_bytes=100_000)
    tracemalloc.start()
    try:
        refused(await to.perform(call("crm", timeout_ms=20_000)))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


async def test_a_compressed_answer_is_decompressed(serve: Serve, performer: Perform) -> None:
    base = await serve(answering(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"}))
    assert body_of(await performer(base).perform(call("crm"))) == {"a": 1}


# Broken answers and no connection


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="a body that is cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="a bad chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", id="a header too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", id="too many headers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nno gzip",
            id="a body that is not gzip",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", id="an unsupported compression"
        ),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n", id="a Location that is not UTF-8"
        ),
    ],
)
async def test_a_broken_answer_is_no_answer(serve_raw: ServeRaw, performer: Perform, answer: bytes) -> None:
    async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    reply = await performer(await serve_raw(broken), redirects=1).perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert reply.kind in {"connection", "refused"}


async def test_a_closed_port_is_no_connection(performer: Perform) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        reply = await performer(f"http://127.0.0.1:{port}").perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable, reply.reason) == ("connection", True, "no connection: Connection refused")


async def test_a_target_without_a_certificate_is_no_connection(serve: Serve, performer: Perform) -> None:
    base = (await serve(echo)).replace("http://", "https://")
    reply = await performer(base).perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("connection", False)


@pytest.mark.parametrize("host", ["crm.invalid", "a" * 70 + ".invalid", "a..invalid"])
async def test_a_host_without_an_address_is_no_answer(performer: Perform, host: str) -> None:
    reply = await performer(f"http://{host}", private=False).perform(call("crm", timeout_ms=5000))
    assert isinstance(reply, NoAnswer)


async def test_an_unknown_target_is_refused(performer: Perform) -> None:
    assert "erp" in refused(await performer("http://127.0.0.1").perform(call("erp"))).reason


async def test_a_target_that_cannot_be_used_does_not_affect_others(serve: Serve) -> None:
    targets = {"bad": Target(url="http://user:password@x/"), "good": Target(url=await serve(echo), private=True)}
    async with HttpPerformer(targets) as to:
        assert "user name" in refused(await to.perform(call("bad"))).reason
        assert body_of(await to.perform(call("good")))["method"] == "GET"


async def test_a_closed_client_returns_no_answer(serve: Serve, performer: Perform) -> None:
    to: Performer = performer(await serve(echo))
    await to.perform(call("crm"))
    assert isinstance(to, HttpPerformer)
    await to.close()
    await to.close()
    reply = await to.perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert reply.kind == "connection"


# Addresses


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "①②⑦.⓪.⓪.①", "0"])
async def test_a_private_address_is_not_called(serve: Serve, performer: Perform, host: str) -> None:
    called = False

    async def handler(_: web.Request) -> web.Response:
        nonlocal called
        called = True
        return web.Response()

    base = (await serve(handler)).replace("127.0.0.1", host)
    refused(await performer(base, private=False).perform(call("crm")))
    assert not called


async def test_a_connection_of_a_private_target_is_not_used_for_another_target(serve: Serve) -> None:
    base = await serve(echo)
    async with HttpPerformer({"inside": Target(url=base, private=True), "outside": Target(url=base)}) as to:
        assert body_of(await to.perform(call("inside")))["method"] == "GET"
        assert "loopback" in refused(await to.perform(call("outside"))).reason


async def test_proxies_of_the_environment_are_not_used(
    serve: Serve, performer: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert body_of(await performer(await serve(echo)).perform(call("crm")))["method"] == "GET"


async def test_cookies_are_not_kept(serve: Serve, performer: Perform) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(dict(request.cookies), headers={"Set-Cookie": "a=b; Path=/"})

    to = performer((await serve(handler)).replace("127.0.0.1", "localhost"))
    assert [body_of(await to.perform(call("crm"))) for _ in range(2)] == [{}, {}]


# Redirects


def redirecting(location: str) -> Any:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/end":
            return await echo(request)
        return web.Response(status=302, headers={"Location": location})

    return handler


async def test_redirects_are_not_followed_unless_allowed(serve: Serve, performer: Perform) -> None:
    reply = await performer(await serve(redirecting("/end"))).perform(call("crm", path="/x"))
    assert isinstance(reply, HttpReply)
    assert reply.status == 302


async def test_a_redirect_within_the_target_is_followed(serve: Serve, performer: Perform) -> None:
    base = await serve(redirecting("/end"))
    reply = await performer(base, redirects=1, headers={"X-Key": SECRET}).perform(call("crm", path="/x"))
    assert isinstance(reply, HttpReply)
    assert reply.url == base + "/end"
    assert "x-key" in body_of(reply)["headers"]


async def test_a_loop_of_redirects_ends(serve: Serve, performer: Perform) -> None:
    reply = await performer(await serve(redirecting("/x")), redirects=5).perform(call("crm", path="/x"))
    assert "more than 5" in refused(reply).reason


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://localhost/", "http://[::1]/", "http://127.1/", "//10.0.0.1/x"],
)
async def test_a_redirect_to_a_private_address_is_refused_though_the_target_is_private(
    serve: Serve, performer: Perform, location: str
) -> None:
    refused(await performer(await serve(redirecting(location)), redirects=5).perform(call("crm", path="/x")))


# Secrets


async def test_no_reply_shows_a_secret_of_the_target(serve: Serve, performer: Perform) -> None:
    to = performer(await serve(echo), headers={"Authorization": f"Bearer {SECRET}"})
    reply = await to.perform(call("crm", path="/x", query={"token": SECRET}))
    assert isinstance(reply, HttpReply)
    assert SECRET not in repr(reply)
    assert reply.url.endswith("/x?token=***")
    assert body_of(reply)["headers"]["authorization"] == "***"


async def test_no_failure_shows_a_secret_of_the_target(performer: Perform) -> None:
    to = performer(f"http://127.0.0.1:1/{SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
    for each in (
        call("crm", query={"token": SECRET}),
        call("crm", headers={"Authorization": SECRET}),
        call("crm", path=f"/{SECRET}/.."),
        call("crm", method=SECRET),
    ):
        reply = await to.perform(each)
        assert isinstance(reply, NoAnswer)
        assert SECRET not in repr(reply)
    assert SECRET not in repr(to)


async def test_a_secret_in_a_targets_url_is_not_shown_even_when_it_is_echoed(serve: Serve, performer: Perform) -> None:
    address = await serve(echo)
    secret = "k/y+1 23"
    to = performer(Secret(f"{address}/{quote(secret)}?key={quote(secret, safe='')}", (secret,)))
    reply = await to.perform(call("crm", path="/x"))
    assert body_of(reply)["path"] == "/***/x?key=***"
    assert "***" in reply.url
    assert "y+1" not in repr(reply)
    assert "y%2B1" not in repr(reply)


@pytest.mark.parametrize(("header", "pause"), [
    pytest.param("7", 7_000, id="seconds"), pytest.param(None, 0, id="nothing"), pytest.param("soon", 0, id="a word"),
])  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
async def test_a_reply_has_the_pause_that_the_target_asks_for(
    serve: Serve, performer: Perform, status: int, header: str | None, pause: int
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    reply = await performer(await serve(answering(status=status, headers=headers))).perform(call("crm"))
    assert isinstance(reply, NoAnswer)
    assert (reply.status, reply.retriable, reply.retry_after_ms) == (status, True, pause)


async def test_a_secret_that_cannot_be_sent_is_not_shown() -> None:
    async with HttpPerformer({"crm": Target(url="http://127.0.0.1", headers={"X-Key": f"{SECRET}\n"})}) as to:
        assert SECRET not in repr(refused(await to.perform(call("crm"))))


async def test_a_call_with_a_refused_header_sends_nothing(serve: Serve, performer: Perform) -> None:
    called = False

    async def handler(_: web.Request) -> web.Response:
        nonlocal called
        called = True
        return web.Response()

    to = performer(await serve(handler))
    refused(await to.perform(call("crm", headers={"X-A": "1\r\n\r\nGET /admin HTTP/1.1\r\nX: "})))
    assert not called
