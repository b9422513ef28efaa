"""Comparisons as closures, with short ways for what authors write most: something against a literal."""

from collections.abc import Callable
from typing import Any

from engine.language.operators import COMPARE, HOLDERS, is_number
from engine.language.readers import Evaluate
from engine.language.tree import Constant, Tree

Operand = tuple[Evaluate, Tree]


def compare(left: Operand, sign: str, right: Operand) -> Evaluate:
    """`left sign right`."""
    short = None
    if isinstance(right[1], Constant):
        short = _to_literal(left[0], sign, right[1].value)
    elif isinstance(left[1], Constant) and isinstance(left[1].value, str):
        short = _of_literal(left[1].value, sign, right[0])
    if short is not None:
        return short
    first, second, holds = left[0], right[0], COMPARE[sign]
    return lambda seen: holds(first(seen), second(seen))


def chain(operands: list[Operand], signs: list[str]) -> Evaluate:
    """`a < b < c`: every neighbouring pair holds. Each operand is evaluated once, those after a failure never."""
    first = operands[0][0]
    rest = [(COMPARE[sign], evaluate) for sign, (evaluate, _) in zip(signs, operands[1:], strict=True)]

    def every_pair(seen: Any) -> bool:
        left = first(seen)
        for holds, evaluate in rest:
            right = evaluate(seen)
            if not holds(left, right):
                return False
            left = right
        return True

    return every_pair


def _to_literal(evaluate: Evaluate, sign: str, literal: Any) -> Evaluate | None:
    if isinstance(literal, str):
        return _TO_TEXT[sign](evaluate, literal) if sign in _TO_TEXT else None
    if is_number(literal):
        return _TO_NUMBER[sign](evaluate, literal) if sign in _TO_NUMBER else None
    if isinstance(literal, list) and all(isinstance(item, str) for item in literal):
        return _TO_TEXTS[sign](evaluate, literal) if sign in _TO_TEXTS else None
    return None


def _of_literal(text: str, sign: str, evaluate: Evaluate) -> Evaluate | None:
    """`'text' in ...`: the item of a list, the part of a text, the key of an object."""

    def within(seen: Any) -> bool:
        held = evaluate(seen)
        return isinstance(held, HOLDERS) and text in held

    def without(seen: Any) -> bool:
        held = evaluate(seen)
        return not (isinstance(held, HOLDERS) and text in held)

    return {"in": within, "notin": without}.get(sign)


# Python's own signs mean the same as ours here, once booleans are kept from being numbers. Absent equals no literal.

_Short = Callable[[Evaluate, Any], Evaluate]

_TO_TEXT: dict[str, _Short] = {
    "eq": lambda evaluate, text: lambda seen: bool(evaluate(seen) == text),
    "ne": lambda evaluate, text: lambda seen: bool(evaluate(seen) != text),
}

_TO_TEXTS: dict[str, _Short] = {
    "in": lambda evaluate, texts: lambda seen: evaluate(seen) in texts,
    "notin": lambda evaluate, texts: lambda seen: evaluate(seen) not in texts,
}


def _equals(evaluate: Evaluate, number: Any) -> Evaluate:
    def equals(seen: Any) -> bool:
        value = evaluate(seen)
        return type(value) is not bool and bool(value == number)

    return equals


def _differs(evaluate: Evaluate, number: Any) -> Evaluate:
    def differs(seen: Any) -> bool:
        value = evaluate(seen)
        return type(value) is bool or bool(value != number)

    return differs


def _above(evaluate: Evaluate, number: Any) -> Evaluate:
    def above(seen: Any) -> bool:
        value = evaluate(seen)
        kind = type(value)
        return (kind is int or kind is float) and value > number

    return above


def _at_least(evaluate: Evaluate, number: Any) -> Evaluate:
    def at_least(seen: Any) -> bool:
        value = evaluate(seen)
        kind = type(value)
        return (kind is int or kind is float) and value >= number

    return at_least


def _below(evaluate: Evaluate, number: Any) -> Evaluate:
    def below(seen: Any) -> bool:
        value = evaluate(seen)
        kind = type(value)
        return (kind is int or kind is float) and value < number

    return below


def _at_most(evaluate: Evaluate, number: Any) -> Evaluate:
    def at_most(seen: Any) -> bool:
        value = evaluate(seen)
        kind = type(value)
        return (kind is int or kind is float) and value <= number

    return at_most


_TO_NUMBER: dict[str, _Short] = {
    "eq": _equals,
    "ne": _differs,
    "gt": _above,
    "gteq": _at_least,
    "lt": _below,
    "lteq": _at_most,
}
