"""Resolve an id to its profile.

A store follows redirects one by one, so an unmerge at the same time can lead it to the wrong profile. The result is
checked, and read again if the id is not part of it.
"""

from engine.ports.store import Reads
from engine.profile.document import Profile
from engine.profile.grouping import regroup
from engine.profile.linking import Pool, is_one_group, settled

TRIES = 5


class NotFound(Exception):
    """No profile has the id, or the profile has no such link. The message says which."""


class NoSuchProfile(NotFound):
    """No profile has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"no profile has the id {id}")


async def stored_profile(store: Reads, id: str) -> Profile | None:
    """The stored document that `id` leads to and is part of, perhaps of several groups; None if no profile has it.

    Raises `Unavailable`.
    """
    profile = await store.profile(id)
    for _ in range(TRIES):
        if profile is None or id == profile.id or id in profile.parts:
            return profile
        profile = await store.profile(id)
    return profile


async def resolve_profile(store: Reads, id: str) -> Profile | None:
    """The profile that `id` leads to and is part of; None if no profile has that id. Raises `Unavailable`."""
    profile = await stored_profile(store, id)
    return None if profile is None else group_of(profile, id)


def group_of(profile: Profile, id: str) -> Profile:
    """The profile of the group of `id` in a stored document: the document itself, if it is settled."""
    before = Pool(profile.parts, profile.links)
    pool = settled(before, max([part.last for part in profile.parts.values()], default=profile.created))
    if pool is before and is_one_group(profile):
        return profile
    regrouped = regroup(pool, (profile,), profile.id)
    return regrouped.of(id) if id in profile.parts else regrouped.profiles[0]


async def require_profile(store: Reads, id: str) -> Profile:
    """The profile that `id` leads to and is part of. Raises `NoSuchProfile` and `Unavailable`."""
    profile = await resolve_profile(store, id)
    if profile is None:
        raise NoSuchProfile(id)
    return profile
