"""The proxy of the clients lets requests with events fail in turn, and knows what was sent and what delivered."""

import asyncio
import contextlib
import gzip
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.clients.faulty_proxy import Crash, FaultyProxy, Refused
from tests.servers.fault import Loss, Reset
from tests.servers.test_fault_proxy import Origin

MARK = re.compile(rb'"id":\s*"([^"]+)"')
PAGE = "http://127.0.0.1:8000"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest.fixture
async def proxy(origin: Origin) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(origin.url, MARK) as proxy:
        yield proxy


def body(*ids: str) -> bytes:
    """A request with events of these ids."""
    return json.dumps([{"id": id} for id in ids]).encode()


async def post(proxy: FaultyProxy, content: bytes) -> httpx.Response | None:
    """The answer to a request; None if the connection broke."""
    async with httpx.AsyncClient(base_url=proxy.url, timeout=30) as client:
        with contextlib.suppress(httpx.TransportError):
            return await client.post("/events", content=content, headers={"Origin": PAGE})
    return None


async def test_what_is_sent_is_delivered_with_the_next_request_that_passes(proxy: FaultyProxy) -> None:
    proxy.plan(Refused(503), Loss())
    assert await post(proxy, b"[]") is not None  # it has no events
    await post(proxy, body("a"))
    assert (proxy.sent, proxy.delivered, proxy.to_come) == ({"a"}, set(), [Loss()])
    await post(proxy, gzip.compress(body("a")))
    assert proxy.delivered == {"a"}
    assert await post(proxy, body("b", "c")) is None
    await post(proxy, body("c"))
    assert (proxy.sent, proxy.delivered, proxy.to_come) == ({"a", "b", "c"}, {"a", "c"}, [])


async def test_it_is_settled_when_all_that_was_sent_is_delivered(proxy: FaultyProxy) -> None:
    proxy.plan(Reset())
    settled = asyncio.create_task(proxy.settled(2))
    for ids in (("a",), ("a",), ("b",)):
        assert not settled.done()
        await post(proxy, body(*ids))
    await settled


@pytest.mark.parametrize(("taken", "got"), [(False, 0), (True, 1)])
async def test_a_page_may_read_a_refusal(origin: Origin, proxy: FaultyProxy, taken: bool, got: int) -> None:
    proxy.plan(Refused(429, retry_after=7, taken=taken))
    answer = await post(proxy, body("a"))
    assert answer is not None
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (429, "7", 429)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "Retry-After"
    assert len(origin.got) == got


async def test_after_a_crash_requests_go_to_the_next_server(origin: Origin, proxy: FaultyProxy) -> None:
    async with Origin() as second:
        proxy.plan(Crash(lambda: second.url, proxy.lead_to), apart=False)
        assert await post(proxy, body("a")) is None
        while await post(proxy, body("a")) is None or not second.got:
            pass
    assert [len(one.got) > 0 for one in (origin, second)] == [True, True]
