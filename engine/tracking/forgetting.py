"""Forgetting: all that is stored of a profile is erased, for good.

First its ids and sessions are buried (`forgotten.py`): what arrives late is refused from then on, and so is what was
under way. Then its documents go, those of the profile itself by compare-and-set, so that nothing is committed on top of
them. What others were just writing may come after that, so it is looked for again until nothing has been found for
`quiet_ms`; and at last it is seen to that nothing is left in the store's files.

A forgetting is kept as a note with the ids and sessions that it is about, so that anybody may go on with one whose
process has ended. Once nothing is found any more they are gone from there, too.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct, json, structs

from engine.profile.document import Profile
from engine.tracking import forgotten
from engine.tracking.erasure import Belongings, Erased
from engine.tracking.forgotten import SessionName
from engine.tracking.ports import Clock, Conflict, Moving, Store
from engine.tracking.tracker import Tracker
from engine.tracking.whose import profile_at, somebody_at

NOTE: Final = "forgetting "
QUIET_MS: Final = 12_000  # a request takes no longer: a look-up may wait for 10 seconds
PAUSE_SECONDS: Final = 1.0  # between two looks for what is left
MOST_TRIES: Final = 50  # to erase a document that moves


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


Tell = Callable[[Forgetting], None]


def untold(forgetting: Forgetting) -> None:
    """Tells nobody."""


class Forgetter:
    """Forgets profiles of one store; with a `tracker`, in turn with the units of its profiles. Raises `Unavailable`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tracker: Tracker | None = None,
        quiet_ms: int = QUIET_MS,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tracker = tracker
        self._quiet_ms = quiet_ms
        self._pause = pause

    async def begin(self, id: str, name: str) -> Forgetting:
        """Begin to forget the profile that `id` leads to, as the forgetting `name`: nothing of it is taken any more.

        Raises `Unknown` when nobody has the id.
        """
        person = await somebody_at(self._store, id)
        now = self._clock.now()
        begun = Forgetting(id=name, asked=now, ids=tuple(sorted({id, person.id, *person.ids})), worked=now)
        await self._keep(begun)
        await self._bury(frozenset(begun.ids))
        return begun

    async def finish(self, begun: Forgetting, tell: Tell = untold) -> Forgetting:
        """Go on with a forgetting until it is complete. `tell` is called as often as there is something new."""
        going, quiet_at = begun, begun.worked + self._quiet_ms
        while going.ids:
            at = self._clock.now()
            going, found = await self._pass(going)
            if found.total:
                quiet_at = self._clock.now() + self._quiet_ms
            elif at >= quiet_at:
                going = structs.replace(going, ids=(), sessions=())
            going = structs.replace(going, worked=self._clock.now(), erased=going.erased + found)
            going = await self._keep(going)
            tell(going)
            if going.ids and not found.total:
                await asyncio.sleep(self._pause)
        if going.complete is None:
            await self._store.expunge()
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

    async def _pass(self, going: Forgetting) -> tuple[Forgetting, Erased]:
        """Erase what there is now."""
        going, removed = await self._removed(going)
        whose = Belongings(frozenset(going.ids), frozenset(going.sessions))
        found = await self._store.erase(whose)
        if self._tracker is not None:
            for session in whose.sessions:
                self._tracker.known.forget(session, set())
            self._tracker.known.forget(None, set(whose.ids))
        return going, Erased(profiles=removed) + found

    async def _removed(self, going: Forgetting) -> tuple[Forgetting, int]:
        """Erase the profile's documents, until none is left when it is known what belongs to them."""
        removed = 0
        for _ in range(MOST_TRIES):
            going = await self._met(going)
            with suppress(Conflict):
                now = await self._remove(frozenset(going.ids))
                if not now:
                    return going, removed
                removed += now
        raise Moving(f"the profile's documents moved {MOST_TRIES} times while they were erased")

    async def _met(self, going: Forgetting) -> Forgetting:
        """Learn what belongs to the profile by now. That is kept before anything of it goes: it leads to the rest."""
        whose = await self._bury(await self._whole(frozenset(going.ids)))
        ids = tuple(sorted(whose.ids.union(going.ids)))
        sessions = tuple(sorted(whose.sessions.union(going.sessions)))
        if (ids, sessions) == (going.ids, going.sessions):
            return going
        return await self._keep(structs.replace(going, ids=ids, sessions=sessions, worked=self._clock.now()))

    async def _whole(self, ids: frozenset[str]) -> frozenset[str]:
        """The ids, with those that they have been merged with meanwhile: what joined them made them one person."""
        found = set(ids)
        for id in sorted(ids):
            person = await profile_at(self._store, id)
            found |= {person.id, *person.ids} if person is not None else set()
        return frozenset(found)

    async def _bury(self, ids: frozenset[str]) -> Belongings:
        """Refuse from now on what comes under these ids or their sessions; gives what belongs to them."""
        secret = await self._store.secret()
        await forgotten.bury(self._store, [forgotten.of_profile(secret, id) for id in sorted(ids)])
        whose = await self._store.belongings(ids)
        names = [forgotten.of_profile(secret, id) for id in sorted(whose.ids - ids)]
        names += [forgotten.of_session(secret, session) for session in sorted(whose.sessions)]
        await forgotten.bury(self._store, names)
        return whose

    async def _remove(self, ids: frozenset[str]) -> int:
        """Erase the documents of profiles, and of the tombstones that lead to them after those. Raises `Conflict`."""
        stored = await self._store.as_stored(tuple(sorted(ids)))
        people = sorted(stored.values(), key=lambda person: (person.merged_into is not None, person.id))
        for person in people:
            if person.merged_into is not None and person.merged_into not in ids:
                living = await profile_at(self._store, person.id)
                if living is not None and not ids.issuperset(living.ids):  # merged a moment ago
                    raise Conflict("profile", person.id)
        for person in people:
            if self._tracker is None or person.merged_into is not None:
                await self._store.remove(person.id, person.version)
            else:
                await self._remove_served(person, ids, self._tracker)
        return len(people)

    async def _remove_served(self, person: Profile, ids: frozenset[str], tracker: Tracker) -> None:
        """Erase a profile's document in turn with its units: they never move it on meanwhile."""
        line, _ = await tracker.lines.take(person.id)
        try:
            await tracker.lines.settled(line)
            now = (await self._store.as_stored((person.id,))).get(person.id)
            if now is None:
                return
            if now.merged_into is not None or not ids.issuperset(now.ids):  # merged a moment ago
                raise Conflict("profile", now.id)
            await self._store.remove(now.id, now.version)
        finally:
            tracker.known.forget(None, set(person.ids))
            tracker.lines.give(line)

    async def _keep(self, forgetting: Forgetting) -> Forgetting:
        """Keep how it stands, unless somebody else has completed it; gives how it stands then."""
        stored = await self.one(forgetting.id)
        if stored is not None and stored.complete is not None:
            return stored
        await self._store.keep_note(NOTE + forgetting.id, json.encode(forgetting))
        return forgetting


_decode = json.Decoder(Forgetting).decode
