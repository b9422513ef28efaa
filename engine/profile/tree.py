"""Views: a profile as plain values, and how operations change them.

A view is a tree of dictionaries; a set in it is `Members`, a list is `list`. Views are never changed in place: `change`
copies the dictionaries on the operation's path and shares everything else. A null is shown, but a write at or below it
replaces it, as if there were nothing.
"""

from collections.abc import Callable
from types import NoneType
from typing import Any

from engine.language.decimals import nearest_number
from engine.profile.declared import Fields, declared_value
from engine.profile.document import LIST_CAP, SET_CAP, Members, Path
from engine.profile.operations import Add, Append, Count, Increment, Operation, Refused, Remove, Set, Unset
from engine.profile.rounded_view import RoundedView, sums_of, with_sums
from engine.profile.tally import COUNTERS, with_count
from engine.profile.value import (
    ABSENT,
    INTEGER_LIMIT,
    added,
    dotted,
    kind,
    member,
    opaque,
    sorted_position,
    stored_value,
)

View = dict[str, Any]


def change(view: View, op: Operation, fields: Fields | None = None) -> View:
    """Return the view after one operation. Raises `Refused` when it does not fit the value at its path."""
    after = _CHANGES[type(op)](view, op, fields)
    return after if type(view) is dict or type(op) is Increment else _without_sums(after, op.path)


def look(view: View, path: Path) -> Any:
    """Return the value at `path`, or ABSENT; below a null it is null."""
    at: Any = view
    for name in path:
        if type(at) is not dict and type(at) is not RoundedView:
            return None if at is None else ABSENT
        at = at.get(name, ABSENT)
    return at


def null_at(view: View, path: Path) -> Path:
    """Return the path of the null at or above `path`; there must be one."""
    return next(path[:depth] for depth in range(1, len(path) + 1) if look(view, path[:depth]) is None)


def _set(view: View, op: Set, fields: Fields | None) -> View:
    path, value = op.path, op.value
    if fields and (rule := fields.get(path)):
        value = declared_value(rule, look(view, path), value, path)
    elif type(value) is not str and not (type(value) is int and -INTEGER_LIMIT < value < INTEGER_LIMIT):
        value = stored_value(value, path)
        if value is ABSENT:
            return _clear(view, path)
    top = holder = view.copy()
    for name in path[:-1]:
        below = holder.get(name)
        if type(below) is dict:
            below = below.copy()
        elif below is None:
            below = {}
        else:
            raise _not_an_object(view, path)
        holder[name] = below
        holder = below
    holder[path[-1]] = value
    return top


def _unset(view: View, op: Unset, fields: Fields | None) -> View:
    return _without(view, op.path)


def _increment(view: View, op: Increment, fields: Fields | None) -> View:
    if fields and (rule := fields.get(op.path)):
        raise Refused(f"`{dotted(op.path)}` is declared `{rule}` and is not counted")
    top, holder, name = _open(view, op.path)
    now = holder.get(name)
    if now is None:
        now = 0
    elif not (type(now) is int or type(now) is float):
        raise Refused(f"`{dotted(op.path)}` is {kind(now)}, not a number")
    all_exact = type(view) is dict
    amount = added(now if all_exact else sums_of(view).get(op.path, now), op.by, op.path)
    if all_exact and type(amount) is not str:
        holder[name] = amount
        return top
    holder[name] = nearest_number(amount)
    others = {path: sum for path, sum in sums_of(view).items() if path != op.path}
    return with_sums(top, {**others, op.path: amount} if isinstance(amount, str) else others)


def _without_sums(view: View, written: Path) -> View:
    """Return a view without the exact sums at and below a path that was written."""
    return with_sums(view, {path: sum for path, sum in sums_of(view).items() if path[: len(written)] != written})


