"""Functions that compute a value from the whole scope; their arguments are literal texts."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.language.absent import ABSENT
from engine.language.buckets import CounterWindow
from engine.language.duration import read_duration
from engine.language.path import Scope, parse_path
from engine.problem import ProblemError

COUNTER = re.compile(r"[a-z][a-z0-9_-]{0,99}")
WRITTEN_AT = "written"  # the scope's function (scope, path) -> time (ms) of the last write of a path, or None
_ROOTS = ("traits", "pii", "consents")


class Derived(Struct, frozen=True):
    """A compiled call of such a function. `path` is the path that it reads, for checks; `value` never raises.

    `next` returns the moment (ms) after the scope's `now` at which time alone changes the value; None if it never does.
    """

    path: tuple[str, ...]
    value: Callable[[Scope], Any]
    next: Callable[[Scope], int | None] | None = None


def counted(name: str, window: str) -> Derived:
    """How much `profile.count` has counted under a name within a window: `counted('orders', '7d')`; 0 if nothing."""
    if not COUNTER.fullmatch(name):
        raise ValueError(f"`{name}` is not a counter's name: small letters, digits, - and _")
    span = read_duration(window)
    if span is None:
        raise ValueError(f"`{window}` is not a window: write a whole number and a unit, e.g. '90m', '24h', '7d'")
    counter = CounterWindow(name, span)
    return Derived(("profile", "counters", name), counter.count, counter.next_change)


def changed_at(path: str) -> Derived:
    """When a field of the profile was last written (ms): `changed_at('traits.tier')`; absent if the field is absent."""
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
        written_at = scope.get(WRITTEN_AT)
        time = written_at(scope, names) if written_at is not None else None
        return ABSENT if time is None else time

    return Derived(("profile", *names), value)
