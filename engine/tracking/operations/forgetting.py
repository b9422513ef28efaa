"""Forgetting: all that is stored of a profile is erased, for good.

First its ids and sessions are buried (`forgotten.py`): what arrives late is refused from then on, and so is what was
under way. Then its documents go, those of the profile itself by compare-and-set, so that nothing is committed on top of
them. What others were just writing may come after that, so it is looked for again until nothing has been found for
`quiet_ms`; and at last it is seen to that nothing is left in the store's files.

A forgetting is kept as a note with the ids and sessions that it is about, so that anybody may go on with one whose
process has ended: whoever is at it says so there, now and then. Once nothing is found any more they are gone from
there, too.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

from msgspec import Struct, json, structs

from engine.ports import tombstone
from engine.ports.erasure import DataSubject, Erased, SessionName
from engine.ports.resolve import require_profile, resolve_profile
from engine.ports.store import Conflict, Contention, Store, Unavailable
from engine.ports.world import Clock
from engine.profile.document import Profile
from engine.project.project import Project
from engine.project.source import SYSTEM_SOURCE
from engine.tracking.pipeline.tracker import Tracker

T = TypeVar("T")

NOTE: Final = "forgetting "
MARGIN_MS: Final = 10_000  # by which a request may take longer than its look-ups: stores are asked again, too
PAUSE_SECONDS: Final = 1.0  # between two looks for what is left
SIGN_SECONDS: Final = 10.0  # between two signs of life, of whoever waits for the store
MAX_TRIES: Final = 50  # to erase a document that moves
ONE: Final = Erased(profiles=1)


class Forgetting(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One forgetting, as it is kept and told. Times are in ms."""

    id: str
    asked: int
    ids: tuple[str, ...] = ()  # of the profile; none any more once nothing of it is found
    sessions: tuple[SessionName, ...] = ()  # the same of its sessions: source and id
    worked: int = 0  # when somebody last went on with it
    erased: Erased = Erased()
    complete: int | None = None

    @property
    def status(self) -> str:
        """`erasing` or `complete`."""
        return "erasing" if self.complete is None else "complete"


ReportProgress = Callable[[Forgetting], None]


def ignore_progress(forgetting: Forgetting) -> None:
    """Tells nobody."""


def quiet_ms(project: Project) -> int:
    """For how long nothing must be found: longer than any request takes, which may have been shown the profile."""
    return MARGIN_MS + max([source.answer_within for source in (SYSTEM_SOURCE, *project.sources.values())])


