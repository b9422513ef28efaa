"""A store in dictionaries: for tests and dry runs. Same contract as the others; gone when the process ends.

Documents are kept encoded, so nobody can change what is stored by changing what they gave or got.
"""

import os
from asyncio import sleep
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased
from engine.ports.records import (
    CacheEntry,
    Counts,
    IdentityKey,
    ProcessedEvent,
    Rejected,
    RunRecord,
    Session,
    StoredEvent,
    Unit,
)
from engine.ports.store import Conflict
from engine.profile.document import Profile
from engine.project.retention import Dropped, Keep, ReportProgress, ignore_progress
from engine.search.field import Kind
from engine.search.match import matches
from engine.search.page import Page, read_cursor, write_cursor
from engine.search.query import Query
from storage.encoding import (
    check_versions,
    decode_cached,
    decode_event,
    decode_profile,
    decode_rejected,
    decode_run,
    decode_session,
    encode,
)

T = TypeVar("T")

LOOKED_AT_ONCE = 500  # documents that a search looks at before it lets others go on


class StoredRow(Struct, frozen=True):
    """A document with the version that compare-and-set looks at."""

    version: int
    doc: bytes


NOTHING = StoredRow(0, b"")


class MemoryStore:
    """Implements `engine.ports.store.Store`. For one event loop; a commit is one step of it.

    Its key is random unless a `secret` is given.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = os.urandom(32) if secret is None else secret
        self._profiles: dict[str, StoredRow] = {}
        self._merged: dict[str, str] = {}  # tombstones: id -> where the profile lives on
        self._keys: dict[str, IdentityKey] = {}
        self._sessions: dict[tuple[str, str], StoredRow] = {}
        self._marks: dict[tuple[str, str], ProcessedEvent] = {}
        self._events: list[bytes] = []
        self._event_by_id: dict[str, int] = {}
        self._events_by_profile: dict[str, list[int]] = {}
        self._runs: list[bytes] = []
        self._run_by_id: dict[str, int] = {}
        self._runs_by_event: dict[str, list[int]] = {}
        self._rejected: list[bytes] = []
        self._cache: dict[str, tuple[int, bytes]] = {}
        self._flows: dict[str, str] = {}
        self._due: dict[str, int] = {}
        self._notes: dict[str, bytes] = {}

    async def migrate(self) -> list[str]:
        """Nothing to do."""
        return []

    async def secret(self) -> bytes:
        """The store's random key."""
        return self._secret

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`."""
        seen = {id}
        while id in self._merged:
            id = self._merged[id]
            if id in seen:
                return None
            seen.add(id)
        kept = self._profiles.get(id)
        return None if kept is None else decode_profile(kept.doc)

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves."""
        return {id: decode_profile(self._profiles[id].doc) for id in ids if id in self._profiles}

    async def key(self, key: str) -> IdentityKey | None:
        """The id that a merge key came in under."""
        return self._keys.get(key)

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""
        kept = self._sessions.get((source, id))
        return None if kept is None else decode_session(kept.doc)

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """Those of a source's event ids that have taken effect."""
        return {event: mark for event in events if (mark := self._marks.get((source, event))) is not None}

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""
        expires, doc = self._cache.get(key, (0, b""))
        return decode_cached(doc) if doc and expires > now else None

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, or raise `Conflict` and write nothing."""
        check_versions(unit)
        self._check(unit)
        events = [(event, encode(event)) for event in unit.events]
        runs = [(run, encode(run)) for run in unit.runs]
        rejected = [encode(one) for one in unit.rejected]
        cache = [(entry, encode(entry)) for entry in unit.cache]
        profiles = [(write.profile, encode(write.profile)) for write in unit.profiles]
        sessions = [(write.session, encode(write.session)) for write in unit.sessions]
        # Nothing below fails: the unit is written as a whole.
        for profile, doc in profiles:
            self._put_profile(profile, doc)
        for session, doc in sessions:
            self._sessions[session.source, session.id] = StoredRow(session.version, doc)
        for key in unit.keys:
            held = self._keys.get(key.key, key)
            self._keys[key.key] = IdentityKey(key.key, key.id, key.claim and held.claim)
        self._marks.update(((mark.source, mark.event), mark) for mark in unit.marks)
        for event, doc in events:
            self._put_event(event, doc)
        for run, doc in runs:
            self._put_run(run, doc)
        self._rejected.extend(rejected)
        self._cache.update((entry.key, (entry.expires, doc)) for entry, doc in cache)

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""
        self._rejected.extend([encode(one) for one in rejected])

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""
        self._flows.setdefault(version, text)

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""
        return self._flows.get(version)

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id; the newest, where several sources used that id."""
        at = self._event_by_id.get(id)
        return None if at is None else decode_event(self._events[at])

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events that were stored with this profile id, newest first."""
        return [decode_event(self._events[at]) for at in _newest(self._events_by_profile.get(profile, []), limit)]

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""
        at = self._run_by_id.get(id)
        return None if at is None else decode_run(self._runs[at])

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""
        return [decode_run(self._runs[at]) for at in self._runs_by_event.get(event, [])]

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""
        return [decode_rejected(doc) for doc in _newest(self._rejected, limit)]

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """A page of the documents that match, from the one stored last to the first."""
        docs, decode = self._searched(query.kind)
        place = len(docs) if after is None else min(int(read_cursor(after, query.kind, int)[0]), len(docs))
        found: list[tuple[int, Struct]] = []
        for at in range(place - 1, -1, -1):
            document = decode(docs[at])
            if matches(query, document) and not (isinstance(document, Profile) and document.merged_into):
                if len(found) == limit:
                    return Page(tuple(one for _, one in found), write_cursor(query.kind, found[-1][0]))
                found.append((at, document))
            if at % LOOKED_AT_ONCE == 0:
                await sleep(0)
        return Page(tuple(one for _, one in found))

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles whose time has come, those that wait longest first."""
        found = sorted((time, id) for id, time in self._due.items() if time <= before)
        return [id for _, id in found[:limit]]

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids` with those of all tombstones that lead to one of them, and the sessions of all of these."""
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
        """Erase what belongs to these, but for the documents of the profiles themselves."""
        ids, sessions = subject.ids, subject.sessions
        events = [decode_event(doc) for doc in self._events]
        left = [event for event in events if not _is_of(event, subject)]
        gone = {(event.source, event.id, event.received) for event in events if _is_of(event, subject)}
        marks = [
            name
            for name, mark in self._marks.items()
            if _is_of(mark, subject) or (mark.source, mark.event, mark.at) in gone
        ]
        keys = [key for key, held in self._keys.items() if held.id in ids]
        cache = [key for key, (_, doc) in self._cache.items() if decode_cached(doc).profile in ids]
        runs = [decode_run(doc) for doc in self._runs]
        kept = [
            run
            for run in runs
            if not _is_of(run, subject)
            and (run.source, run.event, run.at) not in gone
            and ids.isdisjoint(run.other_profiles)
        ]
        rejected = [doc for doc in self._rejected if not _is_about(decode_rejected(doc), subject)]
        erased = Erased(
            sessions=_drop(self._sessions, sessions),
            events=len(events) - len(left),
            runs=len(runs) - len(kept),
            rejected=len(self._rejected) - len(rejected),
            keys=_drop(self._keys, keys),
            marks=_drop(self._marks, marks),
            cache=_drop(self._cache, cache),
        )
        self._keep_events(left)
        self._keep_runs(kept)
        self._rejected = rejected
        return erased

    async def expunge(self) -> None:
        """There are no files."""

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes whose names begin so."""
        return {name: doc for name, doc in self._notes.items() if name.startswith(beginning)}

    async def note(self, name: str) -> bytes | None:
        """What was last kept under a name."""
        return self._notes.get(name)

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Keep a note in place of the one before."""
        self._notes[name] = doc

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note if its stored bytes are still `expected`."""
        if self._notes.get(name) != expected:
            return False
        self._notes[name] = doc
        return True

    async def forget_marks(self, before: int) -> int:
        """Drop marks and cache entries from before a time; gives how many marks."""
        old = [key for key, mark in self._marks.items() if mark.at < before]
        for key in old:
            del self._marks[key]
        for expired in [key for key, (expires, _) in self._cache.items() if expires < before]:
            del self._cache[expired]
        return len(old)

    async def expired(self, keep: Keep) -> Dropped:
        """What `retain` would drop now."""
        return Dropped(
            events=sum(decode_event(doc).received < (keep.events or 0) for doc in self._events),
            runs=sum(decode_run(doc).at < (keep.runs or 0) for doc in self._runs),
            rejected=sum(decode_rejected(doc).at < (keep.rejected or 0) for doc in self._rejected),
        )

    async def retain(self, keep: Keep, tell: ReportProgress = ignore_progress) -> Dropped:
        """Drop events, runs and rejected events from before the times of `keep`."""
        dropped = await self.expired(keep)
        events = [decode_event(doc) for doc in self._events]
        runs = [decode_run(doc) for doc in self._runs]
        self._keep_events([event for event in events if event.received >= (keep.events or 0)])
        self._keep_runs([run for run in runs if run.at >= (keep.runs or 0)])
        self._rejected = [doc for doc in self._rejected if decode_rejected(doc).at >= (keep.rejected or 0)]
        tell(dropped)
        return dropped

    async def counts(self) -> Counts:
        """How much the store holds."""
        return Counts(
            profiles=len(self._profiles) - len(self._merged),
            sessions=len(self._sessions),
            events=len(self._events),
            runs=len(self._runs),
            rejected=len(self._rejected),
            keys=sum([bool(key.id) for key in self._keys.values()]),
        )

    async def ready(self) -> str | None:
        """Always ready."""
        return None

    async def close(self) -> None:
        """Nothing to let go of; what is stored stays readable."""

    def _searched(self, kind: Kind) -> tuple[list[bytes], Callable[[bytes], Struct]]:
        """All documents of a kind as they are now, in the order in which they came, and how they are decoded."""
        match kind:
            case "events":
                return self._events.copy(), decode_event
            case "profiles":
                return [kept.doc for kept in self._profiles.values()], decode_profile
            case "sessions":
                return [kept.doc for kept in self._sessions.values()], decode_session
            case "runs":
                return self._runs.copy(), decode_run
            case "rejected":
                return self._rejected.copy(), decode_rejected

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
        claimed: dict[str, IdentityKey] = {}
        for key in unit.keys:
            held = claimed.get(key.key) or self._keys.get(key.key)
            if held is not None and held.id != key.id and not (key.supersedes_claim and held.claim > key.claim):
                raise Conflict("key", key.key)
            claimed[key.key] = key
        marked: set[tuple[str, str]] = set()
        for mark in unit.marks:
            if (mark.source, mark.event) in self._marks or (mark.source, mark.event) in marked:
                raise Conflict("mark", mark.event)
            marked.add((mark.source, mark.event))

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

    def _keep_events(self, events: list[StoredEvent]) -> None:
        """Let these be all the events that there are."""
        for places in (self._events, self._event_by_id, self._events_by_profile):
            places.clear()
        for event in events:
            self._put_event(event, encode(event))

    def _keep_runs(self, runs: list[RunRecord]) -> None:
        """Let these be all the runs that there are."""
        for places in (self._runs, self._run_by_id, self._runs_by_event):
            places.clear()
        for run in runs:
            self._put_run(run, encode(run))

    def _put_event(self, event: StoredEvent, doc: bytes) -> None:
        at = len(self._events)
        self._events.append(doc)
        self._event_by_id[event.id] = at
        if event.profile is not None:
            self._events_by_profile.setdefault(event.profile, []).append(at)

    def _put_run(self, run: RunRecord, doc: bytes) -> None:
        self._run_by_id[run.id] = len(self._runs)
        self._runs_by_event.setdefault(run.event, []).append(len(self._runs))
        self._runs.append(doc)


def _is_of(document: StoredEvent | ProcessedEvent | RunRecord, subject: DataSubject) -> bool:
    """Whether an event, a mark or a run is of one of the profiles; of a session's only if it has no other profile."""
    if document.profile is not None:
        return document.profile in subject.ids
    return (document.source, document.session) in subject.sessions


def _is_about(rejected: Rejected, subject: DataSubject) -> bool:
    """Whether a rejected event came under one of the ids."""
    return rejected.profile in subject.ids or (rejected.source, rejected.session) in subject.sessions


def _drop(kept: dict[Any, Any], keys: Iterable[Any]) -> int:
    """Drop what is under these keys; gives how much there was."""
    return sum([kept.pop(key, None) is not None for key in keys])


def _newest(kept: list[T], limit: int) -> Iterable[T]:
    return reversed(kept[-limit:]) if limit > 0 else ()
