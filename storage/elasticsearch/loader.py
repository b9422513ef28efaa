"""The loader: reads documents as they are now, and finishes their pending writes first.

So a caller that reads a profile, and then sessions and marks, reads everything that had been committed with it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from engine.ports.records import IdentityKey, ProcessedEvent, Session
from engine.ports.store import Conflict, Unavailable
from engine.profile.document import Profile
from storage.elasticsearch.document_id import IndexedId, id_of
from storage.elasticsearch.documents import (
    MarkSource,
    ProfileSource,
    SessionSource,
    decode_key_source,
    decode_mark,
    decode_mark_source,
    decode_session_source,
)
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Written
from storage.elasticsearch.pending_writes import PendingWrites
from storage.elasticsearch.reader import FoundDocument, Reader
from storage.elasticsearch.tombstone_chain import ChainLink, chain, is_certain, node, profile_of
from storage.elasticsearch.version_cache import CachedVersion, VersionCache
from storage.encoding import decode_profile, decode_session

Name = tuple[str, str]  # a session's or a mark's: source and id
MAX_CONFUSED = 20  # times that a document may move while it is read


def clock() -> int:
    """Wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


class Loader:
    """Reads by id; never from the cache."""

    def __init__(self, reader: Reader, finisher: Finisher, names: Names, now: Callable[[], int] = clock) -> None:
        self.memory = VersionCache()
        self.names = names
        self.now = now
        self.weeks: set[str] = set()  # indices of marks that there are beside the newest
        self._reader = reader
        self._finisher = finisher

    # ---- profiles ---------------------------------------------------------------------------------------------------

    async def chain(self, id: str) -> list[ChainLink]:
        """The documents from an id to its end, all that is pending in them finished; [] when they lead in a circle.

        Raises `Unavailable` if they move all the time.
        """
        return (await self._way(id))[0]

    async def profile(self, id: str) -> Profile | None:
        """The document that an id leads to, with what the open tombstones on the way have frozen."""
        return (await self._way(id))[1]

    async def _way(self, id: str) -> tuple[list[ChainLink], Profile | None]:
        """The documents from an id to its end as they stood at one time, and the profile that they are."""
        for _ in range(MAX_CONFUSED):
            nodes = await chain(self._reader, self.names, id)
            if await self._finish(*nodes):
                continue
            profile = profile_of(nodes)
            if not is_certain(nodes, profile) and not await self._stands(nodes):
                continue
            if nodes:
                self._hold(nodes[-1])
            return nodes, profile
        raise overtaken()

    async def _stands(self, nodes: Sequence[ChainLink]) -> bool:
        """Whether documents are still as they were read, and carry no identity writes that are not done."""
        again = await asyncio.gather(*[node(self._reader, self.names, each.id) for each in nodes])
        same = all(one.position == each.position for one, each in zip(again, nodes, strict=True))
        return not await self._finish(*again) and same

    async def as_stored(self, ids: Sequence[str]) -> dict[str, Profile]:
        """The documents at these ids themselves; of a tombstone its version and where it leads."""
        nodes = await asyncio.gather(*[self.node(id) for id in ids])
        return {each.id: _itself(each.source) for each in nodes if each.source is not None}

    async def node(self, id: str) -> ChainLink:
        """The document of one id, its pending writes finished."""
        there = await node(self._reader, self.names, id)
        await self._finish(there)
        return there

    async def held(self, id: str, expected: int) -> CachedVersion:
        """The position of a profile's document at that version. Raises `Conflict` when it is at another one.

        An open tombstone is no such document, unless a commit had already set the profile apart.
        """
        held = self.memory.profile(id)
        if held is None or held.version < expected:
            there = await self.node(id)
            if there.is_open:
                await self.chain(id)  # which finishes such a commit
                there = await self.node(id)
            if there.is_open:
                raise Conflict("profile", id)
            held = self._hold(there)
        if held.version != expected:
            raise Conflict("profile", id)
        return held

    def _hold(self, there: ChainLink) -> CachedVersion:
        held = CachedVersion(0, None, self.memory.tick())
        if there.source is not None:
            source = there.source
            recent = tuple(source.recent)  # what was pending is finished
            held = CachedVersion(source.version, there.at, held.since, (), recent, there.ids, source.rewrites)
        return self.memory.hold(there.id, held)

    async def _finish(self, *nodes: ChainLink) -> bool:
        """Finish what documents carry. Returns whether that may have changed where ids lead."""
        carrying = [each for each in nodes if each.source is not None and each.source.pending]
        if not carrying:
            return False
        entries: list[PendingWrites] = []
        for each in carrying:
            pending = each.source.pending if each.source is not None else []
            entries += self._finisher.known(pending, (self.names.profiles, id_of(each.id)))
        await self._finisher.done(entries)
        return any(entry.record.moves_ids for entry in entries)

    # ---- sessions ---------------------------------------------------------------------------------------------------

    async def session(self, name: Name) -> Session | None:
        """A session; one of version 0 has only been claimed, by the profile that it names."""
        tick = self.memory.tick()
        session = (await self.sessions([name]))[name][0]
        self.memory.see(name, session, tick)
        return session

    async def sessions(self, names: Sequence[Name]) -> dict[Name, tuple[Session | None, SessionSource | None]]:
        """Sessions as they are now, and their documents, which may be older than what this process has committed."""
        own = {name: self._finisher.sessions.get(name) for name in names}  # before: it may be finished meanwhile
        found = await self._reader.many([(self.names.sessions, id_of(*name)) for name in names])
        sources = [None if each is None else decode_session_source(each.source) for each in found]
        pending: list[PendingWrites] = []
        for name, source in zip(names, sources, strict=True):
            if source is not None and source.pending:
                pending += self._finisher.known(source.pending, (self.names.sessions, id_of(*name)))
        if pending:
            await self._finisher.done(pending)
        return {name: (_newer(own[name], source), source) for name, source in zip(names, sources, strict=True)}

    # ---- keys, marks ------------------------------------------------------------------------------------------------

    async def key(self, key: str) -> IdentityKey | None:
        """The id that holds a key."""
        found = await self._reader.get(self.names.keys, id_of(key))
        return None if found is None else key_of(found)

    async def marks(self, names: Sequence[Name]) -> dict[Name, ProcessedEvent]:
        """Those of these marks that there are; of the others it is remembered that they are not."""
        tick = self.memory.tick()
        own = {name: self._finisher.marks.get(name) for name in names}  # before: it may be finished meanwhile
        found = await self.mark_sources(names)
        marks = {name: mark for name in names if (mark := own[name] or self._mark(found[name])) is not None}
        for name in names:
            if name not in marks:
                self.memory.miss(name, tick)
        return marks

    def _mark(self, sources: "list[tuple[IndexedId, MarkSource, Written]]") -> ProcessedEvent | None:
        docs = [source.doc for _, source, _ in sources if source.doc is not None and self.counts(source)]
        return decode_mark(docs[-1]) if docs else None

    async def mark_sources(self, names: Sequence[Name]) -> "dict[Name, list[tuple[IndexedId, MarkSource, Written]]]":
        """The documents under the ids of marks, in all indices that are read, the oldest index first."""
        indices = sorted(self.weeks.union(self.names.marks_now(self.now())))
        places = [(index, id_of(*name)) for name in names for index in indices]
        found = await self._reader.many(places)
        sources: dict[Name, list[tuple[IndexedId, MarkSource, Written]]] = {}
        for at, name in enumerate(names):
            here = range(at * len(indices), (at + 1) * len(indices))
            each = [(places[n], found[n]) for n in here]
            sources[name] = [(place, decode_mark_source(doc.source), doc.at) for place, doc in each if doc is not None]
        return sources

    def counts(self, source: MarkSource) -> bool:
        """Whether a mark has not been forgotten."""
        return (source.at or 0) >= self._finisher.forgotten


def _itself(source: ProfileSource) -> Profile:
    if source.merged_into is None and source.doc is not None:
        return decode_profile(source.doc)
    return Profile(source.id, source.created or 0, source.version, merged_into=source.merged_into)


def _newer(own: Session | None, source: SessionSource | None) -> Session | None:
    if own is not None and (source is None or own.version > source.version):
        return own
    return None if source is None else decode_session(source.doc)


def key_of(found: FoundDocument) -> IdentityKey:
    """A stored key."""
    source = decode_key_source(found.source)
    return IdentityKey(source.key, source.id, user=source.user)


def overtaken() -> Unavailable:
    """The error for a unit that other processes overtook again and again."""
    return Unavailable("the documents of this unit move too fast")
