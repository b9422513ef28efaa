"""Where the values of a document stand in its text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.problem import KeyPath


@dataclass(slots=True)
class LocatedValue:
    """A value of the document and where it stands in the text. An alias is the spot that it names."""

    start: int
    end: int
    data: Any
    style: str = ""  # of scalars, as in YAML; maps and lists have `{` when written in braces or brackets, else `-`
    keys: dict[str, "LocatedValue"] = field(default_factory=dict)
    inside: dict[str | int, "LocatedValue"] = field(default_factory=dict)
    size: int = 1

    def follow(self, path: KeyPath) -> Iterator[tuple["LocatedValue | None", "LocatedValue"]]:
        """The spots along `path`, as far as it leads, each with the spot of its key."""
        spot = self
        for step in path:
            if step not in spot.inside:
                return
            key = spot.keys.get(step) if isinstance(step, str) else None
            spot = spot.inside[step]
            yield key, spot
