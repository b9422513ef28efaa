"""Commits of units that write profiles: by the document of the first living one."""

from engine.ports.records import ProfileWrite
from engine.ports.store import Conflict
from storage.elasticsearch.claims import Claims
from storage.elasticsearch.commit_carrier import MAX_TRIES, CommitCarrier, since, texts
from storage.elasticsearch.commit_plan import CommitPlan, profiles_of
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import RECENT, profile_source
from storage.elasticsearch.loader import Loader, overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import PendingWrites
from storage.elasticsearch.preconditions import CheckedUnit, Preconditions
from storage.elasticsearch.session_commit import SessionCommit
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.tombstones import NOTHING_SEEN, Listed, Tombstones
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
        profiles = profiles_of(plan.unit.profiles)
        main = profiles.main
        on = self._names.profiles, main.profile.id
        ids = {*profiles.homes, *[write.profile.id for write in plan.unit.profiles]}
        written_before = False
        # For who leaves, the entries of this document no longer exist, such as a delivery to be sent before its own.
        parts_ids = any(write.profile.merged_into is None for write in profiles.others)
        if profiles.others:  # a claim stands, so none is made for a unit that rests on an old profile
            self._loader.memory.drop(main.profile.id)
        for tries in range(MAX_TRIES):
            await self._carrier.pause(plan, tries)
            held = await self._loader.held(main.profile.id, main.expected)
            unfinished = [entry for entry in held.pending if not entry.finished]
            if before := [entry for entry in unfinished if parts_ids or entry.record.moves_ids]:
                await self._carrier.done(before)
            seen = await self._tombstones.seen(profiles, held.ids, plan)
            # What was read of a session is valid if it was read after all documents that may guard the session.
            since = self._loader.memory.tick() if seen is not NOTHING_SEEN else held.since
            checked = await self._check.unit(plan, since, ids)
            records = await self._records.check(plan.unit.changes, on) if plan.unit.changes else []
            if not written_before:  # once: from then on they stand
                await self._sessions.apart(checked.foreign)
                written_before = True
            await self._check.claim(checked)
            if plan.marks and not checked.tied:
                await self._claims.claim(plan, main.profile.id)
            if plan.moves_records and not await self._records.claim(records, on, plan.token):
                continue
            listed = await self._tombstones.freeze(seen, main.profile.id, plan)
            if await self._write(plan, main, held, checked, listed):
                return
        raise overtaken()

    async def _write(
        self, plan: CommitPlan, main: ProfileWrite, held: CachedVersion, checked: CheckedUnit, listed: Listed
    ) -> bool:
        """Write the profile that commits; False if its document moved and its version did not."""
        fields = {"redirects": listed.redirects, "apart": listed.apart, "marks_first": checked.handed_over}
        entry = plan.entry(checked.guarded, listed=fields)
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
        await self._carrier.committed(plan, checked.guarded, entry, (self._names.profiles, id_of(main.profile.id)))
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
