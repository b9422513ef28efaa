"""Answers of targets that look-ups use again: in the memory of one process, bounded in bytes.

They may be personal data. So nothing of them is stored, and all are dropped when a profile is forgotten.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.flow.ask import HttpReply
from engine.ports.bounded import WeighedCache, document_weight

ABOUT_THE_SAME: Final = 0.1  # seconds
CACHE_BYTES: Final = 32 * 1024 * 1024  # in memory, about


class KeptReply(Struct, frozen=True):
    """An answer, when it came and until when it may be used. Times are seconds of a monotonic clock."""

    reply: HttpReply
    at: float
    until: float
    weight: int

    def age_ms(self, now: float) -> int:
        """Return how long ago it came."""
        return max(round((now - self.at) * 1000), 0)


class LookupCache:
    """The answers, by the request that they answer. When it is full, those that came first go first."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._replies: WeighedCache[KeptReply] = WeighedCache(lambda kept: kept.weight, max_bytes)

    def __len__(self) -> int:
        return len(self._replies)

    def find(self, key: bytes) -> KeptReply | None:
        """Return the answer to the request with this key."""
        return self._replies.get(key)

    def keep(self, key: bytes, reply: HttpReply, at: float, until: float) -> None:
        """Keep an answer that came `at` for use `until` then, in place of an earlier one."""
        kept = self._replies.get(key)
        if kept is not None and kept.reply is reply:  # of an equal look-up at the same time
            if until > kept.until + ABOUT_THE_SAME:
                self._replies.put(key, replace(kept, until=until))
            return
        self._replies.drop(key)  # it goes to the end of those that are dropped when the cache is full
        self._replies.put(key, KeptReply(reply, at, until, document_weight(reply.body)))

    def drop_old(self, now: float) -> None:
        """Drop answers that may not be used any more."""
        for key in [key for key, kept in self._replies.items() if kept.until <= now]:
            self._replies.drop(key)

    def clear(self) -> None:
        """Drop all answers."""
        for key in list(self._replies):
            self._replies.drop(key)
