"""Values: what kinds there are, how plain ones are ordered, and the form in which an object, list or set is kept.

Empty objects, lists and sets do not exist: an object is its leaves, a list its elements, a set its members.
"""

from bisect import bisect_left
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from engine.language.buckets import Number
from engine.profile.document import LIST_CAP, SET_CAP, Members, Path, Scalar
from engine.profile.operations import Refused

ABSENT: Final[Any] = object()  # "nothing here", where None is a value
_ALL_TEXT = frozenset({str})
INTEGERS = range(-(2**63), 2**64)  # what every store can keep exactly
COUNT_LIMIT = 2**63  # counting stops here, so that sums stay exact integers or finite


def kind(value: object) -> str:
    """What a value is, in the words of a sentence: `text`, `a number`, `an object`, ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "an object"
    return "a set" if isinstance(value, Members) else "a list"


def dotted(path: Path) -> str:
    """A path as authors write it, for messages."""
    return ".".join(f"['{name}']" if "." in name else name for name in path).replace(".[", "[")


def order(value: Scalar) -> tuple[int, Any]:
    """A key that orders all plain values: null, false and true, numbers, texts."""
    if type(value) is str:
        return 3, value
    if type(value) is bool:
        return 1, value
    return (0, 0) if value is None else (2, value)


def members(values: Iterable[Scalar]) -> Members:
    """A set of plain values. `true` and `1` are two members, `1` and `1.0` are one."""
    values = list(values)
    if _ALL_TEXT.issuperset(map(type, values)):
        return Members(sorted(set(values)))  # type: ignore[type-var]
    return Members(value for _, value in sorted({order(value): value for value in values}.items()))


def place(known: Members, member: Scalar) -> tuple[int, bool]:
    """Where `member` stands in a set or belongs in its order, and whether it stands there."""
    if type(member) is str and known and type(known[0]) is str:  # texts come last: all are
        texts: tuple[Any, ...] = known
        at = bisect_left(texts, member)
        return at, at < len(known) and known[at] == member
    rank = order(member)
    at = bisect_left(known, rank, key=order)
    return at, at < len(known) and order(known[at]) == rank


def plain(value: Scalar, path: Path) -> Scalar:
    """A plain value as it is kept; refuses objects and lists, and numbers that JSON cannot hold exactly."""
    if isinstance(value, float):
        if not isfinite(value):
            raise Refused(f"`{dotted(path)}` would not be a finite number")
    elif isinstance(value, int):
        if value not in INTEGERS:
            raise Refused(f"`{dotted(path)}` would be an integer of more than 64 bits")
    elif value is not None and not isinstance(value, str):
        raise Refused(f"`{dotted(path)}` takes a plain value, not {kind(value)}")
    return value


def member(value: Scalar, path: Path) -> Scalar:
    """A set's member as it is kept: a number without a fraction is an integer, so that `1` and `1.0` are one."""
    if type(value) is str:
        return value
    value = plain(value, path)
    return int(value) if isinstance(value, float) and value.is_integer() and int(value) in INTEGERS else value


def opaque(value: Any) -> Any:
    """A list's element: any JSON, nothing in it is interpreted. Sets in it become lists."""
    if isinstance(value, dict):
        return {name: opaque(below) for name, below in value.items()}
    return [opaque(below) for below in value] if isinstance(value, list | tuple) else value


def kept(value: Any, path: Path) -> Any:
    """Any JSON as a profile keeps and shows it, or ABSENT when nothing of it is left."""
    if isinstance(value, dict):
        below = {name: v for name, inner in value.items() if (v := kept(inner, (*path, name))) is not ABSENT}
        return below or ABSENT
    if isinstance(value, Members):
        if len(value) > SET_CAP:
            raise Refused(f"`{dotted(path)}` would have more than {SET_CAP} members")
        return members(member(each, path) for each in value) or ABSENT
    if isinstance(value, list | tuple):
        return [opaque(each) for each in value[-LIST_CAP:]] or ABSENT
    return plain(value, path)


def added(now: Number, by: Number, path: Path) -> Number:
    """The sum of two numbers, within the limit of counting."""
    if type(by) is not int and not (type(by) is float and isfinite(by)):
        raise Refused(f"`{dotted(path)}` is counted by {'no finite number' if type(by) is float else kind(by)}")
    if -COUNT_LIMIT < by < COUNT_LIMIT:
        total = now + by
        if -COUNT_LIMIT < total < COUNT_LIMIT:
            return total
    raise Refused(f"`{dotted(path)}` would be too large to count")
