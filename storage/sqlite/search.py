"""Searching: scan documents from the newest to the oldest, a few at a time.

SQL leaves out documents that cannot match, without the GIL; `engine.search` decides on the others. A page scans a
limited number of rows; then it ends short, with a cursor after the last row scanned. If an index answers a part of the
query, only the rows that it finds are scanned.
"""

import re
import sqlite3
from pathlib import Path

from msgspec import Struct, structs

from engine.ports.kinds import KINDS
from engine.search.match import matches
from engine.search.page import Page, read_cursor, write_cursor
from engine.search.query import Node, Query, required
from engine.search.translation import translate
from storage.encoding import decode_profile, decode_session
from storage.sqlite.condition import Condition, Sql
from storage.sqlite.layout import Layouts
from storage.sqlite.reader import Decode, Reader
from storage.sqlite.schema import APPLICATION, VERSION, UnusableFile
from storage.sqlite.served_file import ServedFile

AT_ONCE = 200  # documents that Python decodes before it releases the GIL
STRETCH = 5_000  # rows that one statement scans
MAX_SCANNED = 200_000  # rows for one page
MAX_READ = 10_000  # documents for one page that SQL does not leave out
MAX_BYTES = 16 * 1024 * 1024  # of a page

_PLACEHOLDER = re.compile(r"{(\w+)}")


class Table(Struct, frozen=True):
    """The table of a kind of documents. `number` is the column that numbers them in the order of arrival.

    Each text of `indexed` is an SQL condition that an index answers; its placeholders name the fields that it needs.
    """

    name: str
    number: str
    decode: Decode[Struct]
    indexed: tuple[str, ...] = ()
    only: str = "1"


PROFILE_TABLE = Table("profiles", "rowid", decode_profile, ("id IN ({id})",), "merged_into IS NULL")
SESSION_TABLE = Table("sessions", "rowid", decode_session, ("source IN ({source}) AND id IN ({id})",))


def tables_of(layouts: Layouts) -> dict[str, Table]:
    """The tables of all searchable kinds, by name."""
    records = [
        Table(layout.name, layout.number, layout.decode, layout.indexed)
        for layout in layouts.by_name.values()
        if layout.kind.search is not None
    ]
    return {table.name: table for table in (PROFILE_TABLE, SESSION_TABLE, *records)}


class Paging:
    """Collects one page. Call `step` until it returns False; each step is a transaction of its own.

    Raises `BadCursor`.
    """

    def __init__(self, table: Table, query: Query, limit: int, after: str | None) -> None:
        self._query = query
        self._limit = limit
        self._table = table
        self._position: int | None = None  # rows numbered from here on have been scanned
        if after is not None:
            (position,) = read_cursor(after, query.searchable.name, int)
            self._position = int(position)
        self._least = 0
        self._found: list[tuple[int, Struct]] = []
        self._more = False
        self._scanned = self._read = self._bytes = 0
        index, values = _indexed(query.node, self._table)
        (condition, more), _ = translate(query.node, Sql(query.searchable))
        self._indexed = bool(index)
        self._values = (*values, *more)
        self._sql = " ".join((
            "SELECT", self._table.number, ", CAST(doc AS BLOB) FROM", self._table.name,
            "WHERE", self._table.number, "< ? AND", self._table.number, ">= ?",
            "AND", self._table.only, "AND", index or "1", "AND", condition,
            "ORDER BY", self._table.number, "DESC LIMIT ?",
        ))  # fmt: skip

    def advance(self, reader: Reader) -> bool:
        """Scan some more documents. Returns False when the page is complete."""
        if self._position is None or self._least == 0:
            least, last = self._ends(reader)
            self._least = least
            self._position = last + 1 if self._position is None else min(self._position, last + 1)
        below = self._least if self._indexed else max(self._position - STRETCH, self._least)
        rows = reader.rows(self._sql, self._position, below, *self._values, AT_ONCE)
        self._read += len(rows)
        for number, doc in rows:
            document = reader.decoded(self._table.decode, (doc,))
            if matches(self._query, document) and not self._take(number, document, len(doc)):
                return False
        passed = below if len(rows) < AT_ONCE else rows[-1][0]
        self._scanned += 0 if self._indexed else self._position - passed
        self._position = passed
        return passed > self._least and self._scanned < MAX_SCANNED and self._read < MAX_READ

    def page(self) -> Page:
        """The page with the documents found so far, and the cursor after them if there may be more."""
        position = self._found[-1][0] if self._more else self._position
        end = position is None or position <= self._least
        items = tuple(document for _, document in self._found)
        return Page(items, None if end or position is None else write_cursor(self._query.searchable.name, position))

    def _take(self, number: int, document: Struct, size: int) -> bool:
        """Put a document on the page, if there is room for it."""
        self._bytes += size
        self._more = len(self._found) == self._limit or (bool(self._found) and self._bytes > MAX_BYTES)
        if not self._more:
            self._found.append((number, document))
        return not self._more

    def _ends(self, reader: Reader) -> tuple[int, int]:
        number, name = self._table.number, self._table.name
        ends = [" ".join(("(SELECT", which, "(", number, ") FROM", name, ")")) for which in ("min", "max")]
        found = reader.row(f"SELECT {', '.join(ends)}")  # both in one would go through the table
        return (0, 0) if found is None or found[0] is None else (int(found[0]), int(found[1]))


class Searcher:
    """Searches a file that another process may be serving, and only reads it. Raises `UnusableFile`."""

    def __init__(self, path: Path, busy_ms: int = 1000) -> None:
        if not path.is_file():
            raise UnusableFile(path, "there is no such file")
        try:
            self._reader = Reader(ServedFile(path), busy_ms)
        except sqlite3.Error as error:
            raise UnusableFile(path, str(error)) from error
        application, version = self._reader.row("PRAGMA application_id"), self._reader.row("PRAGMA user_version")
        if application != (APPLICATION,) or version is None or version[0] > VERSION:
            self._reader.close()
            raise UnusableFile(path, "it is not a store that this version of Headrace knows")
        self._tables = tables_of(Layouts(KINDS))
        if version[0] < VERSION:  # its server is an older one, and some columns are missing
            self._tables = {name: structs.replace(table, indexed=()) for name, table in self._tables.items()}

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """As `engine.ports.store.Store`."""
        table = self._tables[query.searchable.name]
        if self._reader.row("SELECT 1 FROM sqlite_schema WHERE name = ?", table.name) is None:
            return Page()
        paging = Paging(table, query, limit, after)
        while paging.advance(self._reader):
            pass
        return paging.page()

    async def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _indexed(node: Node, table: Table) -> Condition:
    """The condition of the query that an index answers; "" if none does."""
    required_texts: dict[str, tuple[str, ...]] = {}
    for one in required(node):
        if one.field is not None:
            required_texts.setdefault(one.field.name, one.texts)
    for sql in table.indexed:
        names = _PLACEHOLDER.findall(sql)
        if required_texts.keys() >= set(names):
            values = tuple(text for name in names for text in required_texts[name])
            return _PLACEHOLDER.sub(lambda found: ", ".join("?" * len(required_texts[found[1]])), sql), values
    return "", ()
