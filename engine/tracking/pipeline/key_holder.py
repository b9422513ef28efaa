"""The holder of a key: the id to which the stored key leads, and its profile."""

from collections.abc import Awaitable, Callable

from engine.ports.store import Reads
from engine.ports.tombstone import is_forgotten
from engine.profile.document import Profile, new_profile
from engine.profile.linking import CLAIMED, has_lost_claim

Resolve = Callable[[str, int], Awaitable[Profile | None]]  # by id and time (ms): a profile, settled


async def holder_of(
    store: Reads, resolve: Resolve, secret: bytes, name: str, now: int
) -> tuple[str | None, Profile | None]:
    """Return the id that holds a key, and its profile. `name` is that in links.

    No profile is returned of one who was forgotten, or who claimed the key and no longer does: nothing may depend on
    such a profile. An id that is not stored claimed the key by a unit that is not committed. Raises `Unavailable`.
    """
    key = await store.key(name)
    if key is None:
        return None, None
    profile = await resolve(key.id, now)
    if profile is None and not await is_forgotten(store, secret, key.id):
        profile = new_profile(key.id, now, user=key.user)
    if profile is not None and name.startswith(CLAIMED) and has_lost_claim(profile, key.id, name):
        profile = None
    return key.id, profile
