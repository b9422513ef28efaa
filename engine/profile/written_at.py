"""The time at which a value of a profile was last written, computed from the parts when it is asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.profile.cellpath import ELEMENT, cell_path, element_of
from engine.profile.document import CellPath, Part, Path, Profile
from engine.profile.tree import look
from engine.profile.value import ABSENT


def written_at(scope: Mapping[str, Any], path: Path) -> int | None:
    """Return when (ms) the value at `path` of the scope's profile was last written; None when there is no value.

    A write of the current unit counts as written at the time at which the unit will be committed.
    """
    view, profile = scope["profile"], scope.get("stored_profile")
    if view is None or not isinstance(profile, Profile) or look(view, path) is ABSENT:
        return None
    parts = profile.parts.values()
    if any(_overlaps(op.path, path) for op in scope.get("operations", ())):
        return max([int(scope["now"]), *(part.last + 1 for part in parts)])
    return max([time for part in parts for time in _times(part, cell_path(path))], default=None)


def _overlaps(left: Path, right: Path) -> bool:
    """Return whether one path is at or below the other."""
    return all(a == b for a, b in zip(left, right, strict=False))


def _times(part: Part, top: CellPath) -> Iterator[int]:
    """Yield the times (ms) of all cells, removals and counters of a part at and below a cell."""
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
