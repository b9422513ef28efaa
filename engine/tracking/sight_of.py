"""Who may see what: a sender whose profile has parts that are not its own sees no values."""

from engine.profile.merge import connected
from engine.tracking.admission import authority
from engine.tracking.compose import Composed
from engine.tracking.source import Source
from engine.tracking.work import Work


def may_see_all(source: Source, done: Composed | None, work: Work | None) -> bool:
    """Whether the sender may be told values of the profile: it is trusted, or all parts are its own by proof."""
    if done is None or done.person is None or work is None or authority(source) == "trust":
        return True
    if work.attached is not None:  # the sender has no profile of its own in sight
        return False
    acting = work.sight.acting or done.person.id
    return set(done.person.parts) <= connected(done.person.steps, acting, proven=True)
