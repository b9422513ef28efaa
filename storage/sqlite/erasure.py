"""Erasing what belongs to profiles that are forgotten: every table is gone through, some rows at a time.

Nothing is trusted to lead to all of it: links and marks are there for what is looked for often. SQL looks into the
documents, without Python's lock, and the rows found are erased by number.
"""

from collections.abc import Iterator

from msgspec import Struct, json

from engine.tracking.erasure import Belongings, Erased
from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.reader import Reader
from storage.sqlite.statement import (
    ERASE_CACHE,
    ERASE_EVENTS,
    ERASE_KEYS,
    ERASE_MARKS,
    ERASE_REJECTED,
    ERASE_RUNS,
    ERASE_SESSIONS,
    GAP,
    Row,
    Statement,
)

STRETCH = 5_000  # rows that one statement goes through

_WHOSE = """WITH given (ids, sessions, events) AS (VALUES (?, ?, ?)),
    ids (id) AS (SELECT value FROM given, json_each(given.ids)),
    visits (name) AS (SELECT json_array(value ->> 0, value ->> 1) FROM given, json_each(given.sessions)),
    gone (id) AS (SELECT value FROM given, json_each(given.events))
"""
_VISIT = "json_array({0} ->> '$.source', {0} ->> '$.session') IN (SELECT name FROM visits)"
_MET = "EXISTS (SELECT 1 FROM json_each(doc, '$.met') WHERE value IN (SELECT id FROM ids))"
_OF_PROFILE = "doc ->> '$.profile' IN (SELECT id FROM ids)"

POINTING = """
WITH RECURSIVE led (id) AS (
    SELECT value FROM json_each(?) UNION SELECT profiles.id FROM led JOIN profiles ON profiles.merged_into = led.id
)
SELECT id FROM led
"""


class Table(Struct, frozen=True):
    """Where to look, by a number that rises; which rows are to go, and what erases them."""

    kind: str  # of `Erased`
    name: str
    number: str
    condition: str
    statements: tuple[Statement, ...]
    told: str = "NULL"  # what else is to be known of a row

    def rows(self, reader: Reader, whose: Belongings, gone: list[str], after: int, last: int) -> list[Row]:
        """The rows to go whose numbers are in a stretch."""
        sql = f"""{_WHOSE} SELECT {self.number}, {self.told} FROM {self.name}
            WHERE {self.number} > ? AND {self.number} <= ? AND ({self.condition})"""  # noqa: S608 - words of ours
        return reader.rows(sql, *_given(whose, gone), after, last)


EVENTS = Table(
    "events",
    "events",
    "seq",
    f"CASE WHEN doc ->> '$.profile' IS NULL THEN {_VISIT.format('doc')} ELSE {_OF_PROFILE} END",
    (ERASE_EVENTS, GAP),
    "doc ->> '$.id'",
)
OTHERS = (
    Table("sessions", "sessions", "rowid", _OF_PROFILE, (ERASE_SESSIONS,)),
    Table(
        "runs",
        "runs",
        "seq",
        f"{_OF_PROFILE} OR event IN (SELECT id FROM gone) OR {_MET}",  # noqa: S608 - words of ours
        (ERASE_RUNS,),
    ),
    Table("rejected", "rejected", "seq", f"{_OF_PROFILE} OR {_VISIT.format('doc')}", (ERASE_REJECTED,)),
    Table(
        "marks",
        "marks",
        "seq",
        """CASE WHEN profile IS NOT NULL THEN profile IN (SELECT id FROM ids)
            ELSE json_array(source, session) IN (SELECT name FROM visits) OR event IN (SELECT id FROM gone) END""",
        (ERASE_MARKS,),
    ),
    Table("cache", "cache", "rowid", _OF_PROFILE, (ERASE_CACHE,)),
)
KEYS = "SELECT key FROM keys WHERE id IN (SELECT value FROM json_each(?))"
SESSIONS = f"{_WHOSE} SELECT source, id FROM sessions WHERE {_OF_PROFILE}"  # noqa: S608 - words of ours


class Found(Struct, frozen=True):
    """What was found, and how many documents of which kind that is."""

    change: Change
    erased: Erased
    events: tuple[str, ...] = ()


def belongings(reader: Reader, ids: frozenset[str]) -> Belongings:
    """The ids with all that lead to them, and their sessions."""
    led = frozenset(str(id) for (id,) in reader.rows(POINTING, _json(sorted(ids))))
    found = Belongings(led)
    sessions = reader.rows(SESSIONS, *_given(found, []))
    return Belongings(led, frozenset((str(source), str(id)) for source, id in sessions))


class Walk:
    """Goes through all tables; `step` gives what was found next, None at the end. Each step takes a limited time."""

    def __init__(self, whose: Belongings) -> None:
        self._whose = whose
        self._gone: list[str] = []  # events that were found
        self._steps: Iterator[Found] | None = None

    def step(self, reader: Reader) -> Found | None:
        """Look on."""
        if self._steps is None:
            self._steps = self._go(reader)
        return next(self._steps, None)

    def _go(self, reader: Reader) -> Iterator[Found]:
        keys: list[Row] = reader.rows(KEYS, _json(sorted(self._whose.ids)))
        yield Found(_change([(ERASE_KEYS, key) for key in keys]), Erased(keys=len(keys)))
        for table in (EVENTS, *OTHERS):
            yield from self._table(reader, table)

    def _table(self, reader: Reader, table: Table) -> Iterator[Found]:
        bounds = reader.row(f"SELECT min({table.number}), max({table.number}) FROM {table.name}")  # noqa: S608
        first, last = bounds if bounds is not None and bounds[0] is not None else (1, 0)
        for after in range(first - 1, last, STRETCH):
            found = table.rows(reader, self._whose, self._gone, after, min(after + STRETCH, last))
            if table is EVENTS:
                self._gone += [str(id) for _, id in found]
            rows = [(statement, (number,)) for number, _ in found for statement in table.statements]
            yield Found(_change(rows), Erased(**{table.kind: len(found)}))


def _change(rows: list[tuple[Statement, Row]]) -> Change:
    return Change(rows=rows, bytes=ROW_BYTES * len(rows))


def _given(whose: Belongings, gone: list[str]) -> tuple[str, str, str]:
    return _json(sorted(whose.ids)), _json(sorted(whose.sessions)), _json(gone)


def _json(value: object) -> str:
    return json.encode(value).decode()
