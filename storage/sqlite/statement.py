"""Statements that take many rows at once and count the rows that had an effect.

A whole batch runs in one call of SQLite, which releases the GIL: `executemany` would acquire it again for every row,
and wait for the event loop each time.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

from msgspec import Struct

from engine.ports.store import MovedDocument

Row = tuple[Any, ...]

LARGEST = 256  # rows in one statement


def listed(ids: Iterable[str]) -> str:
    """Return ids as one text for SQL, each in brackets as `hex` returns it: a text in JSON would end at its NUL."""
    return "".join([f"[{id.encode().hex().upper()}]" for id in ids])


class Statement(Struct, frozen=True, eq=False):
    """SQL over `given`, a table of rows; rows of NULLs pad it and must have no effect.

    `moved` is the kind of document that has changed if a row has no effect, and the row's first column is its id; None
    if a row without effect is no conflict.
    """

    name: str
    columns: tuple[str, ...]
    sql: str
    moved: MovedDocument | None = None

    def run(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Run the statement on rows (at most `LARGEST`). Returns how many had an effect."""
        # Sizes are powers of two, so that few texts are prepared.
        size = 1 << (len(rows) - 1).bit_length()
        values = list(chain.from_iterable(rows))
        values.extend([None] * (len(self.columns) * (size - len(rows))))
        before = connection.total_changes
        counted = connection.execute(_text(self, size), values).fetchone()
        return int(counted[0]) if counted is not None else connection.total_changes - before


@cache
def _text(statement: Statement, size: int) -> str:
    row = "(" + ", ".join("?" * len(statement.columns)) + ")"
    return f"WITH given ({', '.join(statement.columns)}) AS (VALUES {', '.join([row] * size)}) {statement.sql}"


