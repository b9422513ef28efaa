"""The pipeline: a unit request is loaded, run, and committed. With its driver and queues, the engine's only async part.

A payload becomes one or more unit requests. The pipeline takes each through the same steps; `Tracker`, the spool, and
the operations (re-evaluating, unmerging, forgetting) use it and add nothing to the way in which a unit is committed.

Steps
-----
    process(request)   all of the following, again and again until the unit is stored

    typed(request)     where the source has a schema: the properties are cast to the types of their fields, which are
                       learnt first; once, for these types never change
    attempt(request)   one try, up to the commit. It comes to one of three states:
        Enqueued         the unit has run; its commit is under way or waits in its profile's queue. `wait` for it.
        Finished         nothing is left to wait for: the unit was committed alone, or writes nothing.
        ProfileMoved     the profile was merged while the unit waited for its queue: try again, under the new id.
    loading.load       the session and the profile: from the queue's uncommitted state, the cache or the store
    split              the events that have taken effect before are left out
    run                the other events run through their flows; the driver answers what these ask; between two events
                       other work gets a turn every few milliseconds
    enqueue            the commit is ordered behind those of the same profile
    commit_alone       the commit is made at once: for a unit without a profile, or one that merges profiles and
                       so touches several queues
    wait               returns the result once the unit is stored

Invariants
----------
* A sender is answered only after `wait` or `commit_alone`: acknowledged means stored.
* Time, seed, ids and replies from outside are part of the request. An attempt that is repeated decides the same from
  the same documents, and sends no outside request again.
* Documents may come from the cache, so they may be outdated. The commit compares the version of each, and writes all
  of a unit or nothing. A unit without events may commit nothing, so it never starts from the cache.
* A unit with a profile runs while it holds the profile's queue. A unit that merges first waits until nothing of its
  queue is under way, so that no uncommitted unit can rest on it.

Failures
--------
* `Conflict`: a document has moved. Its cached copies are dropped, and the unit is tried again on the newer ones after
  a pause that grows; after `MAX_ATTEMPTS` it ends with `Contention`, and its sender sends it again.
* `Unavailable`: the store is away. The request is not retried here; the sender gets 503, or the payload is spooled.
  The unit may have been stored all the same, so a request that is repeated later says so by `again`.
* `Refusal`: the payload is not acceptable, such as one of a profile that was forgotten. Nothing was written.
* Cancelled: a unit that waits behind another commit is stored all the same; one that is just being committed may be
  stored or not; any other one leaves nothing behind.
* A commit got no answer (`Unavailable` or cancelled): `late` counts the unit later, if the store has it.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from msgspec import structs

from engine.flow.output_limits import MAX_PROFILE, outgrowth
from engine.ports.backoff import BackoffFormula
from engine.ports.kinds import WAITS
from engine.ports.records import Changes
from engine.ports.store import Conflict, Contention, Store, Unavailable
from engine.ports.world import Clock, Performer
from engine.profile.document import Profile
from engine.project.project import Project
from engine.tracking.answer.outcome import UNCHANGED, UnitResult, handed_over_result, refused_result, unit_result
from engine.tracking.intake.admission import authority
from engine.tracking.pipeline.attempt import PROFILE_MOVED, Attempt, Enqueued, Finished
from engine.tracking.pipeline.driver import Driver
from engine.tracking.pipeline.field_types import FieldTypes, LearntFields
from engine.tracking.pipeline.flow_versions import FlowVersions
from engine.tracking.pipeline.handing_over import following_unit
from engine.tracking.pipeline.late_counting import LateCounting
from engine.tracking.pipeline.loading import Loaded, Loading
from engine.tracking.pipeline.profile_queue import ProfileQueue, ProfileQueues, UncommittedState
from engine.tracking.pipeline.repeat import answer_repeat
from engine.tracking.pipeline.settling import ReportApart, report_nothing, settled_profile
from engine.tracking.pipeline.time_slices import TimeSlices
from engine.tracking.pipeline.unmarked import UnmarkedEvents
from engine.tracking.tracing import Switches
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.compose import Composed, compose, regrouped_by, writes_nothing
from engine.tracking.unit.effects import UnitContext, UnitEffects
from engine.tracking.unit.event import UnitEvent, earliest_of, system_event
from engine.tracking.unit.families import Names
from engine.tracking.unit.ledger import Counted, Ledger
from engine.tracking.unit.meter import Meter
from engine.tracking.unit.pending import AskedWaits, PendingRun
from engine.tracking.unit.processing import UnitRun
from engine.tracking.unit.repeat import Marks, reject_foreign
from engine.tracking.unit.request import UnitRequest, committed_earlier, split_duplicates
from engine.tracking.unit.triggers import Triggers

MAX_ATTEMPTS = 24  # of one unit, when its documents keep moving
BACKOFF: Final = BackoffFormula(first=0.002, longest=0.128)


MAX_REDONE = 20  # events of a payload whose failed runs are done again
Redo = Callable[[tuple[str, ...]], Awaitable[None]]


class Pipeline:
    """Processes units for one project and one store. `start` it before the first one.

    One that `imports` takes events of files: they are facts about the past, and its project has no flows.
    """

    def __init__(
        self,
        project: Project,
        store: Store,
        performer: Performer,
        clock: Clock,
        new_id: Callable[[], str],
        ledger: Ledger | None = None,
        *,
        imports: bool = False,
        cache: ProfileCache | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.slices = TimeSlices(clock.ticks)
        self.imports = imports
        self.driver = Driver(store, performer, clock, self.resolve, self.slices)
        self.new_id = new_id
        self.cache = cache or ProfileCache()
        self.unmarked = UnmarkedEvents(store)
        self.ledger = ledger or Ledger(meter=Meter(Names.of(project)))
        self.report: Callable[[Unavailable], None] = _ignore  # a failure of the store or the spool, for the log
        self.report_apart: ReportApart = report_nothing  # profiles that were set apart on loading, for the log
        self.late = LateCounting(store, self.ledger)
        self.queues = ProfileQueues(store, self.cache, self.ledger, self.late)
        self.listeners: list[Callable[[Changes], None]] = []  # called with changes of records that are stored now
        self.queues.committed = self.committed
        self.queues.ticks = clock.ticks
        self.tracing: Switches | None = None  # the switches that are on, if any are
        self.redo: Redo | None = None  # does failed runs again, of events that were sent again
        self.full_targets: frozenset[str] = frozenset()  # for which no more deliveries are written
        self.loading = Loading(store, self.cache, lambda: self.project.settings, self.resolve)
        self.learnt_fields = LearntFields(store)
        self.flow_versions = FlowVersions(store, lambda: self.project)
        self.use(project)

    def use(self, project: Project) -> None:
        """Run the flows of `project` from the next attempt on."""
        self.project = project
        self.triggers = Triggers(project)
        used = FieldTypes.used_by(project)
        self.field_types = FieldTypes(project, self.learnt_fields, self.slices) if used else None

    def waiting(self) -> int:
        """Return how many units wait for the outside or for another unit of their profile: they use no time."""
        return self.driver.waiting + self.queues.lock_waiters

    async def start(self) -> None:
        """Read the store's secret, and store the text of every flow. Raises `Unavailable`."""
        self.loading.secret = await self.store.secret()
        for flow in self.project.flows:
            await self.store.remember_flow(flow.version, flow.name, flow.text)

    def committed(self, changes: Changes) -> None:
        """Pass changes of records that are stored now to all that listen."""
        for listener in self.listeners:
            listener(changes)

    # ---- a whole unit -----------------------------------------------------------------------------------------------

    async def process(self, request: UnitRequest) -> UnitResult:
        """Do a unit, durably. Raises `Unavailable` (also as `Contention`) and `Refusal`."""
        if self.field_types is not None:
            request, events = await self.typed(request), request.events
            if events and not request.events:
                await self.reject(request)
                return refused_result(request)
        for failures in range(MAX_ATTEMPTS):
            if failures:
                await asyncio.sleep(_pause(request.seed, failures))
            try:
                state = await self.attempt(request)
                result = await self.wait(request, state) if type(state) is Enqueued else state.result
            except Conflict:
                continue
            if self.redo is not None and result is not None and result.marks:
                await self.redo(tuple([mark.event for mark in result.marks.values()][:MAX_REDONE]))
            if state.following is not None:
                after = await self.process(state.following)
                return after if result is None else handed_over_result(result, after)
            if result is not None:
                return result
        raise Contention(f"the documents of this payload moved {MAX_ATTEMPTS} times while it was processed")

    async def typed(self, request: UnitRequest) -> UnitRequest:
        """Return a unit with the properties of its events cast, if its source has a schema. Raises `Unavailable`.

        A fixed schema may reject all events. The rest of a unit that was handed over has been cast before.
        """
        if self.field_types is None or request.handed_over is not None:
            return request
        return await self.field_types.typed(request)

    async def attempt(self, request: UnitRequest) -> Attempt:
        """Try a unit once, up to its commit. Raises `Conflict`, `Unavailable` and `Refusal`."""
        loaded = self.loading.at_hand(request, None) or await self.loading.load(request, None)
        if loaded.cached is None:
            return await self._attempt_without_profile(request, loaded) if request.events else Finished(UNCHANGED)
        async with self.queues.exclusive(loaded.cached.profile.id) as queue:
            if queue.stale:
                ahead = queue.uncommitted
                loaded = self.loading.at_hand(request, ahead) or await self.loading.load(request, ahead)
                if loaded.cached is None or loaded.cached.profile.id != queue.id:
                    return PROFILE_MOVED
            request, marks, fresh = await self.split(request, loaded, queue.uncommitted)
            if request.events and not fresh:
                await queue.drained()  # no repeat is acknowledged before the first one is stored
                return Finished(await self._repeated(request, loaded, marks))
            if request.resumed is not None and not self._is_to_resume(request, loaded):
                await queue.drained()  # what has ended or postponed the wait may not be stored yet
                return Finished(UNCHANGED)
            effects, composed = await self.run(request, loaded, fresh, queue)
            following = None if effects.given_up is None else following_unit(request, loaded, fresh, effects)
            if following is not None and not effects.events:
                await queue.drained()
                await self.loading.require_current(loaded)  # nothing is committed, which would compare the versions
                return Finished(None, following)
            is_idle = (not request.events or request.firing is not None) and request.resumed is None
            if is_idle and writes_nothing(effects, composed):
                await queue.drained()  # it has read documents that may not be stored yet
                if request.events:
                    await self.loading.require_current(loaded)
                return Finished(UNCHANGED)
            if composed.touches_others:
                await queue.drained()
                done = await self.commit_alone(request, loaded, effects, composed, marks)
                return structs.replace(done, following=following)
            enqueued = self.enqueue(queue, request, loaded, effects, composed, marks)
            return enqueued if following is None else structs.replace(enqueued, following=following)

    async def _attempt_without_profile(self, request: UnitRequest, loaded: Loaded) -> Attempt:
        request, marks, fresh = await self.split(request, loaded, None)
        if not fresh:
            return Finished(await self._repeated(request, loaded, marks))
        effects, composed = await self.run(request, loaded, fresh)
        return await self.commit_alone(request, loaded, effects, composed, marks)

    # ---- the steps --------------------------------------------------------------------------------------------------

    async def split(
        self, request: UnitRequest, loaded: Loaded, uncommitted: UncommittedState | None
    ) -> tuple[UnitRequest, Marks, list[UnitEvent]]:
        """Tell apart the events of a unit that have taken effect before, and the others.

        Returns the request, with the events rejected that took effect for another sender; the marks of the sender's
        own, by index; and the other events, each id once.
        """
        ids = tuple([event.id for event in request.events if event.marked])
        if not ids:
            return request, {}, list(request.events)
        source = request.source.source
        found = uncommitted.marks if uncommitted is not None else {}
        before = {id: found[source, id] for id in ids if (source, id) in found}  # first: once stored they are dropped
        if not (self.unmarked.ids and self.unmarked.take(source, ids)):
            before = {**await self.store.marks(source, ids), **before}
        marks, fresh = split_duplicates(request, before)
        if marks:
            profile = loaded.cached.profile if loaded.cached is not None else None
            request, marks = reject_foreign(request, marks, loaded.acting_id, profile)
        return request, marks, fresh

    async def run(
        self, request: UnitRequest, loaded: Loaded, fresh: list[UnitEvent], queue: ProfileQueue | None = None
    ) -> tuple[UnitEffects, Composed]:
        """Run events of a unit. Returns their effects, and the documents that are to be committed.

        `queue` is that of its profile, of which the caller holds the lock.

        If the profile has become too large, all runs again, and those runs fail that would make it so.
        """
        weighed, given_up = False, None
        while True:
            context = self._context(request, loaded, weighed)
            if request.source.times == "occurred":
                context = structs.replace(context, earliest=earliest_of(fresh))
            run = UnitRun(self.triggers, context, self.clock.ticks)
            began: float | None = None
            has_begun = given_up is None or given_up.place >= 0  # else there is nothing before the run to do again
            for pending in run.run([*self._system_events(loaded, request), *fresh]) if has_begun else ():
                if pending is None:
                    began = await self.slices.after_step(began)
                elif isinstance(pending, PendingRun):
                    await self.driver.drive(pending, request)
                else:
                    await self._find_waits(pending, request, queue)
            if run.effects.given_up is not None:  # the events before it are run alone
                given_up = run.effects.given_up
                fresh = fresh[: max(given_up.place, 0)]
                continue
            if run.effects.state.pool is None:
                composed = compose(run.effects, request.intake, request.rejected())
            else:
                composed = await self._regrouped(run.effects, request)
            run.effects.given_up = given_up
            if weighed or not _has_outgrown(loaded, composed):
                if request.resumed is not None or request.firing is not None:
                    await self._require_unforgotten(run.effects)
                return run.effects, composed
            weighed = True

    async def _require_unforgotten(self, effects: UnitEffects) -> None:
        """Raises `Conflict` if a profile that a unit's runs have read was forgotten meanwhile, and `Unavailable`.

        A run without a sender may take longer than forgetting waits for units under way. Its own profile and its record
        need no look: the commit compares their versions.
        """
        others = {id for result in effects.flows for id in result.other_profiles}
        others |= {id for delivery in effects.deliveries for id in delivery.other_profiles}
        if others and (id := await self.loading.forgotten_of(others)) is not None:
            raise Conflict("profile", id)

    async def _find_waits(self, asked: AskedWaits, request: UnitRequest, queue: ProfileQueue | None) -> None:
        """Read waiting runs, and their flows.

        A record that is not there may be one of a unit that is not stored yet, or one that its unit has still to write:
        loading the profile finishes that.
        """
        for stub in asked.stubs:
            record = await self.store.record(WAITS, stub.id)
            if record is None and queue is not None:
                await queue.drained()
                record = await self.store.record(WAITS, stub.id)
            if record is None:
                await self.resolve(stub.of, request.now)
                record = await self.store.record(WAITS, stub.id)
            if record is not None:
                asked.found[stub.id] = await self.flow_versions.with_flow(record)

    def _is_to_resume(self, request: UnitRequest, loaded: Loaded) -> bool:
        """Whether the run that a unit is to resume waits still, and is ripe."""
        assert request.resumed is not None  # noqa: S101  # the caller has checked it
        profile = loaded.cached.profile if loaded.cached is not None else None
        at = max(request.now, profile.evaluated_at) if profile is not None else 0
        return profile is not None and request.resumed.stub_in(profile, at) is not None

    async def _regrouped(self, effects: UnitEffects, request: UnitRequest) -> Composed:
        """Return the documents of a unit that has joined profiles or set some apart. Raises `Unavailable`."""
        regrouped = regrouped_by(effects)
        stored = await self.store.as_stored(regrouped.ids) if regrouped.sets_apart else {}
        return compose(effects, request.intake, request.rejected(), regrouped, stored)

    async def resolve(self, id: str, now: int) -> Profile | None:
        """Return the profile that an id leads to, settled; `now` is in ms. Raises `Unavailable`."""
        return await settled_profile(self.store, self.project, id, now, self.report_apart)

    def enqueue(
        self,
        queue: ProfileQueue,
        request: UnitRequest,
        loaded: Loaded,
        effects: UnitEffects,
        composed: Composed,
        marks: Marks,
    ) -> Enqueued:
        """Order the commit of a unit, as the holder of its queue. Raises `Conflict`."""
        result = unit_result(request, effects, composed, marks)
        return Enqueued(result, queue.enqueue(composed, loaded.acting_id, result.counted, request))

    async def wait(self, request: UnitRequest, enqueued: Enqueued) -> UnitResult:
        """Return the result of a unit once it is stored; call it once. Raises `Conflict` and `Unavailable`."""
        pending = enqueued.pending
        try:
            await pending.queue.wait_committed(pending)
        except Conflict:
            self._forget(request, [pending.acting_id], [pending.cached.profile if pending.cached is not None else None])
            raise
        return enqueued.result

    async def commit_alone(
        self, request: UnitRequest, loaded: Loaded, effects: UnitEffects, composed: Composed, marks: Marks
    ) -> Finished:
        """Commit a unit outside any queue. Raises `Conflict` and `Unavailable`."""
        result = unit_result(request, effects, composed, marks)
        began = self.clock.ticks()
        try:
            await self.store.commit(composed.unit)
        except Conflict as conflict:
            self.queues.count_failure(conflict)
            self._forget(request, [loaded.acting_id, effects.state.acting_id], _touched(loaded, effects))
            raise
        except BaseException as failure:
            self.queues.count_failure(failure)
            self.late.add(request, result.counted, failure)
            raise
        self.queues.commits.observe(self.clock.ticks() - began)
        if composed.unit.changes:
            self.committed(composed.unit.changes)
        if composed.touches_others:
            self._forget(request, [], _touched(loaded, effects))
        self.cache.update(composed.session, composed.cached, loaded.acting_id)
        self.ledger.count(result.counted)
        return Finished(result)

    async def reject(self, request: UnitRequest) -> None:
        """Record the events of a payload of which none could be accepted. Raises `Refusal` and `Unavailable`."""
        await self.loading.refuse_forgotten(request.intake)
        await self._reject(request, Counted(rejected=len(request.intake.rejected)))

    # ---- parts of the steps -----------------------------------------------------------------------------------------

    async def _repeated(self, request: UnitRequest, loaded: Loaded, marks: Marks) -> UnitResult:
        """Return the result of a unit without a new event, and record those of its events that are rejected."""
        rejected = request.rejected()
        mine = committed_earlier(request, marks)
        stored = sum([event.save for event in mine])
        counted = Counted(stored, len(mine) - stored, len(rejected), len(marks) - len(mine))
        result = await answer_repeat(self.store, self.loading, request, loaded, marks, counted)
        if rejected and not mine:
            await self._reject(request, counted)
        elif not (mine and self.late.has_counted(request.seed)):
            self.ledger.count(counted)
        return result

    async def _reject(self, request: UnitRequest, counted: Counted) -> None:
        try:
            await self.store.reject(request.rejected())
        except BaseException as failure:
            self.late.add(request, counted, failure)
            raise
        self.ledger.count(counted)

    def _context(self, request: UnitRequest, loaded: Loaded, weighed: bool) -> UnitContext:
        known, session, options = loaded.cached, loaded.session, request.intake.options
        context = UnitContext(
            source=request.source,
            session=session,
            profile=known.profile if known else None,
            view=known.view if known else None,
            acting_id=loaded.acting_id,
            now=request.now,
            seed=request.seed,
            identify=authority(request.source),
            debug=options.debugger if request.source.debugger else False,
            proven=request.intake.proven,
            has_events=bool(request.events),
            visit=session is not None and not session.version and options.saveSession,
            save=options.saveEvents,
            weighed=weighed,
        )
        if self.imports:
            context = structs.replace(context, imported=True, visit=False)
        if self.tracing is not None:
            context = structs.replace(context, traced=self.tracing)
        if self.full_targets:
            context = structs.replace(context, full_targets=self.full_targets)
        if request.intake.hops:
            context = structs.replace(context, hops=request.intake.hops)
        if request.resumed is not None:
            return structs.replace(context, resumed=request.resumed)
        if request.firing is not None:
            return structs.replace(context, firing=request.firing, has_events=False)
        if request.replay is not None:
            return structs.replace(context, again=request.replay, has_events=False)
        if loaded.login is None and request.handed_over is None:
            return context
        return structs.replace(
            context,
            login=loaded.login,
            former=loaded.former,
            handed_over=request.handed_over is not None,
            given_up=request.given_up,
        )

    def _system_events(self, loaded: Loaded, request: UnitRequest) -> list[UnitEvent]:
        """Return the events that the system adds, where a flow is triggered by them."""
        events: list[UnitEvent] = []
        if request.replay is not None:
            return events
        known, session, save = loaded.cached, loaded.session, request.intake.options.saveEvents
        joins = loaded.login is not None and loaded.login.leads_to_stored
        if (
            known is not None
            and known.profile.version == 0
            and not joins
            and self.triggers.of_system("profile-created")
        ):
            events.append(system_event("profile-created", known.profile.id, save))
        if session is not None and session.version == 0 and self._is_heard("session-opened", known):
            events.append(system_event("session-opened", f"{session.source}/{session.id}", save))
        return events

    def _is_heard(self, type: str, known: CachedProfile | None) -> bool:
        """Whether an event of the system triggers a flow, or a run of the profile waits for it."""
        if self.triggers.of_system(type):
            return True
        return known is not None and any(type in stub.on for stub in known.profile.waits)

    def _forget(self, request: UnitRequest, actings: Iterable[str | None], profiles: Iterable[Profile | None]) -> None:
        """Drop the cached documents that a conflict has shown to be outdated."""
        ids = {id for id in (*actings, request.intake.profile) if id}
        for profile in profiles:
            ids |= set(profile.ids) if profile is not None else set()
        session = request.intake.session
        self.cache.forget((request.intake.source, session) if session else None, ids)


def _touched(loaded: Loaded, effects: UnitEffects) -> list[Profile | None]:
    """Return the profiles that a unit has joined or set apart, as they were and as they are."""
    own = loaded.cached.profile if loaded.cached is not None else None
    return [own, effects.state.profile, *effects.state.documents]


def _ignore(_failure: Unavailable) -> None:
    pass


def _has_outgrown(loaded: Loaded, composed: Composed) -> bool:
    """Whether a unit has made its profile too large."""
    after = composed.cached
    if after is None or after.weight <= MAX_PROFILE:  # a view weighs more than its length
        return False
    return bool(outgrowth(loaded.cached.view if loaded.cached is not None else None, after.view))


def _pause(seed: str, failures: int) -> float:
    """Return the seconds to wait after so many failures (from 1), never 0, and mostly different for each `seed`."""
    return BACKOFF.pause(failures, zlib.crc32(f"{seed}{failures}".encode()) % 1000 / 1000)
