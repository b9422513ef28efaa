"""Entries that versions with schema 5 left pending: profiles that were split off, tombstones that were taken, keys.

They are finished as those versions did, before the stored data is upgraded; nothing writes such entries any more.
"""

from engine.profile.upgrade import upgraded
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import ProfileSource, profile_source
from storage.elasticsearch.earlier_keys import decode_earlier_key, earlier_key_source
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import EarlierKey, Extra, PendingUnit
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.tombstone_chain import node
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class EarlierEntries:
    """Finishes such entries."""

    def __init__(self, reader: Reader, writer: Writer, names: Names) -> None:
        self._reader = reader
        self._writer = writer
        self._names = names

    async def finish(self, record: PendingUnit) -> None:
        """Do what is pending in an entry. Raises `Unavailable`."""
        for extra in record.profiles:
            await self._write(extra)
        for id in record.taken:
            await self._close(id)
        for key in record.over:
            await self._write_over(key)

    async def _write(self, extra: Extra) -> None:
        """Write a profile that was split off, if the stored version is still the one that the unit had read."""
        profile = upgraded(extra.profile)
        while (there := await node(self._reader, self._names, profile.id)).version == extra.expected:
            source = profile_source(profile, extra.view, [], [], None)
            if await self._writer.one(replace(self._names.profiles, id_of(profile.id), source, there.at)):
                return

    async def _close(self, id: str) -> None:
        """Empty a tombstone whose profile has been taken."""
        while (source := (there := await node(self._reader, self._names, id)).source) is not None and source.open:
            bare = ProfileSource(
                id=id,
                version=source.version,
                rewrites=source.rewrites + 1,
                merged_into=source.merged_into,
                created=source.created,
                recent=source.recent,
            )
            if await self._writer.one(replace(self._names.profiles, id_of(id), encode(bare), there.at)):
                return

    async def _write_over(self, key: EarlierKey) -> None:
        """Let a key lead to the profile that has proven it, unless another profile has by now."""
        place = self._names.keys, id_of(key.key)
        while True:
            found = await self._reader.get(*place)
            held = decode_earlier_key(found.source) if found else None
            if found is None or held is None or held.id == key.id or not held.claim:
                return
            if await self._writer.one(replace(*place, earlier_key_source(key), found.at)):
                return
