"""The store in one SQLite file.

Writes go to the writer thread. Look-ups by id run inline, on the event loop: a warm one takes microseconds, a hop to
another thread fifty. Queries that may take longer (lists, counts, searches) run on a background thread.
"""

import sqlite3
from asyncio import Future, get_running_loop, to_thread
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased, SessionName
from engine.ports.following import Followed
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
from engine.ports.store import Conflict, Unavailable
from engine.profile.document import Profile
from engine.project.retention import Dropped, Keep, ReportProgress, ignore_progress
from engine.search.page import Page
from engine.search.query import Query
from storage.encoding import (
    decode_profile,
    decode_session,
    encode,
)
from storage.sqlite import erasure, following, query, retention
from storage.sqlite.change import Change, change_of
from storage.sqlite.layout import Layouts
from storage.sqlite.place import remedy
from storage.sqlite.reader import Reader
from storage.sqlite.schema import WRITING_CACHE, UnusableFile, prepare
from storage.sqlite.search import Paging, tables_of
from storage.sqlite.secure_erase import secure_erase
from storage.sqlite.served_file import FileReplaced, ServedFile
from storage.sqlite.statement import FLOW, META, NEW_NOTE, REMOVE, REPLACE_NOTE
from storage.sqlite.writer import Writer

T = TypeVar("T")
R = TypeVar("R", bound=Struct)

BUSY_MS = 1000  # how long a batch waits while another process writes; a caller waits for two batches at most
PROBE_BYTES = 256 * 1024  # of the write that finds out whether a disk has room again: more than events often need
READ_BUSY_MS = 200  # only short exclusive locks delay readers; the event loop waits meanwhile


