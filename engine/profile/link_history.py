"""The origin that a new link records."""

from collections.abc import Sequence

from msgspec import Struct, structs

from engine.profile.cellpath import cell_path
from engine.profile.clash import MAX_CLASHES, clashes
from engine.profile.document import LinkOrigin, Path, Profile, Side
from engine.profile.operations import Operation, Set
from engine.profile.tree import View

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


def origin(
    cause: Cause, acting_id: str, own: ProfileState, other: ProfileState | None, after: ProfileState
) -> LinkOrigin:
    """Return the origin of a link that joined `own`, the unit's profile before, with `other`, if with any.

    `after` is the merged profile.
    """
    found = LinkOrigin(cause.at, cause.event, cause.type, cause.flow, cause.node, acting_id, after.profile.id)
    if other is None:
        return found

    def both_set(path: Path) -> bool:
        set_by_unit = any(isinstance(op, Set) and path[: len(op.path)] == op.path for op in cause.operations)
        return (set_by_unit or _is_set(own.profile, path)) and _is_set(other.profile, path)

    differing = clashes(own.view, other.view, after.view, both_set)
    return structs.replace(
        found,
        left=_side(own.profile),
        right=_side(other.profile),
        clashes=differing[:MAX_CLASHES],
        more=max(0, len(differing) - MAX_CLASHES),
    )


def _side(profile: Profile) -> Side:
    ids = profile.ids
    return Side(ids[:MAX_NAMED], max(0, len(ids) - MAX_NAMED))


def _is_set(profile: Profile, path: Path) -> bool:
    cell = cell_path(path)
    return any(cell in part.cells for part in profile.parts.values())
