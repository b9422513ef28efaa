"""Whose an id is. A store follows an id step by step; if it is split meanwhile, that may lead to the wrong side."""

from engine.profile.document import Profile
from engine.tracking.ports import Store

TRIES = 5


async def profile_at(store: Store, id: str) -> Profile | None:
    """The profile that `id` leads to and is part of; None when nobody has that id. Raises `Unavailable`."""
    person = await store.profile(id)
    for _ in range(TRIES):
        if person is None or id == person.id or id in person.parts:
            return person
        person = await store.profile(id)
    return person
