"""Tombstones of forgotten profiles and sessions: by them, events that arrive after the erasure are refused.

Of a forgotten profile only a hash of each of its ids and sessions is left, made with the store's secret. A reader of
the store's documents alone cannot reconstruct the ids; an event that arrives with such an id is recognized. Tombstones
are stored as keys that lead to no profile.
"""

from collections.abc import Iterable

from engine.ports.erasure import SessionName
from engine.ports.ids import derived_id
from engine.ports.records import IdentityKey, Unit
from engine.ports.store import Commits, Reads

AT_ONCE = 200  # tombstones in one unit


def profile_tombstone(secret: bytes, id: str) -> str:
    """The name of the tombstone of a profile's id. No merge key has such a name: those contain `:`."""
    return f"forgotten profile {derived_id(secret, 'forgotten profile', id)}"


def session_tombstone(secret: bytes, name: SessionName) -> str:
    """The name of the tombstone of a session."""
    return f"forgotten session {derived_id(secret, 'forgotten session', *name)}"


async def is_forgotten(store: Reads, secret: bytes, id: str) -> bool:
    """Return whether a profile with this id was forgotten. Raises `Unavailable`."""
    return await store.key(profile_tombstone(secret, id)) is not None


async def write_tombstones(store: Commits, names: Iterable[str]) -> None:
    """Write tombstones durably; existing ones stay."""
    keys = [IdentityKey(name, "") for name in names]
    for start in range(0, len(keys), AT_ONCE):
        await store.commit(Unit(keys=tuple(keys[start : start + AT_ONCE])))
