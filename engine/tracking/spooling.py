"""Spooling: a tracker that keeps payloads in a spool while its store is away, and drains it when the store is back.

A payload goes to the store as it would without a spool. If the store cannot take it, or if earlier ones still wait,
its units are put in the spool; the 2xx then means the spool. `drain` does them in order, each exactly once: all their
events have ids, under which they took effect if an earlier try was committed after all. Units that have a session or
a profile in common wait for one another, others go side by side.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec import Raw, Struct

from engine.tracking.admission import authority
from engine.tracking.answer import Answer, nothing_accepted, queued, queued_answer
from engine.tracking.compose import rejected_records
from engine.tracking.done import Done, Missed, answer_of
from engine.tracking.identity import derived_id, short_hash
from engine.tracking.intake import Intake
from engine.tracking.ports import Clock, Conflict, Moving, Performer, Spool, Store, Unavailable
from engine.tracking.project import Project
from engine.tracking.promise import adoption
from engine.tracking.readiness import Readiness
from engine.tracking.records import Mark, Rejected, Unit
from engine.tracking.request import Request, units_of
from engine.tracking.sight_of import is_all_own
from engine.tracking.source import Source
from engine.tracking.spooled import Lane, Name, Spooled, Waiting, identified, lanes_of, packed, unpacked
from engine.tracking.tracker import Tracker

WINDOW = 256  # units that are on their way to the store at once
FRUITLESS = 4  # windows in a row of which the store takes nothing, until it is left in peace
PATIENCE = 2.0  # seconds that a payload waits for the last units to be drained, before it is spooled behind them
BEHIND = "earlier payloads wait for the store"


class Drained(Struct):
    """What one pass over the spool has come to, in units; `reason` is why it left something, None when it did not."""

    done: int = 0
    rejected: int = 0  # of those done: could not be processed, their events are kept as rejected ones
    failed: int = 0  # stay in the spool, and so does what has to wait for them
    reason: str | None = None

    def fail(self, away: Unavailable) -> None:
        """Count a unit that the store did not take."""
        self.failed += 1
        self.reason = away.reason


class SpoolingTracker(Tracker):
    """A tracker with a spool. Somebody has to call `drain`, again and again while `waits` is set."""

    def __init__(
        self,
        project: Project,
        store: Store,
        performer: Performer,
        clock: Clock,
        new_id: Callable[[], str],
        spool: Spool,
    ) -> None:
        super().__init__(project, store, performer, clock, new_id)
        self.spool = spool
        self.waits = asyncio.Event()  # there is something to drain, or the store has not been seen yet
        self._met = False  # the store has been seen
        self._door: asyncio.Event | None = None  # set when the last units are drained, or cannot be
        self._name = new_id()
        self._failed: set[int] = set()  # places of units that were tried in vain: the store may have taken them
        self._finished: set[int] = set()  # places of units that are done and not yet dropped

    async def start(self) -> None:
        """As any tracker; but if the store is away, begin without it."""
        self.ledger.queue(self.spool.events)
        self._secret = await self.spool.secret() or b""
        with suppress(Unavailable):
            await self._meet()
        if self.spool.entries or not self._met:
            self.waits.set()

    async def readiness(self) -> Readiness:
        """What health tells."""
        away, entries = await self.store.ready(), self.spool.entries
        if away is None and self._met and not entries:
            return Readiness("ready", None, 0)
        reason = f"the store is away: {away}" if away is not None else BEHIND
        cannot = await self.spool.ready() if self._secret else "the store's key is not known here yet"
        if cannot is not None:
            return Readiness("not ready", f"{reason}; {cannot}", entries)
        return Readiness("spooling", reason, entries)

    # ---- taking payloads --------------------------------------------------------------------------------------------

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, or keep it until the store is back. Raises `Refusal` or `Unavailable`."""
        request = self._request(identified(self._with_session(intake, source), self.new_id), source)
        reason, tried = BEHIND, await self._clear()
        if tried:
            try:
                parts, missed = await self._at_once(request)
            except Moving:
                raise
            except Unavailable as away:
                reason = _away(away)
            else:
                return await self._with_rest(request, parts, missed)
        told = self._promised(request)
        await self._keep(units_of(request), told, tried=tried)
        if not request.events:
            raise nothing_accepted(request.intake)
        return queued_answer(request.intake, source, told, request.events, reason)

    async def _clear(self) -> bool:
        """Whether nothing waits that this payload would have to queue behind.

        While the last few units are drained payloads wait here: under load the spool would otherwise never be empty.
        """
        if self.spool.entries and self._door is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._door.wait()
        return self._met and not self.spool.entries

    async def _at_once(self, request: Request) -> tuple[list[Done], list[Missed]]:
        if not request.events:
            await self._reject(request)
            raise nothing_accepted(request.intake)
        return await self._one_by_one(units_of(request))

    async def _with_rest(self, request: Request, parts: list[Done], missed: list[Missed]) -> Answer:
        """The answer when some units of a payload are done; those that the store could not take are kept."""
        late = [one for one in missed if not isinstance(one.wrong, Moving)]
        try:
            await self._keep([one.request for one in late], None, tried=True)
        except Unavailable:
            late = []  # they are told as errors of their events
        kept = {one.request.seed for one in late}
        answer = answer_of(request, parts, [one for one in missed if one.request.seed not in kept])
        if "debugging" in answer.body:
            for one in late:
                answer.body["debugging"]["execution"] |= queued(one.request.events, _away(one.wrong))
        return answer

    async def _keep(self, units: Sequence[Request], told: str | None, *, tried: bool) -> None:
        if not units:
            return
        parcels = [packed(unit, self._name, told, tried=tried) for unit in units]
        await self.spool.put(parcels)
        self.ledger.queue(sum(parcel.events for parcel in parcels))
        self.waits.set()

    def _promised(self, request: Request) -> str | None:
        """The profile id that a sender can be told without the store: one that is known here, or the derived one."""
        intake = request.intake
        if intake.profile_less:
            return None
        if not self._secret:
            raise Unavailable("the store is away, and its key is not known here yet", retry_after=5)
        session = self.known.sessions.get((intake.source, intake.session or ""))
        acting = session.profile if session is not None else None
        if acting is None and intake.profile is not None and self.known.profile(intake.profile) is not None:
            acting = intake.profile
        if acting is None:
            acting = derived_id(self._secret, intake.source, intake.session or "")
        known = self.known.profile(acting)
        if known is None:
            return acting
        person = known.person
        return person.id if authority(request.source) == "trust" or is_all_own(person, acting) else acting

    # ---- draining ---------------------------------------------------------------------------------------------------

    async def drain(self) -> Drained:
        """Bring what waits to the store, in order, until nothing waits or the store takes nothing."""
        drained = Drained()
        try:
            drained.reason = await self.store.ready()
            if drained.reason is None:
                await self._meet()
                await self._pass(drained)
        except Unavailable as away:
            drained.reason = away.reason
        finally:
            if self._door is not None:
                self._door.set()
                self._door = None
        if self._met and not self.spool.entries:
            self.waits.clear()
        return drained

    async def _meet(self) -> None:
        """What is to be done with the store once, as soon as it is there."""
        if self._met:
            return
        if self.waits.is_set():  # it was away when the process started
            await self.store.migrate()
        await super().start()
        if await self.spool.secret() != self._secret:
            await self.spool.keep_secret(self._secret)
        self._met = True

    async def _pass(self, drained: Drained) -> None:
        """Go once through the spool. What cannot be taken stays, and all that comes after it in its lane."""
        place, held, fruitless = 0, set[Name](), 0
        while fruitless < FRUITLESS and (parcels := await self.spool.after(place, WINDOW)):
            place = parcels[-1].place
            if self.spool.entries <= WINDOW and not held and self._door is None:
                self._door = asyncio.Event()
            failed = drained.failed
            waiting = await asyncio.gather(*(self._owned(unpacked(one), held, drained) for one in parcels))
            lanes = [lane for lane in lanes_of(waiting) if not _is_held(lane, held)]
            done = await asyncio.gather(*(self._lane(lane, held, drained) for lane in lanes))
            await self._drop([place for places in done for place in places])
            fruitless = 0 if any(done) else fruitless + (drained.failed > failed)

    async def _drop(self, places: list[int]) -> None:
        await self.spool.drop(places)
        self._finished.difference_update(places)
        self._failed.difference_update(places)

    async def _owned(self, waiting: Waiting, held: set[Name], drained: Drained) -> Waiting:
        """With the name of the profile that the unit belongs to. Looking for it loads it, too."""
        spooled = waiting.spooled
        if spooled is None or spooled.intake.profile_less:
            return waiting
        try:
            loaded = await self._load(self._again(waiting, spooled), None)
        except Unavailable as away:
            drained.fail(away)
            held |= waiting.names
            return waiting
        except Exception:  # noqa: BLE001  # the unit will fail again, where it is told
            return waiting
        if loaded.known is None:
            return waiting
        return msgspec.structs.replace(waiting, names=waiting.names | {("profile", loaded.known.person.id)})

    async def _lane(self, lane: Lane, held: set[Name], drained: Drained) -> list[int]:
        """Do the units of a lane one after another; gives the places of those that are done."""
        done: list[int] = []
        for waiting in lane.waiting:
            try:
                await self._one(waiting, drained)
            except Unavailable as away:
                drained.fail(away)
                self._failed.add(waiting.parcel.place)
                held |= lane.names
                break
            done.append(waiting.parcel.place)
        return done

    async def _one(self, waiting: Waiting, drained: Drained) -> None:
        """Do a unit; or, if it cannot be done, keep its events as rejected ones. Raises `Unavailable`."""
        try:
            if waiting.spooled is None:
                await self._give_up(waiting, _unreadable(waiting, self.clock.now()), drained)
            else:
                await self._redo(waiting, waiting.spooled, drained)
        except Unavailable:
            raise
        except Exception as wrong:
            if waiting.spooled is None:
                raise Unavailable(f"a parcel that cannot be read cannot be kept either: {wrong}") from wrong
            await self._reject_all(waiting, waiting.spooled, wrong, drained)

    async def _reject_all(self, waiting: Waiting, spooled: Spooled, wrong: Exception, drained: Drained) -> None:
        """Keep the events of a unit that cannot be done: whatever is wrong with it must not hold up the others."""
        try:
            await self._give_up(waiting, _unprocessed(spooled, wrong), drained)
        except Unavailable:
            raise
        except Exception as worse:
            raise Unavailable(f"events that cannot be processed cannot be kept either: {worse}") from worse

    async def _redo(self, waiting: Waiting, spooled: Spooled, drained: Drained) -> None:
        request = self._again(waiting, spooled)
        if not request.events:
            records = rejected_records(spooled.intake, spooled.now, spooled.seed)
            await self._give_up(waiting, records, drained)
            return
        place = waiting.parcel.place
        if place not in self._finished:
            await self._unit(request)
            self._count_done(waiting, drained)
        if spooled.promised is not None:
            await self._keep_promise(request, spooled.promised)

    def _again(self, waiting: Waiting, spooled: Spooled) -> Request:
        source = spooled.source(self.project.sources)
        deadline = self.clock.ticks() + source.answer_within / 1000
        again = spooled.tried or spooled.by != self._name or waiting.parcel.place in self._failed
        return spooled.request(source, deadline, again=again)

    def _count_done(self, waiting: Waiting, drained: Drained) -> None:
        self.ledger.queue(-waiting.parcel.events)
        self._finished.add(waiting.parcel.place)
        drained.done += 1

    async def _give_up(self, waiting: Waiting, records: tuple[Rejected, ...], drained: Drained) -> None:
        """Keep rejected events, once: under a mark that no client's event can have."""
        if waiting.parcel.place in self._finished:
            return
        seed = waiting.spooled.seed if waiting.spooled is not None else short_hash("spool", str(waiting.parcel.doc))
        source = records[0].source
        mark = Mark(source, f" spooled {seed}", records[0].at)
        with suppress(Conflict):  # it was kept before
            await self.store.commit(Unit(marks=(mark,), rejected=records))
        self.ledger.count(rejected=waiting.parcel.events)
        self._count_done(waiting, drained)
        drained.rejected += 1

    async def _keep_promise(self, request: Request, id: str) -> None:
        """See that `id`, which the sender was told, leads to the profile of its payload; unless somebody has it."""
        loaded = await self._load(request, None)
        if loaded.known is None:
            return
        person = loaded.known.person
        if id in person.ids or await self.store.profile(id) is not None:
            return
        adopted = adoption(person, loaded.acting or person.id, id, request.now, self.project.settings.fields)
        if adopted is None:
            return
        unit, known = adopted
        try:
            await self.store.commit(unit)
        except Conflict as moved:
            self.known.forget(None, {id, *person.ids})
            raise Moving(f"the profile for a promised id moved: {moved}") from moved
        self.known.keep(known, id)