class Forgetter:
    """Forgets profiles of one store; with a `tracker`, in turn with the units of its profiles. Raises `Unavailable`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tracker: Tracker | None = None,
        *,
        quiet_ms: int,
        pause: float = PAUSE_SECONDS,
        sign: float = SIGN_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tracker = tracker
        self._quiet_ms = quiet_ms
        self._pause = pause
        self._sign = sign

    async def begin(self, id: str, name: str) -> Forgetting:
        """Begin to forget the profile that `id` leads to, as the forgetting `name`: nothing of it is taken any more.

        Raises `NotFound` when nobody has the id.
        """
        profile = await require_profile(self._store, id)
        now = self._clock.now()
        begun = Forgetting(id=name, asked=now, ids=tuple(sorted({id, profile.id, *profile.ids})), worked=now)
        await self._keep(begun)
        await self._bury(frozenset(begun.ids))
        return begun

    async def finish(self, begun: Forgetting, tell: ReportProgress = ignore_progress) -> Forgetting:
        """Go on with a forgetting until it is complete. `tell` is called as often as there is something new."""
        going, quiet_at = begun, begun.worked + self._quiet_ms
        while going.ids:
            at, before = self._clock.now(), going.erased
            going = await self._pass(going)
            found = going.erased != before
            if found:
                quiet_at = self._clock.now() + self._quiet_ms
            elif at >= quiet_at:
                going = structs.replace(going, ids=(), sessions=())
            going = await self._keep(structs.replace(going, worked=self._clock.now()))
            tell(going)
            if going.ids and not found:
                await asyncio.sleep(self._pause)
        if begun.complete is None:  # else by somebody else meanwhile: what is noted here is to leave the files as well
            await self._alive(going, self._store.expunge())
            going = await self._keep(structs.replace(going, complete=self._clock.now()))
            tell(going)
        return going

    async def all(self) -> list[Forgetting]:
        """All forgettings, the newest first."""
        notes = await self._store.notes(NOTE)
        return sorted([_decode(doc) for doc in notes.values()], key=lambda one: (-one.asked, one.id))

    async def one(self, name: str) -> Forgetting | None:
        """A forgetting by its name."""
        doc = await self._store.note(NOTE + name)
        return None if doc is None else _decode(doc)

    async def left(self, for_ms: int) -> list[Forgetting]:
        """Those that are not complete, and that nobody has gone on with for so long."""
        before = self._clock.now() - for_ms
        return [one for one in await self.all() if one.complete is None and one.worked < before]

    # ---- one look for what is left ----------------------------------------------------------------------------------

    async def _pass(self, going: Forgetting) -> Forgetting:
        """Erase what there is now."""
        going = await self._removed(going)
        subject = DataSubject(frozenset(going.ids), frozenset(going.sessions))
        found = await self._alive(going, self._store.erase(subject))
        if self._tracker is not None:
            for session in subject.sessions:
                self._tracker.cache.forget(session, set())
            self._tracker.cache.forget(None, set(subject.ids))
        return structs.replace(going, erased=going.erased + found)

    async def _removed(self, going: Forgetting) -> Forgetting:
        """Erase the profile's documents, until none is left when it is known what belongs to them."""
        for _ in range(MAX_TRIES):
            going = await self._met(going)
            ids = frozenset(going.ids)
            stored = await self._store.as_stored(going.ids)
            if not stored:
                return going
            with suppress(Conflict):
                await self._check_whole(stored.values(), ids)
                for profile in sorted(stored.values(), key=_living_first):
                    if await self._remove(profile, ids):
                        going = structs.replace(going, erased=going.erased + ONE)
        await self._keep(going)
        raise Contention(f"the profile's documents moved {MAX_TRIES} times while they were erased")

    async def _met(self, going: Forgetting) -> Forgetting:
        """Learn what belongs to the profile by now. That is kept before anything of it goes: it leads to the rest."""
        subject = await self._bury(await self._whole(frozenset(going.ids)))
        ids = tuple(sorted(subject.ids.union(going.ids)))
        sessions = tuple(sorted(subject.sessions.union(going.sessions)))
        if (ids, sessions) == (going.ids, going.sessions):
            return going
        return await self._keep(structs.replace(going, ids=ids, sessions=sessions, worked=self._clock.now()))

    async def _whole(self, ids: frozenset[str]) -> frozenset[str]:
        """The ids, with those that they have been merged with meanwhile: what joined them made them one person."""
        found = set(ids)
        for id in sorted(ids):
            profile = await resolve_profile(self._store, id)
            found |= {profile.id, *profile.ids} if profile is not None else set()
        return frozenset(found)

    async def _bury(self, ids: frozenset[str]) -> DataSubject:
        """Refuse from now on what comes under these ids or their sessions; gives what belongs to them."""
        secret = await self._store.secret()
        await tombstone.write_tombstones(self._store, [tombstone.profile_tombstone(secret, id) for id in sorted(ids)])
        subject = await self._store.data_subject(ids)
        names = [tombstone.profile_tombstone(secret, id) for id in sorted(subject.ids - ids)]
        names += [tombstone.session_tombstone(secret, session) for session in sorted(subject.sessions)]
        await tombstone.write_tombstones(self._store, names)
        return subject

    async def _check_whole(self, people: Iterable[Profile], ids: frozenset[str]) -> None:
        """Raises `Conflict` when a tombstone leads to somebody with other ids: they were merged a moment ago."""
        for profile in people:
            if profile.merged_into is not None and profile.merged_into not in ids:
                living = await resolve_profile(self._store, profile.id)
                if living is not None and not ids.issuperset(living.ids):
                    raise Conflict("profile", profile.id)

    async def _remove(self, profile: Profile, ids: frozenset[str]) -> bool:
        """Erase a profile's document, or a tombstone, unless somebody else has. Raises `Conflict`."""
        if self._tracker is not None and profile.merged_into is None:
            return await self._remove_served(profile, ids, self._tracker)
        await self._store.remove(profile.id, profile.version)
        return True

    async def _remove_served(self, profile: Profile, ids: frozenset[str], tracker: Tracker) -> bool:
        """Erase a profile's document in turn with its units: they never move it on meanwhile."""
        line, _ = await tracker.queues.acquire(profile.id)
        try:
            await tracker.queues.drained(line)
            now = (await self._store.as_stored((profile.id,))).get(profile.id)
            if now is None:
                return False
            if now.merged_into is not None or not ids.issuperset(now.ids):  # merged a moment ago
                raise Conflict("profile", now.id)
            await self._store.remove(now.id, now.version)
            return True
        finally:
            tracker.cache.forget(None, set(profile.ids))
            tracker.queues.release(line)

    async def _alive(self, going: Forgetting, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what may take long; meanwhile nobody shall take the forgetting for left."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=self._sign)
                if not task.done():
                    with suppress(Unavailable):  # whoever goes on with it, too, does no harm
                        await self._keep(structs.replace(going, worked=self._clock.now()))
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _keep(self, forgetting: Forgetting) -> Forgetting:
        """Keep how it stands, unless somebody else has completed it; gives how it stands then."""
        stored = await self.one(forgetting.id)
        if stored is not None and stored.complete is not None:
            return stored
        await self._store.keep_note(NOTE + forgetting.id, json.encode(forgetting))
        return forgetting


def _living_first(profile: Profile) -> tuple[bool, str]:
    """The tombstones that lead to somebody go last: until then they are found by them."""
    return profile.merged_into is not None, profile.id


_decode = json.Decoder(Forgetting).decode
