"""The commit: claims first, then one document, written by compare-and-set, that carries all the rest as pending.

Which document: that of the unit's profile; for a unit that changes a session only, that of the session's profile, or
of the session where it has none; else the first mark. What was committed is finished in the background.

A write whose outcome is not known is sent again as it is (`writer`); a clash may therefore be one's own write. So a
document remembers the last units that it has committed, and a clash is looked at before it counts.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from engine.ports.records import ProfileWrite, SessionWrite, Unit
from engine.ports.store import Conflict, TooLarge, Unavailable
from storage.elasticsearch.claims import Claims
from storage.elasticsearch.commit_plan import CommitPlan, Parts, Stamps, names_of, parts_of, plan_commit
from storage.elasticsearch.document_locks import DocumentLocks
from storage.elasticsearch.documents import (
    RECENT,
    MarkSource,
    ProfileSource,
    decode_mark_source,
    decode_session_source,
    mark_source,
    profile_source,
    session_source,
    text_of,
)
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader, unsettled
from storage.elasticsearch.names import Names, id_of
from storage.elasticsearch.operation import Written, advance, create, delete, replace
from storage.elasticsearch.pending_writes import PendingWrites
from storage.elasticsearch.preconditions import CheckedUnit, Preconditions
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.tombstone_chain import ChainLink
from storage.elasticsearch.tombstones import Tombstones
from storage.elasticsearch.version_cache import CachedSession, CachedVersion
from storage.elasticsearch.writer import Writer
from storage.encoding import check_versions, encode

MAX_TRIES = 20  # of one unit whose document moves without its version
MAX_PENDING = 8  # entries that a document carries
MAX_PENDING_BYTES = 4 * 1024 * 1024
MAX_BYTES = 32 * 1024 * 1024  # of what one unit leaves pending


class Committer:
    """Commits units. Those that touch the same documents take turns."""

    def __init__(self, reader: Reader, writer: Writer, loader: Loader, finisher: Finisher, names: Names) -> None:
        self._reader = reader
        self._writer = writer
        self._loader = loader
        self._finisher = finisher
        self._names = names
        self._check = Preconditions(loader, reader, writer)
        self._claims = Claims(loader, writer, names)
        self._tombstones = Tombstones(loader, writer, names)
        self._turns = DocumentLocks()
        self._stamps = Stamps()

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, or nothing. Raises `Conflict` and `Unavailable`."""
        check_versions(unit)
        async with self._turns.of(names_of(unit)):
            await self._commit(unit)

    async def close(self) -> None:
        """Wait for the units that are under way."""
        await self._turns.over()

    async def _commit(self, unit: Unit) -> None:
        now = self._loader.now()
        draft = plan_commit(unit, self._stamps.next(), lambda time: self._names.marks_at(time, now))
        if unit.profiles:
            await self._with_profile(draft)
        elif unit.sessions:
            await self._with_session(draft)
        else:
            await self._with_mark(draft, now)

    # ---- with a profile ---------------------------------------------------------------------------------------------

    async def _with_profile(self, draft: CommitPlan) -> None:
        parts = parts_of(draft.unit.profiles)
        main = parts.main
        ids = main.profile.parts.keys() | {main.profile.id}
        written_before = False
        if parts.losers:  # a claim stands, so none is made for a unit that rests on an old profile
            self._loader.memory.drop(main.profile.id)
        for _ in range(MAX_TRIES):
            held = await self._loader.held(main.profile.id, main.expected)
            for extra in parts.extras:
                await self._loader.held(extra.profile.id, extra.expected)
            losers = await self._tombstones.seen(parts.losers, draft)
            checked = await self._check.unit(draft, held.since, ids)
            if not written_before:  # once: from then on they stand
                await self._apart(checked.foreign)
                written_before = True
            await self._check.claim(checked)
            if draft.marks and not checked.tied:
                await self._claims.claim(draft, main.profile.id)
            await self._tombstones.claim(losers, main.profile, draft)
            if await self._write_profile(draft, parts, held, checked):
                return
        raise unsettled()

    async def _apart(self, foreign: Sequence[SessionWrite]) -> None:
        """Sessions that this unit's document does not guard are written before it, and stand even if it is not."""
        for write in foreign:
            await self._commit(Unit(sessions=(write,)))

    async def _write_profile(self, draft: CommitPlan, parts: Parts, held: CachedVersion, checked: CheckedUnit) -> bool:
        main = parts.main
        taken = [loser.profile.id for loser in parts.losers]
        taken += [id for id in main.profile.parts if id not in held.ids and id != main.profile.id and id not in taken]
        if main.profile.merged_into is not None:
            taken = []
        entry = draft.entry(checked.guarded, taken, parts.extras, checked.over)
        pending = await self._room(held.pending, entry)
        recent = (*held.recent, draft.token)[-RECENT:]
        source = profile_source(main.profile, main.view, _texts(pending), list(recent), _since(pending))
        operation = replace(self._names.profiles, id_of(main.profile.id), source, held.at)
        async with self._unknown(main.profile.id):
            written = await self._writer.one(operation)
        if written is None:
            return await self._own(draft, main, checked, entry)
        ids = frozenset(main.profile.parts)
        self._loader.memory.hold(
            main.profile.id, CachedVersion(main.profile.version, written, held.since, tuple(pending), recent, ids)
        )
        self._committed(draft, checked.guarded, entry)
        return True

    async def _own(
        self, draft: CommitPlan, main: ProfileWrite, checked: CheckedUnit, entry: PendingWrites | None
    ) -> bool:
        """After a clash: whether it was our own write that is there. Raises `Conflict` if it was a newer version."""
        self._loader.memory.drop(main.profile.id)
        there = await self._loader.node(main.profile.id)
        if (there.source is not None and draft.token in there.source.recent) or await self._left(entry):
            self._committed(draft, checked.guarded, entry)
            return True
        if there.version != main.expected:
            raise Conflict("profile", main.profile.id)
        return False

    async def _left(self, entry: PendingWrites | None) -> bool:
        """Whether an entry has left documents that only it can leave: then it was committed, and others finished it."""
        if entry is None or not entry.record.events:
            return False
        event = entry.record.events[0]
        return await self._reader.get(self._names.events_at(event.received), f"{entry.token}-0") is not None

    # ---- with sessions only -----------------------------------------------------------------------------------------

    async def _with_session(self, draft: CommitPlan) -> None:
        first, *others = draft.unit.sessions
        await self._apart(others)
        for _ in range(MAX_TRIES):
            if first.session.profile is None:
                done = await self._by_session(draft, first)
            else:
                done = await self._by_guard(draft, first, first.session.profile)
            if done:
                return
        raise unsettled()

    async def _by_guard(self, draft: CommitPlan, write: SessionWrite, guard: str) -> bool:
        """Commit with the document of the session's profile, the profile as it is."""
        chain = await self._loader.chain(guard)
        root = chain[-1] if chain else ChainLink(guard)
        since = self._loader.memory.tick()
        ids = {node.id for node in chain} | {guard}
        checked = await self._check.unit(draft, since, ids)
        await self._check.claim(checked)
        entry = draft.entry((write,))
        source = root.source or ProfileSource(id=root.id, version=0)
        pending = await self._room((), entry)
        changed = ProfileSource(
            **{
                **{field: getattr(source, field) for field in source.__struct_fields__},
                "pending": _texts(pending),
                "recent": [*source.recent, draft.token][-RECENT:],
                "unfinished": _since(pending),
            }
        )
        async with self._unknown(root.id):
            written = await self._writer.one(replace(self._names.profiles, id_of(root.id), encode(changed), root.at))
        self._loader.memory.drop(root.id)
        if written is None:
            there = await self._loader.node(root.id)
            if (there.source is None or draft.token not in there.source.recent) and not await self._left(entry):
                return False
        self._committed(draft, (write,), entry)
        return True

    async def _by_session(self, draft: CommitPlan, write: SessionWrite) -> bool:
        """Commit with the document of a session that has no profile."""
        checked = await self._check.unit(draft, None, ())
        await self._check.claim(checked)
        session = write.session
        entry = draft.entry()
        pending = await self._room((), entry)
        source = session_source(session, _texts(pending), [draft.token], _since(pending))
        id = id_of(session.source, session.id)
        index = self._names.sessions
        # A new one is created: it must not write over a claim.
        operation = advance(index, id, source, session.version) if write.expected else create(index, id, source)
        if await self._writer.one(operation) is None:
            found = await self._reader.get(self._names.sessions, id)
            own = found is not None and draft.token in decode_session_source(found.source).recent
            if not own and not await self._left(entry):
                return False
        self._committed(draft, (), entry)
        return True

    # ---- with marks only, or less -----------------------------------------------------------------------------------

    async def _with_mark(self, draft: CommitPlan, now: int) -> None:
        for tries in range(MAX_TRIES):
            checked = await self._check.unit(draft, None, (), look=tries > 0)
            await self._check.claim(checked)
            if not draft.marks:
                await self._without_mark(draft, now)
                return
            if await self._by_mark(draft, look=tries > 0):
                return
        raise unsettled()

    async def _by_mark(self, draft: CommitPlan, look: bool) -> bool:
        """Commit with the first mark. It is looked for again only if something turned out to be there."""
        (index, mark), *_ = draft.marks
        place = index, id_of(mark.source, mark.event)
        at = await self._claims.free(mark, place, None) if look else None
        entry = draft.entry(committed=1)
        pending = await self._room((), entry)
        source = MarkSource(
            at=mark.at,
            profile=mark.profile,
            source=mark.source,
            session=mark.session,
            doc=text_of(mark),
            by=draft.token,
            pending=_texts(pending),
            unfinished=_since(pending),
        )
        written = await self._writer.one(replace(*place, encode(source), at))
        if written is None:
            found = await self._reader.get(*place)
            if found is None or decode_mark_source(found.source).by != draft.token:
                return False
        if entry is not None and written is not None:
            entry.tidy = replace(*place, mark_source(mark), written)
        self._committed(draft, (), entry)
        return True

    async def _without_mark(self, draft: CommitPlan, now: int) -> None:
        entry = draft.entry()
        if entry is None:
            return
        if entry.record.size == 1:
            await self._writer.send(self._finisher.operations(entry.record))
            return
        place = self._names.marks_at(now, now), draft.token
        await self._room((), entry)
        source = MarkSource(by=draft.token, pending=[entry.text], unfinished=entry.record.stamp)
        written: Written | None = await self._writer.one(create(*place, encode(source)))  # a clash is our own write
        entry.tidy = delete(*place, written) if written is not None else None
        self._committed(draft, (), entry)

    # ---- all ways ---------------------------------------------------------------------------------------------------

    async def _room(self, pending: Sequence[PendingWrites], entry: PendingWrites | None) -> list[PendingWrites]:
        """The entries that a document is to carry: what is not known to be finished, and the unit's own."""
        if entry is not None and len(entry.text) > MAX_BYTES:
            raise TooLarge(f"a unit of {len(entry.text)} characters is too large to be committed")
        left = [each for each in pending if not each.finished]
        size = sum([len(each.text) for each in left])
        if len(left) >= MAX_PENDING or size > MAX_PENDING_BYTES:
            await self._finisher.done(left)
            left = []
        return [*left, entry] if entry is not None else left

    @asynccontextmanager
    async def _unknown(self, id: str) -> AsyncIterator[None]:
        """While a profile's document is being written, nothing is known of it if that ends badly."""
        try:
            yield
        except (Unavailable, asyncio.CancelledError):
            self._loader.memory.drop(id)
            raise

    def _committed(self, draft: CommitPlan, sessions: Sequence[SessionWrite], entry: PendingWrites | None) -> None:
        """The unit is on disk: what it left pending is finished from here on."""
        memory = self._loader.memory
        tick = memory.tick()
        for write in sessions:
            session = write.session
            memory.see((session.source, session.id), CachedSession(session.version, session.profile, tick))
        for _, mark in draft.marks:
            memory.mark((mark.source, mark.event))
        if entry is not None:
            self._finisher.begin(entry)


def _texts(entries: Sequence[PendingWrites]) -> list[str]:
    return [entry.text for entry in entries]


def _since(entries: Sequence[PendingWrites]) -> int | None:
    return min([entry.record.stamp for entry in entries], default=None)
