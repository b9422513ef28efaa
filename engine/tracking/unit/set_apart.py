"""Setting apart: the documents of regrouped profiles as they are committed, for units and for operations."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from engine.ports.records import IdentityKey, ProfileWrite, Unit
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.grouping import Regrouped, left_keys, redirected, versioned
from engine.profile.linking import Pool
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.triggers import Triggers

Documents = Mapping[str, Profile]  # as they are stored, by id


def rewritten(
    regrouped: Regrouped, stored: Documents, project: Project, before: Pool, now: int
) -> tuple[Unit, list[CachedProfile]]:
    """Return the unit that writes regrouped profiles, and the profiles as they are then. `before` is the pool as read.

    `stored` are the documents at all their ids. `now` is in ms.
    """
    versions = versioned(regrouped, stored)
    known = [known_apart(at_next_version(each, versions), project, now) for each in regrouped.profiles]
    writes = [write_of(each, versions) for each in known]
    stones = tombstone_writes(regrouped, stored)
    return Unit(profiles=(*writes, *stones), left_keys=keys_left(before, regrouped.pool)), known


def at_next_version(profile: Profile, versions: Mapping[str, int]) -> Profile:
    """Return a profile with the version after that of the document that it replaces."""
    return structs.replace(profile, version=versions.get(profile.id, 0) + 1)


def write_of(known: CachedProfile, versions: Mapping[str, int]) -> ProfileWrite:
    """Return the write of a profile over the document at its id."""
    return ProfileWrite(known.profile, versions.get(known.profile.id, 0), known.view)


def tombstone_writes(regrouped: Regrouped, stored: Documents) -> Sequence[ProfileWrite]:
    """Return the writes of the tombstones that lead to regrouped profiles from now on."""
    return [ProfileWrite(stone, stone.version - 1) for stone in redirected(regrouped, stored)]


def keys_left(before: Pool, after: Pool) -> tuple[IdentityKey, ...]:
    """Return the keys of those who left, for those who stay."""
    return tuple([IdentityKey(key, id, over) for key, id, over in left_keys(before, after)])


def known_apart(profile: Profile, project: Project, now: int) -> CachedProfile:
    """Return a profile as it is stored, and its view with the segments that its own parts lead to.

    Where flows are triggered by segments that are left, it is stored with the segments it had, and due: the flows run
    when a server re-evaluates it.
    """
    tree = fold(profile, project.settings.fields)
    evaluated = project.segment_rules.with_membership(
        profile, profile_view(profile, tree), max(now, profile.evaluated_at)
    )
    stored = profile if Triggers(project).segment_events else evaluated
    return CachedProfile.of(stored, profile_view(evaluated, tree))
