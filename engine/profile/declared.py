"""Declared rules: for a path that `fields:` in `headrace.yaml` names, which of several set values shows.

`oldest` goes by commit time. `min` and `max` go by the order of plain values. Null never wins over a value. A
declared path is set and unset, never counted: its rule must give the same in any order and with repetitions.
"""

from collections.abc import Mapping
from typing import Any, Literal

from engine.profile.document import Path, Scalar
from engine.profile.operations import Refused
from engine.profile.value import ABSENT, dotted, kind, order, plain

Rule = Literal["oldest", "min", "max"]
Fields = Mapping[Path, Rule]


def wins(rule: Rule, new: Scalar, old: Scalar) -> bool:
    """Whether a value that is set later takes the place of the one before."""
    if new is None or old is None:
        return old is None
    if rule == "oldest":
        return False
    return order(new) < order(old) if rule == "min" else order(new) > order(old)


def declared(rule: Rule, now: Any, value: Any, path: Path) -> Any:
    """What shows at a declared path after `value` has been set; `now` is what showed before, or ABSENT."""
    value = plain(value, path)
    if now is ABSENT or isinstance(now, dict | list | tuple):
        return value
    if now is not None and value is not None and kind(now) != kind(value):
        raise Refused(f"`{dotted(path)}` is declared `{rule}` and is {kind(now)}, not {kind(value)}")
    return value if wins(rule, value, now) else now


def best(rule: Rule, found: list[tuple[tuple[int, str], Scalar]]) -> tuple[tuple[int, str], Scalar]:
    """Of (stamp, value) pairs, the value that shows; its stamp is the newest, of `oldest` its own."""
    known = [each for each in found if each[1] is not None] or found
    if rule == "oldest":
        return min(known, key=lambda each: each[0])
    extreme = min if rule == "min" else max
    return max(each[0] for each in found), extreme((each[1] for each in known), key=order)
