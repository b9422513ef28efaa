"""Comparisons with the same result for all data: of a literal with a path that is always a set or an object."""

from collections.abc import Mapping
from typing import Final

from engine.language.operators import kind_of
from engine.language.path import show_path
from engine.language.refusal import MISMATCH, refusal
from engine.language.tree import Comparison, Constant, Path, Tree
from engine.problem import ProblemError

SETS: Final = frozenset({("profile", "segments"), ("profile", "ids")})
# Paths of objects, and the field that the author probably meant.
OBJECTS: Final[Mapping[tuple[str | int, ...], str]] = {
    ("event",): "event.type",
    ("event", "properties"): "event.properties.NAME",
    ("event", "context"): "event.context.NAME",
    ("session",): "session.id",
    ("session", "properties"): "session.properties.NAME",
    ("session", "context"): "session.context.NAME",
    ("source",): "source.id",
    ("profile",): "profile.id",
    ("profile", "traits"): "profile.traits.NAME",
    ("profile", "pii"): "profile.pii.NAME",
    ("profile", "consents"): "profile.consents.NAME",
    ("profile", "metadata"): "profile.metadata.visits",
}
_EQUAL: Final = frozenset({"eq", "ne", "lt", "lteq", "gt", "gteq"})
_MEMBERSHIP: Final = frozenset({"in", "notin"})


def mismatch(tree: Comparison) -> ProblemError | None:
    """Return the error for the first pair of a comparison whose result is always the same, if any."""
    operands = (tree.first, *(part for _, part in tree.rest))
    for left, (sign, right) in zip(operands, tree.rest, strict=False):
        error = _pair(left, sign, right) or (_pair(right, sign, left) if sign in _EQUAL else None)
        if error is not None:
            message, help = error
            return refusal(MISMATCH, message, (min(left.at[0], right.at[0]), max(left.at[1], right.at[1])), help)
    return None


def _pair(path: Tree, sign: str, literal: Tree) -> tuple[str, str] | None:
    """Return the message and the remedy for a path and a literal whose comparison has always the same result."""
    if not (isinstance(path, Path) and isinstance(literal, Constant) and (path.path in SETS or path.path in OBJECTS)):
        return None
    values = literal.value if sign in _MEMBERSHIP and isinstance(literal.value, list) else [literal.value]
    if not values or any(isinstance(value, list | dict) or value is None for value in values):
        return None
    name = show_path(path.path)
    path_kind = "a set" if path.path in SETS else "an object"
    always = "true" if sign in ("ne", "notin") else "false"
    message = f"`{name}` is {path_kind}, never {kind_of(values[0])}: this is always {always}"
    return message, _remedy(path.path, name, sign, values)


def _remedy(path: tuple[str | int, ...], name: str, sign: str, values: list[object]) -> str:
    if path in OBJECTS:
        return f"did you mean `{OBJECTS[path]}`?"
    if not all(isinstance(value, str) for value in values):
        return f"to ask how many there are, write `{name} | length`"
    within, between = ("not in", " and ") if sign in ("ne", "notin") else ("in", " or ")
    tests = between.join(f"'{value}' {within} {name}" for value in values)
    return f"write `{tests}`"
