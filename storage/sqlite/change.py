"""A unit of work as rows, and the writing of the rows of many units together.

The caller's thread encodes the documents, so an encoding error fails only its own unit; the writer thread only gathers
rows, binds them to statements and runs these.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from msgspec import Struct

from engine.ports.records import StoredEvent, Unit
from engine.ports.store import Conflict
from storage.encoding import check_unit, encode
from storage.sqlite.layout import Layouts
from storage.sqlite.statement import (
    DUE,
    EVENT,
    KEY,
    LARGEST,
    LEFT_KEY,
    MARK,
    NEW_PROFILE,
    NEW_SESSION,
    NEWEST,
    PROFILE,
    SESSION,
    SESSION_READ,
    Row,
    Statement,
    in_order,
    listed,
)

ROW_BYTES = 500  # rough cost of a row beside its document, in memory and in the log

LAST = """
SELECT max(
    (SELECT coalesce(max(seq), 0) FROM events),
    (SELECT coalesce(max(seq), 0) FROM gaps),
    coalesce((SELECT value FROM meta WHERE name = 'dropped'), 0)
)
"""

Gathered = dict[Statement, list[Row]]


class EventRow(Struct, frozen=True, gc=False):
    """An event that the writer numbers and links. `marked`: the unit's mark of that id will lead to it."""

    id: str
    source: str
    profile: str | None
    doc: bytes
    marked: bool


class Change(Struct, frozen=True):
    """The rows of one unit. `profiles` and `marks` lack their last column, the number of an event."""

    events: Sequence[EventRow] = ()
    profiles: Sequence[tuple[Statement, Row]] = ()
    marks: Sequence[Row] = ()
    rows: Sequence[tuple[Statement, Row]] = ()
    bytes: int = ROW_BYTES


def change_of(unit: Unit, layouts: Layouts) -> Change:
    """The rows that `unit` writes. Raises `ValueError` for a unit that no store accepts (`check_unit`)."""
    check_unit(unit)
    rows = _rows(unit, layouts)
    profiles: list[tuple[Statement, Row]] = []
    weight = ROW_BYTES * (1 + len(rows) + len(unit.marks))
    for write in unit.profiles:
        profile, expected = write.profile, write.expected
        due = profile.due if profile.merged_into is None else None
        doc = encode(profile)
        weight += len(doc) + ROW_BYTES
        if expected == 0:
            profiles.append((NEW_PROFILE, (profile.id, profile.version, profile.merged_into, due, doc)))
            continue
        profiles.append((PROFILE, (profile.id, profile.version, profile.merged_into, doc, expected)))
        if write.due_moved:
            rows.append((DUE, (profile.id, due)))
    events = _events(unit)
    weight += sum([len(event.doc) + ROW_BYTES for event in events])
    weight += sum([len(row[-1]) for _, row in rows if isinstance(row[-1], bytes)])  # documents come last
    marks = [(mark.event, mark.source, mark.at, mark.session, mark.profile) for mark in unit.marks]
    return Change(events, profiles, marks, rows, weight)


def write(connection: sqlite3.Connection, changes: Iterable[Change], at_once: int = LARGEST) -> None:
    """Write all of `changes`, inside a transaction that the caller starts and ends.

    Raises `Conflict` when any row has no effect; it names the right document only if `at_once` is 1.
    """
    gathered = _gather(connection, changes)
    if at_once > 1 and LEFT_KEY in gathered:
        _require_single_keys(gathered)
    for statement in in_order(gathered):
        rows = gathered[statement]
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            if statement.run(connection, some) != len(some) and statement.moved is not None:
                raise Conflict(statement.moved, some[0][0])


def _require_single_keys(gathered: Gathered) -> None:
    """Raise `Conflict` if a key that is left to an id occurs twice: only one by one do units see what others left."""
    keys = [row[0] for statement in (KEY, LEFT_KEY) for row in gathered.get(statement, ())]
    if len(set(keys)) < len(keys):
        raise Conflict("key", keys[0])


def _rows(unit: Unit, layouts: Layouts) -> list[tuple[Statement, Row]]:
    rows: list[tuple[Statement, Row]] = []
    checked: set[tuple[str, str, int]] = set()  # the writes check these versions themselves
    for session, expected in [(change.session, change.expected) for change in unit.sessions]:
        checked.add((session.id, session.source, expected))
        if expected == 0:
            rows.append((NEW_SESSION, (session.id, session.source, session.version, encode(session))))
        else:
            rows.append((SESSION, (session.id, session.source, session.version, expected, encode(session))))
    reads = [(read.id, read.source, read.version) for read in unit.session_reads]
    rows.extend([(SESSION_READ, read) for read in reads if read not in checked])
    rows.extend([(KEY, (key.key, key.id, listed(key.over))) for key in unit.keys])
    rows.extend([(LEFT_KEY, (key.key, key.id, listed(key.over))) for key in unit.left_keys])
    for layout in layouts.written:
        records = unit.of(layout.kind)
        if records:
            rows.extend(layout.written(records))
    rows.extend([layouts.records[changed.kind.name].changed(changed) for changed in unit.changes])
    return rows


def _events(unit: Unit) -> list[EventRow]:
    if not unit.marks:
        return [EventRow(event.id, event.source, event.profile, encode(event), False) for event in unit.events]
    leading = {(mark.source, mark.event) for mark in unit.marks}
    return [_event(event, leading) for event in unit.events]


def _event(event: StoredEvent, leading: set[tuple[str, str]]) -> EventRow:
    name = (event.source, event.id)
    marked = name in leading
    leading.discard(name)  # a mark leads to one event
    return EventRow(event.id, event.source, event.profile, encode(event), marked)


def _gather(connection: sqlite3.Connection, changes: Iterable[Change]) -> Gathered:
    """The rows by statement; events are numbered in order, and each is linked to the one before of its profile."""
    changes = list(changes)
    gathered: Gathered = {}
    newest: dict[str, int] = {}
    stored: dict[tuple[str, str], int] = {}
    if any(change.events for change in changes):
        gathered[EVENT] = _number(changes, _last(connection), newest, stored)
    for change in changes:
        for statement, row in change.profiles:
            gathered.setdefault(statement, []).append((*row, newest.get(row[0])))
        for statement, row in change.rows:
            gathered.setdefault(statement, []).append(row)
        for row in change.marks:
            gathered.setdefault(MARK, []).append((*row, stored.get(row[:2])))
    if newest:
        written = {row[0] for statement in (NEW_PROFILE, PROFILE) for row in gathered.get(statement, ())}
        others = [(id, seq) for id, seq in newest.items() if id not in written]
        if others:
            gathered[NEWEST] = list(others)
    return gathered


def _number(
    changes: Iterable[Change], seq: int, newest: dict[str, int], stored: dict[tuple[str, str], int]
) -> list[Row]:
    rows: list[Row] = []
    for change in changes:
        for event in change.events:
            seq += 1
            previous = None
            if event.profile is not None:
                previous = newest.get(event.profile)
                newest[event.profile] = seq
            if event.marked:
                stored[event.id, event.source] = seq
            rows.append((seq, None if event.marked else event.id, event.profile, previous, event.doc))
    return rows


def _last(connection: sqlite3.Connection) -> int:
    """The highest number that an event ever had; no other connection can add one during this transaction."""
    return int(connection.execute(LAST).fetchone()[0])
