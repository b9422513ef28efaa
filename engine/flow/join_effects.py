"""The effects by which a run records that its profile brings a key."""

from engine.flow.effect import Effect, HoldKey, Merge
from engine.profile.joining import Brought, Joined
from engine.profile.linking import key_link


def join_effects(brought: Brought, joined: Joined) -> list[Effect]:
    """Return the links that a key brings, and that the key leads to the run's profile, as far as they are to record."""
    effects: list[Effect] = []
    if joined.links:
        effects.append(Merge(joined.links, brought.profile if len(joined.links) > 1 else None))
    if joined.holds_key:
        effects.append(HoldKey(key_link(brought.cause, brought.kind), joined.over))
    return effects
