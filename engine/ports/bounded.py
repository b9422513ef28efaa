"""A cache of bounded size, for whoever remembers what the store holds."""

from typing import Any, Generic, TypeVar

MAX_ENTRIES = 20_000

T = TypeVar("T")


class BoundedCache(Generic[T]):
    """A bounded map; the entry that was put in first is evicted first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._items: dict[Any, T] = {}

    def get(self, key: Any) -> T | None:
        """The entry under `key`."""
        return self._items.get(key)

    def put(self, key: Any, item: T) -> None:
        """Put `item` under `key`."""
        if key not in self._items and len(self._items) >= self._max_entries:
            del self._items[next(iter(self._items))]
        self._items[key] = item

    def drop(self, key: Any) -> None:
        """Remove the entry under `key`."""
        self._items.pop(key, None)
