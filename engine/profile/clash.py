"""Clashes: the paths at which two profiles that are merged have different values, of which only one can show.

Counters add up and sets and lists are united: these lose nothing, so they never clash.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import json

from engine.profile.document import Clash, Path
from engine.profile.profile_view import WRITABLE
from engine.profile.tree import View, look
from engine.profile.value import dotted

MAX_CLASHES = 10  # that a link lists
MAX_VALUE_LENGTH = 60  # characters of a value that a clash keeps

BothSet = Callable[[Path], bool]


def clashes(left: View, right: View, after: View, both_set: BothSet) -> tuple[Clash, ...]:
    """Return the clashes of two views that were merged into the view `after`.

    `both_set` returns, for a path with two numbers, whether each side set its number rather than counted it.
    """
    found: list[Clash] = []
    for root in WRITABLE:
        for path, a, b in _differing(left.get(root, {}), right.get(root, {}), (root,)):
            if not (_is_number(a) and _is_number(b)) or both_set(path):
                found.append(Clash(dotted(path), _winner(a, b, look(after, path)), _short(a), _short(b)))
    return tuple(found)


def _differing(left: Any, right: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield (path, left value, right value) wherever both sides have a value and the values differ."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for name in left:
            if name in right:
                yield from _differing(left[name], right[name], (*path, name))
    elif type(left) is type(right) and isinstance(left, list | tuple):
        return  # they are united
    elif not _same(left, right):
        yield path, left, right


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _winner(left: Any, right: Any, now: Any) -> Literal["left", "right", "other"]:
    return "left" if _same(now, left) else "right" if _same(now, right) else "other"


def _same(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) is isinstance(right, bool)


def _short(value: Any) -> str:
    text = json.encode(value).decode()
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}… ({len(text)} characters)"
