"""Joining: what a step that joins two profiles records of itself, and the limits that it has to keep."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from engine.profile.cellpath import cell_path
from engine.profile.clash import MAX_CLASHES, clashes
from engine.profile.document import Link, LinkOrigin, Path, Profile, Side
from engine.profile.operations import Operation, Set
from engine.profile.tree import View

MAX_LINKS = 500  # of one profile
MAX_NAMED = 5  # ids of a side that a step names


class Cause(Struct, frozen=True):
    """What a step came of. `operations` are what the unit has done to its profile so far."""

    at: int  # ms
    event: str
    type: str
    flow: str
    node: str
    operations: Sequence[Operation] = ()


class ProfileState(Struct, frozen=True):
    """A profile before a step, and what it showed."""

    profile: Profile
    view: View


def link_limit_reason(united: Profile, step: Link, ids: int, most: int) -> str:
    """Why `step`, which would join two profiles to `united`, must not be taken; empty when it keeps the limits.

    A profile has at most so many `ids`; `most` is how many profiles one cause may join with the one it leads to.
    """
    if len(united.parts) > ids:
        return f"a profile has at most {ids} ids"
    if len(united.links) > MAX_LINKS:
        return f"a profile has been joined at most {MAX_LINKS} times"
    same = [each for each in united.links.values() if each.cause == step.cause and not each.undone]
    if sum(step.right in (each.left, each.right) for each in same) > most:
        return f"`{step.cause}` would join more than {most} profiles: that is nobody's own"
    return ""


def with_origin(
    united: Profile, step: str, cause: Cause, own: ProfileState, other: ProfileState, after: Mapping[str, Any]
) -> Profile:
    """What became of two profiles by `step`, with the step saying why, once. `after` is what shows now."""
    joined = united.links[step]
    if joined.why is not None:
        return united
    acting, right = (joined.left, joined.right) if joined.left in own.profile.parts else (joined.right, joined.left)
    why = LinkOrigin(cause.at, cause.event, cause.type, cause.flow, cause.node, acting, united.id)
    if right not in own.profile.parts:
        why = _with_sides(why, cause, own, other, after, turned=acting != joined.left)
    return structs.replace(united, links={**united.links, step: structs.replace(joined, why=why)})


def _with_sides(
    why: LinkOrigin, cause: Cause, own: ProfileState, other: ProfileState, after: Mapping[str, Any], *, turned: bool
) -> LinkOrigin:
    left, right = (other, own) if turned else (own, other)

    def both_set(path: Path) -> bool:
        done = any(isinstance(op, Set) and path[: len(op.path)] == op.path for op in cause.operations)
        return (done or _is_set(own.profile, path)) and _is_set(other.profile, path)

    found = clashes(left.view, right.view, dict(after), both_set)
    return structs.replace(
        why,
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
