"""A spool's file: SQLite, WAL, `synchronous=FULL`. For one thread at a time; hold the file's lock meanwhile.

What is taken out is overwritten, since it is personal data, and an empty file gives its space back, as does its log.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from engine.ports.spool import SpoolEntry
from engine.ports.store import Unavailable
from storage.spool.bounds import ROW_BYTES, SpoolLoad
from storage.sqlite.schema import connect

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
HELD = "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(length(doc)), 0) FROM entries"
KEPT = "SELECT value FROM meta WHERE name = 'secret'"
KEEP = "INSERT INTO meta VALUES ('secret', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
PROBE = "INSERT INTO meta VALUES ('probe', randomblob(64)) ON CONFLICT DO UPDATE SET value = excluded.value"

Job = Callable[[sqlite3.Connection], Any]
Outcome = tuple[Any, Unavailable | None]


class UnusableSpool(Exception):
    """A file that cannot be a spool: damaged, another program's, or of a newer schema."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used as a spool: {reason}")
        self.path = path


class SpoolFile:
    """An open file. `trouble` is why the last job failed, None when it did not."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, made if needed. Raises `UnusableSpool`."""
        self.path = path
        self.trouble: str | None = None
        try:
            _prepare(path)
            self._connection: sqlite3.Connection | None = connect(path, BUSY_MS, SETTINGS)
        except (OSError, sqlite3.Error) as error:
            raise UnusableSpool(path, str(error)) from error

    def do(self, jobs: Sequence[Job]) -> list[Outcome]:
        """One outcome for each job: together in a transaction if possible, else one by one."""
        outcomes = self._attempt(jobs)
        if len(jobs) > 1 and outcomes[0][1] is not None:
            outcomes = [self._attempt([job])[0] for job in jobs]
        return outcomes

    def one(self, job: Job) -> Any:
        """What a job gives. Raises `Unavailable`."""
        ((result, failure),) = self._attempt([job])
        if failure is not None:
            raise failure
        return result

    def shrink(self) -> None:
        """Give back the space of an empty file, and leave nothing in its log of what was there."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error):
            if not self._connection.execute("SELECT 1 FROM entries LIMIT 1").fetchone():
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Let go of the file; the next job opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # rolls back what is open

    def _attempt(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            if self._connection is None:
                self._connection = connect(self.path, BUSY_MS, SETTINGS)
            results = _together(self._connection, jobs)
        except sqlite3.Error as error:
            self.close()  # after a failed fsync nobody knows what is on disk: begin anew
            self.trouble = f"{self.path}: {error}"
            return [(None, Unavailable(self.trouble)) for _ in jobs]
        self.trouble = None
        return [(result, None) for result in results]


def held(connection: sqlite3.Connection) -> SpoolLoad:
    """How much is in the file."""
    entries, events, size = connection.execute(HELD).fetchone()
    return SpoolLoad(entries, events, size + ROW_BYTES * entries)


def put(entries: Sequence[SpoolEntry]) -> Job:
    """Add parcels at the end."""
    rows = [(entry.events, entry.doc) for entry in entries]
    return lambda connection: connection.executemany(PUT, rows)


def after(place: int, limit: int) -> Job:
    """Read the parcels beyond a place."""

    def read(connection: sqlite3.Connection) -> list[SpoolEntry]:
        entries, size = [], 0
        for row in connection.execute(AFTER, (place, limit)):
            entries.append(SpoolEntry(*row))
            size += len(row[0])
            if size > MAX_READ:
                break
        return entries

    return read


def drop(places: Sequence[int]) -> Job:
    """Take parcels out; gives what they weighed."""
    listed = msgspec.json.encode(places).decode()

    def take_out(connection: sqlite3.Connection) -> SpoolLoad:
        gone = connection.execute(DROP, (listed,)).fetchall()
        size = sum(size for _, size in gone) + ROW_BYTES * len(gone)
        return SpoolLoad(len(gone), sum(events for events, _ in gone), size)

    return take_out


def move(left: SpoolFile, spool: SpoolFile) -> None:
    """Move what is in one file to the end of another. Cut short, both have it, and it is drained twice.

    Raises `Unavailable`.
    """
    place = 0
    while entries := left.one(after(place, 1000)):
        place = entries[-1].position
        spool.one(put(entries))
    if place:
        left.one(lambda connection: connection.execute(DROP_ALL))


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
    """What the jobs give, done in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [job(connection) for job in jobs]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return results
