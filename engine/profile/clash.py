"""Clashes: where two profiles that are joined hold different values, so that only one of them goes on showing.

Counters add up, sets and lists unite: there nothing is lost, and nothing clashes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import json

from engine.profile.document import Clash, Path
from engine.profile.profile_view import WRITABLE
from engine.profile.tree import View, look
from engine.profile.value import dotted

MAX_CLASHES = 10  # that are named
SHORT = 60  # characters of a value

Both = Callable[[Path], bool]


def clashes(left: View, right: View, after: View, both_set: Both) -> tuple[Clash, ...]:
    """The clashes of two views that are one view, `after`, from now on.

    `both_set` says of a path with two numbers whether each was set on its side, rather than counted.
    """
    found: list[Clash] = []
    for root in WRITABLE:
        for path, one, other in _differing(left.get(root, {}), right.get(root, {}), (root,)):
            if not (_is_number(one) and _is_number(other)) or both_set(path):
                shown = _shown(one, other, look(after, path))
                found.append(Clash(dotted(path), shown, _short(one), _short(other)))
    return tuple(found)


def _differing(one: Any, other: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in one:
            if name in other:
                yield from _differing(one[name], other[name], (*path, name))
    elif type(one) is type(other) and isinstance(one, list | tuple):
        return  # they unite
    elif not _same(one, other):
        yield path, one, other


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(one: Any, other: Any, now: Any) -> Literal["left", "right", "other"]:
    return "left" if _same(now, one) else "right" if _same(now, other) else "other"


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def _short(value: Any) -> str:
    text = json.encode(value).decode()
    return text if len(text) <= SHORT else f"{text[:SHORT]}… ({len(text)} characters)"
