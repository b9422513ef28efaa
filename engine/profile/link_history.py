"""The origin that a new link records, and the limits that a merge must keep."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from engine.profile.cellpath import cell_path
from engine.profile.clash import MAX_CLASHES, clashes
from engine.profile.document import Link, LinkOrigin, Path, Profile, Side
from engine.profile.operations import Operation, Set
from engine.profile.tree import View

MAX_LINKS = 500  # of one profile
MAX_NAMED = 5  # ids of a side that a link lists


class Cause(Struct, frozen=True):
    """The event and node that make a link. `operations` are those of the unit so far, on its own profile."""

    at: int  # ms
    event: str
    type: str
    flow: str
    node: str
    operations: Sequence[Operation] = ()


class ProfileState(Struct, frozen=True):
    """A profile before a merge, and its view then."""

    profile: Profile
    view: View


def link_limit_reason(united: Profile, link: Link, max_ids: int, max_per_key: int) -> str:
    """Return why a merge that makes `united` by `link` must be refused; empty when it keeps the limits.

    A profile has at most `max_ids` ids; one cause joins at most `max_per_key` profiles with the one it leads to.
    """
    if len(united.parts) > max_ids:
        return f"a profile has at most {max_ids} ids"
    if len(united.links) > MAX_LINKS:
        return f"a profile has at most {MAX_LINKS} links"
    same_cause = [other for other in united.links.values() if other.cause == link.cause and not other.undone]
    if sum(link.right in (other.left, other.right) for other in same_cause) > max_per_key:
        return f"`{link.cause}` would join more than {max_per_key} profiles: it does not identify one person"
    return ""


def with_origin(
    united: Profile, link_id: str, cause: Cause, own: ProfileState, other: ProfileState, after: Mapping[str, Any]
) -> Profile:
    """Return `united` with the origin of its link recorded, unless the link has one already.

    `own` is the unit's profile before the merge, `other` the one that it was merged with, `after` the merged view.
    """
    link = united.links[link_id]
    if link.why is not None:
        return united
    acting_id, right = (link.left, link.right) if link.left in own.profile.parts else (link.right, link.left)
    origin = LinkOrigin(cause.at, cause.event, cause.type, cause.flow, cause.node, acting_id, united.id)
    if right not in own.profile.parts:
        origin = _with_sides(origin, cause, own, other, after, own_is_right=acting_id != link.left)
    return structs.replace(united, links={**united.links, link_id: structs.replace(link, why=origin)})


def _with_sides(
    origin: LinkOrigin,
    cause: Cause,
    own: ProfileState,
    other: ProfileState,
    after: Mapping[str, Any],
    *,
    own_is_right: bool,
) -> LinkOrigin:
    left, right = (other, own) if own_is_right else (own, other)

    def both_set(path: Path) -> bool:
        set_by_unit = any(isinstance(op, Set) and path[: len(op.path)] == op.path for op in cause.operations)
        return (set_by_unit or _is_set(own.profile, path)) and _is_set(other.profile, path)

    found = clashes(left.view, right.view, dict(after), both_set)
    return structs.replace(
        origin,
        left=_side(left.profile),
        right=_side(right.profile),
        clashes=found[:MAX_CLASHES],
        more=max(0, len(found) - MAX_CLASHES),
    )


def _side(profile: Profile) -> Side:
    ids = profile.ids
    return Side(ids[:MAX_NAMED], max(0, len(ids) - MAX_NAMED))


def _is_set(profile: Profile, path: Path) -> bool:
    cell = cell_path(path)
    return any(cell in part.cells for part in profile.parts.values())
