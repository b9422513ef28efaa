"""What a plain (unquoted) scalar means: YAML 1.2 core, and nothing that looks like one thing and is another.

Only decimal numbers are numbers: `0777`, `0x1F`, `1_000`, `12:30` and dates stay text, as do `yes`, `no`, `on`, `off`.
"""

import re
from typing import Final

Plain = str | int | float | bool | None

MAX_INTEGER: Final = 2**63 - 1  # what every store and client can keep

_WORDS: Final[dict[str, Plain]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_UNBOUNDED = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class UnsupportedNumber(Exception):
    """A number that is infinite, not a number, or beyond 64 bits."""


def read_plain(text: str) -> Plain:
    """The value of a plain scalar; raises `UnsupportedNumber` for numbers that cannot be kept."""
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
    """`text` as a quoted scalar, in the quotes that leave it most readable."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"
