"""A unit on its way to be committed: what it checks, claims and leaves pending."""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct

from engine.ports.records import IdentityKey, ProcessedEvent, ProfileWrite, SessionRead, SessionWrite, Unit
from engine.ports.store import Conflict
from storage.elasticsearch.pending_writes import Extra, PendingWrites, Record, entry_of, new_token


class Stamps:
    """The order of commits, in µs since the epoch: rising in a process, and nearly so across processes."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """A stamp, later than all before."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


class CommitPlan(Struct, frozen=True):
    """A unit, its name and time, its marks with their indices, its keys each once."""

    unit: Unit
    token: str
    stamp: int
    marks: tuple[tuple[str, ProcessedEvent], ...]
    keys: tuple[IdentityKey, ...]

    def entry(
        self,
        sessions: Sequence[SessionWrite] = (),
        taken: Iterable[str] = (),
        extras: Iterable[ProfileWrite] = (),
        over: Iterable[IdentityKey] = (),
        committed: int = 0,
    ) -> PendingWrites | None:
        """What is to be written after the commit; None when that is nothing.

        `committed` of the marks are written by the commit itself.
        """
        unit = self.unit
        record = Record(
            token=self.token,
            stamp=self.stamp,
            sessions=tuple([write.session for write in sessions]),
            marks=self.marks[committed:],
            events=unit.events,
            runs=unit.runs,
            rejected=unit.rejected,
            cache=unit.cache,
            profiles=tuple([Extra(write.profile, write.expected, write.view) for write in extras]),
            taken=tuple(taken),
            over=tuple(over),
        )
        return entry_of(record) if record.size else None


def plan_commit(unit: Unit, stamp: int, index: Callable[[int], str]) -> CommitPlan:
    """A unit as it is to be committed; `index` gives the index of a mark of some time.

    Raises `Conflict` for a unit that contradicts itself.
    """
    keys: dict[str, IdentityKey] = {}
    for key in unit.keys:
        held = keys.get(key.key, key)
        keys[key.key] = IdentityKey(key.key, key.id, claim_of(key, held), key.supersedes_claim or held.supersedes_claim)
    marks: dict[tuple[str, str], ProcessedEvent] = {}
    for mark in unit.marks:
        if marks.setdefault((mark.source, mark.event), mark) is not mark:
            raise Conflict("mark", mark.event)
    placed = tuple([(index(mark.at), mark) for mark in marks.values()])
    return CommitPlan(unit, new_token(), stamp, placed, tuple(keys.values()))


def claim_of(key: IdentityKey, held: IdentityKey) -> bool:
    """Whether a key is a mere claim once `key` is written over `held`. Raises `Conflict` if it may not be."""
    if held.id != key.id and not (key.supersedes_claim and held.claim > key.claim):
        raise Conflict("key", key.key)
    return key.claim and held.claim


def names_of(unit: Unit) -> set[Hashable]:
    """The documents that a unit touches, as names for turns."""
    names: set[Hashable] = {("profile", write.profile.id) for write in unit.profiles}
    names.update([("session", write.session.source, write.session.id) for write in unit.sessions])
    names.update([("session", read.source, read.id) for read in unit.session_reads])
    names.update([("key", key.key) for key in unit.keys])
    names.update([("mark", mark.source, mark.event) for mark in unit.marks])
    return names


class Parts(Struct, frozen=True):
    """The profiles of a unit: the one whose document commits it, the tombstones, and what else there is."""

    main: ProfileWrite
    losers: tuple[ProfileWrite, ...]
    extras: tuple[ProfileWrite, ...]


def parts_of(writes: Sequence[ProfileWrite]) -> Parts:
    """Who is who among profiles; without a living one, a tombstone commits.

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
