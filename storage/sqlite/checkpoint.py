"""Moving the write-ahead log into the file, beside the writer instead of in its way.

Inside a commit a checkpoint holds up everybody until thousands of scattered pages are on disk (0.2 to 0.4 s, measured
on a million events). So another thread does the bulk of it, flushed, while the writer goes on; the writer moves only
what came meanwhile (some milliseconds), and with nothing left to be moved the log starts anew at its beginning.

A checkpoint beside the writer is begun only when the log holds something that is not moved: then the log cannot start
anew before that checkpoint ends. (SQLite before 3.51.3 could lose a commit when one did.)
"""

import os
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from storage.sqlite.descriptor import Descriptor
from storage.sqlite.schema import connect

# Bytes of changes since the last checkpoint began. In the log, which holds whole pages, they are about five times as
# many.
MANY = 16 * 1024 * 1024  # begin one
FEW = 1024 * 1024  # a few milliseconds' work, which the writer may do
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpoints:
    """Belongs to the writer's thread, and has one of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Descriptor(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"checkpoints of {path.name}")
        self._running: Future[None] | None = None
        self._written = 0
        self._begun_with = 0  # what the running one found to be moved; when that does not shrink, the writer must wait

    def step(self, connection: sqlite3.Connection, written: int) -> None:
        """After each commit of `written` bytes, and with 0 when there is nothing to do: begin or end a checkpoint.

        Raises `sqlite3.Error` or `OSError` when one fails; the log keeps what is not moved.
        """
        self._written += written
        running = self._running
        if running is None:
            if self._written >= (MANY if written else 1):
                self._begin()
        elif running.done():
            self._running = None
            running.result()
            if written and FEW < self._written < self._begun_with:
                self._begin()
            else:
                self._written = 0
                connection.execute(CHECKPOINT).fetchone()

    def wait(self) -> None:
        """Wait for what runs. Raises what it has failed by."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def finish(self) -> None:
        """Wait for what runs; no other begins."""
        self._thread.shutdown()

    def close(self) -> None:
        """Let go of the file, after the store's last connection."""
        self._file.close()

    def _begin(self) -> None:
        self._begun_with, self._written = self._written, 0
        self._running = self._thread.submit(_checkpoint, self._path, self._file.number)


def _checkpoint(path: Path, file: int) -> None:
    with closing(connect(path, busy_ms=0)) as connection:
        connection.execute(CHECKPOINT).fetchone()
    os.fsync(file)  # SQLite itself would only do so in the last step, where it holds up the writer
