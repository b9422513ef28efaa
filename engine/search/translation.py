"""Translating a query into a store's own language, where that cannot say everything.

For each part there are two translations: one that holds for every document that matches (`possible`), one that holds
for no other (`certain`). A negation swaps them. A store asks for what is possible and lets `matches` decide.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from engine.search.query import AllOf, AnyOf, Begins, Exists, Is, Node, Not, Within

T = TypeVar("T")

Leaf = Is | Begins | Exists | Within


class Language(Protocol[T]):
    """How a store says things."""

    def all_of(self, parts: Sequence[T]) -> T:
        """All parts hold."""

    def any_of(self, parts: Sequence[T]) -> T:
        """One of the parts holds."""

    def negation(self, part: T) -> T:
        """The part does not hold."""

    def leaf(self, leaf: Leaf) -> tuple[T, T]:
        """What is possible and what is certain of a single condition."""


def translate(node: Node, language: Language[T]) -> tuple[T, T]:
    """What is possible and what is certain of a query."""
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
