"""A stream: it sends what a follower reads, until its client has gone, the server stops, or the sender may not read.

It is pulled from the store: the next records are read when the last ones are sent, so it holds no more than one read of
them, and a client that takes them slowly is only late. One that takes nothing for `SLOW_SECONDS` is ended.

Messages
--------
    row    a record, as `show` writes it
    more   more than `most` rows came in a second: how many were left out since the last such message, as a number
    at     the place has moved on: after `QUIET_SECONDS` without another message, so that a connection that is broken
           is noticed, and one that comes again need not read everything again
    end    the stream ends; the data says why: `stopping` (come again at once) or `denied` (log in again)

Each message but `end` has the place behind it as its id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from litestar.types import Receive, Send

from api.live.message import RETRY, message
from api.response_headers import NO_SNIFF
from engine.ports.following import Follower, Row
from engine.ports.store import Unavailable
from engine.ports.world import Clock

READ: Final = 200  # records at a time
POLL_SECONDS: Final = 0.5  # between two reads that find nothing more
AWAY_SECONDS: Final = 2.0  # after the store could not be read
QUIET_SECONDS: Final = 15.0
SLOW_SECONDS: Final = 30.0
MAX_STREAMS: Final = 100  # of a process

log = structlog.get_logger("headrace.live")

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies send each message at once
    NO_SNIFF,
]


class Streams:
    """The streams of one process. `close` ends them all; a server calls it before it waits for running requests."""

    def __init__(self) -> None:
        self.open = 0
        self._stopping: asyncio.Event | None = None  # made on the event loop of the first stream

    @property
    def stopping(self) -> asyncio.Event:
        """It is set when the server stops."""
        if self._stopping is None:
            self._stopping = asyncio.Event()
        return self._stopping

    def close(self) -> None:
        """End all streams, and those that still come."""
        self.stopping.set()


@dataclass
class Stream:
    """One stream. `show` makes the data of a row; `allowed` says from time to time whether the sender may still read.

    `most` is how many rows are sent in a second; None is no limit.
    """

    follower: Follower
    show: Callable[[Row], str]
    allowed: Callable[[], Awaitable[bool]]
    clock: Clock
    report: Callable[[Unavailable], None]
    most: int | None = None
    poll: float = POLL_SECONDS
    quiet: float = QUIET_SECONDS
    slow: float = SLOW_SECONDS
    _last: float = field(default=0, init=False)  # when a message was sent, in ticks
    _second: float = field(default=0, init=False)  # when the second began in which `_rows` were sent
    _rows: int = field(default=0, init=False)
    _left_out: int = field(default=0, init=False)

    async def run(self, streams: Streams, receive: Receive, send: Send) -> None:
        """Answer a request with the stream; return when it has ended."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        tasks = [asyncio.create_task(work) for work in (self._send_all(send), _gone(receive), streams.stopping.wait())]
        sending, gone, _ = tasks
        streams.open += 1
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or (sending.done() and isinstance(sending.exception(), TimeoutError)):
                return  # the connection is closed without an end
            why = str(sending.result()) if sending.done() else "stopping"
        finally:
            streams.open -= 1
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await send({"type": "http.response.body", "body": message("end", why), "more_body": False})

    async def _send_all(self, send: Send) -> str:
        """Send until the sender may not read any longer. Returns why it ended."""
        checked = self._last = self._second = self.clock.ticks()
        await self._send(send, RETRY)
        while True:
            more = await self._send_some(send)
            now = self.clock.ticks()
            if now - checked >= self.quiet:
                checked = now
                if not await self.allowed():
                    return "denied"
            if now - self._last >= self.quiet:
                await self._send(send, message("at", "", self.follower.place))
            if not more:
                await asyncio.sleep(self.poll)

    async def _send_some(self, send: Send) -> bool:
        """Send what one read finds. Returns whether there is more to be read."""
        try:
            found = await self.follower.read(READ)
        except Unavailable as unavailable:
            self.report(unavailable)
            await asyncio.sleep(AWAY_SECONDS)
            return False
        self._left_out += found.left_out
        for row in found.rows:
            if self._has_room():
                await self._send(send, message("row", self.show(row), row.place))
            else:
                self._left_out += 1
        if self._left_out and self.clock.ticks() - self._second >= 1:
            count, self._left_out = self._left_out, 0
            await self._send(send, message("more", str(count), found.place))
        return found.more

    def _has_room(self) -> bool:
        """Whether one more row may be sent in this second; it counts it."""
        if self.most is None:
            return True
        now = self.clock.ticks()
        if now - self._second >= 1 and not self._left_out:
            self._second, self._rows = now, 0
        self._rows += 1
        return self._rows <= self.most

    async def _send(self, send: Send, body: bytes) -> None:
        try:
            async with asyncio.timeout(self.slow):
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            log.info("a stream is ended, its client takes nothing", seconds=self.slow)
            raise
        self._last = self.clock.ticks()


async def _gone(receive: Receive) -> bool:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return True
