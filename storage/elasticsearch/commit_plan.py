"""A unit that is about to be committed: what it checks, claims and leaves pending."""

import time
from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from engine.ports.records import (
    IdentityKey,
    ProcessedEvent,
    ProfileWrite,
    RecordDelete,
    RecordWrite,
    SessionRead,
    SessionWrite,
    Unit,
)
from engine.ports.store import Conflict
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.names import Names
from storage.elasticsearch.pending_writes import (
    PendingChange,
    PendingFormat,
    PendingWrites,
    change_of,
    new_token,
    writes_of,
)

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Stamps:
    """The order of commits, in µs since the epoch: rising in a process, and nearly so across processes."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """A stamp, later than all before."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


class CommitPlan(Struct, frozen=True):
    """A unit, its token and time (µs), its marks with their indices, its keys each once, its further records."""

    unit: Unit
    token: str
    stamp: int
    marks: tuple[tuple[str, ProcessedEvent], ...]
    keys: tuple[IdentityKey, ...]
    records: dict[str, tuple[Any, ...]]  # those of appended and keyed kinds, by the names of their kinds
    first: IndexedId | None  # the first document that only this unit's pending writes can leave
    format: PendingFormat

    @property
    def changes(self) -> tuple[RecordWrite | RecordDelete, ...]:
        """The changes of versioned records; not the deletion of a record that must not exist, which changes nothing."""
        return tuple([each for each in self.unit.changes if each.expected or isinstance(each, RecordWrite)])

    @property
    def moves_records(self) -> bool:
        """Whether the unit changes or deletes a versioned record that exists."""
        return any(change.expected for change in self.unit.changes)

    def entry(
        self,
        sessions: Sequence[SessionWrite] = (),
        *,
        listed: Mapping[str, Any] = NOTHING,
        committed: int = 0,
        change: RecordWrite | RecordDelete | None = None,
    ) -> PendingWrites | None:
        """The writes that are to follow the commit; None if there are none.

        `listed` are further fields of `PendingUnit`. The first `committed` marks and `change` are written by the commit
        itself.
        """
        changes: tuple[PendingChange, ...] = ()
        if self.unit.changes:
            changes = tuple([change_of(each) for each in self.changes if each is not change])
        record = self.format.unit(
            self.token,
            self.stamp,
            sessions=tuple([write.session for write in sessions]),
            marks=self.marks[committed:],
            left_keys=self.unit.left_keys,
            changes=changes,
            **listed,
            **self.records,
        )
        return writes_of(record) if record.size else None


class CommitPlans:
    """Plans units, each with a stamp of its own."""

    def __init__(self, names: Names, format: PendingFormat) -> None:
        self._names = names
        self._format = format
        self._stamps = Stamps()

    def plan(self, unit: Unit, now: int) -> CommitPlan:
        """A unit as it is to be committed at `now` (ms). Raises `Conflict` for a unit that contradicts itself."""
        token = new_token()
        records = {}
        first: IndexedId | None = None
        for index in self._names.unversioned:
            if some := unit.of(index.kind):
                records[index.kind.name] = some
                if first is None and index.kind.lifecycle == "appended":
                    first = index.place(some[0]), f"{token}-0"
        marks = _marks_of(unit)
        placed = tuple([(self._names.marks_at(mark.at, now), mark) for mark in marks])
        return CommitPlan(unit, token, self._stamps.next(), placed, _keys_of(unit), records, first, self._format)


def _keys_of(unit: Unit) -> tuple[IdentityKey, ...]:
    keys: dict[str, IdentityKey] = {}
    for key in unit.keys:
        before = keys.get(key.key, key)
        if before.id == key.id:
            keys[key.key] = key
        elif before.id in key.over:
            keys[key.key] = IdentityKey(key.key, key.id, (before.id, *before.over), key.user)
        else:
            raise Conflict("key", key.key)
    return tuple(keys.values())


def _marks_of(unit: Unit) -> tuple[ProcessedEvent, ...]:
    marks: dict[tuple[str, str], ProcessedEvent] = {}
    for mark in unit.marks:
        if marks.setdefault((mark.source, mark.event), mark) is not mark:
            raise Conflict("mark", mark.event)
    return tuple(marks.values())


def names_of(unit: Unit) -> set[Hashable]:
    """The documents that a unit touches, as names for `DocumentLocks`."""
    names: set[Hashable] = {("profile", write.profile.id) for write in unit.profiles}
    names.update([("session", write.session.source, write.session.id) for write in unit.sessions])
    names.update([("session", read.source, read.id) for read in unit.session_reads])
    names.update([("key", key.key) for key in (*unit.keys, *unit.left_keys)])
    names.update([("mark", mark.source, mark.event) for mark in unit.marks])
    names.update([("record", change.kind.name, change.id) for change in unit.changes])
    return names


class UnitProfiles(Struct, frozen=True):
    """The profiles of a unit: the one whose document commits it, and all others."""

    main: ProfileWrite
    others: tuple[ProfileWrite, ...]

    @property
    def homes(self) -> dict[str, str]:
        """The ids of all parts, each with the profile that it is to be part of."""
        profiles = [write.profile for write in (self.main, *self.others) if write.profile.merged_into is None]
        return {id: profile.id for profile in profiles for id in profile.parts}


def profiles_of(writes: Sequence[ProfileWrite]) -> UnitProfiles:
    """Tells apart the profiles of a unit: the first that is living commits; without one, the last tombstone does."""
    main = next((write for write in writes if write.profile.merged_into is None), writes[-1])
    return UnitProfiles(main, tuple([write for write in writes if write is not main]))


def expected_of(unit: Unit) -> list[SessionRead]:
    """The versions of sessions that a unit rests on."""
    writes = [SessionRead(write.session.source, write.session.id, write.expected) for write in unit.sessions]
    return [*unit.session_reads, *writes]
