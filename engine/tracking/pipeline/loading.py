"""Loading: what a unit starts from, from its line, this process's memory or the store.

And who is not to come back: what comes under ids that nobody has may be of somebody who has been forgotten.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from engine.ports.ids import derived_id
from engine.ports.records import Session
from engine.ports.resolve import profile_at
from engine.ports.store import Conflict, Store
from engine.ports.tombstone import of_profile, of_session
from engine.profile.declared import Fields
from engine.profile.document import new_profile
from engine.profile.fold import fold
from engine.profile.profile_view import shown
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.profile_queue import Ahead
from engine.tracking.unit.cache import Known, KnownProfile
from engine.tracking.unit.request import Request

FORGOTTEN = (
    "whom this session and profile belonged to has been forgotten, and nothing was kept of this payload: "
    "drop both ids, and begin anew only if your visitor wants that"
)


class Loaded(Struct, frozen=True):
    """What a unit starts from. `acting` is the id under which it acts; the profile may have another one by now."""

    session: Session | None
    known: KnownProfile | None
    acting: str | None


class Loading:
    """Loads for one tracker. `fields` gives the declared rules; `secret` is the store's, once that has been asked."""

    def __init__(self, store: Store, known: Known, fields: Callable[[], Fields]) -> None:
        self._store = store
        self._known = known
        self._fields = fields
        self.secret = b""

    def at_hand(self, request: Request, ahead: Ahead | None) -> Loaded | None:
        """What `load` gives, where it is all remembered: a session that has come before, and its profile."""
        intake = request.intake
        if intake.session is None or intake.profile_less:
            return None
        name = intake.source, intake.session
        session = (ahead.sessions.get(name) if ahead is not None else None) or self._known.sessions.get(name)
        if session is None or session.profile is None:
            return None
        known = self._remembered(session.profile, ahead)
        if known is None or (intake.profile is not None and intake.profile not in known.person.ids):
            return None
        return Loaded(session, known, session.profile)

    async def load(self, request: Request, ahead: Ahead | None) -> Loaded:
        """What the unit starts from: what is ahead in its line, what this process remembers, or what is stored."""
        intake = request.intake
        if not request.events and intake.profile is not None:
            looked_at = self._remembered(intake.profile, ahead) or await self._stored(intake.profile)
            return Loaded(None, looked_at, looked_at.person.id if looked_at else None)
        session = await self._session(request, ahead) if intake.session is not None else None
        strange = _strange(self.secret, session)
        if intake.profile_less:
            strange += [of_profile(self.secret, intake.profile)] if intake.profile is not None else []
            await self._not_forgotten(strange)
            return Loaded(session, None, None)
        acting = session.profile if session is not None else None
        if acting is None and intake.profile is not None:
            if await self._exists(intake.profile, ahead):
                acting = intake.profile
            else:
                strange.append(of_profile(self.secret, intake.profile))
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
            strange.append(of_profile(self.secret, acting))
            person = new_profile(acting, request.now)
            known = KnownProfile(person, shown(person, fold(person)))
        if session is not None and session.profile and intake.profile not in (None, *known.person.ids):
            strange.append(of_profile(self.secret, str(intake.profile)))  # the session won: it is somebody else's
        if strange:
            await self._not_forgotten(strange)
        return Loaded(session, known, acting)

    async def not_late(self, intake: Intake) -> None:
        """Refuse a payload of which nothing is looked up, if it is of somebody who has been forgotten."""
        tombstones = [of_session(self.secret, (intake.source, intake.session))] if intake.session is not None else []
        tombstones += [of_profile(self.secret, intake.profile)] if intake.profile is not None else []
        await self._not_forgotten(tombstones)

    async def _not_forgotten(self, tombstones: list[str]) -> None:
        """Refuse a payload that comes under ids nobody has, if any of them was of somebody who has been forgotten."""
        looks = [self._store.key(name) for name in tombstones]
        found = [await looks[0]] if len(looks) == 1 else await asyncio.gather(*looks)
        if any(key is not None for key in found):
            raise Refusal("forgotten", FORGOTTEN)

    async def _session(self, request: Request, ahead: Ahead | None) -> Session:
        name = request.intake.source, request.intake.session or ""
        session = ahead.sessions.get(name) if ahead is not None else None
        return session or self._known.sessions.get(name) or await self._stored_session(request)

    async def _stored_session(self, request: Request) -> Session:
        source, id = request.intake.source, request.intake.session or ""
        session = await self._store.session(source, id)
        if session is None:
            return Session(
                source, id, request.now, properties=request.intake.properties, context=request.intake.context
            )
        self._known.sessions.put((source, id), session)
        return session

    def _remembered(self, id: str, ahead: Ahead | None) -> KnownProfile | None:
        if ahead is not None and id in ahead.known.person.ids:
            return ahead.known
        return self._known.profile(id)

    async def _stored(self, id: str) -> KnownProfile | None:
        person = await profile_at(self._store, id)
        if person is None:
            return None
        known = KnownProfile(person, shown(person, fold(person, self._fields())))
        self._known.keep(known, id)
        return known

    async def _exists(self, id: str, ahead: Ahead | None) -> bool:
        return self._remembered(id, ahead) is not None or await self._stored(id) is not None


def _strange(secret: bytes, session: Session | None) -> list[str]:
    """The tombstone that there may be of a session that nobody has."""
    if session is None or session.version:
        return []
    return [of_session(secret, (session.source, session.id))]
