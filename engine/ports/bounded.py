"""A cache of bounded size, for documents that the store holds."""

from typing import Any, TypeVar

MAX_ENTRIES = 20_000

T = TypeVar("T")


class BoundedCache(dict[Any, T]):
    """A bounded dictionary, to be filled by `put` only; the entry that was put in first is evicted first."""

    __slots__ = ("_max_entries",)

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        super().__init__()
        self._max_entries = max_entries

    def put(self, key: Any, item: T) -> None:
        """Put `item` under `key`."""
        if key not in self and len(self) >= self._max_entries:
            del self[next(iter(self))]
        self[key] = item

    def drop(self, key: Any) -> None:
        """Remove the entry under `key`."""
        self.pop(key, None)
