"""Washing the file: nothing is left in it, or in its write-ahead log, of what is no longer stored.

Whatever is written with `secure_delete` overwrites what it takes the place of. A file from before that is written anew,
once.
"""

import sqlite3


def wash(connection: sqlite3.Connection) -> None:
    """Wash it, by the writing connection, outside of a transaction. Raises `sqlite3.Error`, also while others read."""
    if connection.execute("SELECT 1 FROM meta WHERE name = 'unclean'").fetchone() is not None:
        connection.execute("VACUUM")
        connection.execute("DELETE FROM meta WHERE name = 'unclean'")
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log cannot be emptied: somebody reads from it")
