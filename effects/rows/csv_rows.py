"""Rows of CSV (RFC 4180): the first line has the names of the columns; a quoted cell may have line breaks.

A row that cannot be read is one bad row, and the reader goes on with the line behind the one where that row began: an
opening quote that is never closed takes no other row with it. It looks ahead for the closing quote, so after
`MAX_UNCLOSED` such rows it stops reading the file.
"""

import csv
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from effects.rows.stream import RowStream
from engine.ports.rows import MAX_ROW, BadRow, Row, UnreadableFile
from engine.project.row_format import RowFormat

DELIMITERS: Final = ",;\t|"
MAX_COLUMNS: Final = 1_000
MAX_UNCLOSED: Final = 1_000
MAX_LINES: Final = 1_000  # of a row
BOM: Final = b"\xef\xbb\xbf"


class _TooLong(Exception):
    """A row has more bytes or lines than one may have."""


class _Lines:
    """The lines of one row after another, for `csv.reader`. `taken` are those of the row that is being read."""

    def __init__(self, stream: RowStream) -> None:
        self._stream = stream
        self._again: list[bytes] = []  # lines that are read again, the next one last
        self.taken: list[bytes] = []
        self.number = 0  # of the line that was read last

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._stream.line(MAX_ROW + 1)
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.number += 1
        if len(line) > MAX_ROW and not line.endswith(b"\n"):
            self._skip_line()
            raise _TooLong(f"a row has at most {MAX_ROW} bytes")
        if len(self.taken) > MAX_LINES or (len(self.taken) > 1 and sum(map(len, self.taken)) > MAX_ROW):
            raise _TooLong(f"a row has at most {MAX_ROW} bytes and {MAX_LINES} lines: a quote may not be closed")
        return line.decode("utf-8", "surrogateescape")

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken = []

    def go_back(self) -> bool:
        """Have all lines of the row but its first read again. Returns whether there were any."""
        behind = self.taken[1:]
        self._again += reversed(behind)
        self.number -= len(behind)
        self.taken = self.taken[:1]
        return bool(behind)

    def _skip_line(self) -> None:
        while (more := self._stream.line(MAX_ROW)) and not more.endswith(b"\n"):
            pass


def csv_rows(stream: RowStream, format: RowFormat) -> Iterator[Row | BadRow]:
    """Return the rows. Raises `UnreadableFile`."""
    if stream.peek(3) == BOM:
        stream.read(3)
    csv.field_size_limit(MAX_ROW)
    lines = _Lines(stream)
    delimiter = format.delimiter or _delimiter_of(stream.peek(MAX_ROW).partition(b"\n")[0])
    columns = list(format.header) if format.header is not None else _header(lines, delimiter)
    _check_columns(columns)
    number = unclosed = 0
    while True:
        lines.begin_row()
        first = lines.number + 1
        reason = ""
        try:
            cells = next(csv.reader(lines, delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except (csv.Error, _TooLong) as error:
            cells, reason = [], _reason(error)
            unclosed += lines.go_back()
        if not reason and not cells:
            continue
        number += 1
        raw = b"".join(lines.taken).rstrip(b"\r\n")
        yield _row(number, first, raw, columns, cells, reason)
        if unclosed > MAX_UNCLOSED:
            raise UnreadableFile(f"line {first}: more than {MAX_UNCLOSED} quotes are not closed: is this CSV?")


def _row(number: int, line: int, raw: bytes, columns: list[str], cells: list[str], reason: str) -> Row | BadRow:
    if not reason and len(cells) != len(columns):
        reason = f"the row has {len(cells)} cells, and the header {len(columns)}"
    if reason:
        return BadRow(number, line, raw, reason)
    value: dict[str, Any] = dict(zip(columns, cells, strict=True))
    try:
        return Row(number, line, msgspec.json.encode(value), value)
    except UnicodeEncodeError:
        return BadRow(number, line, raw, "the row is not UTF-8")


def _header(lines: _Lines, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader(lines, delimiter=delimiter, strict=True))]
    except StopIteration:
        raise UnreadableFile("the file is empty") from None
    except (csv.Error, _TooLong) as error:
        raise UnreadableFile(f"line 1, the header: {_reason(error)}") from None


def _check_columns(columns: list[str]) -> None:
    """Refuse names that rows could not have. Raises `UnreadableFile`."""
    if len(columns) > MAX_COLUMNS:
        raise UnreadableFile(f"line 1, the header: a row has at most {MAX_COLUMNS} columns")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UnreadableFile(f"line 1, the header: two columns are called `{twice[0]}`")
    if "" in columns:
        raise UnreadableFile(f"line 1, the header: column {columns.index('') + 1} has no name")
    if any("\udc80" <= char <= "\udcff" for name in columns for char in name):
        raise UnreadableFile("line 1, the header: it is not UTF-8")


def _delimiter_of(header: bytes) -> str:
    """Return the delimiter that the first line has most of, outside of quotes; the comma if it has none."""
    plain = b"".join(header.split(b'"')[::2]).decode("utf-8", "replace")
    return max(DELIMITERS, key=lambda one: (plain.count(one), -DELIMITERS.index(one)))


def _reason(error: Exception) -> str:
    text = str(error)
    if text.startswith("new-line character"):
        return "a line ends in CR alone: save the file with LF or CRLF"
    return "a quote is not closed" if text == "unexpected end of data" else text
