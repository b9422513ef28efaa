"""Numbers in free values, so that an index can compare them: texts of one length that are ordered as the numbers are.

A `flattened` field compares texts only. So a document has its numbers a second time, below `numbers`, each as the 64
bits of the nearest double in hexadecimal digits, changed so that larger numbers have larger texts. Numbers with one
nearest double have the same text, so a range finds too much at its bounds rather than too little.
"""

import struct
from typing import Any, Final

NUMBERS: Final = "numbers"
LEAST: Final = "0" * 16
MOST: Final = "f" * 16

_BITS: Final = struct.Struct(">d")
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def ordered_text(number: float) -> str:
    """Return the text of a number; those beyond the doubles have the text of the infinities."""
    try:
        double = float(number) + 0.0  # of the two zeros, the positive one
    except OverflowError:
        double = float("inf") if number > 0 else float("-inf")
    bits = int.from_bytes(_BITS.pack(double), "big")
    return f"{bits ^ (_ALL if bits & _SIGN else _SIGN):016x}"


def numbers_of(value: Any) -> Any:
    """Return a free value with the texts of its numbers, and without everything else; None if it has no number."""
    if isinstance(value, dict):
        found = {name: kept for name, each in value.items() if (kept := numbers_of(each)) is not None}
        return found or None
    if isinstance(value, list | tuple):
        return [kept for each in value if (kept := numbers_of(each)) is not None] or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ordered_text(value)
    return None
