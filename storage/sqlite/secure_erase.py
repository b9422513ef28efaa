"""Washing the file: nothing is left in it, or in its write-ahead log, of what is no longer stored.

Whatever is written with `secure_delete` overwrites what it takes the place of; what is left of cells that have moved is
scrubbed. A file from before that is written anew, once.
"""

import sqlite3
from pathlib import Path

from storage.sqlite.descriptor import Descriptor
from storage.sqlite.scrub_pages import may_be_scrubbed, scrub_pages


def secure_erase(connection: sqlite3.Connection, path: Path) -> None:
    """Wash it, by the writing connection, outside of a transaction. What that remembers of pages is old then.

    Raises `OSError`, and `sqlite3.Error`, also while others read.
    """
    file = Descriptor(path)
    try:
        unclean = connection.execute("SELECT 1 FROM meta WHERE name = 'unclean'").fetchone() is not None
        if unclean or not may_be_scrubbed(file.number):
            _write_anew(connection)
        _empty_log(connection)
        if may_be_scrubbed(file.number):
            _scrub(connection, path, file.number)
    finally:
        file.close()


def _write_anew(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA temp_store = FILE")  # else all of the file would be in memory
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("DELETE FROM meta WHERE name = 'unclean'")


def _empty_log(connection: sqlite3.Connection) -> None:
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log cannot be emptied: somebody reads from it")


def _scrub(connection: sqlite3.Connection, path: Path, file: int) -> None:
    """Scrub the file, while nobody can write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if path.with_name(f"{path.name}-wal").stat().st_size:
            raise sqlite3.OperationalError("the write-ahead log is not empty: somebody else writes to it")
        scrub_pages(file)
    finally:
        connection.execute("ROLLBACK")
