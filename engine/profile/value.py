"""Values: their kinds, the order of plain values, and the form in which objects, lists and sets are stored.

Empty objects, lists and sets do not exist: an object is its leaves, a list its elements, a set its members.
"""

from bisect import bisect_left
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from engine.language.decimals import Exact, Number, nearest_number, plus
from engine.profile.document import LIST_CAP, SET_CAP, Members, Path, Scalar
from engine.profile.operations import Refused

ABSENT: Final[Any] = object()  # no value at all, where None is a value
_ALL_TEXT = frozenset({str})
INTEGERS = range(-(2**63), 2**64)  # as which a set keeps whole floats
INTEGER_DIGITS: Final = 300  # of an integer in a profile; every such integer is also finite as a float
INTEGER_LIMIT: Final = 10**INTEGER_DIGITS
COUNT_LIMIT: Final = INTEGER_LIMIT  # counting stops here, so that every sum is a finite float when it is shown
_LOWEST: Final = -COUNT_LIMIT
LEAST_AMOUNT: Final = 1e-80  # smaller amounts are not counted; so a sum has at most 100 digits after the point


def kind(value: object) -> str:
    """Return the kind of a value, for messages: `text`, `a number`, `an object`, ..."""
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
    """Return a path as authors write it, for messages."""
    return ".".join(f"['{name}']" if "." in name else name for name in path).replace(".[", "[")


def sort_key(value: Scalar) -> tuple[int, Any]:
    """Return a sort key for any plain value; the order is null, false, true, numbers, texts."""
    if type(value) is str:
        return 3, value
    if type(value) is bool:
        return 1, value
    return (0, 0) if value is None else (2, value)


def members(values: Iterable[Scalar]) -> Members:
    """Return the set of some plain values. `true` and `1` are two members, `1` and `1.0` are one."""
    values = list(values)
    if _ALL_TEXT.issuperset(map(type, values)):
        return Members(sorted(set(values)))  # type: ignore[type-var]
    return Members(value for _, value in sorted({sort_key(value): value for value in values}.items()))


def sorted_position(known: Members, member: Scalar) -> tuple[int, bool]:
    """Return the index at which `member` is in a set or would be inserted, and whether the set has it."""
    if type(member) is str and known and type(known[0]) is str:  # texts sort last, so every member is a text
        texts: tuple[Any, ...] = known
        at = bisect_left(texts, member)
        return at, at < len(known) and known[at] == member
    rank = sort_key(member)
    at = bisect_left(known, rank, key=sort_key)
    return at, at < len(known) and sort_key(known[at]) == rank


def plain(value: Scalar, path: Path) -> Scalar:
    """Return a plain value. Raises `Refused` for objects and lists, and for numbers that stores cannot keep exactly."""
    if isinstance(value, float):
        if not isfinite(value):
            raise Refused(f"`{dotted(path)}` would not be a finite number")
    elif isinstance(value, int):
        if not -INTEGER_LIMIT < value < INTEGER_LIMIT:
            raise Refused(f"`{dotted(path)}` would be an integer of more than {INTEGER_DIGITS} digits")
    elif value is not None and not isinstance(value, str):
        raise Refused(f"`{dotted(path)}` takes a plain value, not {kind(value)}")
    return value


def member(value: Scalar, path: Path) -> Scalar:
    """Return a set's member in its stored form: an integer where possible, so that `1` and `1.0` are one member."""
    if type(value) is str:
        return value
    value = plain(value, path)
    return int(value) if isinstance(value, float) and value.is_integer() and int(value) in INTEGERS else value


def opaque(value: Any) -> Any:
    """Return a list's element in its stored form: any JSON, kept as it is, except that sets in it become lists."""
    if isinstance(value, dict):
        return {name: opaque(below) for name, below in value.items()}
    return [opaque(below) for below in value] if isinstance(value, list | tuple) else value


def stored_value(value: Any, path: Path) -> Any:
    """Return any JSON in its stored form, without empty objects, lists and sets; ABSENT when nothing is left.

    `path` is for messages. Raises `Refused` for values that a profile cannot store.
    """
    if isinstance(value, dict):
        below = {name: v for name, inner in value.items() if (v := stored_value(inner, (*path, name))) is not ABSENT}
        return below or ABSENT
    if isinstance(value, Members):
        if len(value) > SET_CAP:
            raise Refused(f"`{dotted(path)}` would have more than {SET_CAP} members")
        return members(member(item, path) for item in value) or ABSENT
    if isinstance(value, list | tuple):
        return [opaque(item) for item in value[-LIST_CAP:]] or ABSENT
    return plain(value, path)


def added(now: Exact, by: Number, path: Path) -> Exact:
    """Return `now + by`, exactly.

    Raises `Refused` when `by` is not a finite number or is too small, or when the sum reaches `COUNT_LIMIT`.
    """
    if type(now) is int and type(by) is int:
        if _LOWEST < by < COUNT_LIMIT and _LOWEST < (total := now + by) < COUNT_LIMIT:
            return total
    elif (type(by) is float and LEAST_AMOUNT <= by < COUNT_LIMIT) or _is_countable(by, path):
        sum = plus(now, by)
        if (
            type(sum) is float or _LOWEST < nearest_number(sum) < COUNT_LIMIT
        ):  # a float that is not whole is below 2**53
            return sum
    raise Refused(f"`{dotted(path)}` would be too large to count")


def _is_countable(by: Any, path: Path) -> bool:
    """Return whether an amount is below `COUNT_LIMIT`. Raises `Refused` when it is no finite number, or too small."""
    if type(by) is int:
        return _LOWEST < by < COUNT_LIMIT
    if type(by) is not float:
        raise Refused(f"`{dotted(path)}` is counted by {kind(by)}")
    if not isfinite(by):
        raise Refused(f"`{dotted(path)}` is counted by no finite number")
    if by and -LEAST_AMOUNT < by < LEAST_AMOUNT:
        raise Refused(f"`{dotted(path)}` is counted by {by}, which is too small: count at least {LEAST_AMOUNT}, or 0")
    return _LOWEST < by < COUNT_LIMIT
