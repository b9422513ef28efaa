"""Erasing what belongs to profiles that are forgotten: every table is gone through, some rows at a time.

Nothing is trusted to lead to all of it: links and marks are there for what is looked for often. SQL looks into the
documents, without Python's lock, and the rows found are erased by number.
"""

from collections.abc import Iterator

from msgspec import Struct, json

from engine.ports.erasure import DataSubject, Erased, SessionName
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

_WHOSE = """WITH given (ids, sessions, events, numbers) AS (VALUES (?, ?, ?, ?)),
    ids (id) AS (SELECT value FROM given, json_each(given.ids)),
    visits (name) AS (SELECT json_array(value ->> 0, value ->> 1) FROM given, json_each(given.sessions)),
    gone (name) AS (SELECT json_array(value ->> 0, value ->> 1, value ->> 2) FROM given, json_each(given.events)),
    numbers (seq) AS (SELECT value FROM given, json_each(given.numbers))
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


class Gone(Struct, frozen=True):
    """The events that are to go: their numbers; their sources, ids and times."""

    numbers: list[int] = []
    names: list[Row] = []


class Table(Struct, frozen=True):
    """Where to look, by a number that rises; which rows are to go, and what erases them.

    Numbers may be given anew once their rows are gone: `told` are what else a row is known by, so that no other goes.
    """

    kind: str  # of `Erased`
    name: str
    number: str
    condition: str
    told: str  # begins with what the statements take
    statements: tuple[Statement, ...]

    def rows(self, reader: Reader, subject: DataSubject, gone: Gone, after: int, last: int) -> list[Row]:
        """The rows to go whose numbers are in a stretch."""
        sql = f"""{_WHOSE} SELECT {self.told} FROM {self.name}
            WHERE {self.number} > ? AND {self.number} <= ? AND ({self.condition})"""  # noqa: S608 - words of ours
        return reader.rows(sql, *_given(subject, gone), after, last)

    def found(self, rows: list[Row]) -> "Found":
        """These rows, to be erased."""
        erasing = [(each, row[: len(each.columns)]) for row in rows for each in self.statements]
        return Found(_change(erasing), Erased(**{self.kind: len(rows)}))


EVENTS = Table(
    "events",
    "events",
    "seq",
    f"CASE WHEN doc ->> '$.profile' IS NULL THEN {_VISIT.format('doc')} ELSE {_OF_PROFILE} END",
    "seq, doc ->> '$.source', doc ->> '$.id', doc ->> '$.received'",
    (ERASE_EVENTS, GAP),
)
OTHERS = (
    Table("sessions", "sessions", "rowid", _OF_PROFILE, "source, id, doc ->> '$.profile'", (ERASE_SESSIONS,)),
    Table(
        "runs",
        "runs",
        "seq",
        f"""CASE WHEN doc ->> '$.profile' IS NULL THEN {_VISIT.format("doc")} ELSE {_OF_PROFILE} END
            OR json_array(doc ->> '$.source', event, doc ->> '$.at') IN (SELECT name FROM gone) OR {_MET}""",  # noqa: S608 - words of ours
        "seq, id",
        (ERASE_RUNS,),
    ),
    Table(
        "rejected",
        "rejected",
        "seq",
        f"{_OF_PROFILE} OR {_VISIT.format('doc')}",
        "seq, doc ->> '$.id'",
        (ERASE_REJECTED,),
    ),
    Table(
        "marks",
        "marks",
        "seq",
        """profile IN (SELECT id FROM ids) OR stored IN (SELECT seq FROM numbers)
            OR profile IS NULL AND json_array(source, session) IN (SELECT name FROM visits)""",
        "seq, event, source",
        (ERASE_MARKS,),
    ),
    Table("cache", "cache", "rowid", _OF_PROFILE, "key, doc ->> '$.profile'", (ERASE_CACHE,)),
)
KEYS = """
SELECT key, id FROM keys WHERE key > ? AND (? IS NULL OR key <= ?) AND id IN (SELECT value FROM json_each(?))
"""
NEXT_KEY = "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?"
SESSIONS = f"""{_WHOSE} SELECT source, id FROM sessions WHERE rowid > ? AND rowid <= ? AND {_OF_PROFILE}"""  # noqa: S608


class Found(Struct, frozen=True):
    """What was found, and how many documents of which kind that is."""

    change: Change
    erased: Erased


def led(reader: Reader, ids: frozenset[str]) -> frozenset[str]:
    """The ids with all that lead to them."""
    return frozenset(str(id) for (id,) in reader.rows(POINTING, _json(sorted(ids))))


def sessions(reader: Reader, ids: frozenset[str]) -> Iterator[list[SessionName]]:
    """The sessions of profiles, as they are found. Each step takes a limited time."""
    given = _given(DataSubject(ids), Gone())
    for stretch in _stretches(reader, "sessions", "rowid"):
        yield [(str(source), str(id)) for source, id in reader.rows(SESSIONS, *given, *stretch)]


def found(reader: Reader, subject: DataSubject) -> Iterator[Found]:
    """All that is to go, table by table, as it is found. Each step takes a limited time.

    Events go last: what is left where this was broken off is found by them.
    """
    yield from _keys(reader, _json(sorted(subject.ids)))
    events: list[Row] = []
    for rows in _table(reader, EVENTS, subject, Gone()):
        events += rows
        yield Found(Change(), Erased())
    gone = Gone([int(row[0]) for row in events], [row[1:] for row in events])
    for table in OTHERS:
        for rows in _table(reader, table, subject, gone):
            yield table.found(rows)
    for start in range(0, len(events), STRETCH):
        yield EVENTS.found(events[start : start + STRETCH])


def _table(reader: Reader, table: Table, subject: DataSubject, gone: Gone) -> Iterator[list[Row]]:
    for after, last in _stretches(reader, table.name, table.number):
        yield table.rows(reader, subject, gone, after, last)


def _stretches(reader: Reader, name: str, number: str) -> Iterator[tuple[int, int]]:
    """Behind which number a stretch of a table's rows begins, and with which it ends."""
    bounds = reader.row(f"SELECT min({number}), max({number}) FROM {name}")  # noqa: S608 - words of ours
    first, last = bounds if bounds is not None and bounds[0] is not None else (1, 0)
    for after in range(first - 1, last, STRETCH):
        yield after, min(after + STRETCH, last)


def _keys(reader: Reader, ids: str) -> Iterator[Found]:
    """The keys that lead to these ids: they have no numbers, and go in their own order."""
    after: str | None = ""  # no key is empty
    while after is not None:
        end = reader.row(NEXT_KEY, after, STRETCH - 1)
        last = None if end is None else end[0]
        keys: list[Row] = reader.rows(KEYS, after, last, last, ids)
        yield Found(_change([(ERASE_KEYS, key) for key in keys]), Erased(keys=len(keys)))
        after = last


def _change(rows: list[tuple[Statement, Row]]) -> Change:
    return Change(rows=rows, bytes=ROW_BYTES * len(rows))


def _given(subject: DataSubject, gone: Gone) -> tuple[str, ...]:
    return tuple([_json(each) for each in (sorted(subject.ids), sorted(subject.sessions), gone.names, gone.numbers)])


def _json(value: object) -> str:
    return json.encode(value).decode()
