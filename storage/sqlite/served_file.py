"""The file that a store or a spool has open, and whether its path still leads to it.

A removed file can still be written to by those who have it open, and is gone when they close it. So nothing may be
acknowledged that was written to such a file, nor to the write-ahead log of one.
"""

import os
import sqlite3
from pathlib import Path

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
CHECK = "PRAGMA quick_check(1)"
SOUND = ("ok",)

FileIdentity = tuple[int, int]  # device, inode


class FileReplaced(OSError):
    """The path of a file, or of its log, leads to no file or to another one."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} was removed or replaced while it is served; put it back, or restart the server")


class ServedFile:
    """The file at `path`, as it has been opened, of a database or of a spool (`kind`). For any thread."""

    def __init__(self, path: Path, kind: str = "database") -> None:
        self.path = path
        self._kind = kind
        self.damage: str | None = None  # the last error that reported damage
        self._log = Path(f"{path}-wal")
        self._identity = _identity(path)
        self._log_identity: FileIdentity | None = None  # until SQLite has made it

    def require_in_place(self) -> None:
        """Raise `FileReplaced` if the file or its log is no longer where it was. Takes two calls of `stat`."""
        if _identity(self.path) != self._identity:
            raise FileReplaced(f"{self._kind} file")
        log = _identity(self._log)
        if log != self._log_identity:
            if self._log_identity is not None:
                raise FileReplaced(f"write-ahead log of the {self._kind}")
            self._log_identity = log

    def forget_log(self) -> None:
        """Expect another log: SQLite removes it with the last connection."""
        self._log_identity = None

    def report(self, error: Exception) -> None:
        """Remember an error that says that the file is damaged."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            self.damage = str(error)

    def check(self) -> None:
        """Read the whole file, after damage was reported; forget the report if it is sound now. May take long."""
        connection = sqlite3.connect(f"file:{self.path.resolve().as_posix()}?mode=ro", uri=True, isolation_level=None)
        try:
            if connection.execute(CHECK).fetchone() == SOUND:
                self.damage = None
        except sqlite3.Error as error:
            self.damage = str(error)
        finally:
            connection.close()


def _identity(path: Path) -> FileIdentity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
