"""Combining: several units of one profile, which change it one after another, as one unit."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import structs

from engine.ports.records import (
    MEMBERS,
    ProfileWrite,
    RecordDelete,
    RecordWrite,
    SessionRead,
    SessionWrite,
    Unit,
)
from engine.ports.store import Conflict


def combine_units(units: Sequence[Unit]) -> Unit:
    """Return one unit that writes the same as `units` in their order, each of which rests on the one before it.

    Raises `Conflict` if two of them read different versions of one session, since one of these is outdated.
    """
    if len(units) == 1:
        return units[0]
    profiles: dict[str, ProfileWrite] = {}
    sessions: dict[tuple[str, str], SessionWrite] = {}
    reads: dict[tuple[str, str], SessionRead] = {}
    for unit in units:
        for read in unit.session_reads:
            name = read.source, read.id
            if name not in sessions and reads.setdefault(name, read).version != read.version:
                raise Conflict("session", read.id)  # `sessions`: one of these units wrote what was read
        for change in unit.sessions:
            name = change.session.source, change.session.id
            first = sessions.get(name, change)
            sessions[name] = SessionWrite(change.session, first.expected)
        for write in unit.profiles:
            before = profiles.get(write.profile.id, write)
            moved = before.due_moved or write.due_moved
            profiles[write.profile.id] = ProfileWrite(write.profile, before.expected, write.view, moved)
    return Unit(
        profiles=tuple(profiles.values()),
        sessions=tuple(sessions.values()),
        session_reads=tuple(reads.values()),
        keys=tuple(chain.from_iterable(unit.keys for unit in units)),
        left_keys=tuple(chain.from_iterable(unit.left_keys for unit in units)),
        marks=tuple(chain.from_iterable(unit.marks for unit in units)),
        records=_records(units),
        changes=_changes(units),
        **{name: tuple(chain.from_iterable(getattr(unit, name) for unit in units)) for name in MEMBERS},
    )


def _records(units: Sequence[Unit]) -> Mapping[str, tuple[Any, ...]]:
    names = dict.fromkeys(chain.from_iterable(unit.records for unit in units))
    return {name: tuple(chain.from_iterable(unit.records.get(name, ()) for unit in units)) for name in names}


def _changes(units: Sequence[Unit]) -> tuple[RecordWrite | RecordDelete, ...]:
    """The last change of each versioned record, at the version that the first one expects."""
    changes: dict[tuple[str, str], RecordWrite | RecordDelete] = {}
    for change in chain.from_iterable(unit.changes for unit in units):
        name = change.kind.name, change.id
        first = changes.get(name, change)
        changes[name] = structs.replace(change, expected=first.expected)
    return tuple(changes.values())
