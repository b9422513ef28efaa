"""Comparing what is wanted with what was found: a map may have more than is wanted, anything else is to be equal."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine.language.absent import ABSENT
from engine.language.path import parse_path, read
from engine.problem import KeyPath
from engine.profile.document import Members


class Difference(Struct, frozen=True):
    """Where what is wanted is not what was found: the keys as they were written, and both values."""

    at: KeyPath
    wanted: Any
    found: Any


def differences(wanted: Any, found: Any, at: KeyPath = ()) -> Iterator[Difference]:
    """Every place at which they differ. Null is wanted where nothing is to be there, or null."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from differences(value, found.get(key, ABSENT), (*at, key))
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        yield from _lists(wanted, found, at)
    elif not _equal(wanted, found):
        yield Difference(at, wanted, found)


def at_paths(wanted: Mapping[str, Any], found: Any) -> Iterator[Difference]:
    """The same for a map whose keys are dotted paths."""
    for text, value in wanted.items():
        yield from differences(value, read(found, parse_path(text)), (text,))


def _lists(
    wanted: list[Any] | tuple[Any, ...], found: list[Any] | tuple[Any, ...], at: KeyPath
) -> Iterator[Difference]:
    if isinstance(found, Members):  # a set: the order of writing does not matter
        if len(wanted) != len(found) or not (_among(wanted, found) and _among(found, wanted)):
            yield Difference(at, wanted, found)
    elif len(wanted) != len(found):
        yield Difference(at, wanted, found)
    else:
        for i, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, (*at, i))


def _among(some: Iterable[Any], others: Collection[Any]) -> bool:
    """Whether each of `some` is one of `others`."""
    return all(any(_equal(one, other) for other in others) for one in some)


def _equal(wanted: Any, found: Any) -> bool:
    if wanted is None:
        return found is None or found is ABSENT
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found)
