"""What is stored of a profile: its parts, the steps that join them, and who it is.

A profile is the **fold of its parts**: one part for each id that was ever its own. Most profiles have one part.
A part keeps *cells*: registers (a leaf value, or a mark "all older at and below is gone") and counters. An object
is never a cell, its leaves are; a set is registers keyed by member, a list registers keyed by stamp.

Cells are kept flat, keyed by *cell path* (`cellpath`): the names joined by dots; a set's member and a list's element
have a segment of their own kind. Every time is milliseconds. Of registers it is stored as the difference to `base`;
those without an entry in `times` were written at `base`, and a list's elements carry their time in the cell path.

Within one part no cell is older than a mark or register at or above it: what a write replaces is taken out.
"""

from typing import Any

from msgspec import Struct, field

Path = tuple[str, ...]
CellPath = str
Scalar = str | int | float | bool | None

LIST_CAP = 100  # elements that a list keeps, the newest
SET_CAP = 1000  # members that a set takes; adding one more is refused


class Members(tuple[Scalar, ...]):
    """A set as a profile shows it: sorted, without repeats. The type tells it from a list."""

    __slots__ = ()


class Part(Struct, frozen=True, omit_defaults=True):
    """What came in under one id. Written only by units that act under that id."""

    id: str
    created: int  # ms since the epoch; never changes
    base: int = 0  # ms; the time of every register that `times` does not name
    last: int = 0  # ms; the newest time in the part
    mixed: bool = False  # written while parts joined by a mere claim were in sight
    cells: dict[CellPath, Any] = field(default_factory=dict)  # registers
    times: dict[CellPath, int] = field(default_factory=dict)  # of registers, as difference to base
    marks: dict[CellPath, int] = field(default_factory=dict)  # of timed absences, as difference to base
    counts: dict[CellPath, tuple[int, int, int | float]] = field(default_factory=dict)  # (born, time, amount), absolute
    seen: dict[str, dict[CellPath, tuple[int, int, int | float]]] = field(default_factory=dict)  # by other part's id


class Step(Struct, frozen=True, omit_defaults=True):
    """Two ids joined for one cause. `id` is a hash of both and the cause, so a repeat is the same step."""

    id: str
    left: str
    right: str
    cause: str  # e.g. "pii.email:<hash of the value>"
    claim: bool = False  # joined by a mere claim, not by proof
    undone: bool = False  # for good


class Profile(Struct, frozen=True, omit_defaults=True):
    """A profile as it is stored. `version` counts its commits; 0 is a profile that is not stored yet."""

    id: str
    created: int
    version: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    conditional: tuple[str, ...] = ()  # segments whose condition held after the last run, sorted
    merged_into: str | None = None  # a tombstone: the profile lives on under that id

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that was ever merged into this profile, its own first."""
        return (self.id, *sorted(i for i in self.parts if i != self.id))


def new_profile(id: str, now: int) -> Profile:
    """A profile that is not stored yet, with one empty part of its own."""
    return Profile(id=id, created=now, parts={id: Part(id=id, created=now, base=now, last=now)})
