"""Good clients, whose latency is measured, and bad ones; all speak HTTP by hand, over loopback."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count

from benchmarks.overload.served import Served

GOOD_CLIENTS = 16
GOOD_RATE = 150  # requests a second, of all good clients together
HALF_OPEN = 2_000
HALF_SENT = 800
LARGE_SESSIONS = 400
LARGE = 1_000_000  # bytes
TOGETHER = 16  # large payloads at a time
PATIENCE = 10.0  # seconds for one answer

Attack = Callable[[Served, Counter[str]], Awaitable[None]]  # counts its answers by status


def payload(session: str, **more: object) -> bytes:
    """Return the body of an order of a session."""
    event = {"type": "order-completed", "properties": {"order": "A-1", "total": 49.5, "tier": "gold"}}
    return json.dumps({"source": {"id": "shop"}, "session": {"id": session}, "events": [event], **more}).encode()


def head(size: int) -> bytes:
    """Return the head of a request whose body has `size` bytes."""
    return (
        b"POST /track HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % size
    )


async def read_status(reader: asyncio.StreamReader) -> int:
    """Read one answer; returns its status."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length")), 0)
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def good_traffic(served: Served, seconds: float) -> tuple[list[float], int]:
    """Send orders at an even rate. Returns the latencies in ms, measured from when each was due, and the failures."""
    latencies: list[float] = []
    failures = 0
    numbers = count()
    begin = time.perf_counter()

    async def client(number: int) -> None:
        nonlocal failures
        body = payload(f"good-visitor-{number:04d}")
        reader, writer = await asyncio.open_connection(served.host, served.port)
        while (due := begin + next(numbers) / GOOD_RATE) < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            try:
                writer.write(head(len(body)) + body)
                async with asyncio.timeout(PATIENCE):
                    good = await read_status(reader) == 200
            except (OSError, EOFError, TimeoutError):
                good = False
                writer.close()
                reader, writer = await asyncio.open_connection(served.host, served.port)
            latencies.append((time.perf_counter() - due) * 1000)
            failures += not good
        writer.close()

    await asyncio.gather(*(client(number) for number in range(GOOD_CLIENTS)))
    return latencies, failures


async def half_open(served: Served, answers: Counter[str]) -> None:
    """Open connections that send half a head, and keep them as long as the server does."""
    await _hold(served, answers, HALF_OPEN, b"POST /track HTTP/1.1\r\nHost: loc")


async def half_sent(served: Served, answers: Counter[str]) -> None:
    """Send half of large bodies, and keep the connections as long as the server does."""
    await _hold(served, answers, HALF_SENT, head(LARGE) + b"x" * (LARGE // 2))


async def large_sessions(served: Served, answers: Counter[str]) -> None:
    """Open sessions with large properties."""
    await _send(served, answers, lambda number: payload(f"large-{number:06d}", properties={"text": "x" * LARGE}))


async def large_payloads(served: Served, answers: Counter[str]) -> None:
    """Send payloads of 500 events, each with a hundred properties."""
    event = {"type": "order-completed", "properties": {"total": 9, **{f"property-{n}": n for n in range(100)}}}
    events = [event] * 500
    await _send(served, answers, lambda number: payload(f"busy-{number:06d}", events=events))


ATTACKS: dict[str, Attack] = {
    "2,000 half-open connections": half_open,
    "800 half-sent bodies of 1 MB": half_sent,
    "400 sessions of 1 MB": large_sessions,
    "400 payloads of 500 events": large_payloads,
}


def attack(name: str, served: Served, seconds: float) -> Counter[str]:
    """Run an attack in this process, for so many seconds at most. Returns its answers by status."""

    async def limited() -> Counter[str]:
        answers = Counter[str]()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ATTACKS[name](served, answers)
        return answers

    return asyncio.run(limited())


async def _hold(served: Served, answers: Counter[str], connections: int, sent: bytes) -> None:
    async def hold() -> None:
        reader, writer = await asyncio.open_connection(served.host, served.port)
        answer = "closed"
        try:
            writer.write(sent)
            answer = str(await read_status(reader))
        except asyncio.CancelledError:
            answer = "kept"
            raise
        except (OSError, EOFError):
            pass
        finally:
            answers[answer] += 1
            writer.close()

    await asyncio.gather(*(hold() for _ in range(connections)))


async def _send(served: Served, answers: Counter[str], body_of: Callable[[int], bytes]) -> None:
    numbers = iter(range(LARGE_SESSIONS))

    async def client() -> None:
        for number in numbers:
            body = body_of(number)
            try:
                reader, writer = await asyncio.open_connection(served.host, served.port)
                writer.write(head(len(body)) + body)
                answers[str(await read_status(reader))] += 1
                writer.close()
            except (OSError, EOFError):
                answers["closed"] += 1

    await asyncio.gather(*(client() for _ in range(TOGETHER)))
