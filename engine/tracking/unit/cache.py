"""The profiles and sessions that a process has cached. They may be outdated: every commit compares versions."""

from operator import attrgetter
from typing import Any, Self

from msgspec import Struct

from engine.ports.bounded import BoundedCache, WeighedCache, document_weight
from engine.ports.records import Session
from engine.profile.document import Profile

PROFILE_BYTES = 128 * 1024 * 1024  # in memory, about: 20,000 ordinary profiles take a hundred
SESSION_BYTES = 32 * 1024 * 1024


class CachedProfile(Struct, frozen=True):
    """A stored profile and its view, and about how many bytes both take in memory."""

    profile: Profile
    view: dict[str, Any]
    weight: int

    @classmethod
    def of(cls, profile: Profile, view: dict[str, Any]) -> Self:
        """Return the same with its weight."""
        return cls(profile, view, document_weight(view))


class ProfileCache:
    """The profiles and sessions that this process stored or loaded last, each profile once, by its canonical id.

    It is bounded by the bytes that both take in memory.
    """

    def __init__(self, profile_bytes: int = PROFILE_BYTES, session_bytes: int = SESSION_BYTES) -> None:
        self.sessions: WeighedCache[Session] = WeighedCache(document_weight, session_bytes)
        self.profiles: WeighedCache[CachedProfile] = WeighedCache(attrgetter("weight"), profile_bytes)
        self._canonical: BoundedCache[str] = BoundedCache()  # of ids that are not canonical themselves

    def profile(self, id: str) -> CachedProfile | None:
        """Return the cached profile that `id` leads to."""
        known = self.profiles.get(id) or self.profiles.get(self._canonical.get(id))
        if known is None or known.profile.id == id or id in known.profile.parts:
            return known
        return None  # it has been unmerged since

    def keep(self, known: CachedProfile, asked: str | None = None) -> None:
        """Cache a profile, for all its ids and the one that was `asked` for."""
        profile = known.profile
        self.profiles.put(profile.id, known)
        for id in (*(profile.parts if len(profile.parts) > 1 else ()), asked):
            if id is not None and id != profile.id:
                self.profiles.drop(id)
                self._canonical.put(id, profile.id)

    def update(self, session: Session | None, known: CachedProfile | None, asked: str | None) -> None:
        """Cache the documents of a unit that has been committed."""
        if session is not None and session.version:
            self.sessions.put((session.source, session.id), session)
        if known is not None:
            self.keep(known, asked)

    def forget(self, session: tuple[str, str] | None, ids: set[str]) -> None:
        """Drop what a conflict has shown to be outdated."""
        if session is not None:
            self.sessions.drop(session)
        for id in ids:
            self.profiles.drop(id)
            self.profiles.drop(self._canonical.get(id))
            self._canonical.drop(id)
