"""Objects that a node writes to a path of `fields:`, `keys:` or `identity:` in headrace.yaml: it holds a plain value.

A list is one as well where `fields:` declares the path: no rule compares lists.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from engine.language.path import parse_path
from engine.problem import Problem, ProblemError
from engine.project.project import Settings
from flows.written_nodes import written_nodes

_WRITERS: Final = ("profile.set", "profile.merge")
_WHOLE_MAP = re.compile(
    r"\{\{\s*(?:(?:event|session)\.(?:properties|context)|profile\.(?:traits|pii|consents))\s*\}\}"
    r"|\$\.(?:event|session)\.(?:properties|context)"
)

Paths = Mapping[tuple[str, ...], str]  # a declared path: the key of headrace.yaml that declares it


def declared_paths(settings: Settings) -> Paths:
    """The paths of `fields:`, `keys:` and `identity:`."""
    user = settings.keys.user
    return {
        **{tuple(map(str, path)): "keys" for path, _ in settings.keys.forms},
        **({user: "identity"} if user is not None else {}),
        **{tuple(map(str, path)): "fields" for path in settings.fields},
    }


def objects_at_declared_paths(flow: Any, paths: Paths) -> Iterator[Problem]:
    """A problem for each object or list that a node of a flow's document writes at or below a declared path."""
    for at, node in written_nodes(flow) if paths else ():
        for type in _WRITERS:
            values = node.get(type)
            for text, value in values.items() if isinstance(values, Mapping) else ():
                literal = isinstance(value, Mapping | list) and type == "profile.merge"  # the compiler reports it
                problem = _problem(str(text), None if literal else value, paths)
                if problem is not None:
                    yield problem.below((*at, type, text))


def _problem(text: str, value: Any, paths: Paths) -> Problem | None:
    try:
        path = tuple(map(str, parse_path(text)))
    except ProblemError:
        return None  # the flow's compiler reports it
    above = _declared_above(path, paths)
    noun = _noun(value)
    noun = "" if noun == "a list" and paths.get(path) != "fields" else noun
    if above is not None:
        message = f"`{'.'.join(above)}` is one of `{paths[above]}:` in headrace.yaml, so it holds no object with fields"
        return Problem(code="H430", message=message, on="key", help="write to another path")
    if path in paths and noun:
        message = f"`{text}` is one of `{paths[path]}:` in headrace.yaml, so it holds a plain value, not {noun}"
        help = "write a text, a number, true or false, or write to another path"
        return Problem(code="H430", message=message, help=help)
    return None


def _declared_above(path: tuple[str, ...], paths: Collection[tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((path[:length] for length in range(2, len(path)) if path[:length] in paths), None)


def _noun(value: Any) -> str:
    """`an object` or `a list` when the value is known to be one; else empty."""
    if isinstance(value, Mapping) or (isinstance(value, str) and _WHOLE_MAP.fullmatch(value)):
        return "an object"
    is_path_of_many = isinstance(value, str) and value.startswith("$.") and "[*]" in value
    return "a list" if isinstance(value, list) or is_path_of_many else ""
