"""Users of other systems' clients: a project that has no key for user ids rejects the events that name one."""

from collections.abc import Iterator

from engine.problem import Problem
from engine.project.source import Source

OWN = "track"  # Headrace's own protocol, whose senders name users only if they want to


def users_without_a_key(source: Source) -> Iterator[Problem]:
    """Yield a problem if a source accepts another system's protocol; its project has no key for user ids."""
    protocols = [name for name in source.accepts if name != OWN]
    if source.enabled and protocols:
        yield Problem(
            code="H433",
            message=f"`{source.source}` accepts {' and '.join(protocols)}, and the project has no key for user ids: "
            "every event that names a user is rejected",
            path=("accepts",),
            help="add `identity: {user: traits.user_id}` to headrace.yaml",
            severity="warning",
        )
