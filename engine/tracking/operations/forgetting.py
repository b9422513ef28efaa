"""Forgetting: everything that is stored of a profile is erased, for good.

First tombstones are written for its ids and sessions: from then on, what arrives late or was under way is refused. Then
its documents are erased, those of the profile itself by compare-and-set, so that nothing is committed on top of them.
Units that were just being committed may leave something after that, so the search is repeated until nothing has been
found for `quiet_ms`. At last the store removes the erased data from its files.

A forgetting is stored as a note with the ids and sessions that it is about, so that any process can continue one whose
process has ended; the process that works on it refreshes a heartbeat there. Once nothing more is found, the ids and
sessions are removed from the note, too.

Deliveries that wait are erased unsent. Those that a target has received stay there: the note counts them by target.

A proven profile is erased alone, and with it the profiles that claim its keys if that is asked for. Of another one the
joint profile is erased. Documents are settled first (`settled_profile`), so that none has ids of another profile.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar

from msgspec import Struct, field, json, structs

from engine.ports import tombstone
from engine.ports.erasure import DataSubject, Erased, SessionName
from engine.ports.resolve import NoSuchProfile
from engine.ports.store import Conflict, Contention, Store, Unavailable
from engine.ports.world import Clock
from engine.profile.document import Profile
from engine.profile.operator_view import by_claims
from engine.project.project import Project
from engine.project.source import SYSTEM_SOURCE
from engine.tracking.operations.claiming import Claiming, claiming
from engine.tracking.operations.sent_messages import sent_messages
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.settling import settled_profile

T = TypeVar("T")

NOTE: Final = "forgetting "
ERASURE: Final = "erasure"  # the note of the last search, for processes that keep data in memory only
MARGIN_MS: Final = 10_000  # by which a request may take longer than its look-ups: stores are asked again, too
PAUSE_SECONDS: Final = 1.0  # between two searches for documents that are left
HEARTBEAT_SECONDS: Final = 10.0  # while the store is at work
MAX_TRIES: Final = 50  # to erase a document that moves
ONE: Final = Erased(profiles=1)


class Forgetting(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One forgetting, as it is stored and reported. Times are in ms."""

    id: str
    asked: int
    ids: tuple[str, ...] = ()  # of the profile; removed once nothing of it is found any more
    sessions: tuple[SessionName, ...] = ()  # the same of its sessions: source and id
    by_claims: tuple[str, ...] = ()  # the ids that only claims joined with the one that was named; removed with `ids`
    claims: tuple[Claiming, ...] = ()  # the profiles that claimed its keys then; removed with `ids`
    erases_claims: bool = False  # whether these are erased, too
    worked: int = 0  # the last heartbeat
    erased: dict[str, int] = field(default_factory=dict)  # documents by kind
    received: dict[str, int] = field(default_factory=dict)  # messages that targets have received, by target
    complete: int | None = None

    @property
    def status(self) -> str:
        """`erasing` or `complete`."""
        return "erasing" if self.complete is None else "complete"


ReportForgetting = Callable[[Forgetting], None]


def report_nothing(forgetting: Forgetting) -> None:
    """Do nothing: for callers that need no report."""


def quiet_ms(project: Project) -> int:
    """Return for how long nothing must be found: longer than any request takes that may have read the profile.

    A unit without a sender may take longer; it looks before its commit whether a profile that it has read is forgotten.
    """
    return MARGIN_MS + max([source.answer_within for source in (SYSTEM_SOURCE, *project.sources.values())])


