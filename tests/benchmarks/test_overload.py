"""The measurement of overload: its good and its bad clients, against a small server of this process."""

import asyncio
from collections import Counter
from contextlib import suppress

import msgspec
import pytest

from benchmarks.overload import clients
from benchmarks.overload.clients import ATTACKS, good_traffic, head, payload
from benchmarks.overload.served import Served


async def serve(status: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each whole request with a status."""
    with suppress(asyncio.IncompleteReadError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            size = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"Content-Length"))
            await reader.readexactly(size)
            writer.write(b"HTTP/1.1 %d Status\r\nContent-Length: 2\r\n\r\n{}" % status)
    writer.close()


async def started(status: int) -> tuple[asyncio.Server, Served]:
    server = await asyncio.start_server(lambda reader, writer: serve(status, reader, writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    return server, Served(host, port, 0)


@pytest.mark.parametrize(("status", "failing"), [(200, False), (503, True)])
async def test_good_traffic_counts_every_answer_but_200_as_a_failure(status: int, failing: bool) -> None:
    server, served = await started(status)
    async with server:
        latencies, failures = await good_traffic(served, 0.2)
    assert len(latencies) == round(0.2 * clients.GOOD_RATE)
    assert failures == (len(latencies) if failing else 0)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_counts_its_answers_by_status(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("HALF_OPEN", "HALF_SENT", "LARGE_SESSIONS"):
        monkeypatch.setattr(clients, setting, 3)
    server, served = await started(413)
    answers = Counter[str]()
    halves = "half" in name  # they are never complete, so they last until they are ended
    async with server:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3 if halves else 30):
                await ATTACKS[name](served, answers)
    assert answers == ({"kept": 3} if halves else {"413": 3})


def test_a_payload_names_its_session_and_its_head_the_size() -> None:
    body = payload("s-1", properties={"a": 1})
    assert msgspec.json.decode(body)["session"] == {"id": "s-1"}
    assert f"Content-Length: {len(body)}\r\n\r\n".encode() in head(len(body))
