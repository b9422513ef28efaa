"""Reading: a connection of its own, which reads committed data only."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from engine.ports.store import Unavailable
from storage.sqlite.schema import READING, connect, reason_of
from storage.sqlite.served_file import ServedFile

T = TypeVar("T")
SqlRow = tuple[Any, ...]
Decode = Callable[[bytes], T]


class Reader:
    """Answers queries for one thread at a time. Raises `Unavailable`, naming the file, when it cannot be read."""

    def __init__(self, file: ServedFile, busy_ms: int) -> None:
        self._file = file
        self._connection = connect(file.path, busy_ms, READING)
        # Opens the write-ahead log's index now; when the disk is full it may be too late.
        self._connection.execute("SELECT 1 FROM meta").fetchone()

    def row(self, sql: str, *values: object) -> SqlRow | None:
        """The first row, or None."""
        try:
            found: SqlRow | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        return found

    def rows(self, sql: str, *values: object) -> list[SqlRow]:
        """All rows."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def document(self, decode: Decode[T], sql: str, *values: object) -> T | None:
        """The document in the last column of the first row, or None."""
        found = self.row(sql, *values)
        return None if found is None else self.decoded(decode, found)

    def documents(self, decode: Decode[T], sql: str, *values: object) -> list[T]:
        """The documents in the last column of all rows."""
        return [self.decoded(decode, found) for found in self.rows(sql, *values)]

    def decoded(self, decode: Decode[T], found: SqlRow) -> T:
        """The document in the last column of a row."""
        try:
            return decode(found[-1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._unreadable(error) from error

    def close(self) -> None:
        """Close the file; later reads raise `Unavailable`."""
        self._connection.close()

    def _unreadable(self, error: Exception) -> Unavailable:
        self._file.report(error)
        reason = reason_of(error) if isinstance(error, sqlite3.Error) else f"a document cannot be read: {error}"
        return Unavailable(reason, place=str(self._file.path))
