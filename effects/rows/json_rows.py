"""Rows of JSON: one object a line, or one list of objects. A malformed line is one bad row; behind a malformed element
of a list nothing can be read."""

import json
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from effects.rows.stream import BLOCK, RowStream
from engine.language.surrogates import without_lone_surrogates
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile

_decode = msgspec.json.Decoder().decode
# It finds where a value ends, and no more: the other decoder says whether the value can be used.
_scan = json.JSONDecoder(parse_int=len, parse_float=len, strict=False).raw_decode
_SPACE: Final = re.compile(r"[ \t\r\n]*")


def ndjson_rows(stream: RowStream) -> Iterator[Row | BadRow]:
    """Return the rows of lines of JSON. Raises `UnreadableFile`."""
    number = line = 0
    while text := stream.line(MAX_ROW + 1):
        line += 1
        whole = len(text) <= MAX_ROW or text.endswith(b"\n")
        while not whole and (more := stream.line(MAX_ROW)):
            whole = more.endswith(b"\n")
        text = (text.removeprefix(b"\xef\xbb\xbf") if line == 1 else text).strip()
        if not text:
            continue
        number += 1
        yield row_of(number, line, text)


def row_of(number: int, line: int, text: bytes) -> Row | BadRow:
    """Return the row of a JSON text."""
    if len(text) > MAX_ROW:
        return BadRow(number, line, text, f"a row has at most {MAX_ROW} bytes")
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = _decode(without_lone_surrogates(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return BadRow(number, line, text, str(error) or "it nests too deep")
    if not isinstance(value, dict):
        return BadRow(number, line, text, "a row is a JSON object")
    return Row(number, line, text, value)


def json_rows(stream: RowStream) -> Iterator[Row | BadRow]:
    """Return the rows of a list of objects, or of one object. The line of a row is its number.

    Raises `UnreadableFile`.
    """
    text = _Text(stream)
    listed = text.skips("[")
    if listed and text.skips("]"):
        return text.end()
    number = 0
    while True:
        number += 1
        yield row_of(number, number, text.value(number).encode("utf-8", "surrogateescape"))
        if not listed:
            return text.end()
        if not text.skips(","):
            if not text.skips("]"):
                raise UnreadableFile(f"behind row {number} comes neither `,` nor `]`")
            return text.end()


class _Text:
    """The text of a JSON document, read value by value."""

    def __init__(self, stream: RowStream) -> None:
        self._stream = stream
        self._bytes = b""
        self._text = ""
        self._at = 0
        self._more()
        self._text = self._text.removeprefix("\ufeff")

    def skips(self, sign: str) -> bool:
        """Return whether this sign comes next, behind white space, which is skipped, too."""
        if self._next() != sign:
            return False
        self._at += 1
        return True

    def value(self, number: int) -> str:
        """Return the text of the next value. Raises `UnreadableFile`."""
        if self._next() != "{":
            raise UnreadableFile(f"row {number} is no object")
        while True:
            try:
                _, end = _scan(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if len(self._text) - self._at <= MAX_ROW and self._more():
                    continue
                raise UnreadableFile(f"row {number} is malformed or too long: {error}") from None
            found, self._at = self._text[self._at : end], end
            return found

    def end(self) -> None:
        """Check that nothing follows. Raises `UnreadableFile`."""
        if self._next():
            raise UnreadableFile("something follows behind the end of the list")

    def _next(self) -> str:
        """Return the next sign that is no white space; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space is not None else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, twice as far while a value is not whole; returns False at the end."""
        block = self._stream.read(max(BLOCK, len(self._text) - self._at))
        known = self._bytes + block
        cut = _whole_characters(known) if block else len(known)
        self._bytes = known[cut:]
        self._text = self._text[self._at :] + known[:cut].decode("utf-8", "surrogateescape")
        self._at = 0
        return bool(block)


def _whole_characters(text: bytes) -> int:
    """Return where the last character of UTF-8 begins that may go on behind the end of `text`."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte >= 0xC0:
            return len(text) - back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else len(text)
        if byte < 0x80:
            return len(text)
    return len(text)
