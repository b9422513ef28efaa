"""The one thread that writes: group commit.

Callers queue changes. While the thread writes, what comes is gathered; then the thread takes all of it and writes it in
one transaction, all rows of a kind in one statement. When a row turns out to have no effect, the batch is taken back
and written change by change, each in a savepoint, so that only those fail that conflict. Callers hear of it after the
commit is on disk, all at once.
"""

import queue
import sqlite3
import threading
from asyncio import AbstractEventLoop, Future, get_running_loop, to_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby, takewhile
from pathlib import Path

from msgspec import Struct

from engine.ports.store import Conflict, Unavailable
from storage.sqlite.change import Change, write
from storage.sqlite.checkpoint import Checkpoints
from storage.sqlite.schema import WRITING, connect, is_busy
from storage.sqlite.statement import LARGEST

BATCH = 256  # changes in one transaction
QUEUED_CHANGES = 10_000
QUEUED_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 1.0  # without work, until what is in the write-ahead log is moved to the file

# What can be wrong with one change alone. The last three are raised for values that SQLite cannot hold.
Refusal = Conflict | ValueError | TypeError | OverflowError | sqlite3.Error
REFUSALS = (
    Conflict, ValueError, TypeError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError
)  # fmt: skip
Outcome = Refusal | Unavailable | None


Task = Callable[[sqlite3.Connection], None]


class Order(Struct, frozen=True, eq=False):
    """A change and who waits for it; or a task for the connection, which is done by itself and in no transaction."""

    change: Change
    future: "Future[None]"
    task: Task | None = None


@dataclass(slots=True, eq=False)
class Gathering:
    """What an event loop hands to the thread: everything that comes while the thread writes goes together."""

    loop: AbstractEventLoop
    orders: list[Order] = field(default_factory=list)
    awaited: bool = False  # the loop will be told when the thread is done with what it has


class Writer:
    """Owns the writing connection. `submit` and `close` belong to the event loop, the rest to the thread."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._connection: sqlite3.Connection | None = connect(path, busy_ms, WRITING)
        self._queue: queue.SimpleQueue[list[Order] | None] = queue.SimpleQueue()
        self._gathering: Gathering | None = None
        self._stopping = False
        self._checkpoints = Checkpoints(path)
        # Each pair is counted up by one thread alone, so no lock is needed: the difference is what is queued.
        self._changes_in = self._changes_out = 0
        self._bytes_in = self._bytes_out = 0
        self.trouble: str | None = None  # why the last batch could not be written
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    def submit(self, change: Change) -> "Future[None]":
        """Queue a change; the future ends when it is on disk, or with why it is not."""
        return self._submit(change, None)

    def perform(self, task: Task) -> "Future[None]":
        """Queue a task; the future ends when it is done, or with why it is not."""
        return self._submit(Change(), task)

    def _submit(self, change: Change, task: Task | None) -> "Future[None]":
        if self._stopping:
            raise Unavailable(f"the store {self._path} is closed")
        queued_changes = self._changes_in - self._changes_out
        queued_bytes = self._bytes_in - self._bytes_out
        if queued_changes >= QUEUED_CHANGES or queued_bytes + change.bytes > QUEUED_BYTES:
            raise Unavailable(f"{queued_changes} units ({queued_bytes} bytes) wait to be written", retry_after=1)
        self._changes_in += 1
        self._bytes_in += change.bytes
        loop = get_running_loop()
        gathering = self._gathering
        if gathering is None or gathering.loop is not loop:
            self._hand_over()
            gathering = self._gathering = Gathering(loop)
        future: Future[None] = loop.create_future()
        gathering.orders.append(Order(change, future, task))
        if not gathering.awaited:
            gathering.awaited = True
            loop.call_soon(self._hand_over)  # after what else is ready now
        return future

    def _hand_over(self) -> None:
        """Give the thread what has been gathered. A thread that is woken for each order writes small batches."""
        gathering = self._gathering
        if gathering is not None and gathering.orders:
            self._queue.put(gathering.orders)
            gathering.orders = []

    def _done(self, pairs: "list[tuple[Future[None], Outcome]]") -> None:
        """The thread is done with these: the next are its turn."""
        gathering = self._gathering
        if gathering is not None:
            gathering.awaited = bool(gathering.orders)
        self._hand_over()
        _tell(pairs)

    async def close(self) -> None:
        """Write what is queued, move it into the file and end the thread."""
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
                self._tidy(written)
        finally:
            self._stopping = True
            self._checkpoints.finish()
            self._drop_connection()
            self._checkpoints.close()
            self._abandon(orders)

    def _take(self) -> tuple[list[Order], bool]:
        """What is queued; and whether it was the last."""
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
            if self._connection is None:
                self._connection = connect(self._path, self._busy_ms, WRITING)
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            outcomes = _write_all(connection, changes)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._recover(error)
            self.trouble = f"{self._path}: {error}"
            return [Unavailable(self.trouble) for _ in changes]
        self.trouble = None
        return outcomes

    def _do(self, task: Task) -> Sequence[Outcome]:
        """Do a task, while no checkpoint is under way beside it; what the connection remembers may be old then."""
        try:
            if self._connection is None:
                self._connection = connect(self._path, self._busy_ms, WRITING)
            self._checkpoints.wait()
            task(self._connection)
        except (sqlite3.Error, OSError) as error:
            return [Unavailable(f"{self._path}: {error}")]
        finally:
            self._drop_connection()
        return [None]

    def _recover(self, error: sqlite3.Error) -> None:
        """Take the batch back. After any failure but a busy file, go on with a new connection.

        After a failed fsync nobody knows which pages are on disk, and the same descriptor may never tell.
        """
        if self._connection is None or self._connection.in_transaction or not is_busy(error):
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # rolls back what is open

    def _tidy(self, written: int) -> None:
        """Keep the write-ahead log short; nobody waits for this."""
        if self._connection is None:
            return
        try:
            self._checkpoints.step(self._connection, written)
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"{self._path}: {error}"
            self._drop_connection()

    def _settle(self, orders: Sequence[Order], outcomes: Sequence[Outcome]) -> None:
        self._changes_out += len(orders)
        self._bytes_out += sum([order.change.bytes for order in orders])
        pairs = [(order.future, outcome) for order, outcome in zip(orders, outcomes, strict=True)]
        for loop, some in groupby(pairs, key=_loop_of):
            with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(self._done, list(some))

    def _abandon(self, orders: list[Order]) -> None:
        """The thread ends: nobody may wait for ever."""
        with suppress(queue.Empty):
            while True:
                orders += self._queue.get_nowait() or []
        self._settle(orders, [Unavailable(f"the store {self._path} is closed") for _ in orders])


def _batch(orders: Sequence[Order]) -> Sequence[Order]:
    """The orders that go first, together: changes up to the next task, or a task."""
    if orders[0].task is not None:
        return orders[:1]
    return list(takewhile(lambda order: order.task is None, orders[:BATCH]))


def _write_all(connection: sqlite3.Connection, changes: Sequence[Change]) -> Sequence[Outcome]:
    """One outcome for each change, in an open transaction: together if possible, else one by one."""
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


def _tell(pairs: "list[tuple[Future[None], Outcome]]") -> None:
    for future, outcome in pairs:
        if future.done():  # its caller was cancelled
            continue
        if outcome is None:
            future.set_result(None)
        else:
            future.set_exception(outcome)
