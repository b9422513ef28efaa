"""Rows: what an import reads from a file, whatever its format."""

from typing import Any, Final

from msgspec import Struct

MAX_ROW: Final = 1_048_576  # bytes of a row


class Row(Struct, frozen=True):
    """A row. `number` counts from 1; `line` is the line where it begins, or its number where a file has no lines.

    `raw` is its text, as JSON where the file has another format.
    """

    number: int
    line: int
    raw: bytes
    value: dict[str, Any]


class BadRow(Struct, frozen=True):
    """A row that cannot be read, with the beginning of its text and the reason. It counts as a row."""

    number: int
    line: int
    raw: bytes
    reason: str


class UnreadableFile(Exception):
    """The file cannot be read, or not from here on; the rows before are good. The message says why and where."""
