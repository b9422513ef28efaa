"""Operations: the changes that nodes make to a profile, as values.

Paths are tuples of names, e.g. `("traits", "revenue")`. A run collects operations, and its trace lists them.
`tree.change` applies one to a view (plain dictionaries), `apply.apply_operations` applies a unit's to the stored part.

An operation at or below a null that needs an object, a number, a set or a list there replaces the null. Empty objects,
lists and sets do not exist, so setting one leaves nothing at its path.
"""

from typing import Any

from msgspec import Struct

from engine.profile.document import Path, Scalar


class Set(Struct, frozen=True, tag="set", tag_field="op"):
    """Replace the value at `path`, and all below it, by `value` (any JSON)."""

    path: Path
    value: Any


class Unset(Struct, frozen=True, tag="unset", tag_field="op"):
    """Remove the value at `path`, and all below it."""

    path: Path


class Increment(Struct, frozen=True, tag="increment", tag_field="op"):
    """Add `by` to the number at `path`; a missing number counts as 0. Increments under several ids add up."""

    path: Path
    by: int | float


class Add(Struct, frozen=True, tag="add", tag_field="op"):
    """Add `member` to the set at `path`."""

    path: Path
    member: Scalar


class Remove(Struct, frozen=True, tag="remove", tag_field="op"):
    """Remove `member` from the set at `path`."""

    path: Path
    member: Scalar


class Append(Struct, frozen=True, tag="append", tag_field="op"):
    """Append `value` to the list at `path`; beyond `LIST_CAP` elements the oldest are dropped."""

    path: Path
    value: Any


class Count(Struct, frozen=True, tag="count", tag_field="op"):
    """Count `by` under `name`, at the time `at` (ms). Counts under several ids add up."""

    name: str
    by: int | float
    at: int

    @property
    def path(self) -> Path:
        """The path of the counter in a view."""
        return "counters", self.name


Operation = Set | Unset | Increment | Add | Remove | Append | Count


class Refused(Exception):
    """An operation does not fit the value at its path, e.g. an increment of a text: the node leaves by `failed`."""
