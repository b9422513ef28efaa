"""The file: its tables, the settings of connections to it, and the checks that refuse other files.

The tables of all kinds but events follow from their `Kind` (`layout.py`). Missing ones are created whenever the file is
opened; a new column of a table that may exist needs an upgrade here.

Every index serves a look-up that a caller waits for, and costs a random page for each row unless its keys grow with
time. Once the file is large, random pages are the main cost of writing a row, so two look-ups have no index of their
own:

- A profile's events are a list linked through the rows: `profiles.newest` leads to the newest event, each event's
  `previous` to the one before. The profile's row is written with every unit anyway.
- An event with a client's id (random) is found through its mark, which is indexed by that id for deduplication; only
  the other events, which have ids of ours that grow with time, are in `events_id`. A forgotten mark stays as a pointer.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from storage.sqlite import identities
from storage.sqlite.layout import Layouts, RecordLayout
from storage.sqlite.place import obstacle, remedy

APPLICATION = 0x48445243  # "HDRC", in the file's header
VERSION = 5  # of the schema; a newer program may raise it
PAUSE_MS = 20  # between attempts to create a file that another process is creating
UPGRADE_MS = 600_000  # how long to wait for another process that upgrades the file

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE profiles (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    merged_into TEXT,
    newest INTEGER,      -- events.seq
    doc TEXT NOT NULL,
    due INTEGER          -- as in doc
);
CREATE INDEX profiles_merged ON profiles (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX profiles_due ON profiles (due) WHERE due IS NOT NULL;
CREATE TABLE keys (key TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    source TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (source, id)
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT,             -- NULL where a mark leads here
    previous INTEGER,    -- events.seq of the same profile
    doc TEXT NOT NULL
);
CREATE INDEX events_id ON events (id) WHERE id IS NOT NULL;
CREATE TABLE gaps (seq INTEGER PRIMARY KEY); -- numbers of erased events
CREATE TABLE marks (
    seq INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    source TEXT NOT NULL,
    at INTEGER,          -- NULL: forgotten
    session TEXT,
    profile TEXT,
    stored INTEGER       -- events.seq
);
CREATE UNIQUE INDEX marks_event ON marks (event, source);
CREATE TABLE flow_versions (version TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
"""

# The statements that upgrade a schema to the next version; `identities` upgrades the fourth.
UPGRADES = {
    1: """
ALTER TABLE profiles ADD COLUMN due INTEGER;
CREATE INDEX profiles_due ON profiles (due) WHERE due IS NOT NULL;
""",
    2: """
CREATE TABLE gaps (seq INTEGER PRIMARY KEY);
INSERT INTO meta VALUES ('unclean', 1);
""",
    3: """
ALTER TABLE rejected ADD COLUMN id TEXT;
UPDATE rejected SET id = doc ->> '$.id' WHERE json_valid(doc);
CREATE INDEX rejected_id ON rejected (id);
ALTER TABLE cache RENAME COLUMN key TO id;
""",
}


