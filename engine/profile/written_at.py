"""Written: when something that a profile shows was last written. Worked out, when it is asked for, from its parts."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.profile.cellpath import ELEMENT, cell_path, element_of
from engine.profile.document import CellPath, Part, Path, Profile
from engine.profile.tree import look
from engine.profile.value import ABSENT


def written_at(scope: Mapping[str, Any], path: Path) -> int | None:
    """The time (ms) at which what a scope shows at `path` of its profile was last written; None when nothing is there.

    What its unit has done counts as written at the time at which it will be committed.
    """
    view, profile = scope["profile"], scope.get("stored_profile")
    if view is None or not isinstance(profile, Profile) or look(view, path) is ABSENT:
        return None
    parts = profile.parts.values()
    if any(_touches(op.path, path) for op in scope.get("operations", ())):
        return max([int(scope["now"]), *(part.last + 1 for part in parts)])
    return max([time for part in parts for time in _times(part, cell_path(path))], default=None)


def _touches(one: Path, other: Path) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))


def _times(part: Part, top: CellPath) -> Iterator[int]:
    """The times of all that a part holds, or has taken out, at and below a cell."""
    below = top + "."

    def within(cell: CellPath) -> bool:
        return cell == top or cell.startswith(below)

    for cell in filter(within, part.cells):
        last = cell.rpartition(".")[2]
        yield element_of(last)[0] if last.startswith(ELEMENT) else part.base + part.times.get(cell, 0)
    for cell in filter(within, part.marks):
        yield part.base + part.marks[cell]
    for cell in filter(within, part.counts):
        yield part.counts[cell][1]
