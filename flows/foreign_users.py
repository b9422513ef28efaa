"""Users of other systems' clients: projects and sources that reject the events that name one.

A project does that without a key for user ids, and a source with `identify: refuse`: such clients carry no user tokens.
"""

from collections.abc import Iterator

from engine.problem import Problem
from engine.project.source import Source
from engine.tracking.intake.admission import authority

OWN = "track"  # Headrace's own protocol, whose senders name users only if they want to


def users_without_a_key(source: Source) -> Iterator[Problem]:
    """Yield a problem if a source accepts another system's protocol; its project has no key for user ids."""
    if protocols := _protocols(source):
        yield Problem(
            code="H433",
            message=f"`{source.source}` accepts {protocols}, and the project has no key for user ids: "
            "every event that names a user is rejected",
            path=("accepts",),
            help="add `identity: {user: traits.user_id}` to headrace.yaml",
            severity="warning",
        )


def refused_users(source: Source) -> Iterator[Problem]:
    """Yield a problem if a source accepts another system's protocol, and refuses the users that come by it."""
    protocols = _protocols(source)
    if protocols and authority(source) == "refuse":
        yield Problem(
            code="H435",
            message=f"`{source.source}` accepts {protocols}, and refuses claims of users: "
            "every event of these clients that names a user is rejected",
            path=("identify",),
            help="write `identify: link`, or `trust` for senders that you believe; these clients carry no user tokens",
            severity="warning",
        )


def _protocols(source: Source) -> str:
    """Return the other systems' protocols that a source accepts, in words; none if it is disabled."""
    return " and ".join([name for name in source.accepts if name != OWN]) if source.enabled else ""
