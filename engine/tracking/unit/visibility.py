"""Who may see what: a sender without authority sees nothing of what is not its own."""

from engine.profile.document import Profile
from engine.profile.merge import connected
from engine.tracking.unit.processing import UnitRun


def may_see_all(work: UnitRun | None, profile: Profile | None) -> bool:
    """Whether the sender may be told values and ids that the unit met.

    It may if it has authority; or if no profile but its own was in sight, not even in a run that failed, and all parts
    of its own are joined to it by proof.
    """
    if work is None or work.start.identify == "trust":
        return True
    if work.foreign:
        return False
    return profile is None or is_all_own(profile, work.start.acting or "")


def is_all_own(profile: Profile, acting: str) -> bool:
    """Whether all parts of a profile are joined by proof to the id that its sender acts under."""
    return profile.parts.keys() <= connected(profile.links, acting, proven=True)


def answered_id(work: UnitRun, profile: Profile | None) -> str | None:
    """The id that the sender is told: the canonical one, or the one that it came in under if it may not know more."""
    if profile is None or work.start.profile is None:
        return None
    return profile.id if may_see_all(work, profile) else work.start.acting
