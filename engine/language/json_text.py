"""JSON that stands in a text."""

from typing import Any, Final

import msgspec

from engine.language.absent import Unfit
from engine.language.operators import TEXT_CAP
from engine.language.signature import need_text

JSON_DEPTH: Final = 50  # levels of lists and objects


def from_json(value: Any) -> Any:
    """The value that a JSON text stands for, of at most 50 levels."""
    text = need_text(value, "from_json")
    if len(text) > TEXT_CAP:
        raise Unfit(f"`from_json` reads at most {TEXT_CAP:,} characters")
    try:
        read = msgspec.json.decode(text)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise Unfit(f"`from_json` needs JSON, not {text[:40]!r}") from None
    if nests_deeper(read, JSON_DEPTH):
        raise Unfit(f"`from_json` reads at most {JSON_DEPTH} levels")
    return read


def nests_deeper(value: Any, levels: int) -> bool:
    """Return whether plain data has objects and lists on more than `levels` levels."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
