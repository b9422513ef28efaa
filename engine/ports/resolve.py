"""Whose an id is. A store follows an id step by step; if it is split meanwhile, that may lead to the wrong side."""

from engine.ports.store import Reads
from engine.profile.document import Profile

TRIES = 5


class NotFound(Exception):
    """Nobody has the id, or the profile has no such step. The message says which."""


class NoSuchProfile(NotFound):
    """Nobody has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"nobody has the id {id}")


async def resolve_profile(store: Reads, id: str) -> Profile | None:
    """The profile that `id` leads to and is part of; None when nobody has that id. Raises `Unavailable`."""
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
