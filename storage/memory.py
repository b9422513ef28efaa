"""A store in dictionaries, for tests and dry runs. It has the contract of the others and ends with the process.

Documents are kept encoded, so a caller that changes an object it wrote or read does not change the stored document.
"""

import os
from asyncio import sleep
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased, EventName, belongs, event_name
from engine.ports.following import Followed
from engine.ports.kind import AnyKind, Kind
from engine.ports.kinds import CACHE, EVENTS, KINDS, REJECTED, RUNS
from engine.ports.records import (
    CacheEntry,
    Counts,
    IdentityKey,
    ProcessedEvent,
    RecordDelete,
    RecordWrite,
    Rejected,
    RunRecord,
    Session,
    StoredEvent,
    Unit,
)
from engine.ports.store import Conflict
from engine.profile.document import Profile
from engine.project.retention import Dropped, Keep, ReportProgress, ignore_progress
from engine.search.match import matches
from engine.search.page import Page, read_cursor, write_cursor
from engine.search.query import Query
from storage.encoding import check_unit, decode_profile, decode_session, encode
from storage.memory_table import MemoryTable

R = TypeVar("R", bound=Struct)

LOOKED_AT_ONCE = 500  # documents that a search reads before it yields to the event loop


class StoredRow(Struct, frozen=True):
    """A document with the version that compare-and-set compares."""

    version: int
    doc: bytes


NOTHING = StoredRow(0, b"")