class SqliteStore:
    """Implements `engine.ports.store.Store` for one event loop at a time. Open it with `SqliteStore.open`."""

    def __init__(
        self,
        file: ServedFile,
        inline_reader: Reader,
        background_reader: Reader,
        writer: Writer,
        prepared: list[str],
        layouts: Layouts,
    ) -> None:
        self._file = file
        self._path = path = file.path
        self._checking: Future[None] | None = None  # after damage was reported
        self._prepared = prepared
        self._layouts = layouts
        self._tables = tables_of(layouts)
        self._inline_reader = inline_reader
        self._background_reader = background_reader
        self._reading_thread = ThreadPoolExecutor(1, thread_name_prefix=f"reader of {path.name}")
        self._writer = writer
        self._closed = False

    @classmethod
    def open(
        cls, path: Path, busy_ms: int = BUSY_MS, kinds: Sequence[AnyKind] = KINDS, cache: int = WRITING_CACHE
    ) -> "SqliteStore":
        """Open the store in the file at `path`; create it if it is missing. `cache`: of the writer's pages, in KiB.

        Raises `storage.sqlite.schema.UnusableFile`.
        """
        layouts = Layouts(kinds)
        prepared = prepare(path, busy_ms, layouts)
        with ExitStack() as opened:
            try:
                file = ServedFile(path)
                inline_reader = opened.enter_context(closing(Reader(file, READ_BUSY_MS)))
                background_reader = opened.enter_context(closing(Reader(file, busy_ms)))
                writer = Writer(file, busy_ms, cache)
            except sqlite3.Error as error:
                raise UnusableFile(path, remedy(str(error))) from error
            opened.pop_all()
        return cls(file, inline_reader, background_reader, writer, prepared, layouts)

    async def migrate(self) -> list[str]:
        """Return a line for each change that opening the file has made; nothing is left to do."""
        done, self._prepared = self._prepared, []
        return done

    async def preview_migration(self) -> list[str]:
        """Nothing is left to do: `storage.sqlite.preview` reads a file that is not open yet."""
        return []

    async def unsettled(self, limit: int) -> list[str]:
        """None: a unit is committed as a whole, or nothing of it."""
        return []

    async def secret(self) -> bytes:
        """The store's random key, which was made together with the file."""
        found = self._inline_reader.row("SELECT value FROM meta WHERE name = 'secret'")
        if found is None:
            raise Unavailable("the secret is missing", place=str(self._path))
        return bytes(found[0])

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`."""
        found = self._inline_reader.row(query.PROFILE, id)
        visited = {id}
        while found is not None and found[0] is not None:
            if found[0] in visited:
                return None
            visited.add(found[0])
            found = self._inline_reader.row(query.PROFILE, found[0])
        return None if found is None else self._inline_reader.decoded(decode_profile, found)

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves."""
        found = {id: self._inline_reader.row(query.PROFILE, id) for id in ids}
        return {id: self._inline_reader.decoded(decode_profile, row) for id, row in found.items() if row is not None}

    async def key(self, key: str) -> IdentityKey | None:
        """The id that holds a key, by the name of the key; None if no id has brought it."""
        found = self._inline_reader.row("SELECT id FROM keys WHERE key = ?", key)
        return None if found is None else IdentityKey(key, found[0])

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""
        return self._inline_reader.document(decode_session, query.SESSION, source, id)

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """The deduplication marks of a source's events, by event id; events without a mark are left out."""
        if len(events) == 1:
            row = self._inline_reader.row(query.MARK, events[0], source)
            return {} if row is None else {events[0]: ProcessedEvent(source, events[0], *row)}
        rows = self._inline_reader.rows(query.MARKS, encode(events), source)
        return {row[0]: ProcessedEvent(source, *row) for row in rows}

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""
        entry = await self.record(CACHE, key)
        return entry if entry is not None and entry.expires > now else None

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, durably, or nothing."""
        written = self._writer.submit(change_of(unit, self._layouts))
        del unit  # thousands may wait here; drop the unit so that waiting requests do not evict the CPU cache
        await written

    async def reject(self, rejected: tuple[Rejected, ...]) -> None:
        """Keep rejected events of a payload of which nothing else is committed."""
        await self.commit(Unit(rejected=rejected))

    async def remember_flow(self, version: str, name: str, text: str) -> None:
        """Keep the text of a flow's version, once."""
        await self._writer.submit(Change(rows=[(FLOW, (version, name, text))], bytes=len(text)))

    async def record(self, kind: Kind[R], id: str) -> R | None:
        """A stored record by its id or key."""
        layout = self._layouts.by_name[kind.name]
        return self._inline_reader.document(layout.decode, layout.find, id)

    async def due_records(self, kind: Kind[R], before: int, limit: int, queue: str | None = None) -> list[R]:
        """The due records of a versioned kind, those due longest first."""
        layout, sql = self._layouts.by_name[kind.name], query.due_records(kind.name, of_queue=queue is not None)
        values = (before, max(limit, 0)) if queue is None else (queue, before, max(limit, 0))
        return await self._read(partial(self._background_reader.documents, layout.decode, sql, *values))

    async def count_due(self, kind: Kind[R], before: int, queue: str) -> int:
        """The number of due records of a queue."""
        return await self._read(partial(query.count_due, self._background_reader, kind.name, before, queue))

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""
        found = self._inline_reader.row("SELECT text FROM flow_versions WHERE version = ?", version)
        return None if found is None else str(found[0])

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id; the newest, where several sources used that id."""
        return await self.record(EVENTS, id)

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events of a stored profile, newest first."""
        return await self._read(
            partial(self._background_reader.documents, self._decode(EVENTS), query.EVENTS_OF, profile, limit)
        )

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""
        return await self.record(RUNS, id)

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""
        return await self._read(partial(self._background_reader.documents, self._decode(RUNS), query.RUNS_OF, event))

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""
        return await self._read(
            partial(self._background_reader.documents, self._decode(REJECTED), query.REJECTED, max(limit, 0))
        )

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """A page of the matching documents, newest first; other queries may run between the steps of the search."""
        paging = Paging(self._tables[query.searchable.name], query, limit, after)
        while await self._read(partial(paging.advance, self._background_reader)):
            pass
        return paging.page()

    async def last_number(self, kind: AnyKind) -> int:
        """The number of the newest record of a kind."""
        return await self._read(partial(following.last_number, self._background_reader, self._tables[kind.name]))

    async def numbered_after(self, query: Query, after: int, limit: int) -> Followed:
        """The matching records behind a number, the earliest first."""
        table = self._tables[query.searchable.name]
        return await self._read(partial(following.numbered_after, self._background_reader, table, query, after, limit))

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of due profiles, those due longest first."""
        found = await self._read(partial(self._background_reader.rows, query.DUE, before, max(limit, 0)))
        return [str(id) for (id,) in found]

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids`, the ids of all tombstones that lead to one of them, and the sessions of all these ids."""
        all_ids = await self._read(partial(erasure.with_tombstones, self._background_reader, ids))
        steps, sessions = erasure.sessions(self._background_reader, all_ids), set[SessionName]()
        while (some := await self._read(lambda: next(steps, None))) is not None:
            sessions.update(some)
        return DataSubject(all_ids, frozenset(sessions))

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""
        if self._inline_reader.row(query.PROFILE, id) is not None:
            await self._writer.submit(Change(rows=[(REMOVE, (id, version))]))

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase all documents of the data subject except the profile documents, some rows at a time."""
        steps, erased = erasure.found(self._background_reader, self._layouts, subject), Erased()
        while (found := await self._read(lambda: next(steps, None))) is not None:
            if found.erased.total():
                await self._writer.submit(found.change)
                erased += found.erased
        return erased

    async def expunge(self) -> None:
        """Empty the write-ahead log, and overwrite remains of erased documents in the file."""
        await self._writer.perform(partial(secure_erase, path=self._path))

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes with names that start with `beginning`, by name."""
        named = _note(beginning)
        found = await self._read(partial(self._background_reader.rows, query.NOTES, named, named))
        return {str(name).removeprefix(_note("")): bytes(doc) for name, doc in found}

    async def note(self, name: str) -> bytes | None:
        """The bytes that were last stored under a name."""
        found = self._inline_reader.row(query.NOTE, _note(name))
        return None if found is None else bytes(found[0])

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Store a note, replacing any earlier one of that name."""
        await self._writer.submit(Change(rows=[(META, (_note(name), doc))], bytes=len(doc)))

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Write a note if its stored bytes are still `expected`."""
        row = (_note(name), doc) if expected is None else (_note(name), doc, expected)
        try:
            await self._writer.submit(
                Change(rows=[(NEW_NOTE if expected is None else REPLACE_NOTE, row)], bytes=len(doc))
            )
        except Conflict:
            return False
        return True

    async def forget_marks(self, before: int) -> int:
        """Drop marks and cache entries from before a time, some at a time. Returns how many marks were dropped."""
        forgotten = 0
        while (some := await self._read(partial(query.old_marks, self._background_reader, before))).seqs:
            await self._writer.submit(some.change())
            forgotten += len(some.seqs)
        for layout in self._layouts.written:
            if layout.kind.lifecycle == "keyed":
                while expired := await self._read(
                    partial(self._background_reader.rows, layout.expired, before, query.CHUNK)
                ):
                    await self._writer.submit(Change(rows=[(layout.expire, row) for row in expired]))
        return forgotten

    async def expired(self, keep: Keep) -> Dropped:
        """Count what `retain` would drop now."""
        return await self._read(partial(retention.expired, self._background_reader, self._layouts, keep))

    async def retain(self, keep: Keep, report: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`, some at a time."""
        gone = Dropped()
        for kind, before in keep.items():
            layout = self._layouts.by_name[kind]
            while (
                some := await self._read(partial(retention.oldest, self._background_reader, layout, before))
            ) is not None:
                await self._writer.submit(some.change())
                gone = gone + Dropped({kind: some.count})
                report(gone)
        while pointers := await self._read(partial(retention.pointers, self._background_reader)):
            await self._writer.submit(retention.without(pointers))
        return gone

    async def counts(self) -> Counts:
        """Return the number of documents of each kind."""
        return await self._read(partial(query.counts, self._background_reader, self._layouts))

    async def ready(self) -> str | None:
        """None if the store accepts writes, otherwise the reason. After a failure a small write finds out."""
        if self._closed:
            return "the store is closed"
        try:
            self._file.require_in_place()
        except FileReplaced as replaced:
            return str(replaced)
        if self._file.damage is not None:
            return self._damaged(self._file.damage)
        if self._writer.trouble is not None or self._writer.stalled:
            try:
                for probe in (bytes(PROBE_BYTES), b""):
                    await self._writer.submit(Change(rows=[(META, ("probe", probe))], bytes=len(probe)))
            except Unavailable as still:
                return still.reason
        return None

    async def close(self) -> None:
        """Complete the queued writes and close the file."""
        if not self._closed:
            self._closed = True
            await to_thread(self._reading_thread.shutdown)
            self._inline_reader.close()
            self._background_reader.close()
        await self._writer.close()

    def _damaged(self, damage: str) -> str:
        """The reason while the file is known to be damaged. A thread finds out whether it still is."""
        if self._checking is None or self._checking.done():
            self._checking = get_running_loop().run_in_executor(None, self._file.check)
        return f"the SQLite file is damaged ({damage}); restore it from a backup"

    def _decode(self, kind: Kind[R]) -> Callable[[bytes], R]:
        return self._layouts.by_name[kind.name].decode

    async def _read(self, query: Callable[[], T]) -> T:
        """Run a query of the background reader on its thread."""
        if self._closed:
            raise Unavailable("the store is closed", place=str(self._path))
        return await get_running_loop().run_in_executor(self._reading_thread, query)


def _note(name: str) -> str:
    """The row of `meta` that holds a note."""
    return f"note: {name}"
