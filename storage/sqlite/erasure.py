"""Erasure of the documents of forgotten profiles: a scan of every table, some rows at a time.

Indices, links and marks do not lead to every document, so the scan does not rely on them. SQL reads the documents,
without the GIL, and the matching rows are erased by number.
"""

from collections.abc import Iterator

from msgspec import Struct, json

from engine.ports.erasure import DataSubject, Erased, SessionName
from engine.ports.kind import AnyKind
from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.layout import EVENT_LAYOUT, Layout, Layouts
from storage.sqlite.reader import Reader
from storage.sqlite.statement import ERASE_KEYS, ERASE_MARKS, ERASE_SESSIONS, Row, Statement

STRETCH = 5_000  # rows that one statement scans

_SUBJECT = """WITH given (ids, sessions, events, numbers) AS (VALUES (?, ?, ?, ?)),
    ids (id) AS (SELECT value FROM given, json_each(given.ids)),
    visits (name) AS (SELECT json_array(value ->> 0, value ->> 1) FROM given, json_each(given.sessions)),
    gone (name) AS (SELECT json_array(value ->> 0, value ->> 1, value ->> 2) FROM given, json_each(given.events)),
    numbers (seq) AS (SELECT value FROM given, json_each(given.numbers))
"""
_OF_PROFILE = "doc ->> '$.profile' IN (SELECT id FROM ids)"

POINTING = """
WITH RECURSIVE led (id) AS (
    SELECT value FROM json_each(?) UNION SELECT profiles.id FROM led JOIN profiles ON profiles.merged_into = led.id
)
SELECT id FROM led
"""


class Gone(Struct, frozen=True):
    """The events to be erased: their numbers; their sources, ids and times."""

    numbers: list[int] = []
    names: list[Row] = []


class Table(Struct, frozen=True):
    """A table to scan by its ascending `number`: the condition of the rows to erase, and the statements to erase them.

    A number may be used again once its row is erased: `identity` lists the columns that identify a row beside it, so
    that no other row is erased.
    """

    kind: str  # of `Erased`
    name: str
    number: str
    condition: str
    identity: str  # starts with the columns that the statements take
    statements: tuple[Statement, ...]

    def rows(self, reader: Reader, subject: DataSubject, gone: Gone, after: int, last: int) -> list[Row]:
        """The rows to erase with numbers from `after` (exclusive) to `last`."""
        sql = f"""{_SUBJECT} SELECT {self.identity} FROM {self.name}
            WHERE {self.number} > ? AND {self.number} <= ? AND ({self.condition})"""  # noqa: S608 - words of ours
        return reader.rows(sql, *_given(subject, gone), after, last)

    def found(self, rows: list[Row]) -> "FoundRows":
        """These rows, to be erased."""
        erasing = [(each, row[: len(each.columns)]) for row in rows for each in self.statements]
        return FoundRows(_change(erasing), Erased(**{self.kind: len(rows)}))


SESSIONS = Table("sessions", "sessions", "rowid", _OF_PROFILE, "source, id, doc ->> '$.profile'", (ERASE_SESSIONS,))
MARKS = Table(
    "marks",
    "marks",
    "seq",
    """profile IN (SELECT id FROM ids) OR stored IN (SELECT seq FROM numbers)
        OR profile IS NULL AND json_array(source, session) IN (SELECT name FROM visits)""",
    "seq, event, source",
    (ERASE_MARKS,),
)
KEYS = """
SELECT key, id FROM keys WHERE key > ? AND (? IS NULL OR key <= ?) AND id IN (SELECT value FROM json_each(?))
"""
NEXT_KEY = "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?"
SESSIONS_OF = f"""{_SUBJECT} SELECT source, id FROM sessions WHERE rowid > ? AND rowid <= ? AND {_OF_PROFILE}"""  # noqa: S608


def table_of(layout: Layout) -> Table:
    """The table to scan for the records of a kind."""
    condition = _condition(layout.kind)
    return Table(layout.name, layout.name, layout.number, condition, layout.identity, layout.erasing)


