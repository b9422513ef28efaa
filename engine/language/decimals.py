"""Arithmetic on decimal numbers, without the rounding of binary fractions.

JSON has decimals, and a float stands for the decimal that is its shortest text: 0.1 is one tenth. Sums, differences and
products of such decimals are computed exactly, so a sum depends neither on the order of its terms nor on how they are
grouped. A result without digits after the point is an integer.

A sum that is kept and added to must not be rounded. Most sums are an integer or the shortest text of a float; one with
more digits than any float has is kept as text.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import Any, Final

Number = int | float
Exact = int | float | str  # an exact sum: a text only where no float has this text

NUMBER_CAP: Final = 2**63 - 1  # of a whole result; a larger one stays a float where a float has the same digits
EXACT_CAP: Final = 2**53  # beyond it a float stands for several whole numbers

_SCALE: Final = 1e4
_SCALED_CAP: Final = 5e10
_ROUNDING: Final = 1.5 * 2**52  # adding and subtracting it rounds a float below 2**51 to the nearest integer

# Enough for sums and products of floats, which have at most 309 digits before the point and 340 after it.
_CONTEXT: Final = Context(prec=1_300, traps=[Inexact, InvalidOperation])


def exact_sum(numbers: Sequence[Exact]) -> Exact:
    """Return the sum of some numbers, each perhaps a sum. Raises `ArithmeticError` beyond 1,300 digits."""
    return _exact(_total(numbers))


def plus(left: Exact, right: Number) -> Exact:
    """Return `left + right`; much faster than `exact_sum` for decimals of few digits. Raises `ArithmeticError` as it.

    No two decimals of at most 15 digits have the same nearest float. So a float that is the nearest to such a decimal
    stands for it, and the sum of two can be calculated in integers of 1 / `_SCALE`.
    """
    if not isinstance(left, str) and -_SCALED_CAP < left < _SCALED_CAP and -_SCALED_CAP < right < _SCALED_CAP:
        first, second = left * _SCALE + _ROUNDING - _ROUNDING, right * _SCALE + _ROUNDING - _ROUNDING
        if first / _SCALE == left and second / _SCALE == right:
            total = (first + second) / _SCALE
            return int(total) if total.is_integer() else total
    return exact_sum((left, right))


def exact_difference(left: Exact, right: Exact) -> Exact:
    """Return `left - right`. Raises `ArithmeticError` beyond 1,300 digits."""
    return _exact(_CONTEXT.subtract(decimal_of(left), decimal_of(right)))


def nearest_number(total: Exact) -> Number:
    """Return the JSON number for a sum: the sum itself, or the float that is nearest to it."""
    return float(total) if isinstance(total, str) else total


def decimal_of(number: Exact) -> Decimal:
    """Return the decimal that a number stands for."""
    return Decimal(repr(number) if isinstance(number, float) else number)


def sum_of(numbers: Sequence[Number]) -> Number:
    """Return the sum of some numbers: exact if possible, else the nearest float.

    Raises `Inexact` as `calculate` does, and beyond 1,300 digits.
    """
    for number in numbers:
        if type(number) is float:
            total = _total(numbers)
            nearest = _number(total)
            if any(map(_is_large, numbers)) and decimal_of(nearest) != total:
                raise Inexact
            return nearest
    return sum(numbers)


def calculate(sign: str, operate: Callable[[Any, Any], Any], left: Number, right: Number) -> Number:
    """Return the result of an arithmetic operator: exact if possible, else the nearest float.

    `operate` is Python's operator of this sign. Raises `Inexact` where a whole number of more than 53 bits would lose
    digits, and beyond 1,300 digits; `ZeroDivisionError`; `OverflowError`.
    """
    first, second = decimal_of(left), decimal_of(right)
    result = _CALCULATIONS[sign](first, second)
    if _is_large(left) or _is_large(right):
        exact = operate(Fraction(first), Fraction(second))
        if exact != Fraction(decimal_of(result)):
            raise Inexact
    return result


def _total(numbers: Iterable[Exact]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = _CONTEXT.add(total, decimal_of(number))
    return total


def _is_large(number: Number) -> bool:
    return type(number) is int and abs(number) > EXACT_CAP


def _exact(total: Decimal) -> Exact:
    """Return a decimal in the form in which sums are kept."""
    if total == total.to_integral_value():
        return int(total)
    nearest = float(total)
    return nearest if decimal_of(nearest) == total else format(total.normalize(_CONTEXT), "f")


def _number(value: Decimal) -> Number:
    """Return the JSON number that is nearest to a decimal."""
    if value != value.to_integral_value():
        return float(value)
    whole = int(value)
    return float(value) if abs(whole) > NUMBER_CAP and decimal_of(float(value)) == value else whole


def _add(left: Decimal, right: Decimal) -> Number:
    return _number(_CONTEXT.add(left, right))


def _subtract(left: Decimal, right: Decimal) -> Number:
    return _number(_CONTEXT.subtract(left, right))


def _multiply(left: Decimal, right: Decimal) -> Number:
    return _number(_CONTEXT.multiply(left, right))


def _ratio(left: Decimal, right: Decimal) -> tuple[int, int]:
    """Return the numerator and denominator, perhaps negative, of `left / right`."""
    if not (left.is_finite() and right.is_finite()):
        raise OverflowError
    (a, b), (c, d) = left.as_integer_ratio(), right.as_integer_ratio()
    return a * d, b * c


def _divide(left: Decimal, right: Decimal) -> Number:
    above, below = _ratio(left, right)
    nearest = above / below
    return above // below if EXACT_CAP <= abs(nearest) <= NUMBER_CAP and not above % below else nearest


def _floor(left: Decimal, right: Decimal) -> Number:
    above, below = _ratio(left, right)
    return above // below


def _remainder(left: Decimal, right: Decimal) -> Number:
    """Return what is left of `left` after the floor division; it has the sign of `right`."""
    above, below = _ratio(left, right)
    return _subtract(left, _CONTEXT.multiply(right, Decimal(above // below)))


_CALCULATIONS: Final[dict[str, Callable[[Decimal, Decimal], Number]]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "//": _floor,
    "%": _remainder,
}
