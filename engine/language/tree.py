"""The language's own syntax tree: what is left of Jinja's once everything not allowed has been refused.

`at` is where a part stands in the text. Every text part of a path is a dictionary key, every integer a list index.
"""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from engine.language.derived import Derived
from engine.language.refusal import Span
from engine.language.signature import Function


class Constant(Struct, frozen=True):
    """A literal."""

    at: Span
    value: Any


class Path(Struct, frozen=True):
    """What stands at a path that is known when the flow is loaded; its first part is a root."""

    at: Span
    path: tuple[str | int, ...]


class Lookup(Struct, frozen=True):
    """What an object or list holds under a key that is computed. A text is one key, never a path."""

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
    """`a ~ b ~ c`: everything as text."""

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
    """`a is defined` (null is), `a is none` (absent or null)."""

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
    """A filter (the piped value is the first argument) or a function. `prepared` stands for a literal argument."""

    at: Span
    function: Function
    arguments: "tuple[Tree, ...]"
    prepared: Any = None


class Derivation(Struct, frozen=True):
    """A function of what the scope holds, its brackets read when the flow is loaded."""

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
    """The parts directly below, each with whether its absence is handled by rule there."""
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
