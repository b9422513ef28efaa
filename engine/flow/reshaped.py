"""A flow's document in Headrace's shape, where its author wrote parts of it in the shape of another tool.

Each such part is one problem. Its data is moved to where it belongs, so that it causes no further problems and all else
is checked in the same round.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from msgspec import structs

from engine.flow.problem_list import ProblemList
from engine.problem import KeyPath, Problem
from engine.validation_message import format_value

BELOW_TYPE: Final = "H124"
TYPE_AS_VALUE: Final = "H125"
NOT_INDENTED: Final = "H126"
OTHER_TOOL: Final = "H127"

_LONGEST: Final = 60  # characters of a value that a help text repeats


@dataclass(slots=True)
class Reshaped:
    """A document, the problems of its shape, and for moved parts the key path that the author wrote.

    `unread` has the ids of nodes whose type cannot be determined; the problems say why. `partial`: whether the nodes
    are missing, as a consequence of such a problem.
    """

    document: dict[str, Any]
    problems: ProblemList = field(default_factory=ProblemList)
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    partial: bool = False

    def add(
        self, code: str, message: str, path: KeyPath, *, on: Literal["key", "value"] = "key", help: str = ""
    ) -> None:
        """Add an error about the key at `path`, a key path of the document as it is now."""
        self.problems.add(code, message, self.written(path), on=on, help=help)

    def moved(self, path: KeyPath, origin: KeyPath) -> None:
        """Note that the author wrote the part at `path` at `origin`."""
        self.origins[path] = self.written(origin)

    def written(self, path: KeyPath) -> KeyPath:
        """The key path in the author's document of the part at `path`."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])
            if origin is not None:
                return (*origin, *path[length:])
        return path

    def as_written(self, problem: Problem) -> Problem:
        """The same problem with the key path in the author's document."""
        return structs.replace(problem, path=self.written(problem.path)) if self.origins else problem


def shown(value: Any) -> str:
    """A value as a help text repeats it; an ellipsis in place of a long one."""
    text = format_value(value)
    return text if len(text) <= _LONGEST else "…"


def without(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A copy of a map without some keys."""
    return {key: value for key, value in raw.items() if key not in names}


def first_key(raw: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of `names` that is a key of the map, or None."""
    return next((name for name in names if name in raw), None)
