"""The durable spool: a file, and one thread that runs all pending jobs in one transaction (group commit).

The event loop queues jobs (append, read, remove, store the secret); the thread runs them on the file. The spool is in
one of three states:

    IDLE      no job is pending and no flush task exists
    FLUSHING  a flush task exists: it hands all pending jobs to the thread as one batch, waits for the outcomes, settles
              the callers' futures, and repeats while new jobs have arrived meanwhile
    CLOSED    `close` was called: new jobs are refused with `SpoolUnavailable`; a flush that is running is completed

    IDLE -> FLUSHING           a job is queued
    FLUSHING -> IDLE           no job is pending after a batch
    IDLE, FLUSHING -> CLOSED   `close`, which waits for the flush, then ends the thread and closes the file

Invariants:

- Jobs run in the order of the calls, so entries are stored in the order of `put`.
- A caller's future succeeds only after the transaction with its job is on disk (`synchronous=FULL`).
- `entries` and `events` count what is in the file and what is being appended. The load is counted before the job runs,
  so appends that overlap cannot exceed the bounds together; it is subtracted again if the job fails.
- A caller that is cancelled does not cancel its job (`shield`), and the load is corrected all the same.

Failures:

- The bounds are exceeded: `put` raises `SpoolUnavailable` and queues nothing.
- A job fails alone: the others of its batch are repeated one by one (see `SpoolFile.run`) and succeed.
- The disk fails: all jobs of the batch fail with `SpoolUnavailable`, the file is closed, and the next job opens it
  again. `ready` then writes a probe and reports the spool as usable only after the probe has succeeded.
- The flush task itself fails (a bug): all pending futures fail with `SpoolUnavailable`: no caller waits for ever.
- The file was removed or replaced: `put` fails with `SpoolUnavailable` until it is back; entries can still be read.
- The process dies: entries of finished transactions stay in the file; the next process adopts them (`folder.py`).
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from engine.ports.settle import settle
from engine.ports.spool import SpoolEntry, SpoolUnavailable
from storage.spool.bounds import USUAL, Bounds, SpoolLoad, spool_load
from storage.spool.file import PROBE_BYTES, READ_KEY, STORE_KEY, Job, SpoolFile, after, current_load, drop

PendingJob = tuple[Job, "asyncio.Future[Any]"]


class DurableSpool:
    """Implements `engine.ports.spool.Spool` for one event loop; the module describes its states."""

    def __init__(self, file: SpoolFile, bounds: Bounds = USUAL) -> None:
        """Take over an open file. Raises `SpoolUnavailable`."""
        self._file = file
        self._bounds = bounds
        self._load: SpoolLoad = file.run_one(current_load)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool {file.path.name}")
        self._pending: list[PendingJob] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def entries(self) -> int:
        """How many entries the spool holds, with those that are being appended."""
        return self._load.entries

    @property
    def events(self) -> int:
        """How many received events the entries contain."""
        return self._load.events

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Append entries durably, all or none."""
        load = spool_load(entries)
        self._bounds.check(self._load, load)
        appended = self._queue(self._file.put(entries))
        self._load.add(load)

        def subtract_on_failure(done: "asyncio.Future[Any]") -> None:
            if done.exception() is not None:
                self._load.subtract(load)

        appended.add_done_callback(subtract_on_failure)
        await asyncio.shield(appended)

    async def after(self, position: int, limit: int) -> list[SpoolEntry]:
        """The first entries after a position."""
        found: list[SpoolEntry] = await self._queue(after(position, limit))
        return found

    async def drop(self, positions: Sequence[int]) -> None:
        """Remove entries by position."""
        if positions:
            dropped = self._queue(drop(positions))
            dropped.add_done_callback(self._on_dropped)
            await asyncio.shield(dropped)

    async def secret(self) -> bytes | None:
        """The store's secret that was stored last."""
        found = await self._queue(lambda connection: connection.execute(READ_KEY).fetchone())
        return None if found is None else bytes(found[0])

    async def keep_secret(self, secret: bytes) -> None:
        """Store the store's secret, for a start without the store."""
        await self._queue(lambda connection: connection.execute(STORE_KEY, (secret,)))

    async def ready(self) -> str | None:
        """The reason why nothing more can be appended; None if more can.

        After a failure this writes a probe to find out, so that no sender needs to risk its events for it.
        """
        if self._file.trouble is not None:
            with suppress(SpoolUnavailable):
                await self._queue(self._file.probe(PROBE_BYTES))
                await self._queue(self._file.probe(0))
        return self._file.trouble or self._bounds.full(self._load)

    async def close(self) -> None:
        """Complete the pending jobs and close the file."""
        self._closed = True
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        self._thread.shutdown()
        self._file.close()

    def _queue(self, job: Job) -> "asyncio.Future[Any]":
        """Queue a job for the thread. Returns the future of its result. Raises `SpoolUnavailable` once closed."""
        if self._closed:
            raise SpoolUnavailable("the spool is closed", place=str(self._file.path))
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((job, result))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return result

    async def _flush(self) -> None:
        """Run batches of pending jobs on the thread until none is pending."""
        loop, batch = asyncio.get_running_loop(), list[PendingJob]()
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                outcomes = await loop.run_in_executor(self._thread, self._file.run, [job for job, _ in batch])
                for (_, result), outcome in zip(batch, outcomes, strict=True):
                    settle(result, *outcome)
        finally:
            self._flushing = None
            for _, result in [*batch, *self._pending]:  # unsettled only after a bug: no caller may wait for ever
                settle(result, None, SpoolUnavailable("the spool has failed", place=str(self._file.path)))
            self._pending = []

    def _on_dropped(self, done: "asyncio.Future[Any]") -> None:
        if done.exception() is None:
            self._load.subtract(done.result())
            if not self._load.entries and not self._closed:
                self._thread.submit(self._file.shrink)
