"""Lists of authors, in which one value alone stands for a list of one."""

from typing import Any

from engine.problem import KeyPath


def listed(raw: Any, at: KeyPath) -> list[tuple[Any, KeyPath]]:
    """The items of a list that stands at `at`, or the one value that stands there; each with its place."""
    return [(item, (*at, i)) for i, item in enumerate(raw)] if isinstance(raw, list) else [(raw, at)]
