"""Calls of a function with sample values: the kinds of its results, and whether it fails for all data.

Functions are pure and bounded, so they can be called while a flow is checked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final

from msgspec import Struct

from engine.language.absent import ABSENT, Unfit
from engine.language.operators import kind_of
from engine.language.signature import Function, prepared_last
from engine.language.tree import Constant

Choices = Sequence[Any]  # for each argument a `Constant`, a set of kinds, or None: any kind

_SAMPLES: Final[Mapping[str, tuple[Any, ...]]] = {
    "a number": (1, 2.5, 0),
    "text": ("a", "1", "2024-01-01", "day", "UTC", "sha256"),
    "a list": (["a"], [1], [], [True], [[1]], [{}]),
    "an object": ({"a": 1}, {}),
    "true or false": (True, False),
    "null": (),  # a call with null is not made
}
_ANY: Final = tuple(sample for samples in _SAMPLES.values() for sample in samples)
_MOST_CALLS: Final = 4_096


class Failure(Struct, frozen=True):
    """A call that fails for all data: the index of the argument that causes it, and the reason."""

    argument: int
    reason: str


def probed_kinds(function: Function, choices: Choices) -> frozenset[str] | None:
    """Return the kinds of a function's results; None when they are not known."""
    if function.any_kind:
        return None
    if any(isinstance(choice, Constant) for choice in choices):
        return _result_kinds(prepared_last(function), choices)
    return _cached_kinds(function.call, tuple(choices))


@lru_cache(maxsize=1024)
def _cached_kinds(call: Callable[..., Any], choices: tuple[Any, ...]) -> frozenset[str] | None:
    return _result_kinds(call, choices)


def _result_kinds(call: Callable[..., Any], choices: Choices) -> frozenset[str] | None:
    values = [_values(choice) for choice in choices]
    if prod(map(len, values)) > _MOST_CALLS:
        return None
    results = [result for _, result in _successes(call, values)]
    return frozenset(kind_of(result) for result in results if result is not ABSENT and result is not None) or None


def failure_of(call: Callable[..., Any], choices: Choices, *, prepared: bool = False) -> Failure | None:
    """Return why `call` fails for all values of these kinds; None when it succeeds for some.

    `prepared` says that the last argument was prepared by the function itself, so it is never the cause.
    """
    if all(choice is None for choice in choices):
        return None
    values = [_values(choice) for choice in choices]
    if not all(values) or prod(map(len, values)) > _MOST_CALLS or next(_successes(call, values), None) is not None:
        return None
    known = [i for i, choice in enumerate(choices[: len(choices) - prepared]) if choice is not None]
    for i in known:  # the cause is an argument without which the call could succeed
        for arguments, _ in _successes(call, [*values[:i], _ANY, *values[i + 1 :]]):
            return Failure(i, _reason(call, [*arguments[:i], values[i][0], *arguments[i + 1 :]]))
    first = known[0] if known else 0
    return Failure(first, _reason(call, [value[0] for value in values]))


def _values(choice: Any) -> tuple[Any, ...]:
    if isinstance(choice, Constant):
        return (choice.value,)
    return _ANY if choice is None else tuple(sample for kind in choice for sample in _SAMPLES.get(kind, ()))


def _successes(call: Callable[..., Any], values: Sequence[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the arguments with which the call succeeds, each with its result."""
    for arguments in product(*values):
        try:
            result = call(*arguments)
        except (Unfit, UnicodeError):
            continue
        yield arguments, result


def _reason(call: Callable[..., Any], arguments: Sequence[Any]) -> str:
    try:
        call(*arguments)
    except Unfit as unfit:
        return unfit.reason
    except UnicodeError:
        pass
    return "a value does not fit"
