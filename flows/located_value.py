"""Values of a YAML document, each with its place in the text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.problem import KeyPath


@dataclass(slots=True)
class LocatedValue:
    """A value of a document, and the indexes of its text, `end` exclusive. An alias is the very object that it names.

    `style` is a scalar's style in YAML (`'`, `"`, `|`, `>` or empty); of a map or list it is `{` in flow style, else
    `-`. `keys` and `inside` have the keys and values of a map, or the items of a list, by key or index. `size` counts
    characters with all aliases expanded.
    """

    start: int
    end: int
    data: Any
    style: str = ""
    keys: dict[str, "LocatedValue"] = field(default_factory=dict)
    inside: dict[str | int, "LocatedValue"] = field(default_factory=dict)
    size: int = 1

    def follow(self, path: KeyPath) -> Iterator[tuple["LocatedValue | None", "LocatedValue"]]:
        """Yields the key (None in a list) and the value of each step of `path`, as far as `path` leads."""
        value = self
        for step in path:
            if step not in value.inside:
                return
            key = value.keys.get(step) if isinstance(step, str) else None
            value = value.inside[step]
            yield key, value
