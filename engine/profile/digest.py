"""A digest: whether two profiles are the same, whatever the order of the merges that made them."""

from hashlib import blake2b

from msgspec import json

from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.fold import fold


def digest(profile: Profile, fields: Fields | None = None) -> str:
    """Return a hash (32 hexadecimal digits) of a profile's id, ids, view and links; equal for every order of merges.

    Versions are left out, and when and how a link was made: these depend on the order.
    """
    links = sorted((link.id, link.holds) for link in profile.links.values())
    content = (profile.id, profile.created, sorted(profile.parts), fold(profile, fields), links)
    return blake2b(json.encode(content, order="sorted"), digest_size=16).hexdigest()
