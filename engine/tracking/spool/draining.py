"""The drain: it brings the units that wait in a spool to the store, in order, each with effect exactly once.

While the store is away, a sender gets its 2xx once the spool has its units. So every unit in the spool must take
effect, under the time, seed and ids of its first try, and never twice: it may have been committed in a try that got no
answer.

Order
-----
Units that share a session or a profile form an *ordered group*; groups are processed side by side. The units of a
group go one after another. Where several of them belong to one profile and need nothing special, they go as a *batch*:
they run one after another in one turn of the profile's queue, and share commits, as units that come at the same time
do. What a batch leaves is processed unit by unit.

States of a unit
----------------
    waiting     it is in the spool
    failed      it is in the spool, and the store was unavailable when it was tried: it may have been committed. From
                now on its request says `again`.
    finished    it took effect, or its events were recorded as rejected; its entry is not dropped from the spool yet
    dropped     it is gone

A pass reads the spool from its start in windows of `WINDOW` units. `run` makes one pass, and is called again while
`waits` is set: that is, while entries wait, or this process has not reached the store yet.

Invariants
----------
* An entry is dropped only after its unit is finished.
* No unit overtakes another one of its group. What an unavailable unit touches is *held*: units behind it that share a
  name with it stay as well, in this window and in those that follow.
* A repeated unit takes no effect twice: each of its events has an id, and the store's marks name the ids that took
  effect.
* While a pass is under way, `pass_ended` is an event that is set at its end, for payloads that would rather wait than
  be spooled.

Failures
--------
* The store is unavailable: the unit and its group stay. After `MAX_FRUITLESS_WINDOWS` windows of which the store took
  nothing, the pass ends, and says why in its result.
* A unit cannot be processed, by a refusal or a bug: its events are recorded as rejected, once, so that it does not
  hold up the others. If that fails as well, it stays.
* An entry cannot be read: its text is recorded as one rejected event.
* A batch fails in the middle: the units before are finished; those from there on are tried one by one.
* Cancelled: the units that are enqueued are waited for, since they will be stored; everything else stays.
* The process ends: entries that were finished and not dropped are tried again by the next process, and found to have
  taken effect.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from engine.ports.ids import short_hash
from engine.ports.records import ProcessedEvent, Rejected, Unit
from engine.ports.spool import Spool
from engine.ports.store import Conflict, Contention, TooLarge, Unavailable
from engine.tracking.answer.outcome import UnitResult
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.profile_queue import ProfileQueue
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
from engine.tracking.unit.ledger import Counted
from engine.tracking.unit.request import UnitRequest, split_duplicates

WINDOW = 256  # units that are on their way to the store at once
MAX_FRUITLESS_WINDOWS = 4  # windows in a row of which the store takes nothing, before a pass ends

Commits = list["asyncio.Task[UnitResult]"]  # of a batch, in the order of its units


class DrainResult(Struct):
    """The units that one pass over the spool has processed. `reason` says why it left some; None when it did not."""

    done: int = 0
    rejected: int = 0  # of those done: could not be processed, their events are recorded as rejected
    failed: int = 0  # stay in the spool, and so does everything behind them in their groups
    reason: str | None = None
    away: Unavailable | None = None  # the failure of the store or the spool that ended the pass

    def fail(self, away: Unavailable) -> None:
        """Count a unit that the store did not take."""
        self.failed += 1
        self.end(away)

    def end(self, away: Unavailable) -> None:
        """Keep the reason why the pass brought not everything to the store."""
        self.away, self.reason = away, away.reason


class Drain:
    """Empties one spool into the store of a pipeline. A background task calls `run` while `waits` is set."""

    def __init__(self, pipeline: Pipeline, spool: Spool) -> None:
        self.spool = spool
        self.waits = asyncio.Event()  # entries wait, or the store has not been reached yet
        self.store_reached = False  # once, since this process started
        self.pass_ended: asyncio.Event | None = None  # while a pass is under way; set at its end
        self.name = pipeline.new_id()  # of this process, in the entries that it makes
        self._pipeline = pipeline
        self._failed: set[int] = set()  # positions of units that failed: the store may have taken them
        self._finished: set[int] = set()  # positions of units that are finished and not yet dropped

    async def run(self) -> DrainResult:
        """Bring the waiting units to the store, in order, until none waits or the store takes nothing."""
        drained = DrainResult()
        try:
            reason = await self._pipeline.store.ready()
            if reason is not None:
                raise Unavailable(reason)
            await self.reach_store()
            await self._pass(drained)
        except Unavailable as away:
            drained.end(away)
        finally:
            if self.pass_ended is not None:
                self.pass_ended.set()
                self.pass_ended = None
        if self.store_reached and not self.spool.entries:
            self.waits.clear()
        return drained

    async def reach_store(self) -> None:
        """Start the pipeline, as soon as the store is there; only the first time. Raises `Unavailable`."""
        if self.store_reached:
            return
        if self.waits.is_set():  # it was away when the process started
            await self._pipeline.store.migrate()
        await self._pipeline.start()
        secret = self._pipeline.loading.secret
        if await self.spool.secret() != secret:
            await self.spool.keep_secret(secret)
        self.store_reached = True

    # ---- a pass -----------------------------------------------------------------------------------------------------

    async def _pass(self, drained: DrainResult) -> None:
        """Go once through the spool. A unit that the store does not take stays, with all behind it in its group."""
        position, held, fruitless = 0, set[Name](), 0
        self.pass_ended = asyncio.Event()
        while fruitless < MAX_FRUITLESS_WINDOWS and (entries := await self.spool.after(position, WINDOW)):
            position = entries[-1].position
            failed = drained.failed
            queued = await asyncio.gather(*(self._with_profile(unpack(one), held, drained) for one in entries))
            groups = [group for group in ordered_groups(queued) if not _is_held(group, held)]
            done = await asyncio.gather(*(self._group(group, held, drained) for group in groups))
            await self._drop([position for positions in done for position in positions])
            fruitless = 0 if any(done) else fruitless + (drained.failed > failed)

    async def _drop(self, positions: list[int]) -> None:
        await self.spool.drop(positions)
        self._finished.difference_update(positions)
        self._failed.difference_update(positions)

    async def _with_profile(self, queued: QueuedUnit, held: set[Name], drained: DrainResult) -> QueuedUnit:
        """Return the unit with the name of its profile added. Looking for the profile loads it into the cache, too."""
        spooled = queued.spooled
        if spooled is None or spooled.intake.profile_less:
            return queued
        try:
            loaded = await self._pipeline.loading.load(self._request(queued, spooled), None)
        except Unavailable as away:
            drained.fail(away)
            held |= queued.names
            return queued
        except Exception:  # noqa: BLE001  # the unit will fail again, where its events are recorded
            return queued
        if loaded.cached is None:
            return queued
        return msgspec.structs.replace(queued, names=queued.names | {("profile", loaded.cached.profile.id)})

    async def _group(self, group: OrderedGroup, held: set[Name], drained: DrainResult) -> list[int]:
        """Process the units of a group in order. Returns the positions of those that are finished."""
        done, batches = 0, True
        try:
            while done < len(group.waiting):
                if batches and done + 1 < len(group.waiting):
                    finished, batches = await self._batch(group.waiting[done:], drained)
                    done += finished
                if done < len(group.waiting):
                    await self._one(group.waiting[done], drained)
                    done += 1
        except Unavailable as away:
            drained.fail(away)
            self._failed.add(group.waiting[done].entry.position)
            held |= group.names
        return [queued.entry.position for queued in group.waiting[:done]]

    # ---- a batch ----------------------------------------------------------------------------------------------------

    async def _batch(self, waiting: Sequence[QueuedUnit], drained: DrainResult) -> tuple[int, bool]:
        """Process the leading units of one profile as a batch.

        Returns how many were committed, and whether another batch is worth trying.
        """
        requests = []
        for one in waiting:
            if one.spooled is None or not one.spooled.intake.events or one.entry.position in self._finished:
                break
            requests.append((self._request(one, one.spooled), one.spooled.provisional_id))
        commits: Commits = []
        smooth, committed = True, 0
        try:
            await self._enqueue_batch(requests, commits)
        except Exception:  # noqa: BLE001  # whatever it is, it is reported when the unit is processed by itself
            smooth = False
        finally:  # also when this is cancelled, the enqueued units are committed
            committed = await self._await_commits(waiting, commits, drained)
        return committed, smooth and committed == len(commits)

    async def _await_commits(self, waiting: Sequence[QueuedUnit], commits: Commits, drained: DrainResult) -> int:
        """Wait for the commits of a batch, even if this is cancelled meanwhile. Returns how many succeeded."""
        if not commits:
            return 0
        cancelled = None
        try:
            await asyncio.wait(commits)
        except asyncio.CancelledError as stop:
            cancelled = stop
            await asyncio.wait(commits)
        failures = [commit.cancelled() or commit.exception() is not None for commit in commits]
        committed = failures.index(True) if True in failures else len(commits)
        for one in waiting[:committed]:
            self._finish(one, drained)
        self._failed.update(one.entry.position for one in waiting[committed : len(commits)])
        if cancelled is not None:
            raise cancelled
        return committed

    async def _enqueue_batch(self, requests: Sequence[tuple[UnitRequest, str | None]], commits: Commits) -> None:
        """Run units of one profile in one turn of its queue; stops before the first unit that needs more."""
        if not requests:
            return
        pipeline = self._pipeline
        requests = [(await pipeline.typed(request), provisional) for request, provisional in requests]
        loaded = await pipeline.loading.load(requests[0][0], None)
        if loaded.cached is None:
            return
        async with pipeline.queues.exclusive(loaded.cached.profile.id) as queue:
            await queue.drained()
            loaded = await pipeline.loading.load(requests[0][0], None)
            source = requests[0][0].source.source
            same_source = [request for request, _ in requests if request.source.source == source]
            known_marks = await self._marks(same_source)
            version = loaded.cached.profile.version if loaded.cached is not None else 0  # marks are read after profiles
            for request, provisional in requests:
                if request.source.source != source:
                    return
                following = await self._enqueue_one(queue, version, request, provisional, known_marks, commits)
                if following is None:
                    return
                version = following

    async def _enqueue_one(
        self,
        queue: ProfileQueue,
        version: int,
        request: UnitRequest,
        provisional: str | None,
        known_marks: dict[str, ProcessedEvent],
        commits: Commits,
    ) -> int | None:
        """Run and enqueue one unit of a batch. Returns its profile's version then; None when it needs more."""
        pipeline = self._pipeline
        if not request.events:
            return None
        loaded = await pipeline.loading.load(request, queue.uncommitted)
        profile = loaded.cached.profile if loaded.cached is not None else None
        if profile is None or (profile.id, profile.version) != (queue.id, version):
            return None
        marks, fresh = split_duplicates(request, known_marks)
        if marks or provisional not in {None, *profile.ids}:
            return None
        effects, composed = await pipeline.run(request, loaded, fresh)
        if effects.given_up is not None or composed.touches_others or composed.profile is None:
            return None
        enqueued = pipeline.enqueue(queue, request, loaded, effects, composed, marks)
        commits.append(asyncio.create_task(pipeline.wait(request, enqueued)))
        known_marks.update((mark.event, mark) for mark in composed.unit.marks)
        return composed.profile.version

    async def _marks(self, requests: Sequence[UnitRequest]) -> dict[str, ProcessedEvent]:
        """Return the marks of those events of some units of one source that have taken effect; one look-up for all."""
        ids = dict.fromkeys(event.id for request in requests for event in request.events)
        return dict(await self._pipeline.store.marks(requests[0].source.source, tuple(ids)))

    # ---- a single unit ----------------------------------------------------------------------------------------------

    async def _one(self, queued: QueuedUnit, drained: DrainResult) -> None:
        """Process a unit; if that is impossible, record its events as rejected. Raises `Unavailable`."""
        try:
            if queued.spooled is None:
                raise ValueError(queued.error)
            await self._process(queued, queued.spooled, drained)
        except TooLarge as error:
            await self._reject_all(queued, error, drained)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # any failure is reported where the events are recorded
            await self._reject_all(queued, error, drained)

    async def _process(self, queued: QueuedUnit, spooled: SpooledUnit, drained: DrainResult) -> None:
        request = self._request(queued, spooled)
        if not request.events:
            await self._pipeline.loading.refuse_forgotten(spooled.intake)
            await self._give_up(queued, request.rejected(), drained)
            return
        if queued.entry.position not in self._finished:
            await self._pipeline.process(request)
            self._finish(queued, drained)
        if spooled.provisional_id is not None:
            await self._adopt(request, spooled.provisional_id)

    def _request(self, queued: QueuedUnit, spooled: SpooledUnit) -> UnitRequest:
        source = spooled.source(self._pipeline.project.sources)
        deadline = self._pipeline.clock.ticks() + source.answer_within / 1000
        again = spooled.tried or spooled.by != self.name or queued.entry.position in self._failed
        if again:
            self._pipeline.late.withdraw(spooled.seed)
        return spooled.request(source, deadline, self._pipeline.project.settings, again=again)

    def _finish(self, queued: QueuedUnit, drained: DrainResult) -> None:
        self._pipeline.ledger.queue(-queued.entry.events)
        self._finished.add(queued.entry.position)
        drained.done += 1

    async def _reject_all(self, queued: QueuedUnit, error: Exception, drained: DrainResult) -> None:
        """Record the events of a unit that cannot be processed: it must not hold up the others."""
        spooled = queued.spooled
        now = self._pipeline.clock.now()
        records = rejected_entry(queued, now) if spooled is None else rejected_unit(spooled, error)
        try:
            await self._give_up(queued, records, drained)
        except Unavailable:
            raise
        except Exception as worse:
            raise Unavailable(f"events that cannot be processed cannot be kept either: {worse}") from worse

    async def _give_up(self, queued: QueuedUnit, records: tuple[Rejected, ...], drained: DrainResult) -> None:
        """Record rejected events, once: under a mark that no client's event can have."""
        if queued.entry.position in self._finished:
            return
        seed = queued.spooled.seed if queued.spooled is not None else short_hash("spool", str(queued.entry.doc))
        mark = ProcessedEvent(records[0].source, f" spooled {seed}", records[0].at)
        with suppress(Conflict):  # it was recorded before
            await self._pipeline.store.commit(Unit(marks=(mark,), rejected=records))
        self._pipeline.ledger.count(Counted(rejected=queued.entry.events))
        self._finish(queued, drained)
        drained.rejected += 1

    async def _adopt(self, request: UnitRequest, id: str) -> None:
        """Make `id`, which the sender was answered, lead to the profile of its payload; unless it belongs to one."""
        pipeline = self._pipeline
        loaded = await pipeline.loading.load(request, None)
        if loaded.cached is None:
            return
        profile = loaded.cached.profile
        if id in profile.ids or await pipeline.store.profile(id) is not None:
            return
        adopted = adoption(profile, loaded.acting_id or profile.id, id, request.now, pipeline.project.settings.fields)
        if adopted is None:
            return
        unit, known = adopted
        try:
            await pipeline.store.commit(unit)
        except Conflict as moved:
            pipeline.cache.forget(None, {id, *profile.ids})
            raise Contention(f"the profile for a promised id moved: {moved}") from moved
        pipeline.cache.keep(known, id)


def _is_held(group: OrderedGroup, held: set[Name]) -> bool:
    """Whether a group has to wait for something that is held; then everything that it touches is held, too."""
    if group.names.isdisjoint(held):
        return False
    held |= group.names
    return True
