"""Frames: the messages between a process and its script process: four bytes of length, then JSON."""

import asyncio
import struct
from typing import Any, BinaryIO, Final

import msgspec

LONGEST: Final = 4 << 20  # bytes of a frame
_LENGTH: Final = struct.Struct(">I")


class BrokenFrame(Exception):
    """The other side has closed the pipe, or has written something else."""


def frame_of(message: Any) -> bytes:
    """Return the bytes of a message. Raises `BrokenFrame` if it is too long."""
    body = msgspec.json.encode(message)
    if len(body) > LONGEST:
        raise BrokenFrame(f"a message has {len(body)} bytes, and at most {LONGEST} are sent")
    return _LENGTH.pack(len(body)) + body


def read_frame(pipe: BinaryIO) -> Any:
    """Return the next message; waits for it. Raises `BrokenFrame`."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    return _decoded(_exactly(pipe, _checked(length)))


async def next_frame(pipe: asyncio.StreamReader) -> Any:
    """Return the next message. Raises `BrokenFrame`."""
    try:
        (length,) = _LENGTH.unpack(await pipe.readexactly(_LENGTH.size))
        return _decoded(await pipe.readexactly(_checked(length)))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise BrokenFrame("the pipe is closed") from error


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    found = pipe.read(size)
    if len(found) != size:
        raise BrokenFrame("the pipe is closed")
    return found


def _checked(length: int) -> int:
    if length > LONGEST:
        raise BrokenFrame(f"a message says that it has {length} bytes")
    return length


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BrokenFrame("a message is no JSON") from error
