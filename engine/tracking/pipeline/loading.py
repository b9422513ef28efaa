"""Loading: a unit's session and profile, from its queue's uncommitted state, this process's cache or the store.

Unknown ids are checked against tombstones, so that a forgotten profile cannot return.
"""

import asyncio
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from engine.ports.ids import derived_id
from engine.ports.records import Session
from engine.ports.store import Conflict, Reads
from engine.ports.tombstone import profile_tombstone, session_tombstone
from engine.profile.declared import Fields
from engine.profile.document import Profile, new_profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.project import Settings
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.key_holder import Resolve
from engine.tracking.pipeline.login_loading import LoginLoading
from engine.tracking.pipeline.profile_queue import UncommittedState
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.sender import Login, Sender, sender_of

FORGOTTEN = (
    "the person of this session, profile, visitor or user has been forgotten, and nothing was kept of this payload: "
    "drop these ids, and start with new ones only if your visitor wants that"
)


class Loaded(Struct, frozen=True):
    """The documents that a unit starts from. `acting_id` is the id under which it acts: one of its profile's ids.

    `login` has the links that the sender brings; `former` is the earlier profile of a session that is handed over.
    """

    session: Session | None
    cached: CachedProfile | None
    acting_id: str | None
    login: Login | None = None
    former: Profile | None = None