EVENT = Statement(
    "event",
    ("seq", "id", "profile", "previous", "doc"),
    """INSERT INTO events (seq, id, previous, doc)
    SELECT seq, id, coalesce(previous, (SELECT newest FROM profiles WHERE profiles.id = given.profile)),
        CAST(doc AS TEXT)
    FROM given WHERE seq IS NOT NULL""",
)
NEW_PROFILE = Statement(
    "new profile",
    ("id", "version", "merged_into", "due", "doc", "newest"),
    """INSERT INTO profiles (id, version, merged_into, due, newest, doc)
    SELECT id, version, merged_into, due, newest, CAST(doc AS TEXT) FROM given WHERE id IS NOT NULL
    ON CONFLICT (id) DO NOTHING""",
    moved="profile",
)
PROFILE = Statement(
    "profile",
    ("id", "version", "merged_into", "doc", "expected", "newest"),
    """UPDATE profiles SET version = given.version, merged_into = given.merged_into, doc = CAST(given.doc AS TEXT),
        newest = coalesce(given.newest, profiles.newest)
    FROM given WHERE profiles.id = given.id AND profiles.version = given.expected""",
    moved="profile",
)
DUE = Statement(
    "due",
    ("id", "due"),
    "UPDATE profiles SET due = given.due FROM given WHERE profiles.id = given.id AND profiles.due IS NOT given.due",
)
NEWEST = Statement(
    "newest",
    ("id", "newest"),
    "UPDATE profiles SET newest = given.newest FROM given WHERE profiles.id = given.id",
)
NEW_SESSION = Statement(
    "new session",
    ("id", "source", "version", "doc"),
    """INSERT INTO sessions (id, source, version, doc)
    SELECT id, source, version, CAST(doc AS TEXT) FROM given WHERE id IS NOT NULL
    ON CONFLICT (source, id) DO NOTHING""",
    moved="session",
)
SESSION = Statement(
    "session",
    ("id", "source", "version", "expected", "doc"),
    """UPDATE sessions SET version = given.version, doc = CAST(given.doc AS TEXT) FROM given
    WHERE sessions.source = given.source AND sessions.id = given.id AND sessions.version = given.expected""",
    moved="session",
)
SESSION_READ = Statement(
    "session read",
    ("id", "source", "version"),
    """SELECT count(*) FROM given
    LEFT JOIN sessions ON sessions.source = given.source AND sessions.id = given.id
    WHERE given.id IS NOT NULL AND coalesce(sessions.version, 0) = given.version""",
    moved="session",
)
# `over` is a list of ids as `listed` writes it. Where several rows put one key to one id, each must allow the holder.
KEY = Statement(
    "key",
    ("key", "id", "over"),
    """INSERT INTO keys (key, id) SELECT key, id FROM given WHERE key IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET id = excluded.id
    WHERE keys.id = excluded.id OR NOT EXISTS (
        SELECT 1 FROM given WHERE given.key = excluded.key AND given.id = excluded.id
        AND NOT instr(given.over, '[' || hex(keys.id) || ']')
    )""",
    moved="key",
)
LEFT_KEY = Statement(
    "left key",
    ("key", "id", "over"),
    """UPDATE keys SET id = given.id FROM given
    WHERE keys.key = given.key AND instr(given.over, '[' || hex(keys.id) || ']')""",
)
MARK = Statement(
    "mark",
    ("event", "source", "at", "session", "profile", "stored"),
    # `max(seq)` is computed once for all rows, so each row adds its own number.
    """INSERT INTO marks (seq, event, source, at, session, profile, stored)
    SELECT (SELECT coalesce(max(seq), 0) FROM marks) + row_number() OVER (), event, source, at, session, profile, stored
    FROM given WHERE event IS NOT NULL
    ON CONFLICT (event, source) DO UPDATE SET seq = excluded.seq, at = excluded.at, session = excluded.session,
        profile = excluded.profile, stored = excluded.stored
    WHERE marks.at IS NULL""",
    moved="mark",
)
FORGET = Statement(
    "forget",
    ("seq",),
    """UPDATE marks SET at = NULL, session = NULL, profile = NULL FROM given
    WHERE marks.seq = given.seq AND marks.stored IS NOT NULL""",
)
DROP_MARK = Statement(
    "drop mark", ("seq",), "DELETE FROM marks WHERE seq IN (SELECT seq FROM given) AND stored IS NULL"
)
DROP_POINTER = Statement(
    "drop pointer", ("seq",), "DELETE FROM marks WHERE seq IN (SELECT seq FROM given) AND at IS NULL"
)
DROP_EVENTS = Statement("drop events", ("last",), "DELETE FROM events WHERE seq <= (SELECT max(last) FROM given)")
DROPPED = Statement(
    "dropped",
    ("last",),
    """INSERT INTO meta (name, value) SELECT 'dropped', max(last) FROM given WHERE true
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)""",
)
DROP_GAPS = Statement("drop gaps", ("last",), "DELETE FROM gaps WHERE seq <= (SELECT max(last) FROM given)")
REMOVE = Statement(
    "remove",
    ("id", "version"),
    "DELETE FROM profiles WHERE (id, version) IN (SELECT id, version FROM given)",
    moved="profile",
)
ERASE_SESSIONS = Statement(
    "erase sessions",
    ("source", "id", "profile"),
    """DELETE FROM sessions WHERE (source, id) IN (SELECT source, id FROM given)
    AND doc ->> '$.profile' IN (SELECT profile FROM given)""",
)
GAP = Statement("gap", ("seq",), "INSERT OR IGNORE INTO gaps (seq) SELECT seq FROM given WHERE seq IS NOT NULL")
ERASE_EVENTS = Statement("erase events", ("seq",), "DELETE FROM events WHERE seq IN (SELECT seq FROM given)")
ERASE_MARKS = Statement(
    "erase marks",
    ("seq", "event", "source"),
    """DELETE FROM marks WHERE seq IN (SELECT seq FROM given)
    AND (event, source) IN (SELECT event, source FROM given)""",
)
ERASE_KEYS = Statement("erase keys", ("key", "id"), "DELETE FROM keys WHERE (key, id) IN (SELECT key, id FROM given)")
FLOW = Statement(
    "flow",
    ("version", "name", "text"),
    "INSERT OR IGNORE INTO flow_versions (version, name, text) SELECT * FROM given WHERE version IS NOT NULL",
)
META = Statement(
    "meta",
    ("name", "value"),
    "INSERT OR REPLACE INTO meta (name, value) SELECT name, value FROM given WHERE name IS NOT NULL",
)
NEW_NOTE = Statement(
    "new note",
    ("name", "value"),
    """INSERT INTO meta (name, value) SELECT name, value FROM given WHERE name IS NOT NULL
    ON CONFLICT (name) DO NOTHING""",
    moved="note",
)
REPLACE_NOTE = Statement(
    "replace note",
    ("name", "value", "expected"),
    """UPDATE meta SET value = given.value FROM given
    WHERE meta.name = given.name AND meta.value = given.expected""",
    moved="note",
)

# Events come first: they link to the event that `profiles.newest` was before. Session reads come last: they must still
# be valid after the writes of the whole batch, since a unit whose reads another unit of the batch changes must run
# again. The statements of record kinds (`layout.py`) are in between, in any order: if all of them have their effect,
# the units have it in some order.
FIRST = (EVENT, NEW_PROFILE, PROFILE, DUE, NEWEST, NEW_SESSION, SESSION, KEY, LEFT_KEY, MARK)
LAST = (
    FLOW, FORGET, DROP_MARK, DROP_POINTER, DROP_EVENTS, DROPPED, DROP_GAPS, REMOVE, ERASE_SESSIONS, ERASE_EVENTS, GAP,
    ERASE_MARKS, ERASE_KEYS, META, NEW_NOTE, REPLACE_NOTE, SESSION_READ,
)  # fmt: skip
_PLACES = {statement: place for place, statement in enumerate((*FIRST, None, *LAST)) if statement is not None}


def in_order(statements: Iterable[Statement]) -> list[Statement]:
    """Sort statements into the order in which they must run."""
    return sorted(statements, key=lambda statement: _PLACES.get(statement, len(FIRST)))
