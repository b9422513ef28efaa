"""Whose an id is. A store follows an id step by step; if it is split meanwhile, that may lead to the wrong side."""

from engine.ports.store import Store
from engine.profile.document import Profile

TRIES = 5


class Unknown(Exception):
    """Nobody has the id, or the profile has no such step. The message says which."""


class Nobody(Unknown):
    """Nobody has the id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"nobody has the id {id}")


async def profile_at(store: Store, id: str) -> Profile | None:
    """The profile that `id` leads to and is part of; None when nobody has that id. Raises `Unavailable`."""
    person = await store.profile(id)
    for _ in range(TRIES):
        if person is None or id == person.id or id in person.parts:
            return person
        person = await store.profile(id)
    return person


async def somebody_at(store: Store, id: str) -> Profile:
    """The profile that `id` leads to and is part of. Raises `Nobody` and `Unavailable`."""
    person = await profile_at(store, id)
    if person is None:
        raise Nobody(id)
    return person
