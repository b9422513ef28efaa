"""Roles: each may do all that the one before it may."""

from typing import Final, Literal, get_args

Role = Literal["viewer", "operator", "admin"]
Access = Literal["public", "viewer", "operator", "admin"]  # the least role that a route takes; `public`: none

ROLES: Final[tuple[Role, ...]] = get_args(Role)
MAY: Final[dict[Role, str]] = {
    "viewer": "reads all pages and asks questions; personal data is masked",
    "operator": "also replays, resends, pauses and unmerges, and may show personal data for a while",
    "admin": "also erases, imports, manages users and access keys, and reads the audit log",
}


def allows(role: Role, needed: Access) -> bool:
    """Return whether a role is enough for a route that takes `needed`."""
    return needed == "public" or ROLES.index(role) >= ROLES.index(needed)
