"""The writer thread: group commit of the changes that event loops submit.

An order (a change, or a task for the connection) is in one of these states:

    GATHERED   in the loop's `Gathering`, while the thread still writes earlier orders of this loop
    QUEUED     in the thread's queue: the loop hands over all gathered orders at once
    WRITING    in the thread's current batch: up to `BATCH` changes in one transaction, or one task
    SETTLED    its outcome is on the way to the loop, which resolves the caller's future

    GATHERED -> QUEUED    in the loop's next iteration, if the thread has nothing of this loop; otherwise as soon as the
                          thread has settled the orders that it has
    QUEUED -> WRITING     the thread is free
    WRITING -> SETTLED    after COMMIT is on disk (`synchronous=FULL`), or after the failure; all of a batch at once

Invariants:

- Orders are written in the order in which they were submitted.
- A change is written as a whole or not at all; a future succeeds only for a change on disk.
- At most `QUEUED_CHANGES` orders and about `QUEUED_BYTES` bytes are gathered, queued or being written; more are
  refused with `Unavailable`. A change that is larger than that by itself is refused with `TooLarge`.
- Only the thread uses the connection, and a checkpoint runs only between transactions of the thread or beside them
  (`checkpoint.py`).

Failures:

- A row has no effect or violates a constraint, or a value cannot be stored: the batch is rolled back to a savepoint and
  repeated change by change, so only the changes at fault fail: with `Conflict`, or with the error that was raised.
- SQLite fails (disk full, file locked too long): all changes of the batch fail with `Unavailable`, `trouble` keeps the
  reason, and unless the file was only busy the next batch opens a new connection. If it was busy, the other orders that
  the thread has fail as well: each batch would wait as long again.
- The file or its log was removed or replaced: the same. Nothing is acknowledged until the file is in its place again.
- The thread makes no progress: callers get `Unavailable`, and so do new ones until it does (`gathering.py`).
- The caller is cancelled: its change is written all the same.
- The loop of a caller is closed: its outcomes are dropped.
- The thread ends, after `close` or by a bug: queued orders fail with `Unavailable`, and new ones are refused.
"""

import queue
import sqlite3
import threading
from asyncio import AbstractEventLoop, Future, get_running_loop, to_thread
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby, takewhile

from engine.ports.store import Conflict, Overloaded, TooLarge, Unavailable
from storage.sqlite.change import Change, write
from storage.sqlite.checkpoint import Checkpoints
from storage.sqlite.gathering import STALL_SECONDS, Gathering, Order, Task, stalled
from storage.sqlite.schema import WRITING, WRITING_CACHE, connect, is_busy, reason_of
from storage.sqlite.served_file import ServedFile
from storage.sqlite.statement import LARGEST

BATCH = 256  # changes in one transaction
QUEUED_CHANGES = 10_000
QUEUED_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 1.0  # without work, until the write-ahead log is moved to the file

# The errors that one change alone can cause. Values that SQLite cannot store raise all but `Conflict` and
# `IntegrityError`; a violated constraint, which is a bug, raises `IntegrityError`.
Refusal = Conflict | ValueError | TypeError | OverflowError | sqlite3.Error
REFUSALS = (
    Conflict, ValueError, TypeError, OverflowError,
    sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.IntegrityError,
)  # fmt: skip
Outcome = Refusal | Unavailable | None


