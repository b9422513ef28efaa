"""Loading: what a unit starts from, from its line, this process's memory or the store.

And who is not to come back: what comes under ids that nobody has may be of somebody who has been forgotten.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from engine.ports.ids import derived_id
from engine.ports.records import Session
from engine.ports.resolve import resolve_profile
from engine.ports.store import Conflict, Store
from engine.ports.tombstone import profile_tombstone, session_tombstone
from engine.profile.declared import Fields
from engine.profile.document import new_profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.profile_queue import UncommittedState
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.request import UnitRequest

FORGOTTEN = (
    "whom this session and profile belonged to has been forgotten, and nothing was kept of this payload: "
    "drop both ids, and begin anew only if your visitor wants that"
)


class Loaded(Struct, frozen=True):
    """What a unit starts from. `acting` is the id under which it acts; the profile may have another one by now."""

    session: Session | None
    known: CachedProfile | None
    acting: str | None


class Loading:
    """Loads for one tracker. `fields` gives the declared rules; `secret` is the store's, once that has been asked."""

    def __init__(self, store: Store, known: ProfileCache, fields: Callable[[], Fields]) -> None:
        self._store = store
        self._known = known
        self._fields = fields
        self.secret = b""

    def at_hand(self, request: UnitRequest, ahead: UncommittedState | None) -> Loaded | None:
        """What `load` gives, where it is all remembered: a session that has come before, and its profile."""
        intake = request.intake
        if intake.session is None or intake.profile_less:
            return None
        name = intake.source, intake.session
        session = (ahead.sessions.get(name) if ahead is not None else None) or self._known.sessions.get(name)
        if session is None or session.profile is None:
            return None
        known = self._remembered(session.profile, ahead)
        if known is None or (intake.profile is not None and intake.profile not in known.profile.ids):
            return None
        return Loaded(session, known, session.profile)

    async def load(self, request: UnitRequest, ahead: UncommittedState | None) -> Loaded:
        """What the unit starts from: what is ahead in its line, what this process remembers, or what is stored."""
        intake = request.intake
        if not request.events and intake.profile is not None:
            looked_at = self._remembered(intake.profile, ahead) or await self._stored(intake.profile)
            return Loaded(None, looked_at, looked_at.profile.id if looked_at else None)
        session = await self._session(request, ahead) if intake.session is not None else None
        strange = _strange(self.secret, session)
        if intake.profile_less:
            strange += [profile_tombstone(self.secret, intake.profile)] if intake.profile is not None else []
            await self._not_forgotten(strange)
            return Loaded(session, None, None)
        acting = session.profile if session is not None else None
        if acting is None and intake.profile is not None:
            if await self._exists(intake.profile, ahead):
                acting = intake.profile
            else:
                strange.append(profile_tombstone(self.secret, intake.profile))
        if acting is None:
            acting = derived_id(self.secret, intake.source, intake.session or "")
        known = self._remembered(acting, ahead)
        if known is None:
            known = await self._stored(acting)
            if session is not None:  # again: it may have been written with the profile that was read after it
                session = await self._stored_session(request)
                if session.profile is not None and session.profile != acting:
                    raise Conflict("session", session.id)
        if known is None:
            strange.append(profile_tombstone(self.secret, acting))
            profile = new_profile(acting, request.now)
            known = CachedProfile(profile, profile_view(profile, fold(profile)))
        if session is not None and session.profile and intake.profile not in (None, *known.profile.ids):
            strange.append(
                profile_tombstone(self.secret, str(intake.profile))
            )  # the session won: it is somebody else's
        if strange:
            await self._not_forgotten(strange)
        return Loaded(session, known, acting)

    async def not_late(self, intake: Intake) -> None:
        """Refuse a payload of which nothing is looked up, if it is of somebody who has been forgotten."""
        tombstones = (
            [session_tombstone(self.secret, (intake.source, intake.session))] if intake.session is not None else []
        )
        tombstones += [profile_tombstone(self.secret, intake.profile)] if intake.profile is not None else []
        await self._not_forgotten(tombstones)

    async def _not_forgotten(self, tombstones: list[str]) -> None:
        """Refuse a payload that comes under ids nobody has, if any of them was of somebody who has been forgotten."""
        looks = [self._store.key(name) for name in tombstones]
        found = [await looks[0]] if len(looks) == 1 else await asyncio.gather(*looks)
        if any(key is not None for key in found):
            raise Refusal("forgotten", FORGOTTEN)

    async def _session(self, request: UnitRequest, ahead: UncommittedState | None) -> Session:
        name = request.intake.source, request.intake.session or ""
        session = ahead.sessions.get(name) if ahead is not None else None
        return session or self._known.sessions.get(name) or await self._stored_session(request)

    async def _stored_session(self, request: UnitRequest) -> Session:
        source, id = request.intake.source, request.intake.session or ""
        session = await self._store.session(source, id)
        if session is None:
            return Session(
                source, id, request.now, properties=request.intake.properties, context=request.intake.context
            )
        self._known.sessions.put((source, id), session)
        return session

    def _remembered(self, id: str, ahead: UncommittedState | None) -> CachedProfile | None:
        if ahead is not None and id in ahead.known.profile.ids:
            return ahead.known
        return self._known.profile(id)

    async def _stored(self, id: str) -> CachedProfile | None:
        profile = await resolve_profile(self._store, id)
        if profile is None:
            return None
        known = CachedProfile(profile, profile_view(profile, fold(profile, self._fields())))
        self._known.keep(known, id)
        return known

    async def _exists(self, id: str, ahead: UncommittedState | None) -> bool:
        return self._remembered(id, ahead) is not None or await self._stored(id) is not None


def _strange(secret: bytes, session: Session | None) -> list[str]:
    """The tombstone that there may be of a session that nobody has."""
    if session is None or session.version:
        return []
    return [session_tombstone(secret, (session.source, session.id))]
