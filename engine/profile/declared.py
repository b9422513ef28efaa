"""Declared rules: for a path that `fields:` in `headrace.yaml` names, which of several set values shows.

`oldest` goes by commit time; `min` and `max` go by the order of plain values. A value always wins over null. A declared
path can be set and unset, but not counted: the result of its rule must not depend on order or repetition.
"""

from collections.abc import Mapping
from typing import Any, Literal

from engine.profile.document import Path, Scalar
from engine.profile.operations import Refused
from engine.profile.value import ABSENT, dotted, kind, plain, sort_key

Rule = Literal["oldest", "min", "max"]
Fields = Mapping[Path, Rule]


def wins(rule: Rule, new: Scalar, old: Scalar) -> bool:
    """Return whether a value that is set later replaces the one before."""
    if new is None or old is None:
        return old is None
    if rule == "oldest":
        return False
    return sort_key(new) < sort_key(old) if rule == "min" else sort_key(new) > sort_key(old)


def declared_value(rule: Rule, now: Any, value: Any, path: Path) -> Any:
    """Return the value that shows at a declared path after `value` is set; `now` showed before, or is ABSENT.

    Raises `Refused` when `value` is not plain or not of the same kind as `now`.
    """
    value = plain(value, path)
    if now is ABSENT or isinstance(now, dict | list | tuple):
        return value
    if now is not None and value is not None and kind(now) != kind(value):
        raise Refused(f"`{dotted(path)}` is declared `{rule}` and is {kind(now)}, not {kind(value)}")
    return value if wins(rule, value, now) else now


def best(rule: Rule, candidates: list[tuple[tuple[int, str], Scalar]]) -> tuple[tuple[int, str], Scalar]:
    """Return the (stamp, value) that shows, of at least one; the stamp is the newest, with `oldest` the value's own."""
    known = [candidate for candidate in candidates if candidate[1] is not None] or candidates
    if rule == "oldest":
        return min(known, key=lambda candidate: candidate[0])
    extreme = min if rule == "min" else max
    newest = max(stamp for stamp, _ in candidates)
    return newest, extreme((value for _, value in known), key=sort_key)
