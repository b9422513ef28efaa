"""Resolve an id to its profile.

A store follows redirects one by one, so an unmerge at the same time can lead it to the wrong profile. The result is
checked, and read again if the id is not part of it.
"""

from engine.ports.store import Reads
from engine.profile.document import Profile

TRIES = 5


class NotFound(Exception):
    """No profile has the id, or the profile has no such link. The message says which."""


class NoSuchProfile(NotFound):
    """No profile has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"no profile has the id {id}")


async def resolve_profile(store: Reads, id: str) -> Profile | None:
    """The profile that `id` leads to and is part of; None if no profile has that id. Raises `Unavailable`."""
    profile = await store.profile(id)
    for _ in range(TRIES):
        if profile is None or id == profile.id or id in profile.parts:
            return profile
        profile = await store.profile(id)
    return profile


async def require_profile(store: Reads, id: str) -> Profile:
    """The profile that `id` leads to and is part of. Raises `NoSuchProfile` and `Unavailable`."""
    profile = await resolve_profile(store, id)
    if profile is None:
        raise NoSuchProfile(id)
    return profile
