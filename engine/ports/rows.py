"""Rows: what an import reads from a file, whatever its format."""

from typing import Any, Literal

from msgspec import Struct

Format = Literal["csv", "json", "ndjson", "avro"]

MAX_ROW = 1_048_576  # bytes of a row


class RowFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a file is written. Without `type`, its name or its first bytes decide."""

    type: Format | None = None
    delimiter: str | None = None  # of CSV; by default the one that the header has most of: , ; | or a tab
    header: tuple[str, ...] | None = None  # the names of the columns, where the first line of CSV has none


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
