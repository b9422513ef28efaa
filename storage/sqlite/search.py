"""Searching: documents are looked at from the newest to the oldest, a few at a time.

SQL leaves out what cannot match, without Python's lock; `engine.search` decides on the rest. A page looks at a limited
number of documents, then it ends, short, with a cursor behind the last that was looked at. Where an index leads to what
a query asks for, only that is looked at.
"""

import re
import sqlite3
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.search.field import Field, Kind
from engine.search.match import matches
from engine.search.page import Page, read_cursor, write_cursor
from engine.search.query import AllOf, AnyOf, Begins, Exists, Is, Node, Not, Query, Within, required
from storage.documents import decode_event, decode_profile, decode_rejected, decode_run, decode_session
from storage.sqlite.reader import Decode, Reader
from storage.sqlite.schema import APPLICATION, VERSION, UnusableFile

AT_ONCE = 200  # documents that Python looks at before it lets others have its lock
STRETCH = 5_000  # rows that one statement goes through
MOST_LOOKED = 200_000  # rows for one page
MOST_READ = 10_000  # documents for one page that SQL could not leave out
MOST_BYTES = 16 * 1024 * 1024  # of a page

Condition = tuple[str, tuple[Any, ...]]  # SQL and what is bound in it

ALWAYS: Condition = ("1", ())
NEVER: Condition = ("0", ())

_LINKED = """seq IN (
    WITH RECURSIVE linked (seq) AS (
        SELECT newest FROM profiles WHERE id IN ({profile})
        UNION
        SELECT events.previous FROM linked JOIN events ON events.seq = linked.seq
    )
    SELECT seq FROM linked
)"""
_MARKED = """seq IN (
    SELECT seq FROM events WHERE id IN ({id}) UNION ALL SELECT stored FROM marks WHERE event IN ({id})
)"""
_PLACEHOLDER = re.compile(r"{(\w+)}")
_SAFE = re.compile(r"[A-Za-z0-9_ @-]+")  # these characters stand in a document as they are
_NUMERIC = frozenset("-0123456789")  # what numbers begin with


class Table(Struct, frozen=True):
    """Where documents of a kind are. `number` counts them as they come; `moment` is the JSON path of a field's time.

    `indexed` says for which fields together there is an index, and how it is asked for their values.
    """

    name: str
    number: str
    decode: Decode[Struct]
    moment: tuple[str, str]
    indexed: tuple[str, ...] = ()
    only: str = "1"


TABLES: dict[Kind, Table] = {
    "events": Table("events", "seq", decode_event, ("received", "$.received"), (_MARKED, _LINKED)),
    "profiles": Table(
        "profiles", "rowid", decode_profile, ("metadata.created", "$.created"), ("id IN ({id})",), "merged_into IS NULL"
    ),
    "sessions": Table(
        "sessions", "rowid", decode_session, ("created", "$.created"), ("source IN ({source}) AND id IN ({id})",)
    ),
    "runs": Table("runs", "seq", decode_run, ("at", "$.at"), ("id IN ({id})", "event IN ({event})")),
    "rejected": Table("rejected", "seq", decode_rejected, ("at", "$.at")),
}


class Walk:
    """The way to one page. `step` goes on until it says that the page is done; each step is a transaction of its own.

    Raises `BadCursor`.
    """

    def __init__(self, query: Query, limit: int, after: str | None) -> None:
        self._query = query
        self._limit = limit
        self._table = TABLES[query.kind]
        self._place: int | None = None  # what is numbered from here on has been looked at
        if after is not None:
            (place,) = read_cursor(after, query.kind, int)
            self._place = int(place)
        self._least = 0
        self._found: list[tuple[int, Struct]] = []
        self._more = False
        self._looked = self._read = self._bytes = 0
        index, values = _indexed(query.node, self._table)
        condition, more = _possible(query.node, query.kind)
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
        return passed > self._least and self._looked < MOST_LOOKED and self._read < MOST_READ

    def page(self) -> Page:
        """What was found."""
        place = self._found[-1][0] if self._more else self._place
        end = place is None or place <= self._least
        items = tuple(document for _, document in self._found)
        return Page(items, None if end or place is None else write_cursor(self._query.kind, place))

    def _take(self, number: int, document: Struct, size: int) -> bool:
        """Put a document on the page, if there is room for it."""
        self._bytes += size
        self._more = len(self._found) == self._limit or (bool(self._found) and self._bytes > MOST_BYTES)
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

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """As `engine.tracking.ports.Store`."""
        walk = Walk(query, limit, after)
        while walk.step(self._reader):
            pass
        return walk.page()

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


def _possible(node: Node, kind: Kind) -> Condition:
    """What holds for every document that matches."""
    match node:
        case AllOf(parts=parts):
            return _joined(" AND ", [_possible(part, kind) for part in parts], ALWAYS)
        case AnyOf(parts=parts):
            return _joined(" OR ", [_possible(part, kind) for part in parts], NEVER)
        case Not(part=part):
            return _not(_certain(part, kind))
        case Is(texts=texts):
            return _joined(" OR ", [_contains(text, kind) for text in texts], NEVER)
        case Begins(text=text):
            return _contains(text, kind)
        case Within(field=field):
            return _within(node, kind) or _named(field)
        case Exists(field=field):
            return _named(field)
    return ALWAYS


def _certain(node: Node, kind: Kind) -> Condition:
    """What holds for no document but those that match."""
    match node:
        case AllOf(parts=parts):
            return _joined(" AND ", [_certain(part, kind) for part in parts], ALWAYS)
        case AnyOf(parts=parts):
            return _joined(" OR ", [_certain(part, kind) for part in parts], NEVER)
        case Not(part=part):
            return _not(_possible(part, kind))
        case Within():
            return _within(node, kind) or NEVER
    return NEVER


def _contains(text: str, kind: Kind) -> Condition:
    """The document has a value in which `text` is. Of counters only the parts are written, not what they come to."""
    if kind == "profiles" and text[:1] in _NUMERIC:
        return ALWAYS
    return _written(text)


def _named(field: Field) -> Condition:
    """The document has the name of a free field. What a field of its own is called need not be written."""
    return _written(field.path) if field.type == "free" else ALWAYS


def _written(text: str) -> Condition:
    """The document has the longest part of `text` that is written as it is, whatever stands around it."""
    part = max(_SAFE.findall(text), key=len, default="")
    return ("instr(doc, ?) > 0", (part,)) if part else ALWAYS


def _within(node: Within, kind: Kind) -> Condition | None:
    """The time by which a kind is ordered is read in SQL; None for any other field."""
    name, path = TABLES[kind].moment
    if node.field != Field(*_split(name), "moment"):
        return None
    bounds = [(node.low, ">" if node.over else ">="), (node.high, "<" if node.under else "<=")]
    return _joined(
        " AND ", [(f"doc ->> '{path}' {sign} ?", (bound,)) for bound, sign in bounds if bound is not None], ALWAYS
    )


def _split(name: str) -> tuple[str, str]:
    root, _, path = name.partition(".")
    return root, path


def _not(condition: Condition) -> Condition:
    return f"NOT {condition[0]}", condition[1]


def _joined(word: str, conditions: list[Condition], without: Condition) -> Condition:
    if not conditions:
        return without
    sql = f"({word.join(sql for sql, _ in conditions)})"
    return sql, tuple(value for _, values in conditions for value in values)
