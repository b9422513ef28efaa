"""Rows are read from Avro files as plain data, and hostile files cost no memory and no process."""

import io
import json
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.rows.avro_file import MAX_BLOCK
from effects.rows.reading import read_rows
from effects.rows.stream import RowStream
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile
from engine.project.row_format import RowFormat


def rows(data: bytes) -> list[Row | BadRow]:
    return [*read_rows(RowStream(io.BytesIO(data)), RowFormat())]


def values(data: bytes) -> list[Any]:
    return [row.value if isinstance(row, Row) else row.reason for row in rows(data)]


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFile) as raised:
        rows(data)
    return str(raised.value)


def record(**types: Any) -> dict[str, Any]:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in types.items()]}


def avro(records: list[Any], codec: str = "null", interval: int = 16_000, **types: Any) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, record(**types), records, codec=codec, sync_interval=interval)
    return file.getvalue()


def number(value: int) -> bytes:
    """A whole number of at least 0 as Avro writes it."""
    value *= 2
    written = b""
    while value > 0x7F:
        written += bytes([value & 0x7F | 0x80])
        value >>= 7
    return written + bytes([value])


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def written(schema: Any, block: bytes, count: int, codec: bytes = b"null") -> bytes:
    """A file as a hostile sender makes it."""
    header = number(2) + text(b"avro.schema") + text(json.dumps(schema).encode()) + text(b"avro.codec") + text(codec)
    return b"Obj\x01" + header + number(0) + b"m" * 16 + number(count) + text(block) + b"m" * 16


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_values_of_its_types_become_plain_data(codec: str) -> None:
    data = avro(
        [
            {
                "a": None,
                "b": b"\xff",
                "c": 20_000,
                "d": Decimal("1.25"),
                "e": datetime(2024, 5, 1, tzinfo=UTC),
                "f": 2**62,
            }
        ],
        codec,
        a=["null", "string"],
        b="bytes",
        c={"type": "int", "logicalType": "date"},
        d={"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        e={"type": "long", "logicalType": "timestamp-millis"},
        f="long",
    )
    time = "2024-05-01T00:00:00+00:00"
    assert values(data) == [{"a": None, "b": "/w==", "c": "2024-10-04", "d": "1.25", "e": time, "f": 2**62}]


OBJECTS = st.lists(
    st.fixed_dictionaries({"a": st.integers(-(2**63), 2**63 - 1), "b": st.lists(st.text(max_size=9), max_size=4)}),
    max_size=12,
)


@given(OBJECTS, st.sampled_from(["null", "deflate"]), st.integers(1, 60))
def test_it_is_read_as_the_library_writes_it(objects: list[Any], codec: str, interval: int) -> None:
    data = avro(objects, codec, interval, a="long", b={"type": "array", "items": "string"})
    assert values(data) == objects


def test_a_row_that_is_too_large_or_not_finite_is_one_bad_row() -> None:
    records = [{"a": "x" * MAX_ROW, "b": 1.0}, {"a": "", "b": float("nan")}, {"a": "", "b": 2.0}]
    bad, other, good = rows(avro(records, interval=10_000_000, a="string", b="double"))
    assert isinstance(bad, BadRow)
    assert len(bad.raw) <= MAX_ROW
    assert isinstance(other, BadRow)
    assert isinstance(good, Row)
    assert (good.number, good.value) == (3, {"a": "", "b": 2.0})


def test_rows_behind_the_first_megabytes_of_a_block_are_read() -> None:
    records = [{"a": "x" * 300_000}] * 20
    assert values(avro(records, interval=7_000_000, a="string")) == records


LEAF: dict[str, Any] = {"type": "record", "name": "leaf", "fields": [{"name": "a", "type": "long"}]}
LIST: dict[str, Any] = {"type": "record", "name": "r", "fields": [{"name": "next", "type": ["null", "r"]}]}
DEEP: Any = "long"
for _ in range(40):
    DEEP = {"type": "array", "items": DEEP}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (LIST, "the type `r` of the schema refers to itself"),
        ({**LIST, "fields": [*LIST["fields"], {"name": "l", "type": LEAF}]}, "refers to itself"),
        (record(a={"type": "array", "items": "null"}), "a `null` outside of a union"),
        (record(a={"type": "map", "values": {**LEAF, "fields": []}}), "has no fields"),
        (record(a={"type": "fixed", "name": "f", "size": 0}), "has no size"),
        (record(a=DEEP), "nests too deep"),
        ({**record(a="long"), "__fastavro_parsed__": True, "__named_schemas": {"long": LIST}}, "begins with `__`"),
        (record(a="nothing"), "the schema is malformed"),
        ("long", "not that of records"),
        ([record(a="long")], "not that of records"),
        (None, "the schema is malformed"),
    ],
)
def test_a_schema_that_the_library_must_not_follow_is_refused(schema: Any, reason: str) -> None:
    assert reason in refusal(written(schema, b"\x02" * 1_000_000 + b"\0", 1))


def test_a_type_that_is_used_twice_does_not_refer_to_itself() -> None:
    schema = record(a=LEAF, b={"type": "array", "items": "leaf"})
    assert values(written(schema, b"\x02\x02\x04\0", 1)) == [{"a": {"a": 1}, "b": [{"a": 2}]}]


@pytest.mark.parametrize(
    ("block", "count", "codec", "reason"),
    [
        (b"\x02", 5, b"null", "behind row 1: a row is damaged"),
        (b"\x02\x02", 1, b"null", "behind row 1: a block has more bytes than its rows"),
        (b"\x02", 1 << 40, b"null", "behind row 1: a row is damaged"),
        (b"no", 1, b"deflate", "behind row 0: a block is damaged"),
        (b"", 1, b"snappy", "the codec `snappy` is not read: write the file with `deflate` or `null`"),
    ],
)
def test_a_block_that_is_not_what_it_says_is_refused(block: bytes, count: int, codec: bytes, reason: str) -> None:
    assert reason in refusal(written(record(a="long"), block, count, codec))


def test_a_small_file_does_not_become_a_large_block() -> None:
    data = avro([{"a": b"\0" * 50_000_000}], "deflate", a="bytes")
    assert len(data) < 60_000
    tracemalloc.start()
    try:
        assert f"a block has more than {MAX_BLOCK} bytes" in refusal(data)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_file_that_is_cut_ends_behind_its_last_whole_block() -> None:
    data = avro([{"a": 1}] * 3, interval=1, a="long")
    assert refusal(data[:-4]) == "behind row 2: the file ends too early"
    assert refusal(data[:30]) == "the file ends too early"


@given(st.binary(max_size=300), st.integers(0, 200))
def test_a_damaged_file_fails_as_one(noise: bytes, at: int) -> None:
    whole = avro([{"a": 1, "b": "x", "c": [1]}] * 5, a="long", b="string", c={"type": "array", "items": "long"})
    with suppress(UnreadableFile):
        rows(b"Obj\x01" + whole[4:at] + noise + whole[at:])
