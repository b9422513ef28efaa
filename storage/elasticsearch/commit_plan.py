"""A unit that is about to be committed: what it checks, claims and leaves pending."""

import time
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

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
    Extra,
    PendingChange,
    PendingFormat,
    PendingWrites,
    change_of,
    new_token,
    writes_of,
)


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
        taken: Iterable[str] = (),
        extras: Iterable[ProfileWrite] = (),
        over: Iterable[IdentityKey] = (),
        committed: int = 0,
        change: RecordWrite | RecordDelete | None = None,
    ) -> PendingWrites | None:
        """The writes that are to follow the commit; None if there are none.

        The first `committed` marks and `change` are written by the commit itself.
        """
        changes: tuple[PendingChange, ...] = ()
        if self.unit.changes:
            changes = tuple([change_of(each) for each in self.changes if each is not change])
        record = self.format.unit(
            self.token,
            self.stamp,
            sessions=tuple([write.session for write in sessions]),
            marks=self.marks[committed:],
            profiles=tuple([Extra(write.profile, write.expected, write.view) for write in extras]),
            taken=tuple(taken),
            over=tuple(over),
            changes=changes,
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
        held = keys.get(key.key, key)
        keys[key.key] = IdentityKey(key.key, key.id, claim_of(key, held), key.supersedes_claim or held.supersedes_claim)
    return tuple(keys.values())


def _marks_of(unit: Unit) -> tuple[ProcessedEvent, ...]:
    marks: dict[tuple[str, str], ProcessedEvent] = {}
    for mark in unit.marks:
        if marks.setdefault((mark.source, mark.event), mark) is not mark:
            raise Conflict("mark", mark.event)
    return tuple(marks.values())


def claim_of(key: IdentityKey, held: IdentityKey) -> bool:
    """Whether a key is a mere claim once `key` is written over `held`. Raises `Conflict` if it may not be."""
    if held.id != key.id and not (key.supersedes_claim and held.claim > key.claim):
        raise Conflict("key", key.key)
    return key.claim and held.claim


def names_of(unit: Unit) -> set[Hashable]:
    """The documents that a unit touches, as names for `DocumentLocks`."""
    names: set[Hashable] = {("profile", write.profile.id) for write in unit.profiles}
    names.update([("session", write.session.source, write.session.id) for write in unit.sessions])
    names.update([("session", read.source, read.id) for read in unit.session_reads])
    names.update([("key", key.key) for key in unit.keys])
    names.update([("mark", mark.source, mark.event) for mark in unit.marks])
    names.update([("record", change.kind.name, change.id) for change in unit.changes])
    return names


class Parts(Struct, frozen=True):
    """The profiles of a unit: the one whose document commits it, the tombstones, and all others."""

    main: ProfileWrite
    losers: tuple[ProfileWrite, ...]
    extras: tuple[ProfileWrite, ...]


def parts_of(writes: Sequence[ProfileWrite]) -> Parts:
    """Tells apart the profiles of a unit; without a living one, a tombstone commits.

    A tombstone that leads to a profile which is split off is no loser: it leads there once that is written.
    """
    live = [write for write in writes if write.profile.merged_into is None]
    apart = {write.profile.id for write in live[1:]}
    stones = [write for write in writes if write.profile.merged_into is not None]
    losers = [write for write in stones if write.profile.merged_into not in apart]
    extras = [*live[1:], *(write for write in stones if write.profile.merged_into in apart)]
    main = live[0] if live else losers.pop()
    return Parts(main, tuple(losers), tuple(extras))


def expected_of(unit: Unit) -> list[SessionRead]:
    """The versions of sessions that a unit rests on."""
    writes = [SessionRead(write.session.source, write.session.id, write.expected) for write in unit.sessions]
    return [*unit.session_reads, *writes]
