"""The kinds of values that a part of an expression can have, as far as they are known before an event comes."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from engine.language.operators import kind_of
from engine.language.probe import probed_kinds
from engine.language.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Constant,
    Default,
    Derivation,
    Entries,
    Every,
    Items,
    Joined,
    Negation,
    Path,
    Presence,
    Some,
    Tree,
)

Kinds = frozenset[str]  # the words of `kind_of`

TEXT: Final = Kinds({"text"})
NUMBER: Final = Kinds({"a number"})
BOOLEAN: Final = Kinds({"true or false"})
LIST: Final = Kinds({"a list"})
OBJECT: Final = Kinds({"an object"})
NULL: Final = Kinds({"null"})
_SAME: Final[Mapping[type, Kinds]] = {
    **dict.fromkeys((Comparison, Negation, Presence), BOOLEAN),
    Joined: TEXT,
    Items: LIST,
    Entries: OBJECT,
    Derivation: NUMBER,
}
_ADDABLE: Final = TEXT | NUMBER | LIST


class Shape(Struct, frozen=True):
    """The value at a path: its kinds (None: any), its fields by name (None: any fields), the only texts it can be."""

    kinds: Kinds | None = None
    fields: "Mapping[str, Shape] | None" = None
    words: tuple[str, ...] = ()


Shapes = Mapping[str, Shape]  # by root

ANYTHING: Final = Shape()
ANY_OBJECT: Final = Shape(OBJECT)
A_TEXT: Final = Shape(TEXT, {})
A_NUMBER: Final = Shape(NUMBER, {})
A_BOOLEAN: Final = Shape(BOOLEAN, {})
A_LIST: Final = Shape(LIST)


def shape_at(path: tuple[str | int, ...], shapes: Shapes) -> Shape:
    """Return the shape of the value at `path`; `ANYTHING` when it is not known."""
    shape = shapes.get(str(path[0]), ANYTHING)
    for part in path[1:]:
        shape = (shape.fields or {}).get(str(part), ANYTHING)
    return shape


def kinds_of(tree: Tree, shapes: Shapes) -> Kinds | None:
    """Return the kinds that the value of a part can have when it is not absent; None when it can have any."""
    if type(tree) in _SAME:
        return _SAME[type(tree)]
    match tree:
        case Constant(value=value):
            return Kinds({kind_of(value)})
        case Path(path=path):
            return shape_at(path, shapes).kinds
        case Arithmetic(sign=sign, left=left, right=right):
            return _sum_kinds(kinds_of(left, shapes), kinds_of(right, shapes)) if sign == "+" else NUMBER
        case Call():
            return probed_kinds(tree.function, choices_of(tree, shapes))
        case Choice(then=one, otherwise=other) | Default(of=one, fallback=other):
            return _either(kinds_of(one, shapes), kinds_of(other, shapes))
        case Every(parts=parts) | Some(parts=parts):
            kinds: Kinds | None = BOOLEAN  # of an absent part
            for part in parts:
                kinds = _either(kinds, kinds_of(part, shapes))
            return kinds
    return None


def choices_of(tree: Call, shapes: Shapes) -> tuple[Any, ...]:
    """Return what is known of each argument: a `Constant`, the kinds, or None. A prepared literal comes last."""
    known = tuple(part if isinstance(part, Constant) else kinds_of(part, shapes) for part in tree.arguments)
    return known if tree.prepared is None else (*known, Constant(tree.at, tree.prepared))


def _either(one: Kinds | None, other: Kinds | None) -> Kinds | None:
    return None if one is None or other is None else one | other


def _sum_kinds(left: Kinds | None, right: Kinds | None) -> Kinds:
    return (_ADDABLE if left is None else left & _ADDABLE) & (_ADDABLE if right is None else right)