class Loading:
    """Loads for one pipeline. `settings` returns the project's; `secret` is the store's, once that was read.

    `resolve` returns the profile to which an id leads, settled.
    """

    def __init__(self, store: Reads, cache: ProfileCache, settings: Callable[[], Settings], resolve: Resolve) -> None:
        self._store = store
        self._resolve = resolve
        self._cache = cache
        self._settings = settings
        self._logins = LoginLoading(store, cache, settings, resolve)
        self.secret = b""
        self.found = 0  # times that all documents of a unit were at hand
        self.read = 0  # times that the store had to be asked

    def at_hand(self, request: UnitRequest, uncommitted: UncommittedState | None) -> Loaded | None:
        """Return the same as `load` without reading the store; None unless session and profile are both cached."""
        intake = request.intake
        if intake.session is None or intake.profile_less or request.handed_over is not None:
            return None
        name = intake.source, intake.session
        session = (uncommitted.sessions.get(name) if uncommitted is not None else None) or self._cache.sessions.get(
            name
        )
        if session is None or session.profile is None:
            return None
        if intake.visitor is not None or intake.user is not None:
            return self._sender_at_hand(request, session, uncommitted)
        known = self._cached(session.profile, uncommitted)
        if known is None or (intake.profile is not None and intake.profile not in known.profile.ids):
            return None
        self.found += 1
        return Loaded(session, known, session.profile)

    async def load(self, request: UnitRequest, uncommitted: UncommittedState | None) -> Loaded:
        """Return the documents that a unit starts from. Raises `Conflict`, `Refusal` and `Unavailable`.

        A unit without events never starts from the cache: it may decide to write nothing, and without a commit no
        comparison of versions detects an outdated profile.
        """
        intake = request.intake
        self.read += 1
        if request.resumed is not None:
            return await self._load_resumed(request, uncommitted)
        if not request.events and intake.profile is not None:
            known = _uncommitted(intake.profile, uncommitted) or await self.stored(intake.profile, request.now)
            return Loaded(None, known, known.profile.id if known else None)
        session = await self._session(request, uncommitted) if intake.session is not None else None
        sender = sender_of(intake, request.source, request.handed_over, self._settings().keys, self.secret)
        if sender is not None:
            return await self._load_sender(sender, request, session, uncommitted)
        if intake.profile_less:
            return await self._load_without_profile(intake, session)
        return await self._load_session(request, session, uncommitted)

    async def _load_resumed(self, request: UnitRequest, uncommitted: UncommittedState | None) -> Loaded:
        """Return what a run that has waited goes on with: the profile of its id, and its session if that is still its.

        The cache is not asked, since the unit commits nothing where the run is not to go on.
        """
        resumed = request.resumed
        assert resumed is not None  # noqa: S101  # the caller has checked it
        id, record = resumed.stub.of, resumed.record
        known = _uncommitted(id, uncommitted) or await self.stored(id, request.now)
        if known is None or record is None or record.session is None:
            return Loaded(None, known, id)
        name = record.source, record.session
        session = uncommitted.sessions.get(name) if uncommitted is not None else None
        session = session or await self._store.session(*name)
        theirs = session is not None and session.profile in known.profile.ids
        return Loaded(session if theirs else None, known, id)

    async def _load_without_profile(self, intake: Intake, session: Session | None) -> Loaded:
        unknown = _session_tombstones(self.secret, session)
        unknown += [profile_tombstone(self.secret, intake.profile)] if intake.profile is not None else []
        await self._refuse_tombstones(unknown)
        return Loaded(session, None, None)

    async def _load_session(
        self, request: UnitRequest, session: Session | None, uncommitted: UncommittedState | None
    ) -> Loaded:
        """Return what a sender starts from: the profile of its session, or else of the profile id in the payload."""
        intake, unknown = request.intake, _session_tombstones(self.secret, session)
        acting_id = session.profile if session is not None else None
        if acting_id is None and intake.profile is not None:
            if await self._exists(intake.profile, uncommitted, request.now):
                acting_id = intake.profile
            else:
                unknown.append(profile_tombstone(self.secret, intake.profile))
        if acting_id is None:
            acting_id = derived_id(self.secret, intake.source, intake.session or "")
        known = self._cached(acting_id, uncommitted)
        if known is None:
            known = await self.stored(acting_id, request.now)
            if session is not None:  # again: it may have been written with the profile that was read after it
                session = await self._stored_session(request)
                if session.profile is not None and session.profile != acting_id:
                    raise Conflict("session", session.id)
        if known is None:
            unknown.append(profile_tombstone(self.secret, acting_id))
            profile = new_profile(acting_id, request.now)
            known = CachedProfile.of(profile, profile_view(profile, fold(profile)))
        if session is not None and session.profile and intake.profile not in (None, *known.profile.ids):
            unknown.append(
                profile_tombstone(self.secret, str(intake.profile))
            )  # the session decides: the named id belongs to another profile
        if unknown:
            await self._refuse_tombstones(unknown)
        return Loaded(session, known, acting_id)

    def _sender_at_hand(
        self, request: UnitRequest, session: Session, uncommitted: UncommittedState | None
    ) -> Loaded | None:
        """Return what a sender with a visitor or user starts from, if all is cached and it brings nothing new."""
        sender = sender_of(request.intake, request.source, None, self._settings().keys, self.secret)
        known = self._cached(sender.id, uncommitted) if sender is not None else None
        if sender is None or known is None or not self._logins.brings_nothing(sender, known.profile):
            return None
        self.found += 1
        return Loaded(session, known, sender.id)

    async def _load_sender(
        self, sender: Sender, request: UnitRequest, found: Session | None, uncommitted: UncommittedState | None
    ) -> Loaded:
        """Return what a sender with a visitor or user starts from; `found` is its session."""
        unknown = _session_tombstones(self.secret, found)
        known = self._cached(sender.id, uncommitted) or await self.stored(sender.id, request.now)
        if known is None:
            unknown.append(profile_tombstone(self.secret, sender.id))
            profile = new_profile(sender.id, request.now, user=sender.user, device=sender.device or "")
            known = CachedProfile.of(profile, profile_view(profile, fold(profile)))
        else:
            known = _with_pair(known, sender)
        if unknown:
            await self._refuse_tombstones(unknown)
        login = await self._logins.load(sender, known.profile, self.secret, request.now)
        if login is not None and login.is_one_too_many and not known.profile.version and sender.id != sender.alone:
            alone = structs.replace(sender, id=sender.alone, device=None)
            return await self._load_sender(alone, request, found, uncommitted)
        former = None
        handed_over = request.handed_over
        if handed_over is not None and found is not None and found.version and found.profile != sender.id:
            former = await self._resolve(found.profile or handed_over.device, request.now)
        return Loaded(found, known, sender.id, login, former)

    async def require_current(self, loaded: Loaded) -> None:
        """Raise `Conflict` if a profile is not stored as it was loaded: for a unit that decides and commits nothing."""
        profile = loaded.cached.profile if loaded.cached is not None else None
        if profile is not None:
            stored = (await self._store.as_stored((profile.id,))).get(profile.id)
            if (stored.version if stored is not None else 0) != profile.version:
                self._cache.forget(None, {*profile.ids, *([loaded.acting_id] if loaded.acting_id else [])})
                raise Conflict("profile", profile.id)

    async def refuse_forgotten(self, intake: Intake) -> None:
        """Refuse a payload of which nothing is loaded, if its session or profile has been forgotten."""
        tombstones = (
            [session_tombstone(self.secret, (intake.source, intake.session))] if intake.session is not None else []
        )
        tombstones += [profile_tombstone(self.secret, intake.profile)] if intake.profile is not None else []
        await self._refuse_tombstones(tombstones)

    async def forgotten_of(self, ids: Iterable[str]) -> str | None:
        """Return one of these ids that belonged to a forgotten profile, if there is any. Raises `Unavailable`."""
        todo = sorted(ids)
        found = await asyncio.gather(*[self._store.key(profile_tombstone(self.secret, id)) for id in todo])
        return next((id for id, key in zip(todo, found, strict=True) if key is not None), None)

    async def _refuse_tombstones(self, tombstones: list[str]) -> None:
        """Refuse a payload that comes under unknown ids, if any of them belonged to a forgotten profile."""
        looks = [self._store.key(name) for name in tombstones]
        found = [await looks[0]] if len(looks) == 1 else await asyncio.gather(*looks)
        if any(key is not None for key in found):
            raise Refusal("forgotten", FORGOTTEN)

    async def _session(self, request: UnitRequest, uncommitted: UncommittedState | None) -> Session:
        name = request.intake.source, request.intake.session or ""
        session = uncommitted.sessions.get(name) if uncommitted is not None else None
        return session or self._cache.sessions.get(name) or await self._stored_session(request)

    async def _stored_session(self, request: UnitRequest) -> Session:
        source, id = request.intake.source, request.intake.session or ""
        session = await self._store.session(source, id)
        if session is None:
            return Session(
                source, id, request.now, properties=request.intake.properties, context=request.intake.context
            )
        self._cache.sessions.put((source, id), session)
        return session

    def _cached(self, id: str, uncommitted: UncommittedState | None) -> CachedProfile | None:
        return _uncommitted(id, uncommitted) or self._cache.profiles.get(id) or self._cache.profile(id)

    async def stored(self, id: str, now: int) -> CachedProfile | None:
        """Return the stored profile to which an id leads, at `now` (ms). Raises `Unavailable`."""
        profile = await self._resolve(id, now)
        if profile is None:
            return None
        known = CachedProfile.of(profile, profile_view(profile, fold(profile, self._fields())))
        self._cache.keep(known, id)
        return known

    def _fields(self) -> Fields:
        return self._settings().fields

    async def _exists(self, id: str, uncommitted: UncommittedState | None, now: int) -> bool:
        return self._cached(id, uncommitted) is not None or await self.stored(id, now) is not None


def _with_pair(known: CachedProfile, sender: Sender) -> CachedProfile:
    """Return a stored profile whose part says which pair it is.

    A part that another unit wrote for a commit that was broken off does not say so yet.
    """
    profile, device = known.profile, sender.device or ""
    part = profile.parts.get(sender.id)
    if part is None or (part.user, part.device) == (sender.user, device):
        return known
    whole = structs.replace(part, user=sender.user, device=device)
    parts = {**profile.parts, part.id: whole}
    return CachedProfile(structs.replace(profile, parts=parts), known.view, known.weight)


def _uncommitted(id: str, uncommitted: UncommittedState | None) -> CachedProfile | None:
    return uncommitted.cached if uncommitted is not None and id in uncommitted.cached.profile.ids else None


def _session_tombstones(secret: bytes, session: Session | None) -> list[str]:
    """Return the tombstone name to check for a session that is not stored."""
    if session is None or session.version:
        return []
    return [session_tombstone(secret, (session.source, session.id))]
