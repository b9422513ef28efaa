"""An evaluated expression as parts: its text, cut at the operands whose values the trace knows."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

ABSENT: Final = "absent"


class Part(Struct, frozen=True):
    """A piece of an expression; with `known`, an operand and its value."""

    text: str
    value: Any = None
    known: bool = False


def parts_of(expression: str, values: Mapping[str, Any]) -> list[Part]:
    """Cut an expression at its operands. Those that do not stand in its text follow at the end."""
    names = sorted((name for name in values if name), key=len, reverse=True)
    found: set[str] = set()
    parts = list(_cut(expression, names, values, found)) if names else [Part(expression)]
    others = [name for name in values if name not in found]
    return parts + [Part(name, values[name], known=True) for name in others]


def _cut(expression: str, names: list[str], values: Mapping[str, Any], found: set[str]) -> Iterator[Part]:
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(name)}(?![\w(])" for name in names))
    at = 0
    for match in pattern.finditer(expression):
        if match.start() > at:
            yield Part(expression[at : match.start()])
        found.add(match[0])
        yield Part(match[0], values[match[0]], known=True)
        at = match.end()
    if at < len(expression):
        yield Part(expression[at:])