class Writer:
    """Owns the writing connection. `submit` and `close` belong to the event loop, the rest to the thread."""

    def __init__(self, file: ServedFile, busy_ms: int, cache: int = WRITING_CACHE) -> None:
        """Open the connection; `cache` is what its page cache may take, in KiB."""
        self._file = file
        self._path = path = file.path
        self._busy_ms = busy_ms
        self._settings = (*WRITING, f"cache_size = -{cache}")
        self._connection: sqlite3.Connection | None = connect(path, busy_ms, self._settings)
        self._queue: queue.SimpleQueue[list[Order] | None] = queue.SimpleQueue()
        self._gathering: Gathering | None = None
        self._stopping = False
        self._checkpoints = Checkpoints(path)
        self._patience = max(STALL_SECONDS, busy_ms / 1000)
        self._busy = False  # the last batch found the file locked
        # Each counter is written by one thread alone, so no lock is needed: the difference of a pair is queued.
        self._changes_in = self._changes_out = 0
        self._bytes_in = self._bytes_out = 0
        self.trouble: str | None = None  # the reason why the last batch was not written, without the path
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    @property
    def stalled(self) -> bool:
        """Whether the thread makes no progress with the orders that it has."""
        return self._gathering is not None and self._gathering.stalled

    def submit(self, change: Change) -> "Future[None]":
        """Queue a change. Its future completes when the change is on disk, or fails with the reason why it is not."""
        return self._submit(change, None)

    def perform(self, task: Task) -> "Future[None]":
        """Queue a task. Its future completes when the task has run, or fails with the reason why it has not."""
        return self._submit(Change(), task)

    def _submit(self, change: Change, task: Task | None) -> "Future[None]":
        if self._stopping:
            raise Unavailable("the store is closed", place=str(self._path))
        if change.bytes > QUEUED_BYTES:
            raise TooLarge(f"a unit of {change.bytes} bytes is too large to be written")
        queued_changes = self._changes_in - self._changes_out
        queued_bytes = self._bytes_in - self._bytes_out
        if queued_changes >= QUEUED_CHANGES or queued_bytes + change.bytes > QUEUED_BYTES:
            raise Overloaded(f"{queued_changes} units ({queued_bytes} bytes) wait to be written")
        loop = get_running_loop()
        gathering = self._gathering
        if gathering is None or not gathering.belongs_to(loop):
            self._hand_over()
            gathering = self._gathering = Gathering(loop, self._settled, self._on_dropped, self._patience)
        elif gathering.stalled:
            raise stalled()
        self._changes_in += 1
        self._bytes_in += change.bytes
        future: Future[None] = loop.create_future()
        gathering.orders.append(Order(change, future, task))
        if not gathering.awaited:
            gathering.awaited = True
            loop.call_soon(self._hand_over)  # after the callbacks that are ready now
        return future

    def _hand_over(self) -> None:
        """Queue the gathered orders for the thread. A thread that is woken for each order would write small batches."""
        gathering = self._gathering
        if gathering is not None and gathering.orders:
            self._queue.put(gathering.hand_over())

    def _settled(self) -> int:
        return self._changes_out

    def _on_dropped(self, orders: Sequence[Order]) -> None:
        self._changes_in -= len(orders)
        self._bytes_in -= sum([order.change.bytes for order in orders])

    def _on_settled(self, pairs: "list[tuple[Future[None], Outcome]]") -> None:
        """Resolve the futures of settled orders, and hand the next ones over."""
        gathering = self._gathering
        if gathering is not None:
            gathering.on_settled(len(pairs))
            gathering.awaited = bool(gathering.orders)
        self._hand_over()
        _resolve(pairs)

    async def close(self) -> None:
        """Write all queued orders, move the write-ahead log into the file and end the thread."""
        if not self._stopping:
            self._stopping = True
            self._hand_over()
            self._queue.put(None)
        await to_thread(self._thread.join)

    def _work(self) -> None:
        orders: list[Order] = []
        try:
            stop = False
            while not stop:
                orders, stop = self._take()
                written = 0
                while orders:
                    batch = _batch(orders)
                    task = batch[0].task
                    self._settle(
                        batch, self._write([order.change for order in batch]) if task is None else self._do(task)
                    )
                    written += sum([order.change.bytes for order in batch])
                    del orders[: len(batch)]
                    if self._busy and orders:
                        self._settle(orders, [self._unavailable() for _ in orders])
                        orders.clear()
                self._tidy(written)
        finally:
            self._stopping = True
            self._checkpoints.finish()
            self._drop_connection()
            self._checkpoints.close()
            self._abandon(orders)

    def _take(self) -> tuple[list[Order], bool]:
        """Wait up to `IDLE_SECONDS` for orders. Returns them, and whether the thread is to stop after them."""
        orders: list[Order] = []
        try:
            first = self._queue.get(timeout=IDLE_SECONDS)
            while first is not None:
                orders += first
                if len(orders) >= BATCH:
                    break
                first = self._queue.get_nowait()
        except queue.Empty:
            return orders, False
        return orders, first is None

    def _write(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            outcomes = _write_all(connection, changes)
            connection.execute("COMMIT")
            self._file.require_in_place()
        except (sqlite3.Error, OSError) as error:
            self._recover(error)
            return [self._unavailable() for _ in changes]
        self.trouble, self._busy = None, False
        return outcomes

    def _connected(self) -> sqlite3.Connection:
        """The connection, opened if there is none. Raises `FileReplaced`: SQLite would make a missing file again."""
        if self._connection is None:
            self._file.require_in_place()
            self._connection = connect(self._path, self._busy_ms, self._settings)
        return self._connection

    def _unavailable(self) -> Unavailable:
        return Unavailable(self.trouble or "SQLite failed", place=str(self._path))

    def _do(self, task: Task) -> Sequence[Outcome]:
        """Run a task while no checkpoint runs, then close the connection: its page cache may be outdated."""
        self._busy = False
        try:
            connection = self._connected()
            self._checkpoints.wait()
            task(connection)
        except (sqlite3.Error, OSError) as error:
            self._file.report(error)
            return [Unavailable(reason_of(error), place=str(self._path))]
        finally:
            self._drop_connection()
        return [None]

    def _recover(self, error: sqlite3.Error | OSError) -> None:
        """Keep the reason of a failure. Unless the file was busy, close the connection, which rolls the batch back.

        After a failed fsync it is unknown which pages are on disk, and the same descriptor may never report it.
        """
        self.trouble, self._busy = reason_of(error), is_busy(error)
        self._file.report(error)
        if self._connection is None or self._connection.in_transaction or not self._busy:
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # rolls back an open transaction

    def _tidy(self, written: int) -> None:
        """Keep the write-ahead log short; no caller waits for this."""
        if self._connection is None:
            return
        try:
            if not written:  # else it was just found in its place
                self._file.require_in_place()
            self._checkpoints.advance(self._connection, written)
        except (sqlite3.Error, OSError) as error:
            self._recover(error)
            self._drop_connection()

    def _settle(self, orders: Sequence[Order], outcomes: Sequence[Outcome]) -> None:
        self._changes_out += len(orders)
        self._bytes_out += sum([order.change.bytes for order in orders])
        pairs = [(order.future, outcome) for order, outcome in zip(orders, outcomes, strict=True)]
        for loop, some in groupby(pairs, key=_loop_of):
            with suppress(RuntimeError):  # that loop is closed: no caller waits there any more
                loop.call_soon_threadsafe(self._on_settled, list(some))

    def _abandon(self, orders: list[Order]) -> None:
        """Fail all orders when the thread ends, so that no caller waits for ever."""
        with suppress(queue.Empty):
            while True:
                orders += self._queue.get_nowait() or []
        self._settle(orders, [Unavailable("the store is closed", place=str(self._path)) for _ in orders])


def _batch(orders: Sequence[Order]) -> Sequence[Order]:
    """The next orders to write together: the changes up to the next task, or one task."""
    if orders[0].task is not None:
        return orders[:1]
    return list(takewhile(lambda order: order.task is None, orders[:BATCH]))


def _write_all(connection: sqlite3.Connection, changes: Sequence[Change]) -> Sequence[Outcome]:
    """Write changes in an open transaction: together if possible, else one by one. Returns an outcome for each."""
    if _attempt(connection, changes, LARGEST) is None:
        return [None] * len(changes)
    return [_attempt(connection, [change], 1) for change in changes]


def _attempt(connection: sqlite3.Connection, changes: Sequence[Change], at_once: int) -> Refusal | None:
    connection.execute("SAVEPOINT attempt")
    try:
        write(connection, changes, at_once)
    except REFUSALS as refusal:
        connection.execute("ROLLBACK TO attempt")
        connection.execute("RELEASE attempt")
        return refusal
    connection.execute("RELEASE attempt")
    return None


def _loop_of(pair: "tuple[Future[None], Outcome]") -> AbstractEventLoop:
    return pair[0].get_loop()


def _resolve(pairs: "list[tuple[Future[None], Outcome]]") -> None:
    for future, outcome in pairs:
        if future.done():  # its caller was cancelled
            continue
        if outcome is None:
            future.set_result(None)
        else:
            future.set_exception(outcome)
