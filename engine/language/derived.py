"""Functions that work out something from what the scope holds, by the literal texts in their brackets."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.language import buckets
from engine.language.absent import ABSENT
from engine.language.duration import read_duration
from engine.language.path import Scope, parse_path
from engine.problem import ProblemError

COUNTER = re.compile(r"[a-z][a-z0-9_-]{0,99}")
WRITTEN_AT = "written"  # what the scope holds under this name tells when a path of the profile was written
_ROOTS = ("traits", "pii", "consents")


class Derived(Struct, frozen=True):
    """What such a function gives. `path` is what it reads, for checks; `value` works it out, and never raises.

    `next` tells when the value changes by the passing of time alone, after the scope's `now`; None when it does not.
    """

    path: tuple[str, ...]
    value: Callable[[Scope], Any]
    next: Callable[[Scope], int | None] | None = None


def counted(name: str, window: str) -> Derived:
    """How much `profile.count` has counted under a name within a window: `counted('orders', '7d')`; 0 when nothing."""
    if not COUNTER.fullmatch(name):
        raise ValueError(f"`{name}` is not a counter's name: small letters, digits, - and _")
    span = read_duration(window)
    if span is None:
        raise ValueError(f"`{window}` is not a window: write a whole number and a unit, e.g. '90m', '24h', '7d'")
    buckets.check_window(span)

    def value(scope: Scope) -> Any:
        profile = scope.get("profile")
        if not isinstance(profile, dict):
            return ABSENT
        kept = _buckets(profile, name)
        return buckets.counted(kept, span, scope["now"]) if kept else 0

    def following(scope: Scope) -> int | None:
        profile = scope.get("profile")
        kept = _buckets(profile, name) if isinstance(profile, dict) else None
        return buckets.next_change(kept, span, scope["now"]) if kept else None

    return Derived(("profile", "counters", name), value, following)


def changed_at(path: str) -> Derived:
    """When what is at a path of the profile was last written (ms): `changed_at('traits.tier')`; absent when it is."""
    try:
        names = parse_path(path)
    except ProblemError as error:
        raise ValueError(error.problem.message) from None
    if names[0] == "profile":
        names = names[1:]
    if len(names) < 2 or names[0] not in _ROOTS:
        roots = ", ".join(f"`{root}.…`" for root in _ROOTS)
        raise ValueError(f"`{path}` is not a field of the profile: write one of {roots}")

    def value(scope: Scope) -> Any:
        tell = scope.get(WRITTEN_AT)
        time = tell(scope, names) if tell is not None else None
        return ABSENT if time is None else time

    return Derived(("profile", *names), value)


def _buckets(profile: dict[str, Any], name: str) -> buckets.Buckets | None:
    counters = profile.get("counters")
    return counters.get(name) if isinstance(counters, dict) else None
