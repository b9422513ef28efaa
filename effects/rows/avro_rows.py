"""Rows of an Avro object container file. Its schema is in the file; values become plain data.

A file with a damaged block cannot be read from there on.
"""

import base64
import struct
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import msgspec
from fastavro import schemaless_reader

from effects.rows.avro_file import blocks, read_header
from effects.rows.avro_schema import Schema, read_schema
from effects.rows.stream import RowStream
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile

# The library does not check data: these are the errors of its code in a damaged file.
FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
)


def avro_rows(stream: RowStream) -> Iterator[Row | BadRow]:
    """Return the rows; the line of a row is its number. Raises `UnreadableFile`."""
    header = read_header(stream)
    schema = read_schema(header.schema)
    number = 0
    try:
        for count, block in blocks(stream, header):
            for value in _values(schema, count, block):
                number += 1
                yield _row(number, value)
    except UnreadableFile as unreadable:
        raise UnreadableFile(f"behind row {number}: {unreadable}") from None


def _values(schema: Schema, count: int, block: bytes) -> Iterator[Any]:
    """Return the values in a block. The library sees at most two rows of the longest kind at once."""
    seen = memoryview(block)
    rest = BytesIO(seen[: 2 * MAX_ROW])
    for _ in range(count):
        if rest.tell() > MAX_ROW:
            seen = seen[rest.tell() :]
            rest = BytesIO(seen[: 2 * MAX_ROW])
        try:
            value = schemaless_reader(rest, schema, None)
        except FAULTS as error:
            if isinstance(error, EOFError) and len(seen) > 2 * MAX_ROW:
                raise UnreadableFile(f"a row has at most {MAX_ROW} bytes") from None
            raise UnreadableFile(f"a row is damaged: {type(error).__name__}: {error}"[:300]) from None
        yield value
    if rest.tell() < len(seen):
        raise UnreadableFile("a block has more bytes than its rows")


def _row(number: int, value: Any) -> Row | BadRow:
    try:
        plain = _plain(value)
        raw = msgspec.json.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return BadRow(number, number, b"", f"a value cannot be kept: {error}")
    if not isinstance(plain, dict):
        return BadRow(number, number, raw[:MAX_ROW], "a row is a record")
    if len(raw) > MAX_ROW:
        return BadRow(number, number, raw[:MAX_ROW], f"a row has at most {MAX_ROW} bytes as JSON")
    return Row(number, number, raw, plain)


def _plain(value: Any) -> Any:
    """Return a value of Avro as plain data: bytes as base64, decimals as text, times in ISO 8601."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, timedelta):
        return value / timedelta(milliseconds=1)
    if isinstance(value, float) and value - value != 0:
        raise ValueError("a number is not finite")
    return value