class Forgetter:
    """Forgets profiles of one store, in turn with the units of a pipeline; or by a project alone, which none serves.

    Raises `Unavailable`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        served: Pipeline | Project,
        *,
        quiet_ms: int,
        pause: float = PAUSE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._served = served
        self._pipeline = served if isinstance(served, Pipeline) else None
        self._quiet_ms = quiet_ms
        self._pause = pause
        self._heartbeat = heartbeat

    async def begin(self, id: str, name: str, *, claims: bool = False) -> Forgetting:
        """Start to forget the profile that `id` leads to, as `name`: its payloads are refused from now on.

        With `claims`, the profiles that claim its keys are forgotten, too. Raises `NotFound` when no profile has the
        id.
        """
        profile = await self._settled(id)
        if profile is None:
            raise NoSuchProfile(id)
        claimed = await claiming(self._store, profile, id)
        ids = {id, profile.id, *profile.ids}
        if claims:
            ids.update(each for one in claimed for each in one.ids)
        now = self._clock.now()
        started = Forgetting(
            id=name,
            asked=now,
            ids=tuple(sorted(ids)),
            by_claims=by_claims(profile, id),
            claims=tuple(claimed),
            erases_claims=claims,
            worked=now,
        )
        await self._keep(started)
        await self._write_tombstones(frozenset(started.ids))
        return started

    async def finish(self, started: Forgetting, report: ReportForgetting = report_nothing) -> Forgetting:
        """Continue a forgetting until it is complete. Calls `report` after each search."""
        going, quiet_at = started, started.worked + self._quiet_ms
        while going.ids:
            at, before = self._clock.now(), going.erased
            going = await self._pass(going)
            found = going.erased != before
            if found:
                quiet_at = self._clock.now() + self._quiet_ms
            elif at >= quiet_at:
                going = structs.replace(going, ids=(), sessions=(), by_claims=(), claims=())
            going = await self._keep(structs.replace(going, worked=self._clock.now()))
            report(going)
            if going.ids and not found:
                await asyncio.sleep(self._pause)
        if started.complete is None:  # else another process completed it
            await self._alive(going, self._store.expunge())
            going = await self._keep(structs.replace(going, complete=self._clock.now()))
            report(going)
        return going

    async def all(self) -> list[Forgetting]:
        """Return all forgettings, the newest first."""
        notes = await self._store.notes(NOTE)
        return sorted([_decode(doc) for doc in notes.values()], key=lambda one: (-one.asked, one.id))

    async def one(self, name: str) -> Forgetting | None:
        """Return a forgetting by its name."""
        doc = await self._store.note(NOTE + name)
        return None if doc is None else _decode(doc)

    async def left(self, for_ms: int) -> list[Forgetting]:
        """Return the incomplete forgettings without a heartbeat for `for_ms`."""
        before = self._clock.now() - for_ms
        return [one for one in await self.all() if one.complete is None and one.worked < before]

    # ---- one search -----------------------------------------------------------------------------------------------

    async def _pass(self, going: Forgetting) -> Forgetting:
        """Erase the documents that there are now."""
        going = await self._removed(going)
        subject = DataSubject(frozenset(going.ids), frozenset(going.sessions))
        if received := await sent_messages(self._store, subject):  # kept first: afterwards they cannot be counted
            going = await self._keep(structs.replace(going, received=Counter(going.received) + received))
        found = await self._alive(going, self._store.erase(subject))
        if self._pipeline is not None:
            for session in subject.sessions:
                self._pipeline.cache.forget(session, set())
            self._pipeline.cache.forget(None, set(subject.ids))
        await self._store.keep_note(ERASURE, f"{going.id} {self._clock.now()}".encode())
        return structs.replace(going, erased=Erased(going.erased) + found)

    async def _removed(self, going: Forgetting) -> Forgetting:
        """Erase the profile's documents, until none is left under any id that is known to belong to it."""
        for _ in range(MAX_TRIES):
            going = await self._learn(going)
            ids = frozenset(going.ids)
            stored = await self._store.as_stored(going.ids)
            if not stored:
                return going
            with suppress(Conflict):
                await self._check_whole(stored.values(), ids)
                for profile in sorted(stored.values(), key=_living_first):
                    if await self._remove(profile, ids):
                        going = structs.replace(going, erased=Erased(going.erased) + ONE)
        await self._keep(going)
        raise Contention(f"the profile's documents moved {MAX_TRIES} times while they were erased")

    async def _learn(self, going: Forgetting) -> Forgetting:
        """Find the ids and sessions of the profile. They are stored before any document goes: they lead to the rest."""
        subject = await self._write_tombstones(await self._whole(frozenset(going.ids)))
        ids = tuple(sorted(subject.ids.union(going.ids)))
        sessions = tuple(sorted(subject.sessions.union(going.sessions)))
        if (ids, sessions) == (going.ids, going.sessions):
            return going
        return await self._keep(structs.replace(going, ids=ids, sessions=sessions, worked=self._clock.now()))

    async def _whole(self, ids: frozenset[str]) -> frozenset[str]:
        """Return the ids, with those that they have been merged with meanwhile: by then all are one profile."""
        found = set(ids)
        for id in sorted(ids):
            profile = await self._settled(id)
            found |= {profile.id, *profile.ids} if profile is not None else set()
        return frozenset(found)

    async def _write_tombstones(self, ids: frozenset[str]) -> DataSubject:
        """Refuse payloads under these ids and their sessions from now on. Returns everything that belongs to them."""
        secret = await self._store.secret()
        await tombstone.write_tombstones(self._store, [tombstone.profile_tombstone(secret, id) for id in sorted(ids)])
        subject = await self._store.data_subject(ids)
        names = [tombstone.profile_tombstone(secret, id) for id in sorted(subject.ids - ids)]
        names += [tombstone.session_tombstone(secret, session) for session in sorted(subject.sessions)]
        await tombstone.write_tombstones(self._store, names)
        return subject

    async def _settled(self, id: str) -> Profile | None:
        if isinstance(self._served, Pipeline):
            return await self._served.resolve(id, self._clock.now())
        return await settled_profile(self._store, self._served, id, self._clock.now())

    async def _check_whole(self, profiles: Iterable[Profile], ids: frozenset[str]) -> None:
        """Raises `Conflict` when a document has, or a tombstone leads to, other ids: they were merged a moment ago."""
        for profile in profiles:
            living: Profile | None = profile
            if profile.merged_into is not None:
                living = await self._settled(profile.id) if profile.merged_into not in ids else None
            if living is not None and not ids.issuperset(living.ids):
                raise Conflict("profile", profile.id)

    async def _remove(self, profile: Profile, ids: frozenset[str]) -> bool:
        """Erase a profile's document, or a tombstone. Returns whether it was there. Raises `Conflict`."""
        if self._pipeline is not None and profile.merged_into is None:
            return await self._remove_served(profile, ids, self._pipeline)
        await self._store.remove(profile.id, profile.version)
        return True

    async def _remove_served(self, profile: Profile, ids: frozenset[str], pipeline: Pipeline) -> bool:
        """Erase a profile's document in turn with its units: then none of them commits on top of it."""
        async with pipeline.queues.rewriting(profile.id) as touched:
            touched |= set(profile.ids)
            now = (await self._store.as_stored((profile.id,))).get(profile.id)
            if now is None:
                return False
            if now.merged_into is not None or not ids.issuperset(now.ids):  # merged a moment ago
                raise Conflict("profile", now.id)
            await self._store.remove(now.id, now.version)
            return True

    async def _alive(self, going: Forgetting, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`, refreshing the heartbeat so that no other process takes the forgetting over."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=self._heartbeat)
                if not task.done():
                    with suppress(Unavailable):  # another process that continues it does no harm
                        await self._keep(structs.replace(going, worked=self._clock.now()))
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _keep(self, forgetting: Forgetting) -> Forgetting:
        """Store the forgetting, unless another process has completed it. Returns the stored one."""
        stored = await self.one(forgetting.id)
        if stored is not None and stored.complete is not None:
            return stored
        await self._store.keep_note(NOTE + forgetting.id, json.encode(forgetting))
        return forgetting


def _living_first(profile: Profile) -> tuple[bool, str]:
    """Sort tombstones that lead to a profile last: until then its ids are found through them."""
    return profile.merged_into is not None, profile.id


_decode = json.Decoder(Forgetting).decode
