"""Preconditions: checks before a unit is written that all it rests on is unchanged."""

from collections.abc import Collection

from msgspec import Struct

from engine.ports.records import IdentityKey, SessionRead, SessionWrite
from engine.ports.store import Conflict
from storage.elasticsearch.commit_plan import CommitPlan, expected_of
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import key_source, session_source
from storage.elasticsearch.loader import Loader, Name, key_of
from storage.elasticsearch.operation import Operation, advance, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Writer


class CheckedUnit(Struct, frozen=True):
    """The claims that are to be made, and the unit's sessions sorted by who guards them."""

    keys: list[tuple[IdentityKey, Operation]]
    new: list[SessionWrite]  # sessions that are to be claimed
    guarded: list[SessionWrite]
    foreign: list[SessionWrite]  # sessions that another document than the committing one guards
    tied: bool  # a session leads every repeat of the unit's events to the committing document
    handed_over: bool  # a guarded session leads to another profile from now on


class Preconditions:
    """Checks sessions, keys and marks; claims keys and sessions."""

    def __init__(self, loader: Loader, reader: Reader, writer: Writer) -> None:
        self._loader = loader
        self._reader = reader
        self._writer = writer

    async def unit(self, draft: CommitPlan, since: int | None, ids: Collection[str], look: bool = True) -> CheckedUnit:
        """Raises `Conflict` if something has changed.

        `ids` are those of the profiles that the committing document guards: sessions that lead there before this unit
        are written with that document, also if they lead to another profile from now on. Of these, all that was read
        after the tick `since` is valid; None: nothing is. Without `look`, marks that were found absent are not read
        again: the commit finds out.
        """
        stored = await self._sessions(draft, since, ids)
        keys = await self._keys(draft)
        await self._marks(draft, since if look else 0)
        guarded, foreign, new, handed_over = list[SessionWrite](), list[SessionWrite](), list[SessionWrite](), False
        for write in draft.unit.sessions:
            name = write.session.source, write.session.id
            if (stored.get(name) or write.session.profile) not in ids:
                foreign.append(write)
                continue
            guarded.append(write)
            handed_over = handed_over or write.session.profile not in ids
            if name not in stored:
                new.append(write)
        tied = bool(guarded) or any(self._leads(read, ids) for read in draft.unit.session_reads)
        return CheckedUnit(keys, new, guarded, foreign, tied, handed_over)

    def _leads(self, read: SessionRead, ids: Collection[str]) -> bool:
        seen = self._loader.memory.session((read.source, read.id))
        return seen is not None and seen.version > 0 and seen.profile in ids

    async def _sessions(self, draft: CommitPlan, since: int | None, ids: Collection[str]) -> dict[Name, str | None]:
        """The profiles of those sessions of which there is a document."""
        written = {(write.session.source, write.session.id): write.session.profile for write in draft.unit.sessions}
        there: dict[Name, str | None] = {}
        old: list[SessionRead] = []
        for rest in expected_of(draft.unit):
            name = rest.source, rest.id
            seen = self._loader.memory.session(name)
            if since is None or seen is None or seen.tick <= since:
                old.append(rest)
            elif seen.version and seen.profile in ids:
                _same(seen.version, rest)
                there[name] = seen.profile
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
            self._loader.memory.see(name, session, tick)
            if session is not None:
                if not session.version and name in written and session.profile not in (written[name], *ids):
                    raise Conflict("session", rest.id)  # claimed for another profile
                there[name] = session.profile
        return there

    async def _keys(self, draft: CommitPlan) -> list[tuple[IdentityKey, Operation]]:
        """The writes of keys that do not lead to their ids yet. Raises `Conflict` for one that may not be put there."""
        index = self._loader.names.keys
        found = await self._reader.many([(index, id_of(key.key)) for key in draft.keys]) if draft.keys else []
        writes = []
        for key, there in zip(draft.keys, found, strict=True):
            holder = key.id if there is None else key_of(there).id
            if holder != key.id and holder not in key.over:
                raise Conflict("key", key.key)
            if there is None or holder != key.id:
                at = there.at if there is not None else None
                writes.append((key, replace(index, id_of(key.key), key_source(key), at)))
        return writes

    async def _marks(self, draft: CommitPlan, since: int | None) -> None:
        names = [(mark.source, mark.event) for _, mark in draft.marks]
        if since:  # what a session led to before may have marked an event, too
            since = max([since, *[self._tied(rest) for rest in expected_of(draft.unit)]])
        unknown = [name for name in names if since is None or self._loader.memory.absent(name) <= since]
        marks = await self._loader.marks(unknown) if unknown else {}
        for name in unknown:
            if name in marks:
                raise Conflict("mark", name[1])

    def _tied(self, rest: SessionRead) -> int:
        seen = self._loader.memory.session((rest.source, rest.id))
        return 0 if seen is None else seen.tied

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
