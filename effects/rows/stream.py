"""The bytes of a file while it is read: counted and hashed as they are, and decompressed where they are gzip."""

import hashlib
import zlib
from typing import Final, Protocol

from engine.ports.rows import UnreadableFile

BLOCK: Final = 65_536  # bytes
GZIP: Final = b"\x1f\x8b"
LARGEST_READ: Final = 8 << 20  # bytes at once: some formats say in the file how long a part of it is


class Readable(Protocol):
    """Anything that bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end only."""


class RowStream:
    """Reads a file from its beginning to its end, once. `size` bytes of it have been read so far."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._unpacker: zlib._Decompress | None = None
        self._packed = b""
        self._buffer = b""
        self._ended = False
        self.size = 0
        first = block = self._block()
        while len(first) < len(GZIP) and block:
            block = self._block()
            first += block
        if first[:2] == GZIP:
            self._unpacker, self._packed = zlib.decompressobj(wbits=31), first
        else:
            self._buffer = first

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the bytes read so far, compressed as they may be."""
        return self._hash.hexdigest()

    def peek(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, and leave them to be read. Raises `UnreadableFile`."""
        self._fill(size)
        return self._buffer[:size]

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end only. Raises `UnreadableFile`."""
        if not 0 <= size <= LARGEST_READ:
            raise UnreadableFile(f"a part of the file says that it has {size} bytes: at most {LARGEST_READ} are read")
        self._fill(size)
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def line(self, longest: int) -> bytes:
        """Return the next line with its end, or `longest` bytes of it; empty at the end. Raises `UnreadableFile`."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched, longest)) < 0:
            searched = len(self._buffer)
            if searched >= longest or not self._more():
                end = min(len(self._buffer), longest) - 1
                break
        found, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
        return found

    def drain(self) -> None:
        """Read all that is left, for the digest. Nothing of it is decompressed."""
        self._unpacker, self._packed, self._buffer = None, b"", b""
        while self._block():
            pass

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size and self._more():
            pass

    def _more(self) -> bool:
        """Add a block to the buffer; returns False at the end."""
        if self._ended:
            return False
        block = self._block() if self._unpacker is None else self._unpacked()
        self._buffer += block
        self._ended = not block
        return not self._ended

    def _unpacked(self) -> bytes:
        """Return the next decompressed block; empty at the end of the last of several streams."""
        while True:
            packed = self._packed or self._block()
            unpacker = self._unpacker
            if unpacker is None:
                return b""
            if not packed:
                if not unpacker.eof:
                    raise UnreadableFile("the file ends in the middle of its gzip stream")
                return b""
            if unpacker.eof:
                self._unpacker = unpacker = zlib.decompressobj(wbits=31)
            try:
                plain = unpacker.decompress(packed, BLOCK)
            except zlib.error as error:
                raise UnreadableFile(f"the gzip stream is damaged: {error}") from None
            self._packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if plain:
                return plain

    def _block(self) -> bytes:
        block = self._source.read(BLOCK)
        self._hash.update(block)
        self.size += len(block)
        return block
