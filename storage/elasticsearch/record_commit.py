"""Commits of units without a profile, a session and a mark, which write versioned records: by the first of these."""

from engine.ports.store import Conflict
from storage.elasticsearch.commit_carrier import MAX_TRIES, CommitCarrier, since, texts
from storage.elasticsearch.commit_plan import CommitPlan
from storage.elasticsearch.documents import RECENT, decode_record_source
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import PendingWrites, change_of
from storage.elasticsearch.preconditions import Preconditions
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.stored_records import StoredRecord, StoredRecords
from storage.elasticsearch.writer import Writer


class RecordCommit:
    """Commits with the document of a versioned record, one that exists if there is any such in the unit."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        finisher: Finisher,
        check: Preconditions,
        records: StoredRecords,
        carrier: CommitCarrier,
        names: Names,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._finisher = finisher
        self._check = check
        self._records = records
        self._carrier = carrier
        self._names = names

    async def commit(self, plan: CommitPlan) -> None:
        """Commit a unit. Raises `Conflict` and `Unavailable`."""
        main = max(plan.changes, key=lambda change: change.expected > 0)  # of equals the first
        index = self._names.of(main.kind)
        on = index.name, index.document_id(main.id)
        for tries in range(MAX_TRIES):
            await self._carrier.pause(plan, tries)
            await self._check.claim(await self._check.unit(plan, None, ()))
            records = await self._records.check(plan.unit.changes, on)
            others = [each for each in records if each.change is not main]
            if others and not await self._records.claim(others, on, plan.token):
                continue
            (stored,) = [each for each in records if each.change is main]
            if await self._write(plan, stored):
                return
        raise overtaken()

    async def _write(self, plan: CommitPlan, stored: StoredRecord) -> bool:
        """Write the record that commits; False if its document moved and its version did not."""
        if stored.source.pending:
            await self._finisher.done(self._finisher.known(stored.source.pending, stored.place))
        main = stored.change
        index = self._names.of(main.kind)
        entry = plan.entry(change=main)
        pending = await self._carrier.room((), entry)
        recent = [*stored.source.recent, plan.token][-RECENT:]
        doc = change_of(main).doc
        document = index.changed(doc, texts(pending), recent, since(pending))
        written = await self._writer.one(replace(*stored.place, document, stored.at))
        if written is None and not await self._own(plan, stored, entry):
            return False
        if entry is not None and written is not None:
            entry.tidy = replace(*stored.place, index.changed(doc, [], recent, None), written)
        await self._carrier.committed(plan, (), entry, stored.place)
        return True

    async def _own(self, plan: CommitPlan, stored: StoredRecord, entry: PendingWrites | None) -> bool:
        """After a clash: whether it was our own write that is there. Raises `Conflict` if it was a newer version."""
        found = await self._reader.get(*stored.place)
        source = None if found is None else decode_record_source(found.source)
        if source is not None and plan.token in source.recent:
            return True
        if await self._carrier.left(plan, entry):
            return True
        if (0 if source is None else source.version) != stored.change.expected:
            raise Conflict("record", stored.change.id)
        return False
