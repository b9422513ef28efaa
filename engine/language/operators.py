"""The operators on data: kinds, equality, order, membership, arithmetic, text.

Booleans are not numbers. Decimals are calculated as such: `0.1 + 0.2` is 0.3. Absent and null equal nothing. No
operator reads an attribute of a value.
"""

import math
import operator
from collections.abc import Callable
from decimal import Inexact
from typing import Any

import msgspec

from engine.language import decimals
from engine.language.absent import ABSENT, Unfit
from engine.language.decimals import EXACT_CAP, NUMBER_CAP

TEXT_CAP = 65_536  # characters of a text that an expression makes
LIST_CAP = 10_000  # items of a list that an expression makes
INEXACT = "`{}` of a fraction and a whole number of more than 53 bits would not be exact"

LISTS = (list, tuple)
CONTAINERS = (list, tuple, str, dict)  # the right operands of `in`

Operation = Callable[[Any, Any], Any]


def is_number(value: Any) -> bool:
    """Return whether `value` is a number; booleans are not."""
    kind = type(value)
    return kind is int or kind is float


def kind_of(value: Any) -> str:
    """Return the kind of a value, for messages: `text`, `a number`, `an object`, ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, LISTS):
        return "a list"
    return "an object" if isinstance(value, dict) else str(value) if value is ABSENT else "not plain data"


def equal(left: Any, right: Any) -> bool:
    """`==`: by kind and value, lists and objects by their contents."""
    if left is None or right is None or left is ABSENT or right is ABSENT:
        return False
    pairs = [(left, right)]
    while pairs:  # a loop, because data may nest deeper than Python allows calls to
        a, b = pairs.pop()
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            pairs.extend((inner, b[key]) for key, inner in a.items())
        elif isinstance(a, LISTS):
            if not isinstance(b, LISTS) or len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, bool) or isinstance(b, bool):
            if a is not b:
                return False
        elif a != b:
            return False
    return True


def member(value: Any, container: Any) -> bool:
    """`in`: an item of a list, a part of a text, a key of an object."""
    if isinstance(value, str):
        return isinstance(container, CONTAINERS) and value in container
    return isinstance(container, LISTS) and any(equal(value, item) for item in container)


def comparable(left: Any, right: Any) -> bool:
    """Return whether two values have an order: two numbers, or two texts."""
    if is_number(left):
        return is_number(right)
    return isinstance(left, str) and isinstance(right, str)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "lt": lambda left, right: comparable(left, right) and left < right,
    "lteq": lambda left, right: comparable(left, right) and left <= right,
    "gt": lambda left, right: comparable(left, right) and left > right,
    "gteq": lambda left, right: comparable(left, right) and left >= right,
    "in": member,
    "notin": lambda left, right: not member(left, right),
}


def bounded(number: Any, sign: str) -> Any:
    """Return `number`; raise `Unfit` when it has more than 64 bits or is not finite. `sign` is for the message."""
    if isinstance(number, int):
        if -NUMBER_CAP <= number <= NUMBER_CAP:
            return number
    elif math.isfinite(number):
        return number
    raise Unfit(f"the result of `{sign}` is too large")


def _quotient(left: Any, right: Any) -> Any:
    if type(left) is type(right) is int and max(abs(left), abs(right)) > EXACT_CAP:
        if left % right:
            raise Unfit("`/` of a whole number of more than 53 bits would not be exact: use `//`")
        return left // right
    return left / right


def _arithmetic(sign: str, operate: Operation) -> Operation:
    def calculate(left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            raise Unfit(f"`{sign}` needs two numbers, not {kind_of(left)} and {kind_of(right)}")
        try:
            if type(left) is float or type(right) is float:
                return bounded(decimals.calculate(sign, operate, left, right), sign)
            return bounded(operate(left, right), sign)
        except ZeroDivisionError:
            raise Unfit(f"`{sign}` by zero") from None
        except Inexact:
            raise Unfit(INEXACT.format(sign)) from None
        except ArithmeticError:
            raise Unfit(f"the result of `{sign}` is too large") from None

    return calculate


_add_numbers = _arithmetic("+", operator.add)


def add(left: Any, right: Any) -> Any:
    """`+`: of two numbers, two texts or two lists."""
    if isinstance(left, str) and isinstance(right, str):
        return capped_text(left + right) if len(left) + len(right) <= TEXT_CAP else capped_text(None)
    if isinstance(left, LISTS) and isinstance(right, LISTS):
        if len(left) + len(right) > LIST_CAP:
            raise Unfit(f"the list has more than {LIST_CAP:,} items")
        return [*left, *right]
    return _add_numbers(left, right)


ARITHMETIC: dict[str, Operation] = {
    "+": add,
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", _quotient),
    "//": _arithmetic("//", operator.floordiv),
    "%": _arithmetic("%", operator.mod),
}


def capped_text(text: str | None) -> str:
    """Return `text`; raise `Unfit` when it is longer than `TEXT_CAP`, or None: too long to be made."""
    if text is None or len(text) > TEXT_CAP:
        raise Unfit(f"the text is longer than {TEXT_CAP:,} characters")
    return text


def as_text(value: Any) -> str:
    """Return a value as it appears inside text: texts as they are, everything else as compact JSON."""
    if isinstance(value, str):
        return capped_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # Python writes 4,300 digits, more than any number in the data has
            raise Unfit("the number has too many digits") from None
    if isinstance(value, float):
        return repr(bounded(value, "text"))
    try:
        return capped_text(msgspec.json.encode(value).decode())
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        raise Unfit(f"{kind_of(value)} that cannot be written as JSON") from None
