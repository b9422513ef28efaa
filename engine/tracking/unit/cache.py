"""What a process remembers of profiles and sessions. That is safe: every commit compares versions."""

from typing import Any

from msgspec import Struct

from engine.ports.bounded import BoundedCache
from engine.ports.records import Session
from engine.profile.document import Profile


class CachedProfile(Struct, frozen=True):
    """A stored profile and what it shows."""

    profile: Profile
    view: dict[str, Any]


class ProfileCache:
    """The profiles and sessions that this process saw last. A profile is kept once, under its canonical id."""

    def __init__(self) -> None:
        self.sessions: BoundedCache[Session] = BoundedCache()
        self._profiles: BoundedCache[CachedProfile] = BoundedCache()
        self._canonical: BoundedCache[str] = BoundedCache()  # of ids that are not canonical themselves

    def profile(self, id: str) -> CachedProfile | None:
        """The profile that `id` leads to, as it was seen last."""
        known = self._profiles.get(id) or self._profiles.get(self._canonical.get(id))
        if known is None or known.profile.id == id or id in known.profile.parts:
            return known
        return None  # it has been set apart since

    def keep(self, known: CachedProfile, asked: str | None = None) -> None:
        """Remember a profile, for all its ids and the one that was `asked` for."""
        profile = known.profile
        self._profiles.put(profile.id, known)
        for id in (*(profile.parts if len(profile.parts) > 1 else ()), asked):
            if id is not None and id != profile.id:
                self._profiles.drop(id)
                self._canonical.put(id, profile.id)

    def update(self, session: Session | None, known: CachedProfile | None, asked: str | None) -> None:
        """Remember what a unit has committed."""
        if session is not None and session.version:
            self.sessions.put((session.source, session.id), session)
        if known is not None:
            self.keep(known, asked)

    def forget(self, session: tuple[str, str] | None, ids: set[str]) -> None:
        """Forget what a conflict has shown to be old."""
        if session is not None:
            self.sessions.drop(session)
        for id in ids:
            self._profiles.drop(id)
            self._profiles.drop(self._canonical.get(id))
            self._canonical.drop(id)
