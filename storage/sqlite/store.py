"""The store in one SQLite file.

Writes go to the writer thread. Look-ups by id run where they are called: a warm one takes microseconds, a hop to
another thread fifty. What may take longer (lists, counts) runs aside.
"""

import sqlite3
from asyncio import get_running_loop, to_thread
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from engine.ports.erasure import DataSubject, Erased, SessionName
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
)
from storage.sqlite import erasure, query, retention
from storage.sqlite.change import Change, change_of
from storage.sqlite.layout import Layouts
from storage.sqlite.reader import Reader
from storage.sqlite.schema import UnusableFile, prepare
from storage.sqlite.search import Paging, tables_of
from storage.sqlite.secure_erase import secure_erase
from storage.sqlite.statement import FLOW, META, NEW_NOTE, REMOVE, REPLACE_NOTE
from storage.sqlite.writer import Writer

T = TypeVar("T")
R = TypeVar("R", bound=Struct)

BUSY_MS = 2000  # how long a batch waits while another process writes
READ_BUSY_MS = 200  # readers are held up only by what is exclusive and short; the event loop waits meanwhile


class SqliteStore:
    """Implements `engine.ports.store.Store`. Open it with `SqliteStore.open`; for one event loop at a time."""

    def __init__(
        self, path: Path, near: Reader, far: Reader, writer: Writer, prepared: list[str], layouts: Layouts
    ) -> None:
        self._path = path
        self._prepared = prepared
        self._layouts = layouts
        self._tables = tables_of(layouts)
        self._near = near
        self._far = far
        self._aside = ThreadPoolExecutor(1, thread_name_prefix=f"reader of {path.name}")
        self._writer = writer
        self._closed = False

    @classmethod
    def open(cls, path: Path, busy_ms: int = BUSY_MS, kinds: Sequence[AnyKind] = KINDS) -> "SqliteStore":
        """Open the store in the file at `path`, made if needed. Raises `storage.sqlite.schema.UnusableFile`."""
        layouts = Layouts(kinds)
        prepared = prepare(path, busy_ms, layouts)
        with ExitStack() as opened:
            try:
                near = opened.enter_context(closing(Reader(path, READ_BUSY_MS)))
                far = opened.enter_context(closing(Reader(path, busy_ms)))
                writer = Writer(path, busy_ms)
            except sqlite3.Error as error:
                raise UnusableFile(path, str(error)) from error
            opened.pop_all()
        return cls(path, near, far, writer, prepared, layouts)

    async def migrate(self) -> list[str]:
        """What opening has done to the file: it leaves nothing to do."""
        done, self._prepared = self._prepared, []
        return done

    async def secret(self) -> bytes:
        """The store's random key, made together with the file."""
        found = self._near.row("SELECT value FROM meta WHERE name = 'secret'")
        if found is None:
            raise Unavailable(f"{self._path}: the secret is missing")
        return bytes(found[0])

    async def profile(self, id: str) -> Profile | None:
        """The profile that `id` leads to along `merged_into`."""
        found = self._near.row(query.PROFILE, id)
        seen = {id}
        while found is not None and found[0] is not None:
            if found[0] in seen:
                return None
            seen.add(found[0])
            found = self._near.row(query.PROFILE, found[0])
        return None if found is None else self._near.decoded(decode_profile, found)

    async def as_stored(self, ids: tuple[str, ...]) -> dict[str, Profile]:
        """The documents at these ids themselves."""
        found = {id: self._near.row(query.PROFILE, id) for id in ids}
        return {id: self._near.decoded(decode_profile, row) for id, row in found.items() if row is not None}

    async def key(self, key: str) -> IdentityKey | None:
        """The id that a merge key came in under."""
        found = self._near.row("SELECT id, claim FROM keys WHERE key = ?", key)
        return None if found is None else IdentityKey(key, found[0], bool(found[1]))

    async def session(self, source: str, id: str) -> Session | None:
        """A session by its source and id."""
        return self._near.document(decode_session, query.SESSION, source, id)

    async def marks(self, source: str, events: tuple[str, ...]) -> dict[str, ProcessedEvent]:
        """Those of a source's event ids that have taken effect."""
        found = {event: self._near.row(query.MARK, event, source) for event in events}
        return {event: ProcessedEvent(source, event, *row) for event, row in found.items() if row is not None}

    async def cached(self, key: str, now: int) -> CacheEntry | None:
        """A cache entry that has not expired at `now`."""
        entry = await self.record(CACHE, key)
        return entry if entry is not None and entry.expires > now else None

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, durably, or nothing."""
        written = self._writer.submit(change_of(unit, self._layouts))
        del unit  # many wait here: what they hold meanwhile is what crowds the processor's cache
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
        return self._near.document(layout.decode, layout.find, id)

    async def due_records(self, kind: Kind[R], before: int, limit: int) -> list[R]:
        """The records of a versioned kind that are due, first those due longest."""
        layout, asked = self._layouts.by_name[kind.name], query.due_records(kind.name)
        return await self._read(partial(self._far.documents, layout.decode, asked, before, max(limit, 0)))

    async def flow_version(self, version: str) -> str | None:
        """The text of a flow's version."""
        found = self._near.row("SELECT text FROM flow_versions WHERE version = ?", version)
        return None if found is None else str(found[0])

    async def event(self, id: str) -> StoredEvent | None:
        """A stored event by its id; the newest, where several sources used that id."""
        return await self.record(EVENTS, id)

    async def events_of(self, profile: str, limit: int) -> list[StoredEvent]:
        """The newest events of a stored profile, newest first."""
        return await self._read(partial(self._far.documents, self._decode(EVENTS), query.EVENTS_OF, profile, limit))

    async def run(self, id: str) -> RunRecord | None:
        """A stored run."""
        return await self.record(RUNS, id)

    async def runs_of(self, event: str) -> list[RunRecord]:
        """The stored runs of an event, oldest first."""
        return await self._read(partial(self._far.documents, self._decode(RUNS), query.RUNS_OF, event))

    async def rejected(self, limit: int) -> list[Rejected]:
        """The newest rejected events, newest first."""
        return await self._read(partial(self._far.documents, self._decode(REJECTED), query.REJECTED, max(limit, 0)))

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """A page of the documents that match, newest first; others may read between its steps."""
        paging = Paging(self._tables[query.searchable.name], query, limit, after)
        while await self._read(partial(paging.step, self._far)):
            pass
        return paging.page()

    async def due(self, before: int, limit: int) -> list[str]:
        """The ids of profiles whose time has come, those that wait longest first."""
        found = await self._read(partial(self._far.rows, query.DUE, before, max(limit, 0)))
        return [str(id) for (id,) in found]

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """`ids` with those of all tombstones that lead to one of them, and the sessions of all of these."""
        led = await self._read(partial(erasure.led, self._far, ids))
        steps, sessions = erasure.sessions(self._far, led), set[SessionName]()
        while (some := await self._read(lambda: next(steps, None))) is not None:
            sessions.update(some)
        return DataSubject(led, frozenset(sessions))

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""
        if self._near.row(query.PROFILE, id) is not None:
            await self._writer.submit(Change(rows=[(REMOVE, (id, version))]))

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase what belongs to these, but for the documents of the profiles themselves; some rows at a time."""
        steps, erased = erasure.found(self._far, self._layouts, subject), Erased()
        while (found := await self._read(lambda: next(steps, None))) is not None:
            if found.erased.total():
                await self._writer.submit(found.change)
                erased += found.erased
        return erased

    async def expunge(self) -> None:
        """Empty the write-ahead log, and overwrite what the file itself may still hold of what is erased."""
        await self._writer.perform(partial(secure_erase, path=self._path))

    async def notes(self, beginning: str) -> dict[str, bytes]:
        """The notes whose names begin so."""
        named = _note(beginning)
        found = await self._read(partial(self._far.rows, query.NOTES, named, named))
        return {str(name).removeprefix(_note("")): bytes(doc) for name, doc in found}

    async def note(self, name: str) -> bytes | None:
        """What was last kept under a name."""
        found = self._near.row(query.NOTE, _note(name))
        return None if found is None else bytes(found[0])

    async def keep_note(self, name: str, doc: bytes) -> None:
        """Keep a note in place of the one before."""
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
        """Drop marks and cache entries from before a time, some at a time; gives how many marks."""
        forgotten = 0
        while (some := await self._read(partial(query.old_marks, self._far, before))).seqs:
            await self._writer.submit(some.change())
            forgotten += len(some.seqs)
        for layout in self._layouts.written:
            if layout.kind.sort == "keyed":
                while expired := await self._read(partial(self._far.rows, layout.expired, before, query.CHUNK)):
                    await self._writer.submit(Change(rows=[(layout.expire, row) for row in expired]))
        return forgotten

    async def expired(self, keep: Keep) -> Dropped:
        """What `retain` would drop now."""
        return await self._read(partial(retention.expired, self._far, self._layouts, keep))

    async def retain(self, keep: Keep, tell: ReportProgress = ignore_progress) -> Dropped:
        """Drop records from before the times of `keep`, some at a time."""
        gone = Dropped()
        for kind, before in keep.items():
            layout = self._layouts.by_name[kind]
            while (some := await self._read(partial(retention.oldest, self._far, layout, before))) is not None:
                await self._writer.submit(some.change())
                gone = gone + Dropped({kind: some.count})
                tell(gone)
        while pointers := await self._read(partial(retention.pointers, self._far)):
            await self._writer.submit(retention.without(pointers))
        return gone

    async def counts(self) -> Counts:
        """How much the store holds."""
        return await self._read(partial(query.counts, self._far, self._layouts))

    async def ready(self) -> str | None:
        """None when the store can take writes. After a failure a small write finds out whether it can again."""
        if self._closed:
            return f"the store {self._path} is closed"
        if self._writer.trouble is not None:
            try:
                await self._writer.submit(Change(rows=[(META, ("probe", 1))]))
            except Unavailable as still:
                return still.reason
        return None

    async def close(self) -> None:
        """Write what is queued and let go of the file."""
        if not self._closed:
            self._closed = True
            await to_thread(self._aside.shutdown)
            self._near.close()
            self._far.close()
        await self._writer.close()

    def _decode(self, kind: Kind[R]) -> Callable[[bytes], R]:
        return self._layouts.by_name[kind.name].decode

    async def _read(self, question: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable(f"the store {self._path} is closed")
        return await get_running_loop().run_in_executor(self._aside, question)


def _note(name: str) -> str:
    """The row of `meta` that holds a note."""
    return f"note: {name}"
