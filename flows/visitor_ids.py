"""Placeholders in the events of a test case: `"{{ phone.id }}"` is the profile id that the visitor `phone` received."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.problem import KeyPath

_PLACEHOLDER = re.compile(r"\{\{ *([a-z][a-z0-9_-]*)\.id *\}\}")


def placeholder_ids(value: Any, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """Yields the visitor and the key path of each placeholder in plain data, which is at `at`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from placeholder_ids(inner, (*at, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from placeholder_ids(inner, (*at, i))
    elif isinstance(value, str) and (placeholder := _PLACEHOLDER.fullmatch(value)):
        yield placeholder[1], at


def replace_placeholders(value: Any, id_of: Callable[[str], str | None]) -> Any:
    """A copy of `value` with each placeholder replaced by the id of its visitor."""
    if isinstance(value, Mapping):
        return {key: replace_placeholders(inner, id_of) for key, inner in value.items()}
    if isinstance(value, list):
        return [replace_placeholders(inner, id_of) for inner in value]
    placeholder = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return id_of(placeholder[1]) if placeholder else value
