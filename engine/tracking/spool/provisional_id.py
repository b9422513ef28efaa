"""A provisional id: one that a sender was answered while the store was away, before it could be resolved.

When its payload turns out to belong to a profile that exists, the provisional id becomes one more id of that profile,
by a merge with an empty profile: a tombstone at the provisional id leads there from then on. It is an own link, since
both ids are the same sender's: one was answered for its session, the other is its session's, or one that it named.
"""

from engine.ports.records import ProfileWrite, Unit
from engine.profile.apply import apply_operations
from engine.profile.declared import Fields
from engine.profile.document import Profile, new_profile
from engine.profile.fold import fold
from engine.profile.grouping import regroup, tombstone
from engine.profile.linking import LinkRules, Pool, accept, new_link
from engine.profile.profile_view import profile_view
from engine.tracking.unit.cache import CachedProfile


def adoption(profile: Profile, acting_id: str, id: str, now: int, fields: Fields) -> tuple[Unit, CachedProfile] | None:
    """Return the unit that makes `id`, which is free, an id of `profile`, and the profile as it is then.

    None when this link has been undone, or the profile has as many ids as it may have.
    """
    left = acting_id if acting_id in profile.parts else profile.id
    other = new_profile(id, now)
    verdict = accept(Pool.of(profile, other), (new_link(id, "own", left),), LinkRules(), now)
    if not verdict.taken:
        return None
    united = regroup(verdict.pool, (profile, other), left).of(left)
    following, _ = apply_operations(united, left, (), now, None, fields)
    known = CachedProfile.of(following, profile_view(following, fold(following, fields)))
    writes = ProfileWrite(following, profile.version, known.view), ProfileWrite(tombstone(other, following.id), 0)
    return Unit(profiles=writes), known
