"""Who may see what: a sender without authority sees nothing of what is not its own."""

from engine.profile.document import Profile
from engine.profile.merge import connected
from engine.tracking.unit.processing import Work


def may_see_all(work: Work | None, person: Profile | None) -> bool:
    """Whether the sender may be told values and ids that the unit met.

    It may if it has authority; or if no profile but its own was in sight, not even in a run that failed, and all parts
    of its own are joined to it by proof.
    """
    if work is None or work.start.identify == "trust":
        return True
    if work.foreign:
        return False
    return person is None or is_all_own(person, work.start.acting or "")


def is_all_own(person: Profile, acting: str) -> bool:
    """Whether all parts of a profile are joined by proof to the id that its sender acts under."""
    return person.parts.keys() <= connected(person.steps, acting, proven=True)


def answered_id(work: Work, person: Profile | None) -> str | None:
    """The id that the sender is told: the canonical one, or the one that it came in under if it may not know more."""
    if person is None or work.start.person is None:
        return None
    return person.id if may_see_all(work, person) else work.start.acting
