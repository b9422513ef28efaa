"""The language's own syntax tree, made of the allowed nodes of Jinja's.

`at` is the span of a part in the text. Every text in a path is a dictionary key, every integer a list index.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from engine.language.derived import Derived
from engine.language.refusal import Span
from engine.language.signature import Function

NEGATIVE_SIGNS: Final = frozenset({"ne", "notin"})  # comparisons that hold where nothing fits


class Constant(Struct, frozen=True):
    """A literal."""

    at: Span
    value: Any


class Path(Struct, frozen=True):
    """The value at a path that is known when the flow is loaded; its first part is a root."""

    at: Span
    path: tuple[str | int, ...]


class Lookup(Struct, frozen=True):
    """The value of an object or list at a computed key. A text is one key, never a path."""

    at: Span
    of: "Tree"
    key: "Tree"


class Arithmetic(Struct, frozen=True):
    """`left sign right`, with + - * / // %."""

    at: Span
    sign: str
    left: "Tree"
    right: "Tree"


class Joined(Struct, frozen=True):
    """`a ~ b ~ c`: the operands joined as text."""

    at: Span
    parts: "tuple[Tree, ...]"


class Comparison(Struct, frozen=True):
    """`first sign operand sign operand ...`, each pair with == != < <= > >= in, notin."""

    at: Span
    first: "Tree"
    rest: "tuple[tuple[str, Tree], ...]"


class Every(Struct, frozen=True):
    """`a and b and c`."""

    at: Span
    parts: "tuple[Tree, ...]"


class Some(Struct, frozen=True):
    """`a or b or c`."""

    at: Span
    parts: "tuple[Tree, ...]"


class Negation(Struct, frozen=True):
    """`not a`."""

    at: Span
    of: "Tree"


class Presence(Struct, frozen=True):
    """`a is defined` (also true for null), `a is none` (true for absent and null)."""

    at: Span
    of: "Tree"
    test: Literal["defined", "none"]


class Choice(Struct, frozen=True):
    """`then if when else otherwise`."""

    at: Span
    when: "Tree"
    then: "Tree"
    otherwise: "Tree"


class Items(Struct, frozen=True):
    """`[a, b]`."""

    at: Span
    parts: "tuple[Tree, ...]"


class Entries(Struct, frozen=True):
    """`{'key': a}`; keys are literal text."""

    at: Span
    pairs: "tuple[tuple[str, Tree], ...]"


class Default(Struct, frozen=True):
    """`of | default(fallback)`: the fallback where `of` is absent or null."""

    at: Span
    of: "Tree"
    fallback: "Tree"


class Call(Struct, frozen=True):
    """A filter (the piped value is the first argument) or a function.

    `prepared` replaces a literal argument, the first one in the brackets. `zoned` says that the project's time zone
    is the last argument, since the author has written none.
    """

    at: Span
    function: Function
    arguments: "tuple[Tree, ...]"
    prepared: Any = None
    zoned: bool = False


class Derivation(Struct, frozen=True):
    """A function of the whole scope, whose literal arguments were evaluated when the flow was loaded."""

    at: Span
    function: str
    derived: Derived


Tree = (
    Constant
    | Path
    | Lookup
    | Arithmetic
    | Joined
    | Comparison
    | Every
    | Some
    | Negation
    | Presence
    | Choice
    | Items
    | Entries
    | Default
    | Call
    | Derivation
)


def children(tree: Tree) -> Iterator[tuple[Tree, bool]]:
    """Yield the parts directly below, each with whether its absence is no failure there."""
    match tree:
        case Lookup(of=of, key=key):
            yield from ((of, False), (key, False))
        case Arithmetic(left=left, right=right):
            yield from ((left, False), (right, False))
        case Joined(parts=parts) | Items(parts=parts):
            yield from ((part, False) for part in parts)
        case Comparison(first=first, rest=rest):
            yield from ((part, True) for part in (first, *(operand for _, operand in rest)))
        case Every(parts=parts) | Some(parts=parts):
            yield from ((part, True) for part in parts[:-1])
            yield parts[-1], False
        case Negation(of=of) | Presence(of=of):
            yield of, True
        case Choice(when=when, then=then, otherwise=otherwise):
            yield from ((when, True), (then, False), (otherwise, False))
        case Entries(pairs=pairs):
            yield from ((part, False) for _, part in pairs)
        case Default(of=of, fallback=fallback):
            yield from ((of, True), (fallback, False))
        case Call(arguments=arguments):
            yield from ((part, False) for part in arguments)


def draws(tree: Tree) -> bool:
    """Return whether a part calls a function that draws."""
    return (isinstance(tree, Call) and tree.function.draws) or any(draws(part) for part, _ in children(tree))
