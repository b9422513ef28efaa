"""Claiming: the profiles whose senders claim a key that another profile has proven.

Claims and proofs do not meet, so these profiles are joined with no proven one. They are read when an operator asks.
"""

import asyncio

from msgspec import Struct

from engine.ports.resolve import resolve_profile
from engine.ports.store import Reads
from engine.profile.document import Profile
from engine.profile.key_name import key_name
from engine.profile.linking import has_lost_claim, key_link, own_ids


class Claiming(Struct, frozen=True):
    """The profile of those who claim a key; `key` is the path, and `ids` are all of the profile's."""

    key: str
    profile: str
    ids: tuple[str, ...]


async def claiming(store: Reads, profile: Profile, id: str) -> list[Claiming]:
    """Return the profiles that claim a key which `id`, or an id that proofs join with it, has proven.

    Sorted by key. Raises `Unavailable`.
    """
    own = own_ids(profile, id)
    proven = {link.right for link in profile.links.values() if link.kind == "proof" and link.holds and link.left in own}
    found = await asyncio.gather(*[_claiming(store, key) for key in sorted(proven)])
    return [one for one in found if one is not None]


async def _claiming(store: Reads, proven: str) -> Claiming | None:
    """Return the profile that claims a proven key; None if `proven` is an id, or its claims do not hold any more."""
    named = key_name(proven)
    if named is None:
        return None
    claimed = key_link(proven, "claim")
    key = await store.key(claimed)
    found = await resolve_profile(store, key.id) if key is not None else None
    if key is None or found is None or has_lost_claim(found, key.id, claimed):
        return None
    return Claiming(named.path, found.id, found.ids)
