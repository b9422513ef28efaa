"""The upgrade of stored data to schema 6: keys have other names, and profiles know what they have proven.

It runs before the store serves, after the mappings of all indices but that of the keys have been upgraded; the number
of the schema is written there when all is done. Every step may be broken off and done again, by several processes at
once: keys are created, never written over, before the earlier ones are deleted; profiles are written by compare-and-set
and only if that changes them. See `storage.identity_upgrade` for the rules.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec import structs

from engine.ports.records import IdentityKey
from engine.profile.document import Profile
from engine.profile.linking import CLAIMED
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import ProfileSource, decode_profile_source, key_source, text_of
from storage.elasticsearch.earlier_keys import decode_earlier_key
from storage.elasticsearch.loader import MAX_CONFUSED, overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import create, delete, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.search import ALL, Hit, Query, Search
from storage.elasticsearch.sweeper import Sweeper
from storage.elasticsearch.tombstone_chain import ChainLink, node
from storage.elasticsearch.upkeep import Upkeep
from storage.elasticsearch.writer import Writer
from storage.encoding import decode_profile, encode
from storage.identity_upgrade import IdentityChanges, new_key, with_proofs

KEYS = 1000  # that are handled together
PROFILES = 200  # that are handled together, each with up to a hundred ids
HOLDING: Query = {"bool": {"should": [{"term": {"live": True}}, {"term": {"open": True}}]}}

Proofs = Mapping[str, Sequence[str]]  # ids, and what each has proven


class DataUpgrade:
    """Upgrades keys and profiles. Every method raises `Unavailable`."""

    def __init__(
        self, search: Search, reader: Reader, writer: Writer, sweeper: Sweeper, upkeep: Upkeep, names: Names
    ) -> None:
        self._search = search
        self._reader = reader
        self._writer = writer
        self._sweeper = sweeper
        self._upkeep = upkeep
        self._names = names

    async def run(self) -> list[str]:
        """Upgrade the data; returns a line for each change."""
        await self._sweeper.clear()
        secret, changes, now = await self._upkeep.secret(), IdentityChanges(), time.time_ns() // 1_000_000
        async for page in self._keys(ALL):
            changes.keys += await self._rename(page, secret)
        async for profiles, proofs in self._profiles(secret):
            await asyncio.gather(*[self._prove(each, proofs, now, changes) for each in profiles])
        return changes.lines(done=True)

    async def preview(self) -> list[str]:
        """A line for each change that `run` would make now. Writes nothing."""
        secret, changes = await self._upkeep.stored_secret() or b"", IdentityChanges()
        now = time.time_ns() // 1_000_000
        async for page in self._keys(ALL):
            changes.keys += sum(_new_name(hit, secret) is not None for hit in page)
        async for profiles, proofs in self._profiles(secret):
            for there in profiles:
                if (before := _profile(there)) is not None:
                    changes.count(before, _proven(before, proofs, now))
        return changes.lines(done=False)

    # ---- keys -------------------------------------------------------------------------------------------------------

    async def _keys(self, query: Query) -> AsyncIterator[list[Hit]]:
        """The documents of keys, some at a time."""
        index, after = self._names.keys, list[int | str]()
        await self._search.refresh(index)
        order = [{"id": "asc"}, {"key": "asc"}]
        while hits := await self._search.hits(index, query, order, KEYS, after=after):
            yield hits
            after = hits[-1].sort

    async def _rename(self, hits: Sequence[Hit], secret: bytes) -> int:
        """Give keys their new names; returns how many."""
        named = [(hit, name) for hit in hits if (name := _new_name(hit, secret)) is not None]
        ids = [decode_earlier_key(hit.source).id for hit, _ in named]
        sources = [key_source(IdentityKey(name, id)) for (_, name), id in zip(named, ids, strict=True)]
        index = self._names.keys
        await self._writer.send(
            [create(index, id_of(name), source) for (_, name), source in zip(named, sources, strict=True)]
        )
        deleted = await self._writer.send([delete(hit.index, hit.id, hit.at) for hit, _ in named])
        return sum(outcome is not None for outcome in deleted)

    # ---- profiles ---------------------------------------------------------------------------------------------------

    async def _profiles(self, secret: bytes) -> AsyncIterator[tuple[list[ChainLink], Proofs]]:
        """The documents with profiles, some at a time, and what their ids have proven."""
        index, after = self._names.profiles, list[int | str]()
        await self._search.refresh(index)
        while hits := await self._search.hits(index, HOLDING, [{"id": "asc"}], PROFILES, after=after):
            sources = [decode_profile_source(hit.source) for hit in hits]
            found = [ChainLink(source.id, source, hit.at) for source, hit in zip(sources, hits, strict=True)]
            yield found, await self._proofs([id for there in found for id in there.ids], secret)
            after = hits[-1].sort

    async def _proofs(self, ids: Sequence[str], secret: bytes) -> Proofs:
        proofs: dict[str, list[str]] = {}
        async for hits in self._keys({"terms": {"id": list(ids)}}):
            for hit in hits:
                key = decode_earlier_key(hit.source)
                name = new_key(secret, key.key, key.claim)
                if not name.startswith(CLAIMED):
                    proofs.setdefault(key.id, []).append(name)
        return proofs

    async def _prove(self, there: ChainLink, proofs: Proofs, now: int, changes: IdentityChanges) -> None:
        """Note in a document what its ids have proven, and count it."""
        for _ in range(MAX_CONFUSED):
            before = _profile(there)
            if there.source is None or before is None:
                return
            after = _proven(before, proofs, now)
            source = encode(_rewritten(there.source, after))
            if after is before or await self._writer.one(
                replace(self._names.profiles, id_of(there.id), source, there.at)
            ):
                changes.count(before, after)
                return
            there = await node(self._reader, self._names, there.id)
        raise overtaken()


def _new_name(hit: Hit, secret: bytes) -> str | None:
    """The new name of a key; None for a document that has a name of today."""
    key = decode_earlier_key(hit.source)
    name = new_key(secret, key.key, key.claim)
    return None if name == key.key else name


def _profile(there: ChainLink) -> Profile | None:
    """The profile that is stored in a document, or frozen in an open tombstone."""
    if there.source is None:
        return None
    doc = there.source.frozen if there.is_open else there.source.doc if there.source.living else None
    return None if doc is None else decode_profile(doc)


def _proven(profile: Profile, proofs: Proofs, now: int) -> Profile:
    return with_proofs(profile, [(id, cause) for id in profile.parts for cause in proofs.get(id, ())], now)


def _rewritten(source: ProfileSource, profile: Profile) -> ProfileSource:
    """A document with its profile changed, which others must not take for the same."""
    text, rewrites = text_of(profile), source.rewrites + 1
    if source.open:
        return structs.replace(source, frozen=text, rewrites=rewrites)
    return structs.replace(source, doc=text, due=profile.due, rewrites=rewrites)
