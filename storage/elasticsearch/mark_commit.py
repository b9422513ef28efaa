"""Commits of units that have no profile, no session and no versioned record of their own: by the first mark.

Without a mark, a document is made for the purpose, and deleted once the unit's writes are finished.
"""

from storage.elasticsearch.claims import Claims
from storage.elasticsearch.commit_carrier import MAX_TRIES, CommitCarrier, since, texts
from storage.elasticsearch.commit_plan import CommitPlan
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import MarkSource, decode_mark_source, mark_source, text_of
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Written, create, delete, replace
from storage.elasticsearch.preconditions import Preconditions
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class MarkCommit:
    """Commits with a document in the indices of marks."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        finisher: Finisher,
        check: Preconditions,
        claims: Claims,
        records: StoredRecords,
        carrier: CommitCarrier,
        names: Names,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._finisher = finisher
        self._check = check
        self._claims = claims
        self._records = records
        self._carrier = carrier
        self._names = names

    async def commit(self, plan: CommitPlan, now: int) -> None:
        """Commit a unit. Raises `Conflict` and `Unavailable`."""
        for tries in range(MAX_TRIES):
            await self._carrier.pause(plan, tries)
            checked = await self._check.unit(plan, None, (), look=tries > 0)
            await self._check.claim(checked)
            if not plan.marks:
                if plan.unit.changes:
                    await self._records.check(plan.unit.changes, None)
                await self._without_mark(plan, now)
                return
            if await self._by_mark(plan, look=tries > 0):
                return
        raise overtaken()

    async def _by_mark(self, plan: CommitPlan, look: bool) -> bool:
        """Commit with the first mark. It is read again only after a clash."""
        (index, mark), *_ = plan.marks
        place = index, id_of(mark.source, mark.event)
        at = await self._claims.free(mark, place, None) if look else None
        if plan.unit.changes and not await self._records.prepared(plan.unit.changes, place, plan.token):
            return False
        entry = plan.entry(committed=1)
        pending = await self._carrier.room((), entry)
        source = MarkSource(
            at=mark.at,
            profile=mark.profile,
            source=mark.source,
            session=mark.session,
            doc=text_of(mark),
            by=plan.token,
            pending=texts(pending),
            unfinished=since(pending),
        )
        written = await self._writer.one(replace(*place, encode(source), at))
        if written is None:
            found = await self._reader.get(*place)
            if found is None or decode_mark_source(found.source).by != plan.token:
                return False
        if entry is not None and written is not None:
            entry.tidy = replace(*place, mark_source(mark), written)
        await self._carrier.committed(plan, (), entry, place)
        return True

    async def _without_mark(self, plan: CommitPlan, now: int) -> None:
        entry = plan.entry()
        if entry is None:
            return
        if entry.record.size == 1:
            await self._writer.send(self._finisher.operations(entry.record))
            return
        place = self._names.marks_at(now, now), plan.token
        await self._carrier.room((), entry)
        source = MarkSource(by=plan.token, pending=[entry.text], unfinished=entry.record.stamp)
        written: Written | None = await self._writer.one(create(*place, encode(source)))  # a clash is our own write
        entry.tidy = delete(*place, written) if written is not None else None
        await self._carrier.committed(plan, (), entry, place)
