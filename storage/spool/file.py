"""A spool's file: SQLite, WAL, `synchronous=FULL`. One thread uses it at a time, and its process holds the lock beside.

A file is in one of three states: OPEN (a connection exists), FAILED (the last job failed: the connection is closed and
`trouble` says why) and CLOSED. A job in any state opens the connection if there is none; a job that succeeds leads to
OPEN, a failure of SQLite to FAILED, `close` to CLOSED.

Invariants: entries have ascending positions, which are never used again (`AUTOINCREMENT`); a batch of jobs is one
transaction. Removed entries are personal data, so they are overwritten (`secure_delete`), and an empty file is shrunk
together with its write-ahead log.

An entry in a file that was removed is gone when the connection is closed. So nothing is appended to such a file; its
entries can still be read.

Failures: a batch that fails is rolled back and repeated job by job, so only the jobs at fault fail, with
`SpoolUnavailable`. After a failed fsync the content of the disk is unknown, so a new connection reads it again. A crash
while the entries of one file are moved to another leaves them in both: they are drained twice, and the store recognizes
the duplicates.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from engine.ports.spool import SpoolEntry, SpoolUnavailable
from storage.spool.bounds import ROW_BYTES, SpoolLoad
from storage.sqlite.schema import connect
from storage.sqlite.served_file import FileReplaced, ServedFile

APPLICATION = 0x48445253  # "HDRS", in the file's header
VERSION = 1
BUSY_MS = 2000
MAX_READ = 16 * 1024 * 1024  # bytes of documents at once
SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY")

TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE entries (place INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, doc BLOB NOT NULL)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
PUT = "INSERT INTO entries (events, doc) VALUES (?, ?)"
AFTER = "SELECT doc, events, place FROM entries WHERE place > ? ORDER BY place LIMIT ?"
DROP = "DELETE FROM entries WHERE place IN (SELECT value FROM json_each(?)) RETURNING events, length(doc)"
DROP_ALL = "DELETE FROM entries"
LOAD = "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(length(doc)), 0) FROM entries"
READ_KEY = "SELECT value FROM meta WHERE name = 'secret'"
STORE_KEY = "INSERT INTO meta VALUES ('secret', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
PROBE = "INSERT INTO meta VALUES ('probe', zeroblob(?)) ON CONFLICT DO UPDATE SET value = excluded.value"
PROBE_BYTES = 256 * 1024  # more than an entry often needs

Job = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, SpoolUnavailable | None]


class UnusableSpool(Exception):
    """A file that cannot be a spool: damaged, another program's, or of a newer schema."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used as a spool: {reason}")
        self.path = path


class SpoolFile:
    """An open file."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`; create it if it is missing. Raises `UnusableSpool`."""
        self.path = path
        self.failure: str | None = None  # why the last job failed
        self._replaced: str | None = None  # why the last job that writes found another file
        try:
            _prepare(path)
            self._served = ServedFile(path, "spool")
            self._connection: sqlite3.Connection | None = connect(path, BUSY_MS, SETTINGS)
        except (OSError, sqlite3.Error) as error:
            raise UnusableSpool(path, str(error)) from error

    @property
    def trouble(self) -> str | None:
        """The reason why the file cannot be written to, without the path; None if it can be."""
        return self.failure or self._replaced

    def put(self, entries: Sequence[SpoolEntry]) -> Job:
        """Return a job that appends entries."""
        return self._writing(PUT, [(entry.events, entry.doc) for entry in entries])

    def probe(self, size: int) -> Job:
        """Return a job that writes so many bytes in the place of those of the last probe."""
        return self._writing(PROBE, [(size,)])

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs in one transaction; if that fails, run each in its own. Returns one outcome for each job."""
        outcomes = self._attempt(jobs)
        if len(jobs) > 1 and outcomes[0][1] is not None:
            outcomes = [self._attempt([job])[0] for job in jobs]
        return outcomes

    def run_one(self, job: Job) -> Any:
        """Run one job and return its result. Raises `SpoolUnavailable`."""
        ((result, failure),) = self._attempt([job])
        if failure is not None:
            raise failure
        return result

    def shrink(self) -> None:
        """Release the disk space of a file without entries, and empty its write-ahead log."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            if not self._connection.execute("SELECT 1 FROM entries LIMIT 1").fetchone():
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file; the next job opens it again."""
        connection, self._connection = self._connection, None
        self._served.forget_log()
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # rolls back an open transaction

    def _attempt(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            if self._connection is None:
                self._served.require_in_place()  # SQLite would make a missing file again
                self._connection = connect(self.path, BUSY_MS, SETTINGS)
            results = _together(self._connection, jobs)
        except FileReplaced as error:
            reason = self._replaced = f"the spool cannot be used: {error}"
        except sqlite3.Error as error:
            self.close()  # after a failed fsync the content of the disk is unknown: open it again
            reason = self.failure = f"the spool cannot be used: {error}"
        else:
            self.failure = None
            return [(result, None) for result in results]
        return [(None, SpoolUnavailable(reason, place=str(self.path))) for _ in jobs]

    def _writing(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> Job:
        """Return a job that writes, unless the file was removed or replaced."""

        def write(connection: sqlite3.Connection) -> None:
            self._served.require_in_place()
            self._replaced = None
            connection.executemany(statement, rows)

        return write


def current_load(connection: sqlite3.Connection) -> SpoolLoad:
    """Count the entries in the file, their events and their bytes."""
    entries, events, size = connection.execute(LOAD).fetchone()
    return SpoolLoad(entries, events, size + ROW_BYTES * entries)


def after(position: int, limit: int) -> Job:
    """Return a job that reads the first entries after a position, `MAX_READ` bytes or a little more at most."""

    def read(connection: sqlite3.Connection) -> list[SpoolEntry]:
        entries, size = [], 0
        for row in connection.execute(AFTER, (position, limit)):
            entries.append(SpoolEntry(*row))
            size += len(row[0])
            if size > MAX_READ:
                break
        return entries

    return read


def drop(positions: Sequence[int]) -> Job:
    """Return a job that removes entries by position and returns their load."""
    listed = msgspec.json.encode(positions).decode()

    def remove(connection: sqlite3.Connection) -> SpoolLoad:
        gone = connection.execute(DROP, (listed,)).fetchall()
        size = sum(size for _, size in gone) + ROW_BYTES * len(gone)
        return SpoolLoad(len(gone), sum(events for events, _ in gone), size)

    return remove


def move(left: SpoolFile, spool: SpoolFile) -> None:
    """Move all entries of the file `left` to the end of `spool`. Raises `SpoolUnavailable`.

    A crash in between leaves entries in both files; they are drained twice.
    """
    position = 0
    while entries := left.run_one(after(position, 1000)):
        position = entries[-1].position
        spool.run_one(spool.put(entries))
    if position:
        left.run_one(lambda connection: connection.execute(DROP_ALL))


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = connect(path, BUSY_MS)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            _together(connection, [_executing(statement) for statement in TABLES])
        elif application != APPLICATION:
            raise UnusableSpool(path, "it is the database of another program")
        elif version > VERSION:
            raise UnusableSpool(path, f"its schema {version} is newer than {VERSION}, the newest that is known here")
    finally:
        connection.close()


def _executing(statement: str) -> Job:
    return lambda connection: connection.execute(statement)


def _together(connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Any]:
    """Run jobs in one transaction and return their results."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [job(connection) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return results
