"""Draining: a tracker that does the units which wait in its spool, in order, each exactly once.

Units that have a session or a profile in common make a *lane*; lanes go side by side. The units of a lane go one after
another, those of one profile as far as possible in a *convoy*: each starts from what the one before has come to, and
they share commits, as units of one profile do that come at the same time. What a convoy does not land is done unit by
unit. The events of a unit have ids, under which they took effect if an earlier try was committed after all.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from engine.ports.ids import short_hash
from engine.ports.records import ProcessedEvent, Rejected, Unit
from engine.ports.spool import Spool
from engine.ports.store import Conflict, Contention, Store, TooLarge, Unavailable
from engine.ports.world import Clock, Performer
from engine.project.project import Project
from engine.tracking.answer.outcome import UnitResult, unit_result
from engine.tracking.pipeline.tracker import Enqueued, Tracker
from engine.tracking.spool.entry import (
    Name,
    OrderedGroup,
    QueuedUnit,
    SpooledUnit,
    ordered_groups,
    rejected_entry,
    rejected_unit,
    unpack,
)
from engine.tracking.spool.provisional_id import adoption
from engine.tracking.unit.compose import rejected_records
from engine.tracking.unit.ledger import Counted
from engine.tracking.unit.request import UnitRequest, split_duplicates

WINDOW = 256  # units that are on their way to the store at once
MAX_FRUITLESS_WINDOWS = 4  # windows in a row of which the store takes nothing, until it is left in peace


class DrainResult(Struct):
    """What one pass over the spool has come to, in units; `reason` is why it left something, None when it did not."""

    done: int = 0
    rejected: int = 0  # of those done: could not be processed, their events are kept as rejected ones
    failed: int = 0  # stay in the spool, and so does what has to wait for them
    reason: str | None = None

    def fail(self, away: Unavailable) -> None:
        """Count a unit that the store did not take."""
        self.failed += 1
        self.reason = away.reason


class DrainingTracker(Tracker):
    """A tracker with something to drain. Somebody has to call `drain`, again and again while `waits` is set."""

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
        self._door: asyncio.Event | None = None  # while a pass is under way; set at its end
        self._name = new_id()
        self._failed: set[int] = set()  # places of units that were tried in vain: the store may have taken them
        self._finished: set[int] = set()  # places of units that are done and not yet dropped

    async def drain(self) -> DrainResult:
        """Bring what waits to the store, in order, until nothing waits or the store takes nothing."""
        drained = DrainResult()
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
        if await self.spool.secret() != self.loading.secret:
            await self.spool.keep_secret(self.loading.secret)
        self._met = True

    async def _pass(self, drained: DrainResult) -> None:
        """Go once through the spool. What cannot be taken stays, and all that comes after it in its lane."""
        place, held, fruitless = 0, set[Name](), 0
        self._door = asyncio.Event()
        while fruitless < MAX_FRUITLESS_WINDOWS and (entries := await self.spool.after(place, WINDOW)):
            place = entries[-1].position
            failed = drained.failed
            waiting = await asyncio.gather(*(self._owned(unpack(one), held, drained) for one in entries))
            lanes = [lane for lane in ordered_groups(waiting) if not _is_held(lane, held)]
            done = await asyncio.gather(*(self._lane(lane, held, drained) for lane in lanes))
            await self._drop([place for places in done for place in places])
            fruitless = 0 if any(done) else fruitless + (drained.failed > failed)

    async def _drop(self, places: list[int]) -> None:
        await self.spool.drop(places)
        self._finished.difference_update(places)
        self._failed.difference_update(places)

    async def _owned(self, waiting: QueuedUnit, held: set[Name], drained: DrainResult) -> QueuedUnit:
        """With the name of the profile that the unit belongs to. Looking for it loads it, too."""
        spooled = waiting.spooled
        if spooled is None or spooled.intake.profile_less:
            return waiting
        try:
            loaded = await self.loading.load(self._again(waiting, spooled), None)
        except Unavailable as away:
            drained.fail(away)
            held |= waiting.names
            return waiting
        except Exception:  # noqa: BLE001  # the unit will fail again, where it is told
            return waiting
        if loaded.known is None:
            return waiting
        return msgspec.structs.replace(waiting, names=waiting.names | {("profile", loaded.known.profile.id)})

    async def _lane(self, lane: OrderedGroup, held: set[Name], drained: DrainResult) -> list[int]:
        """Do the units of a lane in order; gives the places of those that are done."""
        done, together = 0, True
        try:
            while done < len(lane.waiting):
                if together and done + 1 < len(lane.waiting):
                    landed, together = await self._convoy(lane.waiting[done:], drained)
                    done += landed
                if done < len(lane.waiting):
                    await self._one(lane.waiting[done], drained)
                    done += 1
        except Unavailable as away:
            drained.fail(away)
            self._failed.add(lane.waiting[done].entry.position)
            held |= lane.names
        return [waiting.entry.position for waiting in lane.waiting[:done]]

    async def _convoy(self, waiting: Sequence[QueuedUnit], drained: DrainResult) -> tuple[int, bool]:
        """Do the first units that belong to one profile; gives how many, and whether it is worth to try that again."""
        requests = []
        for one in waiting:
            if one.spooled is None or not one.spooled.intake.events or one.entry.position in self._finished:
                break
            requests.append((self._again(one, one.spooled), one.spooled.provisional_id))
        aboard: list[asyncio.Task[UnitResult]] = []
        smooth, landed = True, 0
        try:
            await self._board(requests, aboard)
        except Exception:  # noqa: BLE001  # whatever it is, it is told when the unit is done by itself
            smooth = False
        finally:  # also when this is cancelled, what is on its way lands
            landed = await self._land(waiting, aboard, drained)
        return landed, smooth and landed == len(aboard)

    async def _land(
        self, waiting: Sequence[QueuedUnit], aboard: "list[asyncio.Task[UnitResult]]", drained: DrainResult
    ) -> int:
        """Wait for units that are on their way, even if this is cancelled meanwhile; gives how many have landed."""
        if not aboard:
            return 0
        cancelled = None
        try:
            await asyncio.wait(aboard)
        except asyncio.CancelledError as stop:
            cancelled = stop
            await asyncio.wait(aboard)
        failures = [flight.cancelled() or flight.exception() is not None for flight in aboard]
        landed = failures.index(True) if True in failures else len(aboard)
        for one in waiting[:landed]:
            self._count_done(one, drained)
        self._failed.update(one.entry.position for one in waiting[landed : len(aboard)])
        if cancelled is not None:
            raise cancelled
        return landed

    async def _board(
        self, requests: Sequence[tuple[UnitRequest, str | None]], aboard: "list[asyncio.Task[UnitResult]]"
    ) -> None:
        """Run units of one profile in one turn, and put them on their way; ends before the first that needs more."""
        if not requests:
            return
        loaded = await self.loading.load(requests[0][0], None)
        if loaded.known is None:
            return
        turn, source = loaded.known.profile.id, requests[0][0].source.source
        line, _ = await self.queues.acquire(turn)
        try:
            await self.queues.drained(line)
            loaded = await self.loading.load(requests[0][0], None)
            seen = await self._marks([request for request, _ in requests if request.source.source == source])
            version = loaded.known.profile.version if loaded.known is not None else 0  # marks are read after profiles
            for request, promised in requests:
                loaded = await self.loading.load(request, line.uncommitted)
                known = loaded.known.profile if loaded.known is not None else None
                if known is None or (known.id, known.version, request.source.source) != (turn, version, source):
                    return
                marks, fresh = split_duplicates(request, seen)
                if not fresh or promised not in {None, *known.ids}:
                    return
                work, composed = await self._run(request, loaded, fresh)
                if work.merged or composed.profile is None:
                    return
                done = unit_result(request, work, composed, marks)
                boarded = Enqueued(done, self.queues.enqueue(line, composed, loaded.acting, done.counted))
                aboard.append(asyncio.create_task(self._landed(request, boarded)))
                version = composed.profile.version
                seen.update((mark.event, mark) for mark in composed.unit.marks)
        finally:
            self.queues.release(line)

    async def _marks(self, requests: Sequence[UnitRequest]) -> dict[str, ProcessedEvent]:
        """The events of some units of one source that have taken effect before; one look-up for all."""
        ids = dict.fromkeys(event.id for request in requests for event in request.events)
        return dict(await self.store.marks(requests[0].source.source, tuple(ids)))

    async def _one(self, waiting: QueuedUnit, drained: DrainResult) -> None:
        """Do a unit; or, if it cannot be done, keep its events as rejected ones. Raises `Unavailable`."""
        try:
            if waiting.spooled is None:
                raise ValueError(waiting.error)
            await self._redo(waiting, waiting.spooled, drained)
        except TooLarge as error:
            await self._reject_all(waiting, error, drained)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a unit is told where its events are kept
            await self._reject_all(waiting, error, drained)

    async def _reject_all(self, waiting: QueuedUnit, error: Exception, drained: DrainResult) -> None:
        """Keep the events of a unit that cannot be done: whatever is wrong with it must not hold up the others."""
        spooled = waiting.spooled
        records = rejected_entry(waiting, self.clock.now()) if spooled is None else rejected_unit(spooled, error)
        try:
            await self._give_up(waiting, records, drained)
        except Unavailable:
            raise
        except Exception as worse:
            raise Unavailable(f"events that cannot be processed cannot be kept either: {worse}") from worse

    async def _redo(self, waiting: QueuedUnit, spooled: SpooledUnit, drained: DrainResult) -> None:
        request = self._again(waiting, spooled)
        if not request.events:
            await self.loading.not_late(spooled.intake)
            records = rejected_records(spooled.intake, spooled.now, spooled.seed)
            await self._give_up(waiting, records, drained)
            return
        place = waiting.entry.position
        if place not in self._finished:
            await self._unit(request)
            self._count_done(waiting, drained)
        if spooled.provisional_id is not None:
            await self._keep_promise(request, spooled.provisional_id)

    def _again(self, waiting: QueuedUnit, spooled: SpooledUnit) -> UnitRequest:
        source = spooled.source(self.project.sources)
        deadline = self.clock.ticks() + source.answer_within / 1000
        again = spooled.tried or spooled.by != self._name or waiting.entry.position in self._failed
        return spooled.request(source, deadline, again=again)

    def _count_done(self, waiting: QueuedUnit, drained: DrainResult) -> None:
        self.ledger.queue(-waiting.entry.events)
        self._finished.add(waiting.entry.position)
        drained.done += 1

    async def _give_up(self, waiting: QueuedUnit, records: tuple[Rejected, ...], drained: DrainResult) -> None:
        """Keep rejected events, once: under a mark that no client's event can have."""
        if waiting.entry.position in self._finished:
            return
        seed = waiting.spooled.seed if waiting.spooled is not None else short_hash("spool", str(waiting.entry.doc))
        source = records[0].source
        mark = ProcessedEvent(source, f" spooled {seed}", records[0].at)
        with suppress(Conflict):  # it was kept before
            await self.store.commit(Unit(marks=(mark,), rejected=records))
        self.ledger.count(Counted(rejected=waiting.entry.events))
        self._count_done(waiting, drained)
        drained.rejected += 1

    async def _keep_promise(self, request: UnitRequest, id: str) -> None:
        """See that `id`, which the sender was told, leads to the profile of its payload; unless somebody has it."""
        loaded = await self.loading.load(request, None)
        if loaded.known is None:
            return
        profile = loaded.known.profile
        if id in profile.ids or await self.store.profile(id) is not None:
            return
        adopted = adoption(profile, loaded.acting or profile.id, id, request.now, self.project.settings.fields)
        if adopted is None:
            return
        unit, known = adopted
        try:
            await self.store.commit(unit)
        except Conflict as moved:
            self.cache.forget(None, {id, *profile.ids})
            raise Contention(f"the profile for a promised id moved: {moved}") from moved
        self.cache.keep(known, id)


def _is_held(lane: OrderedGroup, held: set[Name]) -> bool:
    """Whether a lane has to wait for something that is held; then all that it touches is held, too."""
    if lane.names.isdisjoint(held):
        return False
    held |= lane.names
    return True
