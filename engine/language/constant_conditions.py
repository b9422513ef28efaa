"""Literals in the place of a condition, such as `'AT'` in `country == 'DE' or 'AT'`: their truth is always the same."""

import re
from collections.abc import Iterator
from typing import Any

from engine.language.kinds import BOOLEAN, Shapes, kinds_of
from engine.language.operators import kind_of
from engine.language.refusal import MISMATCH, finding
from engine.language.tree import NEGATIVE_SIGNS, Comparison, Constant, Every, Negation, Some, Tree
from engine.problem import Problem

_COMPARED = re.compile(r"(?P<subject>[A-Za-z_][^\s()]*)\s*(?P<sign>==|!=|(?:not\s+)?in\b)\s*[(\[]*\s*\Z")
_SIGNS = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def constant_condition(tree: Constant, text: str) -> Problem:
    """Return the problem of a literal that is a whole condition."""
    return finding(MISMATCH, _message(tree, text), tree.at, "compare it with a value of the event or the profile")


def constant_parts(tree: Every | Some, text: str, shapes: Shapes, *, truth: bool) -> Iterator[Problem]:
    """Yield the first literal operand of `and` or `or` that decides alone, or decides nothing.

    Without `truth` the value of the whole is used: then `name or 'friend'` is a default.
    """
    for index, part in enumerate(tree.parts):
        if not isinstance(part, Constant):
            continue
        is_last = index == len(tree.parts) - 1
        if truth or not is_last or (isinstance(tree, Some) and kinds_of(tree.parts[index - 1], shapes) == BOOLEAN):
            yield finding(MISMATCH, _message(part, text), part.at, _remedy(tree, index, text))
            return


def _message(literal: Constant, text: str) -> str:
    written = text[literal.at[0] : literal.at[1]]
    word = kind_of(literal.value).removeprefix("a ")
    subject = f"`{written}`" if isinstance(literal.value, bool | None) else f"the {word} `{written}`"
    return f"{subject} on its own is always {'true' if literal.value else 'false'}, whatever the data"


def _remedy(tree: Every | Some, index: int, text: str) -> str:
    word = "and" if isinstance(tree, Every) else "or"
    literal = tree.parts[index]
    if isinstance(literal, Constant) and isinstance(literal.value, str | int | float):
        if not isinstance(literal.value, bool):
            for neighbour in (*reversed(tree.parts[:index]), *tree.parts[index + 1 :]):
                compared = _compared(neighbour, _literals(tree, literal), literal, text)
                if compared:
                    return f"write `{compared}`"
            values = [text[part.at[0] : part.at[1]] for part in tree.parts if isinstance(part, Constant)]
            if len(values) == len(tree.parts):
                before = _COMPARED.search(text, 0, tree.at[0])
                within = "not in" if before and before["sign"].startswith(("!", "not")) else "in"
                subject = before["subject"] if before else "value"
                return f"to test for one of several values, write `{subject} {within} [{', '.join(values)}]`"
        elif len(tree.parts) > 1:
            written = text[literal.at[0] : literal.at[1]]
            return f"leave `{f'{word} {written}' if index else f'{written} {word}'}` out"
    return f"compare it with a value, or leave it and its `{word}` out"


def _literals(tree: Every | Some, like: Constant) -> list[Constant]:
    """Return the literal operands of the kind of `like`."""
    return [p for p in tree.parts if isinstance(p, Constant) and kind_of(p.value) == kind_of(like.value)]


def _compared(neighbour: Tree, literals: list[Constant], literal: Constant, text: str) -> str:
    """Return what the author probably meant by literals beside the comparison `neighbour`; empty if that is unclear."""
    negated = isinstance(neighbour, Negation)
    comparison = neighbour.of if isinstance(neighbour, Negation) else neighbour
    if not isinstance(comparison, Comparison) or len(comparison.rest) != 1:
        return ""
    (sign, right), left = comparison.rest[0], comparison.first

    def source(tree: Tree) -> str:
        return text[tree.at[0] : tree.at[1]]

    if sign in ("in", "notin") and isinstance(left, Constant):
        return f"{source(literal)} {'not in' if sign == 'notin' else 'in'} {source(right)}"
    subject, other = (right, left) if isinstance(left, Constant) else (left, right)
    if not isinstance(other, Constant):
        return ""
    values: list[Any] = other.value if isinstance(other.value, list) else [other.value]
    if not values or kind_of(values[0]) != kind_of(literal.value):
        return ""
    if sign in _SIGNS:
        return f"{source(subject)} {_SIGNS[sign]} {source(literal)}" if subject is left else ""
    known = source(other)[1:-1] if isinstance(other.value, list) else source(other)
    within = "not in" if (sign in NEGATIVE_SIGNS) is not negated else "in"
    return f"{source(subject)} {within} [{', '.join([known, *map(source, literals)])}]"
