"""Versioned records as they are stored: read, checked and claimed.

A unit changes or deletes a record only at the version that it expects. A unit that such a record's own document commits
(`RecordCommit`) has nothing else to do. Any other unit claims the record first: it notes in the record's document which
document is to commit the unit. While the claim is there, the record may be as it is or as that unit left it: who reads
it finishes first what that document carries, and who wants to change it uses the `Fence`. So of two units that change
or delete a record at one version, at most one is committed, whichever documents commit them; and a deleted record never
comes back.

Records that a unit creates are not claimed, so that a tracked event needs no further write before its commit. They are
looked for, and created after the commit. If two units create the same id at the same moment, both may be committed,
unless one document commits both; the first one written stays. So the id of a record must be derived from its unit.
"""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Raw, Struct

from engine.ports.kind import Kind
from engine.ports.records import RecordDelete, RecordWrite
from engine.ports.store import Conflict
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.documents import RecordSource, amended, decode_record_source
from storage.elasticsearch.fence import Fence
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import MAX_CONFUSED, overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Written, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Writer

R = TypeVar("R", bound=Struct)
Change = RecordWrite | RecordDelete

ABSENT = RecordSource()


class StoredRecord(Struct, frozen=True):
    """The document of a record that a unit changes; without `at` there is none."""

    change: Change
    place: IndexedId
    source: RecordSource
    raw: Raw
    at: Written | None


class StoredRecords:
    """Reads versioned records, checks them for a unit, and claims them."""

    def __init__(self, reader: Reader, writer: Writer, finisher: Finisher, fence: Fence, names: Names) -> None:
        self._reader = reader
        self._writer = writer
        self._finisher = finisher
        self._fence = fence
        self._names = names

    async def get(self, kind: Kind[R], id: str) -> R | None:
        """A record as it is now, with all that was committed."""
        index = self._names.of(kind)
        place = index.name, index.document_id(id)
        await self._finisher.changed([(kind.name, id)])
        source = await self._source(place)
        carried = source.on is not None or bool(source.pending)
        if source.pending:
            await self._finisher.done(self._finisher.known(source.pending, place))
        if source.on is not None:
            await self._fence.finish(source.on)
        if carried:
            source = await self._source(place)
        return None if source.doc is None else index.decode(source.doc)

    async def _source(self, place: IndexedId) -> RecordSource:
        found = await self._reader.get(*place)
        return ABSENT if found is None else decode_record_source(found.source)

    # ---- for a unit -------------------------------------------------------------------------------------------------

    async def prepared(self, changes: Sequence[Change], on: IndexedId, token: str) -> bool:
        """Check and claim the records of a unit for the document `on`; False if one moved meanwhile.

        Raises `Conflict`.
        """
        return await self.claim(await self.check(changes, on), on, token)

    async def check(self, changes: Sequence[Change], on: IndexedId | None) -> list[StoredRecord]:
        """The documents of the records that a unit changes, free of claims for other documents than `on`.

        Raises `Conflict` if one is not at the expected version, or is to be created and was deleted before.
        """
        await self._finisher.changed([(change.kind.name, change.id) for change in changes])
        free: set[tuple[IndexedId, Written | None]] = set()
        for _ in range(MAX_CONFUSED):
            records = await self._look(changes)
            held = [each for each in records if each.source.on not in (None, on) and (each.place, each.at) not in free]
            if not held:
                return records
            for each in held:
                if each.source.on is not None and await self._fence.stop(each.source.on):
                    free.add((each.place, each.at))
        raise overtaken()

    async def _look(self, changes: Sequence[Change]) -> list[StoredRecord]:
        places: list[IndexedId] = []
        for change in changes:
            index = self._names.of(change.kind)
            places.append((index.name, index.document_id(change.id)))
        records = []
        for change, place, found in zip(changes, places, await self._reader.many(places), strict=True):
            source = ABSENT if found is None else decode_record_source(found.source)
            if source.version != change.expected or (source.gone is not None and isinstance(change, RecordWrite)):
                raise Conflict("record", change.id)
            raw, at = (Raw(b"{}"), None) if found is None else (found.source, found.at)
            records.append(StoredRecord(change, place, source, raw, at))
        return records

    async def claim(self, records: Sequence[StoredRecord], on: IndexedId, token: str) -> bool:
        """Claim the records that are changed or deleted; False if one moved, so that they must be checked again."""
        claimed = [each for each in records if each.at is not None and each.change.expected]
        operations = [replace(*each.place, amended(each.raw, on=on, by=token), each.at) for each in claimed]
        for each, outcome in zip(claimed, await self._writer.send(operations), strict=True):
            if outcome is None and (await self._source(each.place)).by != token:
                return False
        return True
