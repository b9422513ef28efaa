"""The document of a profile that operators read: its view, and the ids that only claims join with it."""

from typing import Any

from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.linking import own_ids
from engine.profile.profile_view import profile_view


def by_claims(profile: Profile, id: str) -> tuple[str, ...]:
    """Return the ids of a profile that only claims join with `id`, in the order of `Profile.ids`."""
    if len(profile.parts) < 2:
        return ()
    own = own_ids(profile, id)
    return tuple([each for each in profile.ids if each not in own])


def operator_view(profile: Profile, fields: Fields, id: str | None = None) -> dict[str, Any]:
    """Return the view of a profile, with `by_claims` if claims join ids with `id`: the one that was asked for."""
    view, claimed = profile_view(profile, fold(profile, fields)), by_claims(profile, id or profile.id)
    return {**view, "by_claims": list(claimed)} if claimed else view
