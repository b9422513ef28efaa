"""Identity writes: what a commit changes at other documents than its own about whose id is whose.

They are done in one order, by any process, any number of times: first the keys that are left to others, so that no id
is found without them; then the tombstones; then the profiles that are set apart, the greatest rank first, so that a
tombstone is never found to lead to a profile that has not left yet. Each document is written only over the position
that is listed: at any other position another process has done it already.
"""

import asyncio

from engine.ports.records import IdentityKey
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import (
    Position,
    ProfileSource,
    decode_key_source,
    key_source,
    profile_source,
)
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import replace
from storage.elasticsearch.pending_writes import PendingUnit, Redirect, SetApart
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.tombstone_chain import node
from storage.elasticsearch.writer import Writer
from storage.encoding import encode


class IdentityWrites:
    """Does the identity writes of committed units."""

    def __init__(self, reader: Reader, writer: Writer, names: Names) -> None:
        self._reader = reader
        self._writer = writer
        self._names = names

    async def finish(self, record: PendingUnit) -> None:
        """Do all of an entry. Raises `Unavailable`."""
        await asyncio.gather(*[self._leave(key) for key in record.left_keys])
        await asyncio.gather(*[self._redirect(each) for each in record.redirects])
        for each in sorted(record.apart, key=_rank, reverse=True):
            await self._set_apart(each)

    async def _leave(self, key: IdentityKey) -> None:
        """Leave a key to an id, if one of those that lose it still holds it."""
        place = self._names.keys, id_of(key.key)
        while True:
            found = await self._reader.get(*place)
            if found is None or decode_key_source(found.source).id not in key.over:
                return
            if await self._writer.one(replace(*place, key_source(key), found.at)):
                return

    async def _redirect(self, tombstone: Redirect) -> None:
        """Write a tombstone, without anything that was frozen there."""
        while True:
            there = await node(self._reader, self._names, tombstone.id)
            if there.source is None or there.position != tombstone.over:
                return
            version, rewrites = after(tombstone.over, tombstone.version)
            pending = there.source.pending
            source = ProfileSource(
                id=tombstone.id,
                version=version,
                rewrites=rewrites,
                merged_into=tombstone.into,
                created=tombstone.created,
                pending=pending,
                recent=there.source.recent,
                unfinished=there.source.unfinished if pending else None,
            )
            if await self._writer.one(replace(self._names.profiles, id_of(there.id), encode(source), there.at)):
                return

    async def _set_apart(self, apart: SetApart) -> None:
        """Write a profile that leaves another one."""
        profile = apart.profile
        while True:
            there = await node(self._reader, self._names, profile.id)
            if there.source is None or there.position != apart.over:
                return
            pending = there.source.pending
            unfinished = there.source.unfinished if pending else None
            _, rewrites = after(apart.over, profile.version)
            source = profile_source(profile, apart.view, pending, there.source.recent, unfinished, rewrites)
            if await self._writer.one(replace(self._names.profiles, id_of(there.id), source, there.at)):
                return


def after(position: Position, version: int) -> Position:
    """The position of a write over `position` at a version that is not lower."""
    return version, position[1] + 1 if version == position[0] else 0


def _rank(apart: SetApart) -> tuple[int, str]:
    return apart.profile.created, apart.profile.id
