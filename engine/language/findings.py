"""Errors and warnings about expressions of correct syntax: parts with the same result, or a failure, for all data.

A part inside another is looked at first; a part with a problem inside has none of its own, so that each mistake is
reported once. `and` and `or` report their own literal operands in any case.
"""

from collections.abc import Iterator

from msgspec import structs

from engine.language.constant_conditions import constant_condition, constant_parts
from engine.language.expression import Condition, Expression
from engine.language.failing_calls import failing_arithmetic, failing_call
from engine.language.kinds import Shapes
from engine.language.mismatch import mismatches, text_orders
from engine.language.strange_characters import invisible
from engine.language.tight_filters import tight_filters
from engine.language.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Constant,
    Every,
    Joined,
    Negation,
    Some,
    Tree,
    children,
)
from engine.problem import Problem


def findings(use: Condition | Expression, shapes: Shapes) -> list[Problem]:
    """Return the problems of a compiled text. `shapes` has the fields of the roots, those of `nodes` included."""
    walk = _Walk(use.text, shapes)
    if isinstance(use, Condition) and isinstance(use.tree, Constant) and not isinstance(use.tree.value, bool):
        return [constant_condition(use.tree, use.text)]
    return list(walk.problems(use.tree, truth=isinstance(use, Condition)))


class _Walk:
    def __init__(self, text: str, shapes: Shapes) -> None:
        self.text = text
        self.shapes = shapes

    def problems(self, tree: Tree, *, truth: bool, last: bool = False) -> Iterator[Problem]:
        """Yield the problems of a part. `truth`: only its truth is used; `last`: it is the last operand of another."""
        inner = [problem for below in self._below(tree, truth) for problem in below]
        yield from inner
        if not inner or isinstance(tree, Every | Some):  # a literal operand is a mistake of its own
            yield from self._own(tree, truth=truth, last=last)

    def _below(self, tree: Tree, truth: bool) -> Iterator[Iterator[Problem]]:
        end = tree.right if isinstance(tree, Arithmetic) else tree.parts[-1] if isinstance(tree, Joined) else None
        for part, _ in children(tree):
            of_truth = isinstance(tree, Negation) or (isinstance(tree, Every | Some) and truth)
            of_truth = of_truth or (isinstance(tree, Choice) and part is tree.when)
            yield self.problems(part, truth=of_truth, last=part is end)

    def _own(self, tree: Tree, *, truth: bool, last: bool) -> Iterator[Problem]:
        match tree:
            case Constant():
                yield from invisible(tree, self.text)
            case Comparison():
                yield from mismatches(tree, self.text, self.shapes)
                yield from text_orders(tree, self.text, self.shapes)
            case Every() | Some():
                yield from constant_parts(tree, self.text, self.shapes, truth=truth)
            case Negation(of=Constant() as literal) | Choice(when=Constant() as literal):
                yield constant_condition(literal, self.text)
            case Call():
                yield from failing_call(tree, self.text, self.shapes)
            case Arithmetic() | Joined():
                yield from self._operands(tree, last=last)

    def _operands(self, tree: Arithmetic | Joined, *, last: bool) -> Iterator[Problem]:
        tight = [] if last else [*tight_filters(tree, self.text, self.shapes)]
        failing = [] if isinstance(tree, Joined) else [*failing_arithmetic(tree, self.text, self.shapes)]
        if tight and failing:  # the filter is the cause
            tight = [structs.replace(problem, severity="error") for problem in tight]
        yield from tight or failing
