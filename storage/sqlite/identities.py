"""Upgrading the keys and profiles of a file to schema 5, which names keys by a hash (`storage.identity_upgrade`).

All happens in one transaction of the caller, some rows at a time, so a file of any size needs little memory.
"""

import sqlite3
import time
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from engine.profile.document import Profile
from storage.encoding import decode_profile, encode
from storage.identity_upgrade import IdentityChanges, new_key, with_proofs
from storage.sqlite.statement import Row

SCHEMA = 5  # the first with such keys
AT_ONCE = 500  # profiles

RENAMED = """
CREATE TABLE renamed (key TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO renamed (key, id) SELECT new_key(key, claim), id FROM keys ORDER BY 1;
DROP TABLE keys;
ALTER TABLE renamed RENAME TO keys;
"""
# The proven keys, each with the profile that its holder leads to now. A holder without a profile is left out.
PROOFS = """
CREATE TEMP TABLE proofs (profile TEXT, id TEXT, cause TEXT, PRIMARY KEY (profile, id, cause)) WITHOUT ROWID;
WITH RECURSIVE led (id, key, profile) AS (
    SELECT id, key, id FROM keys WHERE NOT claim AND id <> ''
    UNION
    SELECT led.id, led.key, profiles.merged_into FROM led JOIN profiles ON profiles.id = led.profile
    WHERE profiles.merged_into IS NOT NULL
)
INSERT OR IGNORE INTO temp.proofs SELECT profile, led.id, new_key(key, 0) FROM led
JOIN profiles ON profiles.id = led.profile WHERE merged_into IS NULL AND new_key(key, 0) <> key;
"""
# Profiles that have proven a key, or have links of earlier versions.
PROFILES = """
SELECT rowid, (
    SELECT json_group_array(json_array(proofs.id, cause)) FROM temp.proofs WHERE proofs.profile = profiles.id
) AS proven, CAST(doc AS BLOB)
FROM profiles WHERE rowid > ? AND merged_into IS NULL AND (proven <> '[]' OR instr(doc, '"steps":'))
ORDER BY rowid LIMIT ?
"""
WRITE = "UPDATE profiles SET doc = CAST(? AS TEXT), due = ? WHERE rowid = ?"
COUNT = "SELECT count(*) FROM keys WHERE new_key(key, claim) <> key"

_decode_proofs = msgspec.json.Decoder(list[tuple[str, str]]).decode


def upgrade(connection: sqlite3.Connection) -> list[str]:
    """Rename the keys and write the links. Returns a line for each change."""
    changes = _begun(connection)
    for rows in _profiles(connection, changes):
        connection.executemany(WRITE, rows)
    _run(connection, RENAMED)
    _run(connection, "DROP TABLE temp.proofs")
    return changes.lines(done=True)


def preview(connection: sqlite3.Connection) -> list[str]:
    """Return a line for each change that `upgrade` would make; the connection may be read-only."""
    changes = _begun(connection)
    for _ in _profiles(connection, changes):
        pass
    return changes.lines(done=False)


def _begun(connection: sqlite3.Connection) -> IdentityChanges:
    """Count the keys, and list the proven ones by profile in a temporary table."""
    (secret,) = connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()

    @lru_cache(maxsize=16)  # SQLite calls it for each mention in a statement
    def renamed(key: str, claim: int) -> str:
        return new_key(secret, key, bool(claim))

    connection.create_function("new_key", 2, renamed, deterministic=True)
    _run(connection, PROOFS)
    return IdentityChanges(keys=int(connection.execute(COUNT).fetchone()[0]))


def _profiles(connection: sqlite3.Connection, changes: IdentityChanges) -> Iterator[list[Row]]:
    """Yield the changed documents, each with its number, and count them."""
    last, now = -1, time.time_ns() // 1_000_000
    while rows := connection.execute(PROFILES, (last, AT_ONCE)).fetchall():
        last = rows[-1][0]
        changed: list[Row] = []
        for number, proofs, doc in rows:
            before = _read(doc)
            if before is None:
                continue
            after = with_proofs(before, _decode_proofs(proofs), now)
            changes.count(before, after)
            if after is not before:
                changed.append((encode(after), after.due, number))
        yield changed


def _read(doc: bytes) -> Profile | None:
    """Return a stored profile; None if it cannot be read, which must not keep the others from being upgraded."""
    try:
        return decode_profile(doc)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        connection.execute(statement)
