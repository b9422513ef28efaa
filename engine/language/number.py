"""Filters on numbers."""

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from engine.language.absent import Unfit
from engine.language.decimals import EXACT_CAP, decimal_of
from engine.language.operators import bounded
from engine.language.signature import need_number, need_whole

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DIGITS_CAP = 64  # characters of a text that spells a number
_BITS = 64  # of a whole result
_EXACT_POWER = 64  # up to this exponent a power of a decimal is calculated as such
_POWERS = Context(prec=40)
_EXACT = 10**15  # a larger number has no digits after the point that could be rounded


def rounded(value: Any, digits: Any = 0) -> int | float:
    """The number rounded to `digits` after the point, a half away from zero; without `digits` a whole number."""
    number, digits = need_number(value, "round"), need_whole(digits, "round")
    if not 0 <= digits <= 15:
        raise Unfit("`round` keeps 0 to 15 digits after the point")
    if isinstance(number, int):
        return number
    if abs(bounded(number, "round")) < _EXACT:
        number = float(Decimal(repr(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return number if digits else bounded(int(number), "round")


def whole(value: Any) -> Any:
    """The number, or the text that spells one, as a whole number; digits after the point are cut off."""
    number = _read(value, "int")
    if isinstance(number, int):
        return number
    return bounded(int(bounded(number, "int")), "int")


def fraction(value: Any) -> Any:
    """The number, or the text that spells one, as a number with a fraction."""
    number = _read(value, "float")
    if isinstance(number, int) and number != float(bounded(number, "float")):
        raise Unfit("`float` of a whole number of more than 53 bits would not be exact")
    return bounded(float(bounded(number, "float")), "float")


def magnitude(value: Any) -> Any:
    """The number without its sign."""
    return abs(need_number(value, "abs"))


def power(base: Any, exponent: Any) -> Any:
    """The number `base` raised to the power `exponent`."""
    left, right = need_number(base, "pow"), need_number(exponent, "pow")
    if type(left) is type(right) is int and right >= 0:
        if abs(left) > 1 and right > _BITS:
            raise Unfit("the result of `pow` is too large")
        return bounded(left**right, "pow")
    return _calculated("pow", lambda: _float_power(left, right))


def exponential(number: Any) -> Any:
    """The number e (2.718…) raised to a power."""
    power = need_number(number, "exp")
    return _calculated("exp", lambda: math.exp(power))


def logarithm(number: Any, base: Any = math.e) -> Any:
    """The logarithm of a positive number: the natural one, or that to a base."""
    value, to = need_number(number, "log"), need_number(base, "log")
    if to == math.e:
        return _calculated("log", lambda: math.log(value))
    if to in (2, 10):  # these are exact for powers of the base
        return _calculated("log", lambda: math.log2(value) if to == 2 else math.log10(value))
    return _calculated("log", lambda: math.log(value, to))


def square_root(number: Any) -> Any:
    """The square root of a number that is not negative."""
    value = need_number(number, "sqrt")
    return _calculated("sqrt", lambda: math.sqrt(value))


def _float_power(left: float, right: float) -> float:
    """Return a power. Raises `ValueError` where it is no real number."""
    if right == 0:
        return 1.0
    if type(right) is int and abs(right) <= _EXACT_POWER:
        return float(_POWERS.power(decimal_of(left), right))
    return math.pow(left, right)


def _calculated(name: str, calculate: Callable[[], float]) -> int | float:
    """Return a result, as a whole number if it is one of at most 53 bits. Raises `Unfit` where there is none."""
    try:
        result = calculate()
    except OverflowError:
        raise Unfit(f"the result of `{name}` is too large") from None
    except (ValueError, ArithmeticError):
        raise Unfit(f"`{name}` has no result for these numbers") from None
    number: float = bounded(result, name)
    return int(number) if number.is_integer() and abs(number) <= EXACT_CAP else number


def _read(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        return need_number(value, name)
    text = value.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= _DIGITS_CAP else None
    if match is None:
        raise Unfit(f"`{name}` needs a number, not the text {value[:40]!r}")
    return float(text) if match[2] or match[3] or "." in text else int(text)
