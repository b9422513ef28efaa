"""The one thread that writes: group commit.

Callers queue changes. The thread takes whatever is queued and writes it in one transaction, all rows of a kind in one
statement. When a row turns out to have no effect, the batch is taken back and written change by change, each in a
savepoint, so that only those fail that conflict. Callers hear of it after the commit is on disk, all at once.
"""

import queue
import sqlite3
import threading
from asyncio import AbstractEventLoop, Future, get_running_loop, to_thread
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from engine.tracking.ports import Conflict, Unavailable
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


class Order(Struct, frozen=True, eq=False):
    """A change and who waits for it."""

    change: Change
    future: "Future[None]"


class Writer:
    """Owns the writing connection. `submit` and `close` belong to the event loop, the rest to the thread."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._connection: sqlite3.Connection | None = connect(path, busy_ms, WRITING)
        self._queue: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
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
        if self._stopping:
            raise Unavailable(f"the store {self._path} is closed")
        queued_changes = self._changes_in - self._changes_out
        queued_bytes = self._bytes_in - self._bytes_out
        if queued_changes >= QUEUED_CHANGES or queued_bytes + change.bytes > QUEUED_BYTES:
            raise Unavailable(f"{queued_changes} units ({queued_bytes} bytes) wait to be written", retry_after=1)
        self._changes_in += 1
        self._bytes_in += change.bytes
        future: Future[None] = get_running_loop().create_future()
        self._queue.put(Order(change, future))
        return future

    async def close(self) -> None:
        """Write what is queued, move it into the file and end the thread."""
        if not self._stopping:
            self._stopping = True
            self._queue.put(None)
        await to_thread(self._thread.join)

    def _work(self) -> None:
        orders: list[Order] = []
        try:
            stop = False
            while not stop:
                orders, stop = self._take()
                if orders:
                    self._settle(orders, self._write([order.change for order in orders]))
                self._tidy(sum([order.change.bytes for order in orders]))
                orders = []
        finally:
            self._stopping = True
            self._checkpoints.finish()
            self._drop_connection()
            self._checkpoints.close()
            self._abandon(orders)

    def _take(self) -> tuple[list[Order], bool]:
        """What is queued, at most a batch; and whether it was the last."""
        orders: list[Order] = []
        try:
            first = self._queue.get(timeout=IDLE_SECONDS)
            while first is not None:
                orders.append(first)
                if len(orders) == BATCH:
                    return orders, False
                first = self._queue.get_nowait()
        except queue.Empty:
            return orders, False
        return orders, True

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
                loop.call_soon_threadsafe(_tell, list(some))

    def _abandon(self, orders: list[Order]) -> None:
        """The thread ends: nobody may wait for ever."""
        with suppress(queue.Empty):
            while True:
                order = self._queue.get_nowait()
                if order is not None:
                    orders.append(order)
        self._settle(orders, [Unavailable(f"the store {self._path} is closed") for _ in orders])


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
