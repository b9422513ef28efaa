"""The store in Elasticsearch. Holds no state beyond caches: several processes may serve one prefix."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased
from engine.ports.kind import AnyKind, Kind
from engine.ports.kinds import CACHE, EVENTS, KINDS, REJECTED, RUNS
from engine.ports.records import (
    CacheEntry,
    Counts,
    IdentityKey,
    ProcessedEvent,
    Rejected,
    RunRecord,
    Session,
    StoredEvent,
    Unit,
)
from engine.ports.store import Unavailable
from engine.profile.document import Profile
from engine.project.retention import Dropped, Keep, ReportProgress, ignore_progress
from engine.search.page import Page
from engine.search.query import Query
from storage.elasticsearch.address import Address, address_of
from storage.elasticsearch.committer import Committer
from storage.elasticsearch.connection import Connection
from storage.elasticsearch.data_upgrade import DataUpgrade
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import MetaSource, decode_doc
from storage.elasticsearch.dsl import Dsl
from storage.elasticsearch.erasure import Erasure
from storage.elasticsearch.fence import Fence
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.migration import Migration
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Operation
from storage.elasticsearch.paging import page_of
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.retention import Retention
from storage.elasticsearch.search import ALL, NEWEST, OLDEST, Search
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.sweeper import OLDER_MS, Sweeper
from storage.elasticsearch.upkeep import Upkeep
from storage.elasticsearch.writer import Writer
from storage.encoding import encode

P = ParamSpec("P")
R = TypeVar("R", bound=Struct)
T = TypeVar("T")

PROBE = "probe"
NOT_BURIED: Dsl = {"bool": {"must_not": [{"term": {"id": ""}}]}}
READY_SECONDS = 2.0
LOOK_SECONDS = 3600.0  # far less than a week, after which there is another index of marks


class ElasticsearchStore:
    """Implements `engine.ports.store.Store` and `Sweepable`. For one event loop."""

    def __init__(self, address: Address, kinds: Sequence[AnyKind] = KINDS) -> None:
        self._connection = Connection(address)
        self._names = names = Names(address.prefix, kinds)
        self._writer = writer = Writer(self._connection)
        self._reader = reader = Reader(self._connection)
        self._search = search = Search(self._connection)
        self._finisher = finisher = Finisher(reader, writer, names)
        self._loader = loader = Loader(reader, finisher, names)
        fence = Fence(loader, reader, writer, finisher, names)
        self._records = records = StoredRecords(reader, writer, finisher, fence, names)
        self._committer = Committer(reader, writer, loader, finisher, fence, records)
        self._sweeper = Sweeper(search, reader, writer, finisher, names)
        self._erasure = Erasure(search, writer, loader, finisher, self._sweeper, names)
        self._retention = Retention(search, writer, finisher, names)
        self._upkeep = upkeep = Upkeep(search, reader, writer, loader, finisher, names)
        upgrade = DataUpgrade(search, reader, writer, self._sweeper, upkeep, names)
        self._migration = Migration(self._connection, names, upgrade)
        self._look_at = 0.0  # loop time
        self._opened = False
        self._opening = asyncio.Lock()
        self._closed = False

    @classmethod
    def open(cls, address: str, kinds: Sequence[AnyKind] = KINDS) -> "ElasticsearchStore":
        """The store at `http://host:9200[?prefix=headrace]`. Raises `UnusableAddress`; connects when first used."""
        return cls(address_of(address), kinds)

    async def _open(self) -> None:
        """Migrate once, before anything else: nothing may be written to indices that are not as they should be.

        Raises `Unavailable`.
        """
        if self._closed:
            raise Unavailable("the store is closed")
        if not self._opened:
            async with self._opening:
                if not self._opened:  # the first of the calls that waited has migrated
                    await self._migration.run()
                    await self._look()
                    self._opened = True

    async def _when_open(self, work: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Await what a part of the store does, once the store is open."""
        await self._open()
        return await work(*args, **named)

    async def _look(self) -> None:
        """Read what other processes have forgotten, now and then."""
        self._look_at = asyncio.get_running_loop().time() + LOOK_SECONDS
        await self._upkeep.look()

    async def migrate(self) -> list[str]:
        """Create or upgrade templates, indices and stored data; returns in words what was done."""
        return await self._migration.run()

    async def preview_migration(self) -> list[str]:
        """The changes of stored data that `migrate` would make now, in numbers."""
        return await self._migration.preview()

    # ---- by id ------------------------------------------------------------------------------------------------------

    async def secret(self) -> bytes:
        """The store's random key."""
        return await self._when_open(self._upkeep.secret)

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`."""
        return await self._when_open(self._loader.profile, id)

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves."""
        return await self._when_open(self._loader.as_stored, ids)

    async def key(self, key: str) -> IdentityKey | None:
        """The id that holds a key."""
        return await self._when_open(self._loader.key, key)

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id; one of version 0 has been claimed by a profile and is empty yet."""
        return await self._when_open(self._loader.session, (source, id))

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """Those of a source's event ids that have taken effect."""
        await self._open()
        if asyncio.get_running_loop().time() > self._look_at:
            await self._look()
        return {name[1]: mark for name, mark in (await self._loader.marks([(source, id) for id in events])).items()}

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""
        entry = await self.record(CACHE, key)
        return entry if entry is not None and entry.expires > now else None

    async def record(self, kind: Kind[R], id: str) -> R | None:
        """A stored record by its id or key; of several the newest."""
        index = self._names.of(kind)
        if kind.lifecycle == "appended":
            found = await self._find(kind, index.field(kind.id), id, 1)
            return found[0] if found else None
        await self._open()
        if kind.lifecycle == "versioned":
            return await self._records.get(kind, id)
        await self._finisher.idle()
        stored = await self._reader.get(index.name, index.document_id(id))
        return index.decode(decode_doc(stored.source).doc) if stored else None

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""
        await self._when_open(self._upkeep.once, f"flow-{id_of(version)}", MetaSource(kind=f"flow {name}", text=text))

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""
        await self._open()
        kept = await self._upkeep.kept(f"flow-{id_of(version)}")
        return kept.text if kept else None

    # ---- commits ----------------------------------------------------------------------------------------------------

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, durably, or nothing."""
        await self._when_open(self._committer.commit, unit)

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""
        await self.commit(Unit(rejected=rejected))

    # ---- for users --------------------------------------------------------------------------------------------------

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id; the newest, where several sources used that id."""
        return await self.record(EVENTS, id)

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events of a stored profile, newest first."""
        return await self._find(EVENTS, "profile", profile, limit)

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""
        return await self.record(RUNS, id)

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""
        return await self._find(RUNS, "event", event, 10_000, oldest=True)

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""
        return await self._newest(REJECTED, {"match_all": {}}, limit)

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """A page of the documents that match, newest first."""
        await self._until_idle()
        return await page_of(self._search, self._names, query, limit, after)

    async def counts(self) -> Counts:
        """How many documents the store holds, as far as their commits are finished."""
        names, search = self._names, self._search
        await self._until_idle()
        counted: dict[str, tuple[str, Dsl]] = {
            "profiles": (names.profiles, {"term": {"live": True}}),
            "sessions": (names.sessions, {"range": {"version": {"gte": 1}}}),
            "keys": (names.keys, NOT_BURIED),
        }
        for index in (*names.appended, *names.versioned):
            counted[index.kind.name] = index.name, index.searched.only or ALL
        await search.refresh(*[name for name, _ in counted.values()])
        found = await asyncio.gather(*[search.count(*each) for each in counted.values()])
        return Counts(dict(zip(counted, found, strict=True)))

    async def _find(self, kind: Kind[R], field: str, value: str, limit: int, oldest: bool = False) -> list[R]:
        return await self._newest(kind, {"term": {field: value}}, limit, oldest)

    async def _newest(self, kind: Kind[R], query: Dsl, limit: int, oldest: bool = False) -> list[R]:
        index = self._names.of(kind)
        await self._until_idle()
        await self._search.refresh(index.name)
        hits = await self._search.hits(index.name, query, OLDEST if oldest else NEWEST, limit)
        return [index.decode(decode_doc(hit.source).doc) for hit in hits]

    async def _until_idle(self) -> None:
        await self._when_open(self._finisher.idle)

    # ---- upkeep -----------------------------------------------------------------------------------------------------

    async def forget_marks(self, before: int) -> int:
        """Drop marks, expired keyed and deleted records from before a time; returns how many marks."""
        return await self._when_open(self._upkeep.forget, before)

    async def expired(self, keep: Keep) -> Dropped:
        """Count the records that `retain` would drop now, by kind."""
        return await self._when_open(self._retention.expired, keep)

    async def retain(self, keep: Keep, tell: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`; of kinds with monthly indices, months of which all is older."""
        return await self._when_open(self._retention.retain, keep, tell)

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles that are due, first those due longest."""
        return await self._when_open(self._upkeep.due, before, limit)

    async def due_records(self, kind: Kind[R], before: int, limit: int, queue: str | None = None) -> list[R]:
        """The records of a versioned kind that are due, first those due longest."""
        return await self._when_open(self._upkeep.due_records, kind, before, limit, queue)

    async def count_due(self, kind: Kind[R], before: int, queue: str) -> int:
        """The number of due records of a queue, as the last refresh shows them."""
        return await self._when_open(self._upkeep.count_due, kind, before, queue)

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids` with those of all tombstones that lead to one of them, and the sessions of all of these."""
        return await self._when_open(self._erasure.data_subject, ids)

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""
        await self._when_open(self._erasure.remove, id, version)

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase all documents that belong to these, except those of the profiles themselves."""
        return await self._when_open(self._erasure.erase, subject)

    async def expunge(self) -> None:
        """Remove erased documents from the files."""
        await self._when_open(self._erasure.expunge)

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes whose names begin so."""
        return await self._when_open(self._upkeep.notes, beginning)

    async def note(self, name: str) -> bytes | None:
        """The note that was last kept under a name."""
        return await self._when_open(self._upkeep.note, name)

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Keep a note in place of the one before."""
        await self._when_open(self._upkeep.keep_note, name, doc)

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note if its stored bytes are still `expected`."""
        return await self._when_open(self._upkeep.replace_note, name, doc, expected)

    async def sweep(self, older_ms: int = OLDER_MS) -> int:
        """Finish units that were left half done so long ago; returns how many documents carried any of them."""
        return await self._when_open(self._sweeper.sweep, older_ms)

    async def unsettled(self, limit: int, older_ms: int = OLDER_MS) -> list[str]:
        """The ids of profiles of which a merge was begun and not completed so long ago, the oldest first."""
        return await self._when_open(self._sweeper.unsettled, limit, older_ms)

    async def ready(self) -> str | None:
        """None when the store can take writes; else the reason. After a failure a small write finds out."""
        self._connection.try_again()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._open()
                if self._writer.trouble is None:
                    await self._reader.get(self._names.meta, PROBE)
                else:
                    line = b'{"index":{"_index":"%b","_id":"%b"}}' % (self._names.meta.encode(), PROBE.encode())
                    await self._writer.one(Operation(line, encode(MetaSource(kind=PROBE))))
        except Unavailable as unavailable:
            return unavailable.reason
        except TimeoutError:
            return self._writer.trouble or "Elasticsearch does not answer"
        return None

    async def close(self) -> None:
        """Finish the commits under way and close the connections."""
        if self._closed:
            return
        self._closed = True
        await self._committer.close()
        await self._finisher.close()
        await self._writer.close()
        await self._connection.close()
