"""Commits of units that write profiles: by the document of the first living one."""

from engine.ports.records import ProfileWrite
from engine.ports.store import Conflict
from storage.elasticsearch.claims import Claims
from storage.elasticsearch.commit_carrier import MAX_TRIES, CommitCarrier, since, texts
from storage.elasticsearch.commit_plan import CommitPlan, Parts, parts_of
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import RECENT, profile_source
from storage.elasticsearch.loader import Loader, unsettled
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import PendingWrites
from storage.elasticsearch.preconditions import CheckedUnit, Preconditions
from storage.elasticsearch.session_commit import SessionCommit
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.tombstones import Tombstones
from storage.elasticsearch.version_cache import CachedVersion
from storage.elasticsearch.writer import Writer


class ProfileCommit:
    """Commits with the document of a profile, over the version that the unit expects."""

    def __init__(
        self,
        writer: Writer,
        loader: Loader,
        check: Preconditions,
        claims: Claims,
        records: StoredRecords,
        tombstones: Tombstones,
        sessions: SessionCommit,
        carrier: CommitCarrier,
        names: Names,
    ) -> None:
        self._writer = writer
        self._loader = loader
        self._check = check
        self._claims = claims
        self._records = records
        self._tombstones = tombstones
        self._sessions = sessions
        self._carrier = carrier
        self._names = names

    async def commit(self, plan: CommitPlan) -> None:
        """Commit a unit. Raises `Conflict` and `Unavailable`."""
        parts = parts_of(plan.unit.profiles)
        main = parts.main
        ids = main.profile.parts.keys() | {main.profile.id}
        on = self._names.profiles, main.profile.id
        written_before = False
        if parts.losers:  # a claim stands, so none is made for a unit that rests on an old profile
            self._loader.memory.drop(main.profile.id)
        for tries in range(MAX_TRIES):
            await self._carrier.pause(plan, tries)
            held = await self._loader.held(main.profile.id, main.expected)
            for extra in parts.extras:
                await self._loader.held(extra.profile.id, extra.expected)
            losers = await self._tombstones.seen(parts.losers, plan)
            checked = await self._check.unit(plan, held.since, ids)
            records = await self._records.check(plan.unit.changes, on) if plan.unit.changes else []
            if not written_before:  # once: from then on they stand
                await self._sessions.apart(checked.foreign)
                written_before = True
            await self._check.claim(checked)
            if plan.marks and not checked.tied:
                await self._claims.claim(plan, main.profile.id)
            if plan.moves_records and not await self._records.claim(records, on, plan.token):
                continue
            await self._tombstones.claim(losers, main.profile, plan)
            if await self._write(plan, parts, held, checked):
                return
        raise unsettled()

    async def _write(self, plan: CommitPlan, parts: Parts, held: CachedVersion, checked: CheckedUnit) -> bool:
        """Write the profile that commits; False if its document moved and its version did not."""
        main = parts.main
        entry = plan.entry(checked.guarded, _taken(parts, held), parts.extras, checked.over)
        pending = await self._carrier.room(held.pending, entry)
        recent = (*held.recent, plan.token)[-RECENT:]
        source = profile_source(main.profile, main.view, texts(pending), list(recent), since(pending))
        operation = replace(self._names.profiles, id_of(main.profile.id), source, held.at)
        async with self._carrier.forgetting(main.profile.id):
            written = await self._writer.one(operation)
        if written is None:
            if not await self._own(plan, main, entry):
                return False
        else:
            ids = frozenset(main.profile.parts)
            version = CachedVersion(main.profile.version, written, held.since, tuple(pending), recent, ids)
            self._loader.memory.hold(main.profile.id, version)
        self._carrier.committed(plan, checked.guarded, entry)
        return True

    async def _own(self, plan: CommitPlan, main: ProfileWrite, entry: PendingWrites | None) -> bool:
        """After a clash: whether it was our own write that is there. Raises `Conflict` if it was a newer version."""
        self._loader.memory.drop(main.profile.id)
        there = await self._loader.node(main.profile.id)
        if there.source is not None and plan.token in there.source.recent:
            return True
        if await self._carrier.left(plan, entry):
            return True
        if there.version != main.expected:
            raise Conflict("profile", main.profile.id)
        return False


def _taken(parts: Parts, held: CachedVersion) -> list[str]:
    """The ids whose tombstones are to be emptied after the commit."""
    main = parts.main.profile
    if main.merged_into is not None:
        return []
    taken = [loser.profile.id for loser in parts.losers]
    return [*taken, *[id for id in main.parts if id not in held.ids and id != main.id and id not in taken]]