class UnusableFile(Exception):
    """A file that cannot be a store: damaged, another program's, of a newer schema, or in an impossible place."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used as a store: {reason}")
        self.path = path
        self.reason = reason


WRITING = (
    "journal_mode = WAL",
    "synchronous = FULL",  # NORMAL loses acknowledged transactions when the power goes
    "wal_autocheckpoint = 0",  # see `checkpoint`
    "secure_delete = ON",  # changed and erased data is overwritten: it may be personal
    "temp_store = MEMORY",
)
UPGRADING = ("secure_delete = ON",)
WRITING_CACHE = 65_536  # KiB
READING = ("query_only = ON", "cache_size = -16384")


def connect(path: Path, busy_ms: int, settings: Iterable[str] = ()) -> sqlite3.Connection:
    """A connection in autocommit mode that waits `busy_ms` for others; for any thread, one at a time."""
    connection = sqlite3.connect(
        path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def reason_of(error: sqlite3.Error | OSError) -> str:
    """The reason of a failure, for everybody: it names no path."""
    return f"SQLite: {error}" if isinstance(error, sqlite3.Error) else error.strerror or str(error)


def is_busy(error: sqlite3.Error | OSError) -> bool:
    """Whether another connection has locked the file, so that waiting is enough."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def prepare(path: Path, busy_ms: int, layouts: Layouts) -> list[str]:
    """Create or upgrade the file, and check that it is a store. Returns a line for each change.

    If several processes create it at the same time, SQLite reports it as busy to some of them without waiting; they
    retry for `busy_ms`. Raises `UnusableFile`.
    """
    require_usable_place(path)
    for left in reversed(range(1 + busy_ms // PAUSE_MS)):
        try:
            return _prepare(path, layouts)
        except (OSError, sqlite3.Error) as error:
            if not (left and isinstance(error, sqlite3.Error) and is_busy(error)):
                raise UnusableFile(path, remedy(str(error))) from error
            time.sleep(PAUSE_MS / 1000)
    raise AssertionError("the last attempt returns or raises")


def require_usable_place(path: Path) -> None:
    """Raise `UnusableFile` when no file can be made or written at `path`."""
    if (reason := obstacle(path)) is not None:
        raise UnusableFile(path, reason)


def _prepare(path: Path, layouts: Layouts) -> list[str]:
    # The file will contain personal data and a secret. An existing one is not opened: closing it again would drop the
    # locks of other connections in this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(connect(path, busy_ms=0, settings=UPGRADING)) as connection:
        new = version_of(path, connection) is None
        connection.execute("PRAGMA journal_mode = WAL")
        done = [f"made {path} (schema {VERSION})"] if new and _create(connection, layouts) else []
        done += _upgrade(connection, path)
        return [*done, *[f"added the table {name} to {path}" for name in _complete(connection, layouts)]]


def version_of(path: Path, connection: sqlite3.Connection) -> int | None:
    """Return the version of a file's schema; None if the file is empty. Raises `UnusableFile` if it is no store."""
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application == 0 and _number(connection, "SELECT count(*) FROM sqlite_schema") == 0:
        return None
    if application != APPLICATION:
        raise UnusableFile(path, "it is the database of another program; name another file")
    if version > VERSION:
        raise UnusableFile(path, f"its schema {version} is newer than {VERSION}, the newest that this version knows")
    return version


def _create(connection: sqlite3.Connection, layouts: Layouts) -> bool:
    """Create the tables; False if another process was faster."""
    connection.execute("BEGIN IMMEDIATE")
    mine = _number(connection, "PRAGMA user_version") == 0
    if mine:
        for statement in (*TABLES.split(";"), *_tables(layouts.records.values())):
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('secret', ?)", (os.urandom(32),))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return mine


def _upgrade(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Upgrade the schema to `VERSION`. Returns a line for each change. Raises `UnusableFile`."""
    if _number(connection, "PRAGMA user_version") == VERSION:
        return []
    connection.execute(f"PRAGMA busy_timeout = {UPGRADE_MS}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise UnusableFile(path, f"another process is upgrading it ({error}); try again later") from error
    done = []
    old = _number(connection, "PRAGMA user_version")  # another process may have been faster
    if old < VERSION:
        for version in range(old, identities.SCHEMA - 1):
            for statement in UPGRADES[version].split(";"):
                connection.execute(statement)
        done = [f"upgraded {path} from schema {old} to {VERSION}", *identities.upgrade(connection)]
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # closing the file would lock it meanwhile
    return done


def _complete(connection: sqlite3.Connection, layouts: Layouts) -> list[str]:
    """Create the missing tables of kinds. Returns their names."""
    if not _missing(connection, layouts):
        return []
    connection.execute("BEGIN IMMEDIATE")
    missing = _missing(connection, layouts)  # another process may have been faster
    for statement in _tables(missing):
        connection.execute(statement)
    connection.execute("COMMIT")
    return [layout.name for layout in missing]


def _missing(connection: sqlite3.Connection, layouts: Layouts) -> list[RecordLayout]:
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return [layout for name, layout in layouts.records.items() if name not in found]


def _tables(layouts: Iterable[RecordLayout]) -> Iterator[str]:
    for layout in layouts:
        yield from layout.tables


def _number(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])
