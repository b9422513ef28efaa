"""Whom the store has forgotten: keyed tombstones, which stop what arrives late.

Of a forgotten profile nothing is left but a hash of each of its ids and sessions, made with the store's secret. Who has
only the store's documents cannot tell whose they were; who brings such an id is recognised. They are kept as keys that
lead to nobody.
"""

from collections.abc import Iterable

from engine.ports.erasure import SessionName
from engine.ports.ids import derived_id
from engine.ports.records import IdentityKey, Unit
from engine.ports.store import Commits

AT_ONCE = 200  # tombstones in one unit


def profile_tombstone(secret: bytes, id: str) -> str:
    """The name of the tombstone of a profile's id. No merge key has such a name: those contain `=`."""
    return f"forgotten profile {derived_id(secret, 'forgotten profile', id)}"


def session_tombstone(secret: bytes, name: SessionName) -> str:
    """The name of the tombstone of a session."""
    return f"forgotten session {derived_id(secret, 'forgotten session', *name)}"


async def write_tombstones(store: Commits, names: Iterable[str]) -> None:
    """Write tombstones, durably; those that there are stay."""
    keys = [IdentityKey(name, "") for name in names]
    for start in range(0, len(keys), AT_ONCE):
        await store.commit(Unit(keys=tuple(keys[start : start + AT_ONCE])))
