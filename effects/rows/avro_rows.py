"""Rows of an Avro object container file. Its schema is in the file; values become plain data.

A file with a damaged block cannot be read from there on.
"""

import base64
import struct
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from fastavro import reader
from fastavro.schema import SchemaParseException

from effects.rows.stream import RowStream
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile

# The library does not check a file: these are what its code stumbles over in a damaged one.
FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    SchemaParseException,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def avro_rows(stream: RowStream) -> Iterator[Row | BadRow]:
    """Return the rows; the line of a row is its number. Raises `UnreadableFile`."""
    number = 0
    file: Any = stream  # of which the library calls `read` alone
    try:
        for value in reader(file):
            number += 1
            yield _row(number, value)
    except UnreadableFile:
        raise
    except RecursionError:
        raise UnreadableFile(f"the schema or row {number + 1} nests too deep") from None
    except FAULTS as error:
        raise UnreadableFile(f"behind row {number}: {type(error).__name__}: {error}"[:500]) from None


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
