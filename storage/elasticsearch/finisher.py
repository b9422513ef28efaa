"""The finisher: does the pending writes of committed units. Any process may do so; done twice they change nothing."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct, json

from engine.ports.bounded import BoundedCache
from engine.ports.records import ProcessedEvent, Session
from engine.ports.store import Unavailable
from storage.elasticsearch.document_id import IndexedId, id_of
from storage.elasticsearch.documents import decode_mark_source, decode_record_source, mark_source, session_source
from storage.elasticsearch.earlier_entries import EarlierEntries
from storage.elasticsearch.identity_writes import IdentityWrites
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import Operation, advance, create, renew, replace
from storage.elasticsearch.pending_writes import PendingChange, PendingFormat, PendingUnit, PendingWrites, token_in
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Outcome, Writer

SECONDS = 10.0  # that a caller waits for pending writes to be finished
AGAIN_SECONDS = 0.5
ERROR_SECONDS = 5.0  # before another try after an unexpected error
GOODBYE_SECONDS = 10.0  # that closing waits
TRUSTED_SECONDS = 10.0  # for which it is believed that a document carries an entry; longer than writes are tried

RecordName = tuple[str, str]  # kind and id

log = structlog.get_logger("headrace.elasticsearch")


class _Carrying(Struct, frozen=True):
    pending: list[str] = []


class Finisher:
    """The entries that this process is finishing, and the sessions and marks that they will write."""

    def __init__(self, reader: Reader, writer: Writer, names: Names) -> None:
        self._reader = reader
        self._writer = writer
        self._names = names
        self._identity = IdentityWrites(reader, writer, names)
        self._earlier = EarlierEntries(reader, writer, names)
        self.format = PendingFormat(names.kinds)
        self._begun: dict[str, PendingWrites] = {}
        self._done: BoundedCache[bool] = BoundedCache()
        self._closed = False
        self.sessions: dict[tuple[str, str], Session] = {}
        self.marks: dict[tuple[str, str], ProcessedEvent] = {}
        self._changing: dict[RecordName, PendingWrites] = {}  # the last that change a versioned record
        self.forgotten = 0  # marks from before this time (ms) count no longer

    # ---- starting entries -------------------------------------------------------------------------------------------

    def begin(self, entry: PendingWrites) -> None:
        """Finish an entry in the background."""
        if entry.task is not None or entry.finished:
            return
        record = entry.record
        self._begun[entry.token] = entry
        for session in record.sessions:
            name = session.source, session.id
            if name not in self.sessions or self.sessions[name].version < session.version:
                self.sessions[name] = session
        for _, mark in record.marks:
            self.marks.setdefault((mark.source, mark.event), mark)
        for change in record.changes:
            self._changing[change.kind, change.id] = entry
        entry.task = asyncio.create_task(self._work(entry))

    def known(self, texts: Iterable[str], on: IndexedId) -> list[PendingWrites]:
        """The entries that a document carries, of those that this process does not know to be finished."""
        left = [text for text in texts if not self._done.get(token_in(text))]
        entries = [self._begun.get(token_in(text)) or self.format.stored(text) for text in left]
        for entry in entries:
            entry.is_carried_by(on)
        return entries

    async def done(self, entries: Sequence[PendingWrites]) -> None:
        """Wait until these entries are finished. Raises `Unavailable` when that takes too long."""
        for entry in entries:
            self.begin(entry)
        tasks = [entry.task for entry in entries if entry.task is not None and not entry.finished]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=SECONDS)
        if late or not all(entry.finished for entry in entries):
            raise Unavailable("what was committed before has not been written everywhere yet")

    async def changed(self, names: Iterable[RecordName]) -> None:
        """Wait until the changes of versioned records that this process has committed are written."""
        if self._changing:
            await self.done([entry for name in names if (entry := self._changing.get(name)) is not None])

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self.done(list(self._begun.values()))

    async def close(self) -> None:
        """Finish the entries under way, within limits: the rest stays in the documents that carry them."""
        self._closed = True
        tasks = [entry.task for entry in self._begun.values() if entry.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GOODBYE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _work(self, entry: PendingWrites) -> None:
        while not await self._attempt(entry):
            if self._closed:
                return
        entry.finished = True
        self._forget(entry)
        if entry.tidy is not None:
            with suppress(Unavailable):  # the sweeper will do it
                await self._writer.one(entry.tidy)

    async def _attempt(self, entry: PendingWrites) -> bool:
        """Try to finish an entry. After a failure, returns False after a pause, or at once if the store is closing.

        No error ends the task, also not a bug's: callers wait for the entry as long as it is not finished.
        """
        try:
            if await self._is_left(entry):
                await self._finish(entry.record)
        except Unavailable:
            seconds = AGAIN_SECONDS
        except Exception:
            log.exception("pending writes could not be finished, they are tried again", token=entry.token)
            seconds = ERROR_SECONDS
        else:
            return True
        if not self._closed:
            await asyncio.sleep(seconds)
        return False

    async def _is_left(self, entry: PendingWrites) -> bool:
        """Whether an entry is still to be finished. One that was seen long ago is looked for in its document first.

        An entry goes only when it is finished, or with an erased document. A process that was paused meanwhile must not
        write again what was erased.
        """
        if entry.on is None or asyncio.get_running_loop().time() - entry.seen < TRUSTED_SECONDS:
            return True
        found = await self._reader.get(*entry.on)
        carried = [] if found is None else json.decode(found.source, type=_Carrying).pending
        if entry.token not in [token_in(text) for text in carried]:
            return False
        entry.is_carried_by(entry.on)
        return True

    def _forget(self, entry: PendingWrites) -> None:
        record = entry.record
        self._begun.pop(entry.token, None)
        self._done.put(entry.token, True)
        for session in record.sessions:
            if self.sessions.get((session.source, session.id)) is session:
                del self.sessions[session.source, session.id]
        for _, mark in record.marks:
            if self.marks.get((mark.source, mark.event)) is mark:
                del self.marks[mark.source, mark.event]
        for change in record.changes:
            if self._changing.get((change.kind, change.id)) is entry:
                del self._changing[change.kind, change.id]

    # ---- the documents ----------------------------------------------------------------------------------------------

    def operations(self, record: PendingUnit) -> list[Operation]:
        """The writes of an entry that need no read before; those of its marks come first."""
        names, stamp, token = self._names, record.stamp, record.token
        found = [create(index, id_of(mark.source, mark.event), mark_source(mark)) for index, mark in record.marks]
        for session in record.sessions:
            id = id_of(session.source, session.id)
            found.append(advance(names.sessions, id, session_source(session), session.version))
        for index in names.appended:
            for nth, one in enumerate(record.of(index)):
                found.append(create(index.place(one), f"{token}-{nth}", index.source(one, stamp=stamp, nth=nth)))
        for index in names.keyed:
            for one in record.of(index):
                id = index.document_id(index.kind.id_of(one))
                found.append(renew(index.name, id, index.source(one), stamp))
        for change in record.changes:
            if not change.expected and change.doc is not None:
                index = names.called(change.kind)
                found.append(create(index.name, index.document_id(change.id), index.source(index.decode(change.doc))))
        return found

    async def _finish(self, record: PendingUnit) -> None:
        operations, marks = self.operations(record), len(record.marks)
        if record.marks_first:
            await self._write_over_claims(record, await self._writer.send(operations[:marks]))
            await self._writer.send(operations[marks:])
        else:
            await self._write_over_claims(record, await self._writer.send(operations))
        if record.changes:
            await asyncio.gather(*[self._change(change) for change in record.changes if change.expected])
        if record.moves_ids:
            await self._identity.finish(record)
        if record.profiles or record.taken or record.over:
            await self._earlier.finish(record)

    async def _change(self, change: PendingChange) -> None:
        """Write over or delete a versioned record, if it is still at the version that the unit expected.

        If it is not, this has been done, or the record was erased: nothing else can have changed it. The entries that
        the document itself carries for other units stay.
        """
        index = self._names.called(change.kind)
        id = index.document_id(change.id)
        while True:
            found = await self._reader.get(index.name, id)
            source = decode_record_source(found.source) if found else None
            if found is None or source is None or source.version != change.expected:
                return
            document = index.changed(change.doc, source.pending, source.recent, source.unfinished)
            if await self._writer.one(replace(index.name, id, document, found.at)):
                return

    async def _write_over_claims(self, record: PendingUnit, outcomes: Sequence[Outcome]) -> None:
        for (index, mark), outcome in zip(record.marks, outcomes, strict=False):
            if outcome is None:
                await self._write_over_claim(index, mark)

    async def _write_over_claim(self, index: str, mark: ProcessedEvent) -> None:
        """Write a mark where a document has its id: over a claim or a forgotten mark, not over another mark."""
        id = id_of(mark.source, mark.event)
        while True:
            found = await self._reader.get(index, id)
            source = decode_mark_source(found.source) if found else None
            if source is not None and source.doc is not None and (source.at or 0) >= min(self.forgotten, mark.at):
                return
            if await self._writer.one(replace(index, id, mark_source(mark), found.at if found else None)):
                return
