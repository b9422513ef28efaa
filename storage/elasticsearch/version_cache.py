"""What this process knows of stored documents, so that a commit need not read them again.

Nothing here is trusted by itself. A profile's document is written by compare-and-set at the place where it was seen
last; if that succeeds, nobody else has committed anything under the profile since. So what was read *after* the
profile, its sessions and the absence of marks, still holds. `ticks` tell what was read after what.
"""

from itertools import count

from msgspec import Struct

from engine.ports.bounded import BoundedCache
from storage.elasticsearch.operation import Written
from storage.elasticsearch.pending_writes import PendingWrites

MAX_ENTRIES = 50_000


class CachedVersion(Struct, frozen=True):
    """A profile's document as it was read or written last. `pending` are its entries, `ids` those it is made of.

    `since` is the tick at which all that had been committed under it was there to be read.
    """

    version: int
    at: Written | None
    since: int
    pending: tuple[PendingWrites, ...] = ()
    recent: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()


class CachedSession(Struct, frozen=True):
    """A session as it was read at `tick`, or written; version 0 is a mere claim, or with no `profile` nothing."""

    version: int
    profile: str | None
    tick: int


class VersionCache:
    """The maps, bounded; what was learned longest ago is forgotten first."""

    def __init__(self) -> None:
        self._ticks = count(1)
        self._profiles: BoundedCache[CachedVersion] = BoundedCache(MAX_ENTRIES)
        self._sessions: BoundedCache[CachedSession] = BoundedCache(MAX_ENTRIES)
        self._absent: BoundedCache[int] = BoundedCache(MAX_ENTRIES)

    def tick(self) -> int:
        """A moment, later than all before."""
        return next(self._ticks)

    def profile(self, id: str) -> CachedVersion | None:
        """What is known of a profile's document."""
        return self._profiles.get(id)

    def hold(self, id: str, held: CachedVersion) -> CachedVersion:
        """Learn where a profile's document stands, unless something newer is known; gives what is known."""
        known = self._profiles.get(id)
        if known is not None and known.at is not None and (held.at is None or known.at.seq_no >= held.at.seq_no):
            return known
        self._profiles.put(id, held)
        return held

    def drop(self, id: str) -> None:
        """Forget a profile's document: what became of a write to it is not known."""
        self._profiles.drop(id)

    def session(self, name: tuple[str, str]) -> CachedSession | None:
        """What is known of a session."""
        return self._sessions.get(name)

    def see(self, name: tuple[str, str], seen: CachedSession) -> None:
        """Learn of a session."""
        self._sessions.put(name, seen)

    def absent(self, name: tuple[str, str]) -> int:
        """When a mark was last seen to be absent, as a tick; 0 when nothing is known."""
        return self._absent.get(name) or 0

    def miss(self, name: tuple[str, str], tick: int) -> None:
        """Learn that a mark was absent."""
        self._absent.put(name, tick)

    def mark(self, name: tuple[str, str]) -> None:
        """Forget that a mark was absent."""
        self._absent.drop(name)
