"""The value of a plain (unquoted) scalar: the core schema of YAML 1.2, without its surprises.

Only decimal numbers are numbers: `0777`, `0x1F`, `1_000`, `12:30` and dates stay text, as do `yes`, `no`, `on`, `off`.
"""

import re
from typing import Final

Plain = str | int | float | bool | None

MAX_INTEGER: Final = 2**63 - 1  # the largest that every store and client can represent

_WORDS: Final[dict[str, Plain]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_UNBOUNDED = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class UnsupportedNumber(Exception):
    """The scalar is infinite, not a number (NaN), or beyond 64 bits."""


def read_plain(text: str) -> Plain:
    """The value of a plain scalar. Raises `UnsupportedNumber`."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
            raise UnsupportedNumber(text)
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise UnsupportedNumber(text)
        return number
    if _UNBOUNDED.fullmatch(text):
        raise UnsupportedNumber(text)
    return text


def quoted(text: str) -> str:
    """`text` as a quoted scalar, in double quotes unless it has a character that they would escape."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"
