"""The segments that a test file names."""

from collections.abc import Iterator
from typing import Any

from msgspec import UnsetType

from flows.case import CaseFile, Expect, Given


def named_segments(file: CaseFile) -> frozenset[str]:
    """Return the segments whose names are in a test file: those of given profiles and of expectations."""
    given = [name for case in file.cases for name in _given(case.given)]
    expects = [expect for case in file.cases for expect in (case.expect, *(step.expect for step in case.steps))]
    return frozenset([*given, *(name for expect in expects for name in _expected(expect))])


def _given(given: Given) -> Iterator[str]:
    profiles = [*given.profiles.values(), *([] if isinstance(given.profile, UnsetType) else [given.profile])]
    for profile in profiles:
        yield from profile.segments


def _expected(expect: Expect) -> Iterator[str]:
    profiles = [*(expect.profiles.values() if isinstance(expect.profiles, dict) else ()), expect.profile]
    for profile in profiles:
        yield from _names(profile.get("segments")) if isinstance(profile, dict) else ()
    for changes in (expect.entered, expect.left):
        for names in changes.values() if isinstance(changes, dict) else (changes,):
            yield from _names(names)


def _names(value: Any) -> Iterator[str]:
    """Yield the names in a text or a list; none in any other value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (name for name in value if isinstance(name, str))
