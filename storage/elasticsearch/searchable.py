"""Free values as they can be searched: the same values, except those that a `flattened` field would refuse.

Such a field takes any keys and types, but no key with a NUL, no depth beyond 20 and no term of 32 KiB. Searches do not
find the values that are left out here; the document has the exact record, too.
"""

from typing import Any

from msgspec import Raw

from storage.encoding import encode

DEEPEST = 18
LONGEST_PATH = 2000  # characters of a key with those above it
SMALL = 8000  # bytes in which no key and no value can be too long


def searchable(tree: Any) -> Raw:
    """Free values for a `flattened` field, encoded."""
    encoded = encode(tree)
    if len(encoded) < SMALL and b"\\u0000" not in encoded and encoded.count(b"{") + encoded.count(b"[") < DEEPEST:
        return Raw(encoded)
    return Raw(encode(_cut(tree, DEEPEST, LONGEST_PATH)))


def _cut(value: Any, deeper: int, room: int) -> Any:
    if isinstance(value, dict):
        if not deeper:
            return None
        kept = {key: each for key, each in value.items() if "\0" not in key and len(key) < room}
        return {key: _cut(each, deeper - 1, room - len(key)) for key, each in kept.items()}
    if isinstance(value, list | tuple):
        return [_cut(each, deeper - 1, room) for each in value] if deeper else None
    return value
