"""The roots that expressions may read, and dotted paths of map keys, such as `traits.revenue` and `traits['a.b'].c`."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.language.absent import ABSENT
from engine.language.refusal import BAD_PATH, TOO_LARGE, refusal

Scope = Mapping[str, Any]
"""Root name -> plain data: dictionaries, lists, tuples (which count as lists), text, numbers, booleans, null.

Everything below must be of exactly these built-in types. Below a root that is None or missing, every path is absent.
"""

ROOTS = frozenset({"event", "session", "profile", "source", "nodes", "now"})
AWAITED_ROOTS = frozenset({"awaited", "event", "profile", "nodes", "now"})  # of a condition about an awaited event

SEGMENT_CAP = 16  # names in one path
TEXT_CAP = 1024  # characters

_NAME = re.compile(r"[^\s.\[\]'\"{}]+")
_QUOTED = re.compile(r"""\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HELP = "join names by dots; write a name that has dots or spaces in quoted brackets: `traits['a.b'].c`"


@lru_cache(maxsize=4096)
def parse_path(text: str) -> tuple[str, ...]:
    """Return the names of a dotted path. Raises `ProblemError` (H204, H208) with the position in `text`."""
    if len(text) > TEXT_CAP:
        raise refusal(TOO_LARGE, f"a path has at most {TEXT_CAP} characters", (TEXT_CAP, len(text)))
    names: list[str] = []
    at = 0
    while at < len(text) or not names:
        if names and text[at] == ".":
            at += 1
        elif names and text[at] != "[":
            raise refusal(BAD_PATH, f"unexpected `{text[at]}` in a path", (at, at + 1), _HELP)
        name, at = _name(text, at, bracket=not names or text[at - 1] != ".")
        names.append(name)
    if len(names) > SEGMENT_CAP:
        raise refusal(TOO_LARGE, f"a path has at most {SEGMENT_CAP} names, this one has {len(names)}", (0, len(text)))
    return tuple(names)


def _name(text: str, at: int, *, bracket: bool) -> tuple[str, int]:
    """Return the name that starts at `at`, and the offset behind it."""
    match = _QUOTED.match(text, at) if bracket else None
    if match:
        quoted = match[1] if match[1] is not None else match[2]
        return _ESCAPED.sub(r"\1", quoted), match.end()
    match = _NAME.match(text, at)
    if match:
        return match[0], match.end()
    if at >= len(text):
        raise refusal(BAD_PATH, "a name is missing at the end of the path", (max(0, at - 1), at), _HELP)
    if text[at] == "[":
        raise refusal(BAD_PATH, "brackets in a path take one quoted name", (at, len(text)), _HELP)
    raise refusal(BAD_PATH, f"a name is missing before `{text[at]}`", (at, at + 1), _HELP)


def show_path(path: Sequence[str | int]) -> str:
    """Return the path as an author would write it; `parse_path` reads it back when all its parts are names."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier():
            text += f".{part}" if text else part
        else:
            quoted = part.replace("\\", "\\\\").replace("'", "\\'")
            text += f"['{quoted}']"
    return text


def read(value: Any, path: Sequence[str | int]) -> Any:
    """Return the value at `path` below `value`, or ABSENT. Texts are dictionary keys, integers list indexes."""
    for part in path:
        if isinstance(part, str):
            if not isinstance(value, dict) or part not in value:
                return ABSENT
        elif not isinstance(value, (list, tuple)) or not -len(value) <= part < len(value):
            return ABSENT
        value = value[part]
    return value
