"""Translation of a query into a store's own language, which may not be able to express all of it.

Each part has two translations: one that holds for every document that matches (`possible`), and one that holds for no
other document (`certain`). A negation swaps them. A store searches for `possible`, and `matches` decides.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from engine.language.written_time import FIRST, LAST, written_time
from engine.search.query import AllOf, AnyOf, Begins, Exists, Is, Node, Not, Within

T = TypeVar("T")

Leaf = Is | Begins | Exists | Within


class Language(Protocol[T]):
    """A store's query language, whose expressions are of type T."""

    def all_of(self, parts: Sequence[T]) -> T:
        """Return an expression that holds where all parts hold."""

    def any_of(self, parts: Sequence[T]) -> T:
        """Return an expression that holds where at least one part holds."""

    def negation(self, part: T) -> T:
        """Return an expression that holds where the part does not."""

    def leaf(self, leaf: Leaf) -> tuple[T, T]:
        """Return (possible, certain) of a single condition."""


def written_bounds(node: Within) -> tuple[str | None, str | None]:
    """Return the bounds of a range of times (ms) as texts in the form in which the times of clients are stored."""
    low, high = [
        None if bound is None else written_time(int(min(max(bound, FIRST), LAST))) for bound in (node.low, node.high)
    ]
    return low, high


def translate(node: Node, language: Language[T]) -> tuple[T, T]:
    """Return (possible, certain) of a query."""
    match node:
        case AllOf(parts=parts):
            translated = [translate(part, language) for part in parts]
            return language.all_of([p for p, _ in translated]), language.all_of([c for _, c in translated])
        case AnyOf(parts=parts):
            translated = [translate(part, language) for part in parts]
            return language.any_of([p for p, _ in translated]), language.any_of([c for _, c in translated])
        case Not(part=part):
            possible, certain = translate(part, language)
            return language.negation(certain), language.negation(possible)
    return language.leaf(node)
