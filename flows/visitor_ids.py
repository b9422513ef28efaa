"""Stand-ins: in an event of a case `"{{ phone.id }}"` stands for the profile id that the visitor `phone` was told."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.problem import KeyPath

_WHOLE = re.compile(r"\{\{ *([a-z][a-z0-9_-]*)\.id *\}\}")


def placeholder_ids(value: Any, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """The visitors whose ids are wanted in plain data, with the places."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from placeholder_ids(inner, (*at, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from placeholder_ids(inner, (*at, i))
    elif isinstance(value, str) and (found := _WHOLE.fullmatch(value)):
        yield found[1], at


def replace_placeholders(value: Any, id_of: Callable[[str], str | None]) -> Any:
    """The same data with the ids in place of their stand-ins."""
    if isinstance(value, Mapping):
        return {key: replace_placeholders(inner, id_of) for key, inner in value.items()}
    if isinstance(value, list):
        return [replace_placeholders(inner, id_of) for inner in value]
    found = _WHOLE.fullmatch(value) if isinstance(value, str) else None
    return id_of(found[1]) if found else value
