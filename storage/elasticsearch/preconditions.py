"""Preconditions: checks before a unit is written that all it rests on is unchanged."""

from collections.abc import Collection

from msgspec import Struct

from engine.ports.records import IdentityKey, SessionRead, SessionWrite
from engine.ports.store import Conflict
from storage.elasticsearch.commit_plan import CommitPlan, claim_of, expected_of
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import key_source, session_source
from storage.elasticsearch.loader import Loader, Name, key_of
from storage.elasticsearch.operation import Operation, advance, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.version_cache import CachedSession
from storage.elasticsearch.writer import Writer


class CheckedUnit(Struct, frozen=True):
    """The claims that are to be made, and the unit's sessions sorted by who guards them."""

    keys: list[tuple[IdentityKey, Operation]]
    over: list[IdentityKey]  # claims of others that are written over after the commit
    new: list[SessionWrite]  # sessions that are to be claimed
    guarded: list[SessionWrite]
    foreign: list[SessionWrite]  # sessions that another document than the committing one guards
    tied: bool  # a session leads every repeat of the unit's events to the committing document


class Preconditions:
    """Checks sessions, keys and marks; claims keys and sessions."""

    def __init__(self, loader: Loader, reader: Reader, writer: Writer) -> None:
        self._loader = loader
        self._reader = reader
        self._writer = writer

    async def unit(self, draft: CommitPlan, since: int | None, ids: Collection[str], look: bool = True) -> CheckedUnit:
        """Raises `Conflict` if something has changed.

        `ids` are those of the profile whose document is to commit the unit: it guards their sessions. Of those, all
        that was read after the tick `since` is valid; None: nothing is. Without `look`, marks that were found absent
        are not read again: the commit finds out.
        """
        there = await self._sessions(draft, since, ids)
        keys, over = await self._keys(draft)
        await self._marks(draft, since if look else 0)
        guarded = [write for write in draft.unit.sessions if write.session.profile in ids]
        foreign = [write for write in draft.unit.sessions if write.session.profile not in ids]
        new = [write for write in guarded if (write.session.source, write.session.id) not in there]
        tied = bool(guarded) or any(self._leads(read, ids) for read in draft.unit.session_reads)
        return CheckedUnit(keys, over, new, guarded, foreign, tied)

    def _leads(self, read: SessionRead, ids: Collection[str]) -> bool:
        seen = self._loader.memory.session((read.source, read.id))
        return seen is not None and seen.version > 0 and seen.profile in ids

    async def _sessions(self, draft: CommitPlan, since: int | None, ids: Collection[str]) -> set[Name]:
        """Those sessions of which there is a document."""
        written = {(write.session.source, write.session.id): write.session.profile for write in draft.unit.sessions}
        there: set[Name] = set()
        old: list[SessionRead] = []
        for rest in expected_of(draft.unit):
            name = rest.source, rest.id
            seen = self._loader.memory.session(name)
            if since is None or seen is None or seen.tick <= since:
                old.append(rest)
            elif seen.version and seen.profile in ids:
                _same(seen.version, rest)
                there.add(name)
            elif seen.version or seen.profile is not None or name not in written:
                old.append(rest)
            else:  # there was no claim: claiming it finds out
                _same(0, rest)
        if not old:
            return there
        tick = self._loader.memory.tick()
        found = await self._loader.sessions(list({(rest.source, rest.id): None for rest in old}))
        for rest in old:
            name = rest.source, rest.id
            session, _ = found[name]
            _same(session.version if session else 0, rest)
            if session is not None:
                if not session.version and name in written and written[name] != session.profile:
                    raise Conflict("session", rest.id)  # claimed for another profile
                self._loader.memory.see(name, CachedSession(session.version, session.profile, tick))
                there.add(name)
        return there

    async def _keys(self, draft: CommitPlan) -> tuple[list[tuple[IdentityKey, Operation]], list[IdentityKey]]:
        keys = draft.keys
        if not keys:
            return [], []
        index = self._loader.names.keys
        over: list[IdentityKey] = []
        found = await self._reader.many([(index, id_of(key.key)) for key in keys])
        claims = []
        for key, there in zip(keys, found, strict=True):
            held = key_of(there) if there else None
            claim = claim_of(key, held or key)
            if held is not None and held.id != key.id and draft.unit.profiles:
                over.append(IdentityKey(key.key, key.id, claim))
            elif held is None or held.id != key.id or held.claim != claim:
                at = there.at if there else None
                claims.append((key, replace(index, id_of(key.key), key_source(key, claim), at)))
        return claims, over

    async def _marks(self, draft: CommitPlan, since: int | None) -> None:
        names = [(mark.source, mark.event) for _, mark in draft.marks]
        unknown = [name for name in names if since is None or self._loader.memory.absent(name) <= since]
        marks = await self._loader.marks(unknown) if unknown else {}
        for name in unknown:
            if name in marks:
                raise Conflict("mark", name[1])

    # ---- claims -----------------------------------------------------------------------------------------------------

    async def claim(self, checked: CheckedUnit) -> None:
        """Claim new sessions and keys. Raises `Conflict` if another unit was faster."""
        names = self._loader.names
        sessions = [advance(names.sessions, _id(write), _claim_source(write), 0) for write in checked.new]
        keys = [operation for _, operation in checked.keys]
        outcomes = await self._writer.send([*sessions, *keys])
        for write, outcome in zip(checked.new, outcomes, strict=False):
            if outcome is None:
                await self._owned_session(write)
        for (key, _), outcome in zip(checked.keys, outcomes[len(sessions) :], strict=True):
            if outcome is None:
                there = await self._reader.get(names.keys, id_of(key.key))
                if there is None or key_of(there).id != key.id:
                    raise Conflict("key", key.key)

    async def _owned_session(self, write: SessionWrite) -> None:
        """A claim of another unit for the same profile counts as our own."""
        session = write.session
        name = session.source, session.id
        held, _ = (await self._loader.sessions([name]))[name]
        if held is None or held.version != 0 or held.profile != session.profile:
            raise Conflict("session", session.id)


def _same(version: int, rest: SessionRead) -> None:
    if version != rest.version:
        raise Conflict("session", rest.id)


def _id(write: SessionWrite) -> str:
    return id_of(write.session.source, write.session.id)


def _claim_source(write: SessionWrite) -> bytes:
    """A claim names the profile of a session, of which nothing is committed."""
    session = write.session
    claim = type(session)(source=session.source, id=session.id, created=session.created, profile=session.profile)
    return session_source(claim)