def _add(view: View, op: Add, fields: Fields | None) -> View:
    new = member(op.member, op.path)
    top, holder, name = _open(view, op.path)
    known = holder.get(name)
    if known is None:
        holder[name] = Members((new,))
        return top
    if type(known) is not Members:
        raise Refused(f"`{dotted(op.path)}` is {kind(known)}, not a set")
    at, is_member = sorted_position(known, new)
    if is_member:
        return view
    if len(known) >= SET_CAP:
        raise Refused(f"`{dotted(op.path)}` is full: a set takes {SET_CAP} members")
    holder[name] = Members((*known[:at], new, *known[at:]))
    return top


def _remove(view: View, op: Remove, fields: Fields | None) -> View:
    old = member(op.member, op.path)
    _check_objects(view, op.path)
    known = look(view, op.path)
    if known is None or known is ABSENT:
        return view
    if type(known) is not Members:
        raise Refused(f"`{dotted(op.path)}` is {kind(known)}, not a set")
    at, is_member = sorted_position(known, old)
    if not is_member:
        return view
    if len(known) == 1:
        return _without(view, op.path)
    top, holder, name = _open(view, op.path)
    holder[name] = Members((*known[:at], *known[at + 1 :]))
    return top


def _append(view: View, op: Append, fields: Fields | None) -> View:
    top, holder, name = _open(view, op.path)
    known = holder.get(name)
    if known is not None and type(known) is not list:
        raise Refused(f"`{dotted(op.path)}` is {kind(known)}, not a list")
    holder[name] = [*(known or ())[-LIST_CAP + 1 :], opaque(op.value)]
    return top


def _count(view: View, op: Count, fields: Fields | None) -> View:
    counted = view.copy()
    counted[COUNTERS] = with_count(view.get(COUNTERS, {}), op)
    return counted


def _open(view: View, path: Path) -> tuple[View, View, str]:
    """Return a copy of the view, its writable dictionary at the path's parent, and the path's last name."""
    top = holder = view.copy()
    for name in path[:-1]:
        below = holder.get(name)
        if type(below) is dict:
            below = below.copy()
        elif below is None:
            below = {}
        else:
            raise _not_an_object(view, path)
        holder[name] = below
        holder = below
    return top, holder, path[-1]


def _check_objects(view: View, path: Path) -> None:
    """Raise `Refused` for a path that leads through a value which is not an object."""
    at: Any = view
    for name in path[:-1]:
        at = at.get(name)
        if at is None:
            return
        if type(at) is not dict:
            raise _not_an_object(view, path)


def _clear(view: View, path: Path) -> View:
    """Return the view after something empty was set at `path`."""
    _check_objects(view, path)
    return _without(view, null_at(view, path) if look(view, path) is None else path)


def _without(view: View, path: Path) -> View:
    """Return the view without the value at `path` and without the objects that this leaves empty."""
    holders = [view]
    for name in path[:-1]:
        below = holders[-1].get(name)
        if type(below) is not dict:
            return view
        holders.append(below)
    if path[-1] not in holders[-1]:
        return view
    remaining: View = {}
    for holder, name in zip(reversed(holders), reversed(path), strict=True):
        above = holder.copy()
        if remaining:
            above[name] = remaining
        else:
            del above[name]
        remaining = above
    return remaining


def _not_an_object(view: View, path: Path) -> Refused:
    """Return the error for a path that leads through a value which is not an object."""
    above = next(path[:depth] for depth in range(1, len(path)) if type(look(view, path[:depth])) not in _PASSABLE)
    return Refused(f"`{dotted(above)}` is {kind(look(view, above))}, not an object: `{dotted(path)}` lies below it")


_PASSABLE = (dict, NoneType)  # a path may lead through these
_CHANGES: dict[type[Operation], Callable[[View, Any, Fields | None], View]] = {
    Set: _set,
    Unset: _unset,
    Increment: _increment,
    Add: _add,
    Remove: _remove,
    Append: _append,
    Count: _count,
}
