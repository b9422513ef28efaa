"""Secure erasure: remove all remains of deleted data from the file and from its write-ahead log.

With `secure_delete` SQLite overwrites deleted data itself; the remains of moved cells are scrubbed. A file that was
written before `secure_delete` was in use is rewritten once.
"""

import sqlite3
from pathlib import Path

from storage.sqlite.descriptor import Descriptor
from storage.sqlite.scrub_pages import may_be_scrubbed, scrub_pages


def secure_erase(connection: sqlite3.Connection, path: Path) -> None:
    """Erase the remains, by the writing connection, outside a transaction. Its page cache is outdated afterwards.

    Raises `OSError`, and `sqlite3.Error`, also if another connection reads meanwhile.
    """
    file = Descriptor(path)
    try:
        unclean = connection.execute("SELECT 1 FROM meta WHERE name = 'unclean'").fetchone() is not None
        if unclean or not may_be_scrubbed(file.number):
            _rewrite(connection)
        _empty_log(connection)
        if may_be_scrubbed(file.number):
            _scrub(connection, path, file.number)
    finally:
        file.close()


def _rewrite(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA temp_store = FILE")  # otherwise the whole copy would be in memory
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("DELETE FROM meta WHERE name = 'unclean'")


def _empty_log(connection: sqlite3.Connection) -> None:
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log cannot be emptied: another connection reads from it")


def _scrub(connection: sqlite3.Connection, path: Path, file: int) -> None:
    """Scrub the file in a transaction, so that no other connection can write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if path.with_name(f"{path.name}-wal").stat().st_size:
            raise sqlite3.OperationalError("the write-ahead log is not empty: another process writes to it")
        scrub_pages(file)
    finally:
        connection.execute("ROLLBACK")
