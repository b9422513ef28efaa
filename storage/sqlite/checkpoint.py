"""Moving the write-ahead log into the file, beside the writer instead of in its way.

Inside a commit, a checkpoint would delay all callers until thousands of scattered pages are on disk (0.2 to 0.4 s,
measured on a million events). So another thread moves and flushes most pages while the writer goes on; the writer moves
only the pages that were written meanwhile (some milliseconds). Then nothing is left to move, and SQLite writes the next
transaction at the start of the log.

A checkpoint beside the writer is started only when the log contains pages that are not moved: so the log cannot restart
before that checkpoint ends. (SQLite before 3.51.3 could lose a commit when one did.)
"""

import os
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from storage.sqlite.descriptor import Descriptor
from storage.sqlite.schema import connect

# Bytes of changes since the last checkpoint started. In the log, which contains whole pages, they are about five times
# as many.
MANY = 16 * 1024 * 1024  # start a checkpoint
FEW = 1024 * 1024  # a few milliseconds' work, which the writer may do itself
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Starts and completes checkpoints. Only the writer's thread may call it; it has one more thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Descriptor(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"checkpoints of {path.name}")
        self._running: Future[None] | None = None
        self._written = 0
        self._started_with = 0  # bytes to move when the running one started; if that does not shrink, the writer waits

    def advance(self, connection: sqlite3.Connection, written: int) -> None:
        """Start or complete a checkpoint. Call it after each commit of `written` bytes, and with 0 when idle.

        Raises `sqlite3.Error` or `OSError` when one fails; the log keeps what is not moved.
        """
        self._written += written
        running = self._running
        if running is None:
            if self._written >= (MANY if written else 1):
                self._start()
        elif running.done():
            self._running = None
            running.result()
            if written and FEW < self._written < self._started_with:
                self._start()
            else:
                self._written = 0
                connection.execute(CHECKPOINT).fetchone()

    def wait(self) -> None:
        """Wait for the running checkpoint, if any. Raises its error."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def finish(self) -> None:
        """Wait for the running checkpoint; no other starts afterwards."""
        self._thread.shutdown()

    def close(self) -> None:
        """Close the file's descriptor; call it after the store's last connection is closed."""
        self._file.close()

    def _start(self) -> None:
        self._started_with, self._written = self._written, 0
        self._running = self._thread.submit(_checkpoint, self._path, self._file.number)


def _checkpoint(path: Path, file: int) -> None:
    with closing(connect(path, busy_ms=0)) as connection:
        connection.execute(CHECKPOINT).fetchone()
    os.fsync(file)  # SQLite itself would only do so in the last step, where it delays the writer
