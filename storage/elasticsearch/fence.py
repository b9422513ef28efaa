"""The fence: makes sure that a claim is void, or that its unit is committed and written.

A claim names the document that is to commit its unit, by index and name: a profile by its own id, any other document by
its document id. A unit that needs what another unit has claimed first finishes what that document carries, and then
writes the document again unchanged, so that every commit with it that is under way fails. Only then the claim may be
written over, by compare-and-set. The owner renews its claim before each try to commit, so one of the two fails.
"""

from msgspec import Struct, json

from storage.elasticsearch.document_id import IndexedId, id_of
from storage.elasticsearch.documents import MarkSource, ProfileSource
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.reader import FoundDocument, Reader
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class _Carrying(Struct, frozen=True):
    pending: list[str] = []


_decode = json.Decoder(_Carrying).decode


class Fence:
    """Finishes commits, and makes those fail that are under way."""

    def __init__(self, loader: Loader, reader: Reader, writer: Writer, finisher: Finisher, names: Names) -> None:
        self._loader = loader
        self._reader = reader
        self._writer = writer
        self._finisher = finisher
        self._names = names

    async def finish(self, on: IndexedId) -> FoundDocument | None:
        """Finish the pending writes of a document; returns the document as it was before, None for a profile's."""
        index, name = on
        if index == self._names.profiles:
            await self._loader.chain(name)
            return None
        found = await self._reader.get(index, name)
        if found is not None and (pending := _decode(found.source).pending):
            await self._finisher.done(self._finisher.known(pending, on))
        return found

    async def stop(self, on: IndexedId) -> bool:
        """Finish the pending writes of a document, and make every commit with it fail that is under way.

        False if the document moved meanwhile: then neither is certain.
        """
        index, name = on
        if index == self._names.profiles:
            return await self.stop_profile(name)
        found = await self.finish(on)
        if found is not None:
            return await self._writer.one(replace(index, name, bytes(found.source), found.at)) is not None
        if self._names.holds_marks(index):
            return await self._writer.one(replace(index, name, encode(MarkSource()), None)) is not None
        return True  # a commit to a record that is gone has failed already

    async def stop_profile(self, id: str) -> bool:
        """As `stop`, for the document of a profile."""
        chain = await self._loader.chain(id)
        if not chain:
            return True
        there = chain[0]
        if there.source is not None and there.source.merged_into is not None:
            return True  # a commit with the profile that it was has failed already
        source = there.source or ProfileSource(id=id, version=0)
        self._loader.memory.drop(id)
        written = await self._writer.one(replace(self._names.profiles, id_of(id), encode(source), there.at))
        return written is not None
