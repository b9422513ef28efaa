"""Caches of bounded size, for documents that the store holds."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

MAX_ENTRIES = 20_000
VALUE_BYTES = 250  # about what one value of a document takes in memory, beside its text

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


def text_weight(text: bytes | str, comma: Any = b",") -> int:
    """Return about how many bytes a document takes in memory that is this text as JSON, with the view of it."""
    return 2 * len(text) + VALUE_BYTES * text.count(comma)


def document_weight(document: Any) -> int:
    """Return about how many bytes a document takes in memory, with its view. Encoding it is the quickest measure."""
    return text_weight(_encode(document))


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


class WeighedCache(BoundedCache[T]):
    """A dictionary that is bounded by the weights of its entries, too; `bytes` is their sum.

    An item that outweighs the whole cache is not kept.
    """

    __slots__ = ("_max_bytes", "_weigh", "_weights", "bytes")

    def __init__(self, weigh: Callable[[T], int], max_bytes: int, max_entries: int = MAX_ENTRIES) -> None:
        super().__init__(max_entries)
        self._weigh = weigh
        self._max_bytes = max_bytes
        self._weights: dict[Any, int] = {}
        self.bytes = 0

    def put(self, key: Any, item: T) -> None:
        """Put `item` under `key`."""
        if self.get(key) is item:
            return
        weight = self._weigh(item)
        if weight > self._max_bytes:
            self.drop(key)
            return
        self.bytes += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        self[key] = item
        while self.bytes > self._max_bytes or len(self) > self._max_entries:
            self.drop(next(iter(self)))

    def drop(self, key: Any) -> None:
        """Remove the entry under `key`."""
        self.pop(key, None)
        self.bytes -= self._weights.pop(key, 0)
