"""Filters on numbers."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from engine.language.absent import Unfit
from engine.language.operators import bounded
from engine.language.signature import need_number, need_whole

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DIGITS_CAP = 64  # characters of a text that spells a number
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


def _read(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        return need_number(value, name)
    text = value.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= _DIGITS_CAP else None
    if match is None:
        raise Unfit(f"`{name}` needs a number, not the text {value[:40]!r}")
    return float(text) if match[2] or match[3] or "." in text else int(text)