class MemoryStore:
    """Implements `engine.ports.store.Store` for one event loop. A commit never awaits, so it is atomic.

    Without `secret` the store draws a random key.
    """

    def __init__(self, secret: bytes | None = None, kinds: Sequence[AnyKind] = KINDS) -> None:
        self._secret = os.urandom(32) if secret is None else secret
        self._profiles: dict[str, StoredRow] = {}
        self._merged: dict[str, str] = {}  # tombstones: id -> the id that the profile was merged into
        self._keys: dict[str, str] = {}  # name of a key -> the id that holds it
        self._sessions: dict[tuple[str, str], StoredRow] = {}
        self._marks: dict[tuple[str, str], ProcessedEvent] = {}
        self._tables: dict[str, MemoryTable[Any]] = {kind.name: MemoryTable(kind) for kind in kinds}
        self._flows: dict[str, str] = {}
        self._due: dict[str, int] = {}
        self._notes: dict[str, bytes] = {}

    async def migrate(self) -> list[str]:
        """Nothing to do."""
        return []

    async def preview_migration(self) -> list[str]:
        """Nothing to do."""
        return []

    async def unsettled(self, limit: int) -> list[str]:
        """None: a unit is committed as a whole, or nothing of it."""
        return []

    async def secret(self) -> bytes:
        """The store's random key."""
        return self._secret

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`."""
        visited = {id}
        while id in self._merged:
            id = self._merged[id]
            if id in visited:
                return None
            visited.add(id)
        kept = self._profiles.get(id)
        return None if kept is None else decode_profile(kept.doc)

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves."""
        return {id: decode_profile(self._profiles[id].doc) for id in ids if id in self._profiles}

    async def key(self, key: str) -> IdentityKey | None:
        """The id that holds a key, by the name of the key; None if no id has brought it."""
        id = self._keys.get(key)
        return None if id is None else IdentityKey(key, id)

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""
        kept = self._sessions.get((source, id))
        return None if kept is None else decode_session(kept.doc)

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """The deduplication marks of a source's events, by event id; events without a mark are left out."""
        return {event: mark for event in events if (mark := self._marks.get((source, event))) is not None}

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""
        entry = self._table(CACHE).get(key)
        return entry if entry is not None and entry.expires > now else None

    async def record(self, kind: Kind[R], id: str) -> R | None:
        """A stored record by its id or key."""
        return self._table(kind).get(id)

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, or raise `Conflict` and write nothing."""
        check_unit(unit)
        self._check(unit)
        records = [(table, record, encode(record)) for table in self._tables.values() for record in unit.of(table.kind)]
        changes = [(change, encode(change.record)) for change in unit.changes if isinstance(change, RecordWrite)]
        profiles = [(write.profile, encode(write.profile)) for write in unit.profiles]
        sessions = [(write.session, encode(write.session)) for write in unit.sessions]
        # Nothing below fails: the unit is written as a whole.
        for profile, doc in profiles:
            self._put_profile(profile, doc)
        for session, doc in sessions:
            self._sessions[session.source, session.id] = StoredRow(session.version, doc)
        for key in unit.keys:
            self._keys[key.key] = key.id
        for key in unit.left_keys:
            if self._keys.get(key.key) in key.over:
                self._keys[key.key] = key.id
        self._marks.update(((mark.source, mark.event), mark) for mark in unit.marks)
        for table, record, doc in records:
            table.put(record, doc)
        for write, doc in changes:
            self._table(write.kind).put(write.record, doc)
        for deleted in [change for change in unit.changes if isinstance(change, RecordDelete)]:
            self._table(deleted.kind).delete(deleted.id)

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""
        await self.commit(Unit(rejected=rejected))

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""
        self._flows.setdefault(version, text)

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""
        return self._flows.get(version)

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id; the newest, where several sources used that id."""
        return self._table(EVENTS).get(id)

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events that were stored with this profile id, newest first."""
        return self._table(EVENTS).of("profile", profile, limit)

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""
        return self._table(RUNS).get(id)

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""
        return self._table(RUNS).of("event", event)[::-1]

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""
        return self._table(REJECTED).newest(limit)

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """A page of the matching documents, from the one stored last to the one stored first."""
        name = query.searchable.name
        docs, decode = self._searched(name)
        before = None if after is None else int(read_cursor(after, name, int)[0])
        found: list[tuple[int, Struct]] = []
        for at, (number, doc) in enumerate(reversed(docs)):
            if before is not None and number >= before:
                continue
            document = decode(doc)
            if matches(query, document) and not (isinstance(document, Profile) and document.merged_into):
                if len(found) == limit:
                    return Page(tuple(one for _, one in found), write_cursor(name, found[-1][0]))
                found.append((number, document))
            if at % LOOKED_AT_ONCE == 0:
                await sleep(0)
        return Page(tuple(one for _, one in found))

    async def last_number(self, kind: AnyKind) -> int:
        """The number of the newest record of a kind."""
        return self._table(kind).last

    async def numbered_after(self, query: Query, after: int, limit: int) -> Followed:
        """The matching records behind a number, the earliest first."""
        table = self._tables[query.searchable.name]
        some = table.after(after, limit)
        found = tuple([(number, record) for number, record in some if matches(query, record)])
        return Followed(found, some[-1][0] if len(some) == limit else table.last, table.last)

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of due profiles, those due longest first."""
        found = sorted((time, id) for id, time in self._due.items() if time <= before)
        return [id for _, id in found[:limit]]

    async def due_records(self, kind: Kind[R], before: int, limit: int, queue: str | None = None) -> list[R]:
        """The due records of a versioned kind, those due longest first."""
        return self._table(kind).due(before, limit, queue)

    async def count_due(self, kind: Kind[R], before: int, queue: str) -> int:
        """The number of due records of a queue."""
        return self._table(kind).count_due(before, queue)

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids`, the ids of all tombstones that lead to one of them, and the sessions of all these ids."""
        while more := {id for id, end in self._merged.items() if end in ids} - ids:
            ids |= more
        sessions = [(name, decode_session(kept.doc)) for name, kept in self._sessions.items()]
        return DataSubject(ids, frozenset(name for name, session in sessions if session.profile in ids))

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""
        kept = self._profiles.get(id, NOTHING)
        if kept is not NOTHING and kept.version != version:
            raise Conflict("profile", id)
        for places in (self._profiles, self._merged, self._due):
            places.pop(id, None)

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase all documents of the data subject except the profile documents themselves."""
        ids, sessions = subject.ids, subject.sessions
        gone = {event_name(event) for event in self._table(EVENTS).all() if belongs(EVENTS, event, subject)}
        marks = [
            name
            for name, mark in self._marks.items()
            if _is_of(mark, subject) or (mark.source, mark.event, mark.at) in gone
        ]
        keys = [key for key, id in self._keys.items() if id in ids]
        erased = Erased(
            sessions=_drop(self._sessions, sessions), keys=_drop(self._keys, keys), marks=_drop(self._marks, marks)
        )
        for table in self._tables.values():
            erased[table.kind.name] = table.drop(table.numbers(partial(_belongs, table.kind, subject, gone)))
        return +erased

    async def expunge(self) -> None:
        """Do nothing: there are no files."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes with names that start with `beginning`, by name."""
        return {name: doc for name, doc in self._notes.items() if name.startswith(beginning)}

    async def note(self, name: str) -> bytes | None:
        """The bytes that were last stored under a name."""
        return self._notes.get(name)

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Store a note, replacing any earlier one of that name."""
        self._notes[name] = doc

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note if its stored bytes are still `expected`."""
        if self._notes.get(name) != expected:
            return False
        self._notes[name] = doc
        return True

    async def forget_marks(self, before: int) -> int:
        """Drop marks and cache entries from before a time. Returns how many marks were dropped."""
        old = [key for key, mark in self._marks.items() if mark.at < before]
        for key in old:
            del self._marks[key]
        for table in self._tables.values():
            if table.kind.lifecycle == "keyed":
                table.drop(table.before(before))
        return len(old)

    async def expired(self, keep: Keep) -> Dropped:
        """Count what `retain` would drop now."""
        return +Dropped({kind: len(self._tables[kind].before(time)) for kind, time in keep.items()})

    async def retain(self, keep: Keep, report: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`."""
        dropped = Dropped({kind: self._tables[kind].drop(self._tables[kind].before(at)) for kind, at in keep.items()})
        report(+dropped)
        return +dropped

    async def counts(self) -> Counts:
        """Return the number of documents of each kind."""
        return Counts(
            profiles=len(self._profiles) - len(self._merged),
            sessions=len(self._sessions),
            keys=sum(map(bool, self._keys.values())),
            **{name: len(table) for name, table in self._tables.items() if table.kind.lifecycle != "keyed"},
        )

    async def ready(self) -> str | None:
        """Always ready."""
        return None

    async def close(self) -> None:
        """Do nothing: the stored documents stay readable."""

    def _table(self, kind: Kind[R]) -> MemoryTable[R]:
        return self._tables[kind.name]

    def _searched(self, name: str) -> tuple[list[tuple[int, bytes]], Callable[[bytes], Struct]]:
        """All current documents of a kind, numbered in the order of arrival, with their decoder."""
        match name:
            case "profiles":
                return list(enumerate([kept.doc for kept in self._profiles.values()])), decode_profile
            case "sessions":
                return list(enumerate([kept.doc for kept in self._sessions.values()])), decode_session
        table = self._tables[name]
        return table.docs(), table.decode

    def _check(self, unit: Unit) -> None:
        for write in unit.profiles:
            if self._profiles.get(write.profile.id, NOTHING).version != write.expected:
                raise Conflict("profile", write.profile.id)
        for read in unit.session_reads:
            if self._sessions.get((read.source, read.id), NOTHING).version != read.version:
                raise Conflict("session", read.id)
        for change in unit.sessions:
            session = change.session
            if self._sessions.get((session.source, session.id), NOTHING).version != change.expected:
                raise Conflict("session", session.id)
        holders: dict[str, str] = {}
        for key in unit.keys:
            holder = holders.get(key.key, self._keys.get(key.key, key.id))
            if holder != key.id and holder not in key.over:
                raise Conflict("key", key.key)
            holders[key.key] = key.id
        marked: set[tuple[str, str]] = set()
        for mark in unit.marks:
            if (mark.source, mark.event) in self._marks or (mark.source, mark.event) in marked:
                raise Conflict("mark", mark.event)
            marked.add((mark.source, mark.event))
        for each in unit.changes:
            self._table(each.kind).check(each)

    def _put_profile(self, profile: Profile, doc: bytes) -> None:
        self._profiles[profile.id] = StoredRow(profile.version, doc)
        if profile.due is None or profile.merged_into is not None:
            self._due.pop(profile.id, None)
        else:
            self._due[profile.id] = profile.due
        if profile.merged_into is None:
            self._merged.pop(profile.id, None)
        else:
            self._merged[profile.id] = profile.merged_into


def _is_of(mark: ProcessedEvent, subject: DataSubject) -> bool:
    """Whether a mark belongs to the subject: by its profile, or by its session if it names no profile."""
    if mark.profile is not None:
        return mark.profile in subject.ids
    return (mark.source, mark.session) in subject.sessions


def _belongs(kind: AnyKind, subject: DataSubject, events: set[EventName], record: Struct) -> bool:
    return belongs(kind, record, subject, events)


def _drop(kept: dict[Any, Any], keys: Iterable[Any]) -> int:
    """Drop the entries under these keys. Returns how many there were."""
    return sum([kept.pop(key, None) is not None for key in keys])
