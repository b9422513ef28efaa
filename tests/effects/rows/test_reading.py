"""Rows are read from files of every format, whole and bounded; a bad row takes no other with it."""

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.rows.reading import format_of, read_rows
from effects.rows.stream import LARGEST_READ, RowStream
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile
from engine.project.row_format import Format, RowFormat


class Blocks:
    """A file that is read in blocks of certain sizes."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = sizes or [1 << 30]
        self._at = self._turn = 0

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self._sizes[self._turn % len(self._sizes)])
        self._turn += 1
        self._at += wanted
        return self._data[self._at - wanted : self._at]


def rows(data: bytes, type: Format | None = None, sizes: list[int] | None = None, **more: Any) -> list[Row | BadRow]:
    return [*read_rows(RowStream(Blocks(data, sizes or [])), RowFormat(type=type, **more))]


def values(data: bytes, type: Format | None = None, sizes: list[int] | None = None, **more: Any) -> list[Any]:
    return [row.value if isinstance(row, Row) else row.reason for row in rows(data, type, sizes, **more)]


SIZES = st.lists(st.integers(1, 40), max_size=8)
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), SIZES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_csv_is_read_as_the_library_writes_it(
    table: list[tuple[str, str]], sizes: list[int], end: str, packed: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *table])
    data = text.getvalue().encode()
    assert values(gzip.compress(data) if packed else data, "csv", sizes) == [{"a": a, "b": b} for a, b in table]


OBJECTS = st.lists(
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5) | st.lists(st.booleans()), max_size=3),
    max_size=6,
)


@given(OBJECTS, SIZES, st.sampled_from([None, 1]), st.booleans())
def test_json_is_read_as_the_library_reads_it(
    objects: list[Any], sizes: list[int], indent: int | None, ascii: bool
) -> None:
    data = json.dumps(objects, indent=indent, ensure_ascii=ascii).encode()
    assert values(data, "json", sizes) == objects


@given(OBJECTS, SIZES)
def test_lines_of_json_are_read_one_by_one(objects: list[Any], sizes: list[int]) -> None:
    data = "\n".join(json.dumps(one) for one in objects).encode()
    assert values(data, "ndjson", sizes) == objects


def test_rows_have_their_numbers_and_lines() -> None:
    read = rows(b'a,b\n1,2\n\n"x\ny",3\n4\n5,6', "csv")
    assert [(row.number, row.line) for row in read] == [(1, 2), (2, 4), (3, 6), (4, 7)]
    assert isinstance(read[2], BadRow)
    assert read[2].raw == b"4"
    assert [(row.number, row.line) for row in rows(b'{"a":1}\n\n{"a":2}\n', "ndjson")] == [(1, 1), (2, 3)]


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'a,b\n1,"2\n3,4\n5,6\n', ["a quote is not closed", {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]),
        (b"a,b\n1\n3,4\n", ["the row has 1 cells, and the header 2", {"a": "3", "b": "4"}]),
        (b"a,b\n1,2,3\n3,4\n", ["the row has 3 cells, and the header 2", {"a": "3", "b": "4"}]),
        (b"a,b\n\xff,2\n3,4\n", ["the row is not UTF-8", {"a": "3", "b": "4"}]),
        (b"\xef\xbb\xbfa;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        (b"a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        (b"a\n\n1\n", [{"a": "1"}]),
        (b"a,b\n" + b"x" * (MAX_ROW + 5) + b"\n3,4\n", [f"a row has at most {MAX_ROW} bytes", {"a": "3", "b": "4"}]),
    ],
)
def test_a_bad_row_of_csv_takes_no_other_with_it(data: bytes, read: list[Any]) -> None:
    assert values(data, "csv") == read


def test_lines_without_a_header_have_the_names_that_are_given() -> None:
    assert values(b"1,2\n", "csv", header=("a", "b")) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b'{"a":1}\n{"a":\n{"a":2}', 3),
        (b'{"a":1}\n[1]\n{"a":2}', 3),
        (b'{"a":1}\n{"a":"\xff"}\n{"a":2}', 3),
        (b'{"a":1}\n' + b"[" * 100_000 + b'\n{"a":2}', 3),
        (b'{"a":1}\n{"a":"' + b"x" * MAX_ROW + b'"}\n{"a":2}', 3),
    ],
)
def test_a_bad_line_of_json_takes_no_other_with_it(text: bytes, read: int) -> None:
    found = rows(text, "ndjson")
    assert [isinstance(row, Row) for row in found] == [True, False, True]
    assert len(found) == read


def test_long_numbers_and_half_characters_are_kept_as_the_intake_keeps_them() -> None:
    (row,) = rows(b'{"id": 720182990123456789, "t": "\\ud800"}', "ndjson")
    assert isinstance(row, Row)
    assert row.value == {"id": 720182990123456789, "t": "\ufffd"}


@pytest.mark.parametrize(
    "beginning",
    [b"PK\x03\x04", "a,b".encode("utf-16"), bz2.compress(b"a"), lzma.compress(b"a"), b"PAR1\x15", b"\x28\xb5\x2f\xfd"],
)
def test_a_file_of_another_kind_is_named_as_one(beginning: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"the file is \w+.*: "):
        rows(beginning + b"x" * 20, "csv")


@pytest.mark.parametrize("number", ["NaN", "1e999", "1" * 5_000, '"\t"'])
def test_a_value_that_json_has_not_is_one_bad_row(number: str) -> None:
    one = f'{{"a": {number}}}'
    good = {"b": 1}
    for data in (f'{one}\n{{"b": 1}}', f'[{one}, {{"b": 1}}]'):
        bad, row = rows(data.encode())
        assert isinstance(bad, BadRow)
        assert isinstance(row, Row)
        assert row.value == good


@pytest.mark.parametrize(
    ("data", "type", "good", "reason"),
    [
        (b"", "csv", 0, "the file is empty"),
        (b"a,a\n", "csv", 0, "line 1, the header: two columns are called `a`"),
        (b"a,,b\n", "csv", 0, "line 1, the header: column 2 has no name"),
        (b"a,b\r1,2\r", "csv", 0, "a line ends in CR alone"),
        (b'a,"b\n1,2', "csv", 0, "line 1, the header: a quote is not closed"),
        (b'[{"a":1},{"a":2}', "json", 2, "behind row 2 comes neither `,` nor `]`"),
        (b'[{"a":1},2]', "json", 1, "row 2 is no object"),
        (b'[{"a":1},{"a"', "json", 1, "row 2 is malformed or too long"),
        (b'[{"a":1}] x', "json", 1, "something follows behind the end of the list"),
        (b"[" * 200_000, "json", 0, "row 1 is no object"),
        (b'[{"a":' + b"[" * 200_000, "json", 0, "row 1"),
        (gzip.compress(b'{"a":1}\n' * 50_000)[:-20], "ndjson", 1, "the file ends in the middle of its gzip stream"),
        (gzip.compress(b'{"a":1}\n')[:12] + b"\0" * 20, "ndjson", 0, "the gzip stream is damaged"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where_and_why(data: bytes, type: Format, good: int, reason: str) -> None:
    read: list[Row | BadRow] = []
    with pytest.raises(UnreadableFile) as raised:
        read.extend(read_rows(RowStream(Blocks(data, [])), RowFormat(type=type)))
    assert reason in str(raised.value)
    assert len(read) >= good


def test_quotes_that_are_never_closed_do_not_make_reading_slow() -> None:
    with pytest.raises(UnreadableFile, match="more than 1000 quotes are not closed"):
        rows(b"a\n" + b'"x\n' * 5_000, "csv")


def test_a_part_of_a_file_that_claims_to_be_huge_is_not_read() -> None:
    with pytest.raises(UnreadableFile, match="says that it has"):
        RowStream(Blocks(b"x", [])).read(LARGEST_READ + 1)


class Endless:
    """A file of so many bytes, made while it is read."""

    def __init__(self, piece: bytes, times: int) -> None:
        self._pieces = iter([piece] * times)

    def read(self, size: int, /) -> bytes:
        return next(self._pieces, b"")


@pytest.mark.parametrize(
    ("piece", "type"),
    [
        (b'{"a":"' + b"x" * 900 + b'"}\n', "ndjson"),
        (b'"x",' + b"y" * 900 + b"\n", "csv"),
        (gzip.compress(b'{"a":"' + b"x" * 60_000 + b'"}\n'), "ndjson"),
    ],
)
def test_memory_does_not_grow_with_the_file(piece: bytes, type: Format) -> None:
    def count(read: Iterator[Row | BadRow]) -> int:
        return sum(1 for _ in read)

    tracemalloc.start()
    try:
        stream = RowStream(Endless(piece, 20_000 if len(piece) > 500 else 500))
        assert count(read_rows(stream, RowFormat(type=type, header=("a", "b")))) in (500, 20_000)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_digest_is_that_of_the_file_as_it_is() -> None:
    data = gzip.compress(b'{"a":1}\n') + b""
    stream = RowStream(Blocks(data, [7]))
    assert len([*read_rows(stream, RowFormat())]) == 1
    stream.drain()
    assert (stream.digest, stream.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_gzip_may_have_several_streams() -> None:
    data = gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"a":2}\n')
    assert values(data, "ndjson", [5]) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "beginning", "format"),
    [
        ("x.csv", b"{", "csv"),
        ("x.tsv.gz", b"a", "csv"),
        ("x.jsonl", b"[", "ndjson"),
        ("x.json", b'{"a":1}\n{"a":2}', "ndjson"),
        ("x.json", b'[{"a":1}]', "json"),
        ("x.json", b'{\n "a": 1\n}', "json"),
        ("-", b'{"a":1}', "ndjson"),
        ("-", b"Obj\x01...", "avro"),
        ("-", b"a,b\n1,2", "csv"),
    ],
)
def test_the_name_or_the_first_bytes_say_the_format(name: str, beginning: bytes, format: Format) -> None:
    assert format_of(name, beginning) == format
