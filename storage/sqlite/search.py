"""Searching: documents are looked at from the newest to the oldest, a few at a time.

SQL leaves out what cannot match, without Python's lock; `engine.search` decides on the rest. A page looks at a limited
number of documents, then it ends, short, with a cursor behind the last that was looked at. Where an index leads to what
a query asks for, only that is looked at.
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

AT_ONCE = 200  # documents that Python looks at before it lets others have its lock
STRETCH = 5_000  # rows that one statement goes through
MAX_LOOKED = 200_000  # rows for one page
MAX_READ = 10_000  # documents for one page that SQL could not leave out
MAX_BYTES = 16 * 1024 * 1024  # of a page

_PLACEHOLDER = re.compile(r"{(\w+)}")


class Table(Struct, frozen=True):
    """Where documents of a kind are. `number` counts them as they come.

    `indexed` says for which fields together there is an index, and how it is asked for their values.
    """

    name: str
    number: str
    decode: Decode[Struct]
    indexed: tuple[str, ...] = ()
    only: str = "1"


PROFILE_TABLE = Table("profiles", "rowid", decode_profile, ("id IN ({id})",), "merged_into IS NULL")
SESSION_TABLE = Table("sessions", "rowid", decode_session, ("source IN ({source}) AND id IN ({id})",))


def tables_of(layouts: Layouts) -> dict[str, Table]:
    """Where to look for all that can be searched, by name."""
    records = [
        Table(layout.name, layout.number, layout.decode, layout.indexed)
        for layout in layouts.by_name.values()
        if layout.kind.search is not None
    ]
    return {table.name: table for table in (PROFILE_TABLE, SESSION_TABLE, *records)}


class Paging:
    """The way to one page. `step` goes on until it says that the page is done; each step is a transaction of its own.

    Raises `BadCursor`.
    """

    def __init__(self, table: Table, query: Query, limit: int, after: str | None) -> None:
        self._query = query
        self._limit = limit
        self._table = table
        self._place: int | None = None  # what is numbered from here on has been looked at
        if after is not None:
            (place,) = read_cursor(after, query.searchable.name, int)
            self._place = int(place)
        self._least = 0
        self._found: list[tuple[int, Struct]] = []
        self._more = False
        self._looked = self._read = self._bytes = 0
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

    def step(self, reader: Reader) -> bool:
        """Look at some more documents; False when the page is done."""
        if self._place is None or self._least == 0:
            least, last = self._ends(reader)
            self._least = least
            self._place = last + 1 if self._place is None else min(self._place, last + 1)
        below = self._least if self._indexed else max(self._place - STRETCH, self._least)
        rows = reader.rows(self._sql, self._place, below, *self._values, AT_ONCE)
        self._read += len(rows)
        for number, doc in rows:
            document = reader.decoded(self._table.decode, (doc,))
            if matches(self._query, document) and not self._take(number, document, len(doc)):
                return False
        passed = below if len(rows) < AT_ONCE else rows[-1][0]
        self._looked += 0 if self._indexed else self._place - passed
        self._place = passed
        return passed > self._least and self._looked < MAX_LOOKED and self._read < MAX_READ

    def page(self) -> Page:
        """What was found."""
        place = self._found[-1][0] if self._more else self._place
        end = place is None or place <= self._least
        items = tuple(document for _, document in self._found)
        return Page(items, None if end or place is None else write_cursor(self._query.searchable.name, place))

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
            self._reader = Reader(path, busy_ms)
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
        while paging.step(self._reader):
            pass
        return paging.page()

    async def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def _indexed(node: Node, table: Table) -> Condition:
    """What an index says of the query: "" when none does."""
    asked: dict[str, tuple[str, ...]] = {}
    for one in required(node):
        if one.field is not None:
            asked.setdefault(one.field.name, one.texts)
    for sql in table.indexed:
        names = _PLACEHOLDER.findall(sql)
        if asked.keys() >= set(names):
            values = tuple(text for name in names for text in asked[name])
            return _PLACEHOLDER.sub(lambda found: ", ".join("?" * len(asked[found[1]])), sql), values
    return "", ()
