"""Comparisons as closures, with fast ones for the most frequent case, a comparison with a literal."""

from collections.abc import Callable
from typing import Any

from engine.language.operators import COMPARE, CONTAINERS, is_number
from engine.language.readers import Evaluate
from engine.language.tree import Constant, Tree

Operand = tuple[Evaluate, Tree]


def compare(left: Operand, sign: str, right: Operand) -> Evaluate:
    """Return the closure of `left sign right`."""
    fast = None
    if isinstance(right[1], Constant):
        fast = _to_literal(left[0], sign, right[1].value)
    elif isinstance(left[1], Constant) and isinstance(left[1].value, str):
        fast = _of_literal(left[1].value, sign, right[0])
    if fast is not None:
        return fast
    first, second, holds = left[0], right[0], COMPARE[sign]
    return lambda context: holds(first(context), second(context))


def chain(operands: list[Operand], signs: list[str]) -> Evaluate:
    """Return the closure of `a < b < c`: every neighbouring pair must hold.

    Each operand is evaluated at most once, and none after the first pair that does not hold.
    """
    first = operands[0][0]
    rest = [(COMPARE[sign], evaluate) for sign, (evaluate, _) in zip(signs, operands[1:], strict=True)]

    def every_pair(context: Any) -> bool:
        left = first(context)
        for holds, evaluate in rest:
            right = evaluate(context)
            if not holds(left, right):
                return False
            left = right
        return True

    return every_pair


def _to_literal(evaluate: Evaluate, sign: str, literal: Any) -> Evaluate | None:
    if isinstance(literal, bool):
        return _TO_BOOLEAN[sign](evaluate, literal) if sign in _TO_BOOLEAN else None
    if isinstance(literal, str):
        return _TO_TEXT[sign](evaluate, literal) if sign in _TO_TEXT else None
    if is_number(literal):
        return _TO_NUMBER[sign](evaluate, literal) if sign in _TO_NUMBER else None
    if isinstance(literal, list) and all(isinstance(item, str) for item in literal):
        return _TO_TEXTS[sign](evaluate, literal) if sign in _TO_TEXTS else None
    return None


def _of_literal(text: str, sign: str, evaluate: Evaluate) -> Evaluate | None:
    """Return the closure of `'text' in ...` or `'text' not in ...`; None for other operators."""

    def within(context: Any) -> bool:
        container = evaluate(context)
        return isinstance(container, CONTAINERS) and text in container

    def without(context: Any) -> bool:
        container = evaluate(context)
        return not (isinstance(container, CONTAINERS) and text in container)

    return {"in": within, "notin": without}.get(sign)


# Python's operators mean the same as ours here, once booleans are excluded from numbers. ABSENT equals no literal.

_FromLiteral = Callable[[Evaluate, Any], Evaluate]

_TO_BOOLEAN: dict[str, _FromLiteral] = {
    "eq": lambda evaluate, literal: lambda context: evaluate(context) is literal,
    "ne": lambda evaluate, literal: lambda context: evaluate(context) is not literal,
}

_TO_TEXT: dict[str, _FromLiteral] = {
    "eq": lambda evaluate, text: lambda context: bool(evaluate(context) == text),
    "ne": lambda evaluate, text: lambda context: bool(evaluate(context) != text),
}

_TO_TEXTS: dict[str, _FromLiteral] = {
    "in": lambda evaluate, texts: lambda context: evaluate(context) in texts,
    "notin": lambda evaluate, texts: lambda context: evaluate(context) not in texts,
}


def _equals(evaluate: Evaluate, number: Any) -> Evaluate:
    def equals(context: Any) -> bool:
        value = evaluate(context)
        return type(value) is not bool and bool(value == number)

    return equals


def _differs(evaluate: Evaluate, number: Any) -> Evaluate:
    def differs(context: Any) -> bool:
        value = evaluate(context)
        return type(value) is bool or bool(value != number)

    return differs


def _above(evaluate: Evaluate, number: Any) -> Evaluate:
    def above(context: Any) -> bool:
        value = evaluate(context)
        kind = type(value)
        return (kind is int or kind is float) and value > number

    return above


def _at_least(evaluate: Evaluate, number: Any) -> Evaluate:
    def at_least(context: Any) -> bool:
        value = evaluate(context)
        kind = type(value)
        return (kind is int or kind is float) and value >= number

    return at_least


def _below(evaluate: Evaluate, number: Any) -> Evaluate:
    def below(context: Any) -> bool:
        value = evaluate(context)
        kind = type(value)
        return (kind is int or kind is float) and value < number

    return below


def _at_most(evaluate: Evaluate, number: Any) -> Evaluate:
    def at_most(context: Any) -> bool:
        value = evaluate(context)
        kind = type(value)
        return (kind is int or kind is float) and value <= number

    return at_most


_TO_NUMBER: dict[str, _FromLiteral] = {
    "eq": _equals,
    "ne": _differs,
    "gt": _above,
    "gteq": _at_least,
    "lt": _below,
    "lteq": _at_most,
}
