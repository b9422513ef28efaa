"""The versions of stored documents that this process has read or written, so that a commit need not read them again.

Nothing here is valid by itself. A profile's document is written by compare-and-set over the position where it was read
or written last; if that succeeds, no other process has committed anything with the profile since. So all that was read
*after* the profile, its sessions and the absence of marks, is still valid. Ticks say what was read after what.
"""

from itertools import count

from msgspec import Struct

from engine.ports.bounded import BoundedCache, WeighedCache, text_weight
from engine.ports.records import Session
from storage.elasticsearch.operation import Written
from storage.elasticsearch.pending_writes import PendingWrites

MAX_ENTRIES = 50_000
MAX_BYTES = 128 * 1024 * 1024  # of profiles' versions, in memory, about; all others are a few numbers each
_VERSION_BYTES = 600  # of one version, beside its pending writes


class CachedVersion(Struct, frozen=True):
    """A profile's document as it was read or written last. `pending` are its entries, `ids` those of its parts.

    `since` is the tick from which on reads return all that had been committed with it.
    """

    version: int
    at: Written | None
    since: int
    pending: tuple[PendingWrites, ...] = ()
    recent: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    rewrites: int = 0


class CachedSession(Struct, frozen=True):
    """A session as it was read at `tick`, or written; version 0 is a claim, or without `profile` no session.

    `tied` is the tick since which it is known to lead to `profile`: marks that were found absent before it may have
    been written with the profile that it led to then.
    """

    version: int
    profile: str | None
    tick: int
    tied: int = 0


def _weight(held: CachedVersion) -> int:
    return _VERSION_BYTES + sum([text_weight(one.text, ",") for one in held.pending])


class VersionCache:
    """Bounded maps; the oldest entries are dropped first."""

    def __init__(self) -> None:
        self._ticks = count(1)
        self._profiles: WeighedCache[CachedVersion] = WeighedCache(_weight, MAX_BYTES, MAX_ENTRIES)
        self._sessions: BoundedCache[CachedSession] = BoundedCache(MAX_ENTRIES)
        self._absent: BoundedCache[int] = BoundedCache(MAX_ENTRIES)

    def tick(self) -> int:
        """A tick, later than all before."""
        return next(self._ticks)

    def profile(self, id: str) -> CachedVersion | None:
        """The cached version of a profile's document."""
        return self._profiles.get(id)

    def hold(self, id: str, held: CachedVersion) -> CachedVersion:
        """Cache a version of a profile's document, unless a newer one is cached; returns the cached one."""
        known = self._profiles.get(id)
        if known is not None and known.at is not None and (held.at is None or known.at.seq_no >= held.at.seq_no):
            return known
        self._profiles.put(id, held)
        return held

    def drop(self, id: str) -> None:
        """Drop a profile's document: the outcome of a write to it is unknown."""
        self._profiles.drop(id)

    def session(self, name: tuple[str, str]) -> CachedSession | None:
        """The cached version of a session."""
        return self._sessions.get(name)

    def see(self, name: tuple[str, str], session: Session | None, tick: int) -> None:
        """Cache a session as it was read; None: there is none."""
        version, profile = (session.version, session.profile) if session is not None else (0, None)
        known = self._sessions.get(name)
        tied = known.tied if known is not None and known.profile == profile else tick
        self._sessions.put(name, CachedSession(version, profile, tick, tied))

    def write(self, session: Session, tick: int) -> None:
        """Cache a session as this process has written it. A new session was tied to no other profile."""
        name = session.source, session.id
        known = self._sessions.get(name)
        tied = known.tied if known is not None and known.profile in (None, session.profile) else tick
        self._sessions.put(name, CachedSession(session.version, session.profile, tick, tied))

    def absent(self, name: tuple[str, str]) -> int:
        """The tick at which a mark was last found absent; 0 if unknown."""
        return self._absent.get(name) or 0

    def miss(self, name: tuple[str, str], tick: int) -> None:
        """Remember that a mark was absent at a tick."""
        self._absent.put(name, tick)

    def mark(self, name: tuple[str, str]) -> None:
        """Forget that a mark was absent: now there is one."""
        self._absent.drop(name)
