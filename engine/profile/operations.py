"""Operations: how nodes change a profile, as values.

Paths are tuples of names, e.g. `("traits", "revenue")`. A run collects operations and shows them in its trace as a
patch; `view.change` applies one to a plain dictionary, `write.commit` to the part that is kept.

Null gives way: an operation at or below a null that needs an object, a number, a set or a list there replaces it.
Empty objects, lists and sets do not exist, so setting one leaves nothing at its path.
"""

from typing import Any

from msgspec import Struct

from engine.profile.document import Path, Scalar


class Set(Struct, frozen=True, tag="set", tag_field="op"):
    """Replace what is at and below `path` by `value` (any JSON)."""

    path: Path
    value: Any


class Unset(Struct, frozen=True, tag="unset", tag_field="op"):
    """Remove what is at and below `path`."""

    path: Path


class Increment(Struct, frozen=True, tag="increment", tag_field="op"):
    """Add `by` to the number at `path`; a missing number counts as 0. Increments under several ids add up."""

    path: Path
    by: int | float


class Add(Struct, frozen=True, tag="add", tag_field="op"):
    """Put `member` into the set at `path`."""

    path: Path
    member: Scalar


class Remove(Struct, frozen=True, tag="remove", tag_field="op"):
    """Take `member` out of the set at `path`."""

    path: Path
    member: Scalar


class Append(Struct, frozen=True, tag="append", tag_field="op"):
    """Put `value` at the end of the list at `path`; the oldest beyond `LIST_CAP` go."""

    path: Path
    value: Any


class Count(Struct, frozen=True, tag="count", tag_field="op"):
    """Count `by` under `name`, at the time `at` (ms). What was counted under several ids adds up."""

    name: str
    by: int | float
    at: int

    @property
    def path(self) -> Path:
        """Where the profile shows it."""
        return "counters", self.name


Operation = Set | Unset | Increment | Add | Remove | Append | Count


class Refused(Exception):
    """An operation does not fit what is there (text is not counted, a list is no set): the node leaves by `failed`."""
