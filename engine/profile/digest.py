"""Digests: whether two profiles are the same, however they came to be."""

from hashlib import blake2b

from msgspec import json

from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.fold import fold


def digest(profile: Profile, fields: Fields | None = None) -> str:
    """A hash of who a profile is, what it shows and what joins it; alike for all orders of the same merges.

    Left out is what must differ: versions, and of a step when and how it came about.
    """
    steps = [(step.id, step.claim, step.undone) for step in profile.links.values()]
    told = (profile.id, profile.created, sorted(profile.parts), fold(profile, fields), sorted(steps))
    return blake2b(json.encode(told, order="sorted"), digest_size=16).hexdigest()
