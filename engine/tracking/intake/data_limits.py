"""The limits of plain data, and numbers that cannot be kept exactly: each is found with its place.

A whole number is kept as it is, up to `MAX_DIGITS`. A number with a fraction or an exponent is kept as a double if that
loses nothing: the nearest double, written with as many significant digits as the text has, must be the text's number.
"""

import json
import re
from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final

MAX_DEPTH: Final = 20  # of an event's properties and of contexts, counting the outermost object as 1
MAX_DIGITS: Final = 1000  # of a whole number
TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"
NO_UTF8: Final = "the text has bytes that are not UTF-8"

# A quick look at a text, with 0 for each digit and point: if it has neither of the two, its numbers are kept exactly.
DIGITS: Final = bytes.maketrans(b"123456789.E", b"0000000000e")
MANY_DIGITS: Final = b"0" * 16
ALMOST_ZERO: Final = b"0e-000"

_LONGEST: Final = 1100  # characters of a fraction; that of the smallest double has 1,076
_TOO_LONG: Final = f"a number has at most {MAX_DIGITS:,} digits: send a longer one as text"
_EXACT: Final = Context(prec=3000)  # digits: enough for the difference of a double and a number of `_LONGEST`
_TOO_LARGE: Final = 10**MAX_DIGITS
# A fraction, or a number with an exponent, that may not be kept exactly: 16 digits or more, or almost zero.
_FRACTION: Final = re.compile(rb"(?<![0-9.])(?=[0-9.]{16})[0-9]++[.eE]|[0-9][eE]-[0-9]{3}")
# A number, and no text: an id of many digits is frequent. A JSON number is alone, or behind one of these characters.
_LONG_NUMBER: Final = re.compile(
    rb"(?:^|[:,\[])[ \t\r\n]*+-?(?:(?=[0-9.]{16})[0-9]++[.eE]|[0-9.]++[eE]-[0-9]{3}|[0-9]{%d})" % MAX_DIGITS
)
_BEFORE_NUMBERS: Final = (b"", b":", b",", b"[", b"-", b" ", b"\t", b"\r", b"\n")
_QUICK_RUNS: Final = 4  # runs of digits that are looked at one by one, which is quicker than the pattern for a few
_ESCAPED_BYTES: Final = re.compile("[\udc80-\udcff]")  # as `surrogateescape` decodes what is not UTF-8


class _Unkept:
    """Stands for a part of a document that cannot be kept."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def has_fraction(raw: bytes) -> bool:
    """Return whether JSON text may have a number that a double does not hold exactly; if not, none does."""
    digits = raw.translate(DIGITS)
    return (MANY_DIGITS in digits or ALMOST_ZERO in digits) and _FRACTION.search(raw) is not None


def has_long_number(raw: bytes, digits: bytes) -> bool:
    """Return whether JSON text may have a number with too many digits, or one that a double does not hold exactly.

    `digits` is the text as `DIGITS` translates it.
    """
    if ALMOST_ZERO not in digits:
        end = 0
        for _ in range(_QUICK_RUNS):
            start = digits.find(MANY_DIGITS, end)
            if start < 0:
                return False
            if raw[start - 1 : start] not in _BEFORE_NUMBERS:  # it is in a text, such as an id
                end = start + len(MANY_DIGITS)
                while digits[end : end + 1] == b"0":
                    end += 1
            else:
                break
    return _LONG_NUMBER.search(raw) is not None


def first_fault(value: Any, at: str) -> tuple[str, str] | None:
    """Return the first place (JSON pointer) where plain data breaks a limit, and the limit; None if none is broken."""
    found = _fault(value, 1)
    if found is None:
        return None
    steps, reason = found
    return at + "".join([f"/{pointer(step)}" for step in reversed(steps)]), reason


def first_fault_in(raw: bytes, at: str) -> tuple[str, str] | None:
    """As `first_fault`, of JSON text, numbers that cannot be kept included.

    The text may have NaN, bytes that are not UTF-8 and control characters. Returns None if it is no JSON otherwise.
    """
    try:
        value = json.loads(
            raw.decode(errors="surrogateescape"),
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_constant,
            strict=False,
        )
    except ValueError:
        return None
    except RecursionError:
        return at, TOO_DEEP
    return first_fault(value, at)


def number_or_text(text: str) -> float | str:
    """Return the number with a fraction or an exponent that a JSON text is, or the text if that cannot be kept exactly.

    It is a hook of `msgspec`'s decoder, for what its sender cannot be asked to send otherwise.
    """
    number = _fraction(text)
    return text if isinstance(number, _Unkept) else number


def pointer(key: str | int) -> str:
    """Return a key as one reference token of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _fault(value: Any, depth: int) -> tuple[list[str | int], str] | None:
    """Return the steps to the first fault, the innermost first, and the fault.

    A pointer is only made of them once: a name may be so long that one for each value would take seconds.
    """
    if isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            return [], TOO_DEEP
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and _ESCAPED_BYTES.search(key):
                return [], NO_UTF8
            if found := _fault(inner, depth + 1):
                found[0].append(key)
                return found
        return None
    reason = _fault_of_scalar(value)
    return None if reason is None else ([], reason)


def _fault_of_scalar(value: Any) -> str | None:
    if isinstance(value, int):
        return _TOO_LONG if abs(value) >= _TOO_LARGE else None
    if isinstance(value, str):
        return NO_UTF8 if _ESCAPED_BYTES.search(value) else None
    return value.reason if isinstance(value, _Unkept) else None


def _constant(name: str) -> _Unkept:
    return _Unkept(f"`{name}` is no JSON: send null, or leave it out")


def _whole(text: str) -> int | _Unkept:
    return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else _Unkept(_TOO_LONG)


def _fraction(text: str) -> float | _Unkept:
    if len(text) > _LONGEST:
        return _Unkept(_TOO_LONG)
    number = float(text)
    if not isfinite(number):
        return _Unkept(f"`{text[:40]}` is larger than the largest number, 1.8e308: send it as text")
    return number if _is_exact(text, number) else _Unkept(f"`{text[:40]}` cannot be kept exactly: send it as text")


def _is_exact(text: str, number: float) -> bool:
    """Return whether a text is the shortest that names a double, or one nearest to it of its number of digits."""
    shortest = repr(number)
    if shortest == text:  # most numbers are written so
        return True
    sent = Decimal(text)
    if sent == Decimal(shortest):
        return True
    digits = re.split("[eE]", text)[0].replace(".", "").lstrip("-0").rstrip("0")
    if not digits or not number:
        return False
    unit = Decimal(1).scaleb(sent.adjusted() + 1 - len(digits))  # of the last significant digit
    return _EXACT.subtract(Decimal(number), sent).copy_abs() <= _EXACT.divide(unit, Decimal(2))
