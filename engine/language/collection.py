"""Filters on lists and objects (some on text too), and the functions that choose among values."""

from decimal import Inexact
from typing import Any

import msgspec

from engine.language import decimals
from engine.language.absent import ABSENT, Unfit
from engine.language.operators import INEXACT, TEXT_CAP, as_text, bounded, capped_text, is_number, kind_of
from engine.language.signature import need_list, need_object, need_text, need_whole


def length(value: Any) -> int:
    """How many characters a text, items a list or keys an object has."""
    if isinstance(value, str | list | tuple | dict):
        return len(value)
    raise Unfit(f"`length` needs text, a list or an object, not {kind_of(value)}")


def first(value: Any) -> Any:
    """The first item of the list; absent when it is empty."""
    items = need_list(value, "first")
    return items[0] if items else ABSENT


def last(value: Any) -> Any:
    """The last item of the list; absent when it is empty."""
    items = need_list(value, "last")
    return items[-1] if items else ABSENT


def section(value: Any, start: Any, end: Any = None) -> Any:
    """The part of a list or text from `start` (0 is the first) to before `end`; negative ones count from the end."""
    if not isinstance(value, str | list | tuple):
        raise Unfit(f"`slice` needs a list or text, not {kind_of(value)}")
    part = value[need_whole(start, "slice") : None if end is None else need_whole(end, "slice")]
    return list(part) if isinstance(part, tuple) else part


def join(value: Any, separator: Any = "") -> str:
    """The list's items as one text, with `separator` between them."""
    between = need_text(separator, "join")
    size, texts = 0, []
    for item in need_list(value, "join"):
        texts.append(as_text(_no_null(item, "join")))
        size += len(texts[-1]) + len(between)
        if size - len(between) > TEXT_CAP:
            return capped_text(None)
    return between.join(texts)


def least(value: Any) -> Any:
    """The smallest of a list of numbers, or of texts; absent when it is empty."""
    items = _of_one_kind(value, "min")
    return min(items) if items else ABSENT


def greatest(value: Any) -> Any:
    """The largest of a list of numbers, or of texts; absent when it is empty."""
    items = _of_one_kind(value, "max")
    return max(items) if items else ABSENT


def smallest(first: Any, second: Any, *others: Any) -> Any:
    """The smallest of several numbers, or texts."""
    return min(_of_one_kind([first, second, *others], "min"))


def largest(first: Any, second: Any, *others: Any) -> Any:
    """The largest of several numbers, or texts."""
    return max(_of_one_kind([first, second, *others], "max"))


def total(value: Any) -> Any:
    """The sum of a list of numbers, calculated exactly; 0 when it is empty."""
    items = need_list(value, "sum")
    if not all(map(is_number, items)):
        raise Unfit("`sum` needs a list of numbers only")
    try:
        return bounded(decimals.sum_of(items), "sum")
    except Inexact:
        raise Unfit(INEXACT.format("sum")) from None
    except ArithmeticError:
        raise Unfit("the result of `sum` is too large") from None


def ordered(value: Any) -> list[Any]:
    """A list of numbers, or of texts, in ascending order."""
    return sorted(_of_one_kind(value, "sort"))


def unique(value: Any) -> list[Any]:
    """The list without repeats, in the order of first appearance."""
    by_identity: dict[Any, Any] = {}
    for item in need_list(value, "unique"):
        by_identity.setdefault(_identity(item), item)
    return list(by_identity.values())


def keys(value: Any) -> list[str]:
    """The object's keys."""
    return list(need_object(value, "keys"))


def values(value: Any) -> list[Any]:
    """The object's values."""
    return list(need_object(value, "values").values())


def pairs(value: Any) -> list[dict[str, Any]]:
    """The object's entries in their order, each an object `{key, value}`."""
    return [{"key": key, "value": inner} for key, inner in need_object(value, "pairs").items()]


def default(value: Any, fallback: Any) -> Any:
    """The value, or `fallback` where it is absent or null."""
    return fallback if value is ABSENT or value is None else value


def _no_null(item: Any, name: str) -> Any:
    if item is None:
        raise Unfit(f"`{name}` needs items that are not null")
    return item


def _of_one_kind(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    items = need_list(value, name)
    if all(map(is_number, items)) or all(isinstance(item, str) for item in items):
        return items
    raise Unfit(f"`{name}` needs numbers only, or texts only")


def _identity(item: Any) -> Any:
    """Return a key that equal items share. `true` is not 1; lists and objects are compared by their contents."""
    if item is None or isinstance(item, str | bool) or is_number(item):
        return isinstance(item, bool), item
    try:
        return msgspec.json.encode(item, order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        raise Unfit(f"`unique` cannot compare {kind_of(item)}") from None
