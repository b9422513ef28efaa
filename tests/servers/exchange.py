"""One request on its way through the fault proxy, and what can be done with it."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Callable

import msgspec

from tests.servers.message import Message, read_answer

HEAD_LIMIT = 1 << 20
"""Bytes of a message's head at most; bodies have no limit."""


class Silent(Exception):
    """The server gave no answer: it is not there, or broke off."""


class Link:
    """A connection to the server, opened when it is needed and kept for the next request."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Message, method: str) -> Message:
        """Return the server's answer. Raises `Silent` if there is none."""
        try:
            return await self._ask(request, method)
        except (OSError, EOFError) as broken:
            raise Silent from broken

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _ask(self, request: Message, method: str) -> Message:
        if self._streams is None or self._streams[0].at_eof():
            await self.close()
            self._streams = await asyncio.open_connection(self.host, self.port, limit=HEAD_LIMIT)
        reader, writer = self._streams
        writer.write(request.head() + request.body)
        await writer.drain()
        return await read_answer(reader, method)


class Exchange:
    """A request, the ways to answer it, and the way on to the server."""

    def __init__(
        self,
        number: int,
        request: Message,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        link: Link,
        note: Callable[["Exchange"], None],
    ) -> None:
        self.number = number
        self.request = request
        self.method, self.target, _ = request.start.split(" ", 2)
        self.path = self.target.partition("?")[0]
        self.items: tuple[int, ...] = ()
        """The places of the items that were refused in a bulk request."""
        self.random = random.Random()
        """Decides by chance; set from the proxy's seed when a fault is chosen."""
        self._reader, self._writer = streams
        self._link = link
        self._note = note

    async def forward(self, request: Message | None = None) -> Message:
        """Let the server do the request, or another in its place, and take its answer."""
        sent = request or self.request
        # without compression, so that bodies can be read here
        plain = msgspec.structs.replace(sent, headers=sent.without("accept-encoding", "connection"))
        return await self._link.ask(plain, self.method)

    async def reply(self, answer: Message) -> None:
        """Send an answer to the client."""
        self._note(self)
        self._writer.write(answer.head() + answer.body)
        await self._writer.drain()

    async def cut(self, answer: Message, share: float) -> None:
        """Send this share of an answer's body (without one: of its head), then close."""
        self._note(self)
        whole, body = answer.head(), answer.body
        part = whole + body[: int(len(body) * share)] if body else whole[: int(len(whole) * share)]
        self._writer.write(part)
        await self._writer.drain()
        self._writer.close()

    def reset(self) -> None:
        """Break the client's connection."""
        self._note(self)
        reset(self._writer)

    async def hold(self) -> None:
        """Give no answer until the client goes away."""
        self._note(self)
        await self._reader.read()
        self._writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that the other side gets a reset and not an orderly end."""
    peer: socket.socket = writer.get_extra_info("socket")
    if peer.fileno() >= 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
