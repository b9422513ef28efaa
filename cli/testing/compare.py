"""Compares expected with actual values: a map may have keys that are not expected, anything else must be equal."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine.language.absent import ABSENT
from engine.language.path import parse_path, read
from engine.problem import KeyPath
from engine.profile.document import Members


class Difference(Struct, frozen=True):
    """A place at which the expected and the actual value differ: the keys as they are written, and both values."""

    at: KeyPath
    expected: Any
    actual: Any


def differences(expected: Any, actual: Any, at: KeyPath = ()) -> Iterator[Difference]:
    """Yield every place at which the values differ. An expected null matches null and a missing value."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, value in expected.items():
            yield from differences(value, actual.get(key, ABSENT), (*at, key))
    elif isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        yield from _lists(expected, actual, at)
    elif not _equal(expected, actual):
        yield Difference(at, expected, actual)


def differences_at_paths(expected: Mapping[str, Any], actual: Any) -> Iterator[Difference]:
    """Yield the differences for a map whose keys are dotted paths of the actual value."""
    for text, value in expected.items():
        yield from differences(value, read(actual, parse_path(text)), (text,))


def _lists(
    expected: list[Any] | tuple[Any, ...], actual: list[Any] | tuple[Any, ...], at: KeyPath
) -> Iterator[Difference]:
    if isinstance(actual, Members):  # a set: the order in the file does not matter
        if len(expected) != len(actual) or not (_is_subset(expected, actual) and _is_subset(actual, expected)):
            yield Difference(at, expected, actual)
    elif len(expected) != len(actual):
        yield Difference(at, expected, actual)
    else:
        for i, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(one, other, (*at, i))


def _is_subset(some: Iterable[Any], others: Collection[Any]) -> bool:
    """Return whether `others` has an equal value for each of `some`."""
    return all(any(_equal(one, other) for other in others) for one in some)


def _equal(expected: Any, actual: Any) -> bool:
    if expected is None:
        return actual is None or actual is ABSENT
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)