def _condition(kind: AnyKind) -> str:
    """The SQL condition for the records to erase: the same rule as `engine.ports.erasure.belongs`."""
    owners, parts = kind.owners, []
    visit = f"json_array(doc ->> '$.source', {_read(kind, owners.session)}) IN (SELECT name FROM visits)"  # noqa: S608
    profile = f"{_read(kind, owners.profile)} IN (SELECT id FROM ids)"  # noqa: S608 - words of ours
    if owners.profile is not None and owners.session is not None and not owners.named:
        parts.append(f"CASE WHEN {_read(kind, owners.profile)} IS NULL THEN {visit} ELSE {profile} END")
    else:
        parts += [profile] if owners.profile is not None else []
        parts += [visit] if owners.session is not None else []
    if kind.event is not None:
        name = f"doc ->> '$.source', {_read(kind, kind.event)}, {_read(kind, kind.time)}"
        parts.append(f"json_array({name}) IN (SELECT name FROM gone)")  # noqa: S608
    if owners.others is not None:
        each = f"json_each(doc, '$.{kind.stored_name(owners.others)}')"
        parts.append(f"EXISTS (SELECT 1 FROM {each} WHERE value IN (SELECT id FROM ids))")  # noqa: S608 - words of ours
    return " OR ".join(parts) or "0"


def _read(kind: AnyKind, field: str | None) -> str:
    """The value of a field in a document."""
    return "NULL" if field is None else f"doc ->> '$.{kind.stored_name(field)}'"


class FoundRows(Struct, frozen=True):
    """A change that erases the rows found, and how many documents of each kind they are."""

    change: Change
    erased: Erased


def with_tombstones(reader: Reader, ids: frozenset[str]) -> frozenset[str]:
    """The ids, and the ids of all tombstones that lead to one of them."""
    return frozenset(str(id) for (id,) in reader.rows(POINTING, _json(sorted(ids))))


def sessions(reader: Reader, ids: frozenset[str]) -> Iterator[list[SessionName]]:
    """Yield the sessions of profiles as they are found. Each step takes a limited time."""
    given = _given(DataSubject(ids), Gone())
    for stretch in _stretches(reader, "sessions", "rowid"):
        yield [(str(source), str(id)) for source, id in reader.rows(SESSIONS_OF, *given, *stretch)]


def found(reader: Reader, layouts: Layouts, subject: DataSubject) -> Iterator[FoundRows]:
    """Yield all rows to erase, table by table, as they are found. Each step takes a limited time.

    Events come last: if the erasure is interrupted, the next one finds the remaining rows by them.
    """
    events_table = table_of(EVENT_LAYOUT)
    others = [table_of(layout) for layout in layouts.records.values()]
    yield from _keys(reader, _json(sorted(subject.ids)))
    events: list[Row] = []
    for rows in _table(reader, events_table, subject, Gone()):
        events += rows
        yield FoundRows(Change(), Erased())
    gone = Gone([int(row[0]) for row in events], [row[1:] for row in events])
    for table in (SESSIONS, MARKS, *others):
        for rows in _table(reader, table, subject, gone):
            yield table.found(rows)
    for start in range(0, len(events), STRETCH):
        yield events_table.found(events[start : start + STRETCH])


def _table(reader: Reader, table: Table, subject: DataSubject, gone: Gone) -> Iterator[list[Row]]:
    for after, last in _stretches(reader, table.name, table.number):
        yield table.rows(reader, subject, gone, after, last)


def _stretches(reader: Reader, name: str, number: str) -> Iterator[tuple[int, int]]:
    """Yield the bounds of stretches of a table's rows: the number before the first one, and the last number."""
    bounds = reader.row(f"SELECT min({number}), max({number}) FROM {name}")  # noqa: S608 - words of ours
    first, last = bounds if bounds is not None and bounds[0] is not None else (1, 0)
    for after in range(first - 1, last, STRETCH):
        yield after, min(after + STRETCH, last)


def _keys(reader: Reader, ids: str) -> Iterator[FoundRows]:
    """Yield the keys that lead to these ids: they have no numbers, so they are scanned in their own order."""
    after: str | None = ""  # no key is empty
    while after is not None:
        end = reader.row(NEXT_KEY, after, STRETCH - 1)
        last = None if end is None else end[0]
        keys: list[Row] = reader.rows(KEYS, after, last, last, ids)
        yield FoundRows(_change([(ERASE_KEYS, key) for key in keys]), Erased(keys=len(keys)))
        after = last


def _change(rows: list[tuple[Statement, Row]]) -> Change:
    return Change(rows=rows, bytes=ROW_BYTES * len(rows))


def _given(subject: DataSubject, gone: Gone) -> tuple[str, ...]:
    return tuple([_json(each) for each in (sorted(subject.ids), sorted(subject.sessions), gone.names, gone.numbers)])


def _json(value: object) -> str:
    return json.encode(value).decode()