def _is_held(lane: Lane, held: set[Name]) -> bool:
    """Whether a lane has to wait for something that is held; then all that it touches is held, too."""
    if lane.names.isdisjoint(held):
        return False
    held |= lane.names
    return True


def _away(away: Unavailable) -> str:
    return f"the store is away: {away.reason}"


def _unprocessed(spooled: Spooled, wrong: Exception) -> tuple[Rejected, ...]:
    """The events of a unit that cannot be done, as they are kept; and those that had been rejected before."""
    intake = spooled.intake
    reason = f"it was accepted while the store was away, and could not be processed: {type(wrong).__name__}: {wrong}"
    records = [
        Rejected(
            id=short_hash("rejected", spooled.seed, str(event.index)),
            source=intake.source,
            at=spooled.now,
            reason=reason,
            at_field=f"/events/{event.index}",
            session=intake.session,
            body=Raw(msgspec.json.encode(event)),
        )
        for event in intake.events
    ]
    return (*records, *rejected_records(intake, spooled.now, spooled.seed))


def _unreadable(waiting: Waiting, now: int) -> tuple[Rejected, ...]:
    """What is kept of a parcel that cannot be read: all of it, as text."""
    doc = waiting.parcel.doc
    record = Rejected(
        id=short_hash("rejected", str(doc)),
        source="(spool)",
        at=now,
        reason=f"it waited in the spool and cannot be read: {waiting.wrong}",
        body=Raw(msgspec.json.encode(doc.decode(errors="backslashreplace"))),
    )
    return (record,)
