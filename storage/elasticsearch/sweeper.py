"""The sweeper: finishes what a crash left pending, and clears entries from documents that are not written any more.

It finds documents by a search, and reads each again before it writes. Other processes may do the same at the same time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct, json, structs

from engine.ports.store import Unavailable
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.documents import (
    amended,
    decode_mark_source,
    decode_profile_source,
    decode_record_source,
    decode_session_source,
)
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Operation, delete, renew, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.search import Hit, Search
from storage.elasticsearch.writer import Writer
from storage.encoding import encode

PAGE = 200  # documents that are finished together
PAGES = 50  # in one sweep of an index
OLDER_MS = 15_000  # younger entries are probably still under way
MAX_TRIES = 20  # to clear an index

Take = Callable[[Hit], Awaitable[bool]]


class _Carrying(Struct, frozen=True):
    pending: list[str] = []


class _Named(Struct, frozen=True):
    id: str


class Sweeper:
    """One sweep at a time in a process."""

    def __init__(self, search: Search, reader: Reader, writer: Writer, finisher: Finisher, names: Names) -> None:
        self._search = search
        self._reader = reader
        self._writer = writer
        self._finisher = finisher
        self._names = names
        self._lock = asyncio.Lock()

    async def sweep(self, older_ms: int = OLDER_MS) -> int:
        """Finish documents whose entries are older than `older_ms`; returns how many there were."""
        if self._lock.locked():
            return 0
        async with self._lock:
            before = time.time_ns() // 1000 - older_ms * 1000
            names = self._names
            swept = await self._index(names.marks, before, self._mark)
            swept += await self._index(names.sessions, before, self._session)
            for index in names.versioned:
                swept += await self._index(index.name, before, self._record)
            return swept + await self._index(names.profiles, before, self._profile)

    async def clear(self) -> None:
        """Finish all that is pending now in any document, and clear it from there.

        Raises `Unavailable` when documents keep carrying it.
        """
        async with self._lock:
            names = self._names
            for name, take in (
                (names.marks, self._mark),
                (names.sessions, self._session),
                *[(index.name, self._record) for index in names.versioned],
                (names.profiles, self._profile),
            ):
                await self._clear_index(name, take)

    async def _clear_index(self, name: str, take: Take) -> None:
        await self._search.refresh(name)
        newest = await self._search.hits(name, {"exists": {"field": "unfinished"}}, [{"unfinished": "desc"}], 1)
        last = int(newest[0].sort[0]) if newest else 0
        for _ in range(MAX_TRIES):
            if not await self._take_up(name, last, take):
                return
            await self._search.refresh(name)
        raise Unavailable(f"documents of {name} keep carrying what has been committed")

    async def _take_up(self, name: str, last: int, take: Take) -> int:
        """Finish what has been pending since `last` or longer; returns how many documents carried any of it."""
        carrying, after = 0, 0
        while True:
            query = {"range": {"unfinished": {"lte": last, "gt": after}}}
            hits = await self._search.hits(name, query, [{"unfinished": "asc"}], PAGE)
            some = [hit for hit in hits if json.decode(hit.source, type=_Carrying).pending]
            await asyncio.gather(*[take(hit) for hit in some])
            carrying += len(some)
            if len(hits) < PAGE:
                return carrying
            after = int(hits[-1].sort[0])

    async def _index(self, name: str, before: int, take: Take) -> int:
        """Finish the documents of an index, the oldest first; returns how many."""
        swept, after = 0, 0
        await self._search.refresh(name)
        for _ in range(PAGES):
            query = {"range": {"unfinished": {"lt": before, "gt": after}}}
            hits = await self._search.hits(name, query, [{"unfinished": "asc"}], PAGE)
            swept += _worth(await asyncio.gather(*[take(hit) for hit in hits], return_exceptions=True))
            if len(hits) < PAGE:
                break
            after = int(hits[-1].sort[0])
        return swept

    async def _mark(self, hit: Hit) -> bool:
        found = await self._reader.get(hit.index, hit.id)
        if found is None:
            return False
        source = decode_mark_source(found.source)
        if not source.pending:
            return False
        await self._done(source.pending, (hit.index, hit.id))
        bare = structs.replace(source, pending=[], unfinished=None, by=None)
        if source.doc is None and source.on is None:
            return await self._clear(delete(hit.index, hit.id, found.at))
        return await self._clear(replace(hit.index, hit.id, encode(bare), found.at))

    async def _session(self, hit: Hit) -> bool:
        found = await self._reader.get(hit.index, hit.id)
        source = decode_session_source(found.source) if found else None
        if source is None or not source.pending:
            return False
        await self._done(source.pending, (hit.index, hit.id))
        bare = structs.replace(source, pending=[], unfinished=None)
        return await self._clear(renew(hit.index, hit.id, encode(bare), source.version))

    async def _record(self, hit: Hit) -> bool:
        found = await self._reader.get(hit.index, hit.id)
        source = decode_record_source(found.source) if found else None
        if found is None or source is None or not source.pending:
            return False
        await self._done(source.pending, (hit.index, hit.id))
        bare = amended(found.source, pending=None, unfinished=None)
        return await self._clear(replace(hit.index, hit.id, bare, found.at))

    async def _profile(self, hit: Hit) -> bool:
        found = await self._reader.get(hit.index, hit.id)
        source = decode_profile_source(found.source) if found else None
        if found is None or source is None or source.open or source.unfinished is None:
            return False  # an open tombstone is for the engine to judge: see `Store.unsettled`
        await self._done(source.pending, (hit.index, hit.id))
        bare = structs.replace(source, pending=[], unfinished=None)
        return await self._clear(replace(hit.index, hit.id, encode(bare), found.at))

    async def unsettled(self, limit: int, older_ms: int = OLDER_MS) -> list[str]:
        """The ids of open tombstones that no process has completed for `older_ms`, `limit` at most, oldest first."""
        name, before = self._names.profiles, time.time_ns() // 1000 - older_ms * 1000
        await self._search.refresh(name)
        query = {"bool": {"filter": [{"term": {"open": True}}, {"range": {"unfinished": {"lt": before}}}]}}
        hits = await self._search.hits(name, query, [{"unfinished": "asc"}], limit, source=["id"])
        return [json.decode(hit.source, type=_Named).id for hit in hits]

    async def _done(self, pending: Sequence[str], on: IndexedId) -> None:
        await self._finisher.done(self._finisher.known(pending, on))

    async def _clear(self, operation: Operation) -> bool:
        """Whether this process cleared the document; another may have been faster, which is as good."""
        return await self._writer.one(operation) is not None


def _worth(done: Sequence[bool | BaseException]) -> int:
    """How many documents were finished. Raises an error if none was."""
    error = [each for each in done if isinstance(each, BaseException)]
    for each in error:
        if not isinstance(each, Unavailable):
            raise each
    if error and True not in done:
        raise error[0]
    return sum(each is True for each in done)
