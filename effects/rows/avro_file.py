"""The blocks of an Avro object container file: a header with the schema, then blocks of rows, compressed one by one.

The library decompresses a block without bound, so the blocks are read here.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from effects.rows.stream import LARGEST_READ, RowStream
from engine.ports.rows import UnreadableFile

MAGIC: Final = b"Obj\x01"
MARK: Final = 16  # bytes: they end the header and each block
MAX_HEADER: Final = 1 << 20  # bytes
MAX_BLOCK: Final = LARGEST_READ  # bytes, decompressed
CODECS: Final = ("null", "deflate")


class AvroHeader(Struct, frozen=True):
    """The header of a file: its schema as JSON, how its blocks are compressed, and the mark behind each."""

    schema: bytes
    codec: str
    mark: bytes


def read_header(stream: RowStream) -> AvroHeader:
    """Return the header, after which the first block begins. Raises `UnreadableFile`."""
    if stream.read(len(MAGIC)) != MAGIC:
        raise UnreadableFile("the file does not begin as an Avro file does")
    members: dict[bytes, bytes] = {}
    left = MAX_HEADER
    while count := _long(stream):
        if count < 0:  # then the size of this part follows
            _long(stream)
        for _ in range(abs(count)):
            name, value = _bytes(stream, left), _bytes(stream, left)
            members[name] = value
            left -= len(name) + len(value) + 1
    header = AvroHeader(
        schema=members.get(b"avro.schema", b""),
        codec=members.get(b"avro.codec", b"null").decode("utf-8", "replace"),
        mark=_exactly(stream, MARK),
    )
    if header.codec not in CODECS:
        raise UnreadableFile(f"the codec `{header.codec[:40]}` is not read: write the file with `deflate` or `null`")
    return header


def blocks(stream: RowStream, header: AvroHeader) -> Iterator[tuple[int, bytes]]:
    """Return the blocks: of each the number of its rows, and their bytes. Raises `UnreadableFile`."""
    while stream.peek(1):
        count = _long(stream)
        block = _bytes(stream, MAX_BLOCK)
        if _exactly(stream, MARK) != header.mark:
            raise UnreadableFile("a block does not end where it says")
        if header.codec == "deflate":
            block = _inflated(block)
        if count < 0:
            raise UnreadableFile("a block says that it has fewer than no rows")
        yield count, block


def _inflated(block: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=-15)
    try:
        plain = unpacker.decompress(block, MAX_BLOCK + 1)
    except zlib.error as error:
        raise UnreadableFile(f"a block is damaged: {error}") from None
    if len(plain) > MAX_BLOCK:
        raise UnreadableFile(f"a block has more than {MAX_BLOCK} bytes: write the file with smaller ones")
    if not unpacker.eof:
        raise UnreadableFile("a block is damaged: it ends too early")
    return plain


def _bytes(stream: RowStream, most: int) -> bytes:
    size = _long(stream)
    if not 0 <= size <= most:
        raise UnreadableFile(f"a part of the file says that it has {size} bytes: at most {most} are read")
    return _exactly(stream, size)


def _exactly(stream: RowStream, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise UnreadableFile("the file ends too early")
    return found


def _long(stream: RowStream) -> int:
    """Return the next whole number: seven bits a byte, the lowest first; the lowest of all is its sign."""
    number = 0
    for shift in range(0, 64, 7):
        byte = _exactly(stream, 1)[0]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
    raise UnreadableFile("a number of the file has more than 64 bits")
