"""Commits of units without a profile that change sessions: by the document of the session's profile, or its own."""

from collections.abc import Sequence

from msgspec import structs

from engine.ports.records import SessionWrite, Unit
from storage.elasticsearch.commit_carrier import MAX_TRIES, CommitCarrier, since, texts
from storage.elasticsearch.commit_plan import CommitPlan, CommitPlans
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import RECENT, ProfileSource, decode_session_source, session_source
from storage.elasticsearch.loader import Loader, overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import advance, create, replace
from storage.elasticsearch.preconditions import Preconditions
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.tombstone_chain import ChainLink
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class SessionCommit:
    """Commits with a profile's document as it is, or with a session that has no profile."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        loader: Loader,
        check: Preconditions,
        records: StoredRecords,
        carrier: CommitCarrier,
        plans: CommitPlans,
        names: Names,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._loader = loader
        self._check = check
        self._records = records
        self._carrier = carrier
        self._plans = plans
        self._names = names

    async def apart(self, sessions: Sequence[SessionWrite]) -> None:
        """Write sessions that a unit's document does not guard: before the unit, and standing even if it fails."""
        for write in sessions:
            await self.commit(self._plans.plan(Unit(sessions=(write,)), self._loader.now()))

    async def commit(self, plan: CommitPlan) -> None:
        """Commit a unit that changes a session and no profile. Raises `Conflict` and `Unavailable`."""
        first, *others = plan.unit.sessions
        if plan.unit.changes:
            await self._records.check(plan.unit.changes, None)
        await self.apart(others)
        for _ in range(MAX_TRIES):
            guard = await self._guard(first)
            if guard is None:
                done = await self._by_session(plan, first)
            else:
                done = await self._by_guard(plan, first, guard)
            if done:
                return
        raise overtaken()

    async def _guard(self, write: SessionWrite) -> str | None:
        """The profile that the session leads to as it is stored; of one that is not stored, as it is to be."""
        name = write.session.source, write.session.id
        if self._loader.memory.session(name) is None:
            await self._loader.session(name)
        seen = self._loader.memory.session(name)
        return (seen.profile if seen is not None else None) or write.session.profile

    async def _by_guard(self, plan: CommitPlan, write: SessionWrite, guard: str) -> bool:
        """Commit with the document of the session's profile, the profile as it is."""
        chain = await self._loader.chain(guard)
        root = chain[-1] if chain else ChainLink(guard)
        tick = self._loader.memory.tick()
        ids = {node.id for node in chain} | {guard}
        checked = await self._check.unit(plan, tick, ids)
        if write not in checked.guarded:
            return False  # it has been handed over meanwhile
        await self._check.claim(checked)
        entry = plan.entry((write,), listed={"marks_first": checked.handed_over})
        source = root.source or ProfileSource(id=root.id, version=0)
        pending = await self._carrier.room((), entry)
        changed = structs.replace(
            source,
            pending=texts(pending),
            recent=[*source.recent, plan.token][-RECENT:],
            unfinished=since(pending),
        )
        async with self._carrier.forgetting(root.id):
            written = await self._writer.one(replace(self._names.profiles, id_of(root.id), encode(changed), root.at))
        self._loader.memory.drop(root.id)
        if written is None:
            there = await self._loader.node(root.id)
            own = there.source is not None and plan.token in there.source.recent
            if not own and not await self._carrier.left(plan, entry):
                return False
        await self._carrier.committed(plan, (write,), entry, (self._names.profiles, id_of(root.id)))
        return True

    async def _by_session(self, plan: CommitPlan, write: SessionWrite) -> bool:
        """Commit with the document of a session that has no profile."""
        checked = await self._check.unit(plan, None, ())
        await self._check.claim(checked)
        session = write.session
        entry = plan.entry()
        pending = await self._carrier.room((), entry)
        source = session_source(session, texts(pending), [plan.token], since(pending))
        id = id_of(session.source, session.id)
        index = self._names.sessions
        # A new one is created: it must not write over a claim.
        operation = advance(index, id, source, session.version) if write.expected else create(index, id, source)
        if await self._writer.one(operation) is None:
            found = await self._reader.get(index, id)
            own = found is not None and plan.token in decode_session_source(found.source).recent
            if not own and not await self._carrier.left(plan, entry):
                return False
        await self._carrier.committed(plan, (), entry, (index, id))
        return True
