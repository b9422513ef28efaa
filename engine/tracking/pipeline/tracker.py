"""The tracker: load, run, commit. Async like `loading`, `lines` and its `driver`, and nothing else in the engine.

A payload is a unit of work. Its documents are loaded (from memory where possible: the commit compares versions), its
events run, and everything is committed as one; if a document has moved meanwhile, the unit runs again on the newer one,
with the same time, seed, ids and outside replies. Units of one profile take turns in this process.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from engine.flow.plan import Flow
from engine.ports.ids import is_placeholder
from engine.ports.records import ProcessedEvent
from engine.ports.store import Conflict, Contention, Store, Unavailable
from engine.ports.world import Clock, Performer
from engine.profile.document import Profile
from engine.project.project import Project
from engine.project.source import SYSTEM_SOURCE, Source
from engine.tracking.answer.answer import Answer, nothing_accepted
from engine.tracking.answer.outcome import UNCHANGED, FailedUnit, UnitResult, answer_of, duplicate_result, unit_result
from engine.tracking.intake.admission import authority
from engine.tracking.intake.payload import Intake, Options, Refusal
from engine.tracking.pipeline.driver import Driver
from engine.tracking.pipeline.loading import Loaded, Loading
from engine.tracking.pipeline.profile_queue import PendingCommit, ProfileQueues, UncommittedState
from engine.tracking.pipeline.readiness import Readiness
from engine.tracking.unit.cache import ProfileCache
from engine.tracking.unit.compose import Composed, compose, rejected_records, writes_nothing
from engine.tracking.unit.event import UnitEvent, system_event
from engine.tracking.unit.ledger import Counted, Ledger
from engine.tracking.unit.processing import UnitContext, UnitRun
from engine.tracking.unit.request import UnitRequest, client_events, committed_earlier, split_duplicates, units_of
from engine.tracking.unit.triggers import Triggers

MAX_RUNS = 24  # of one unit, when its documents keep moving
PLAIN = Options()


class Enqueued(Struct, frozen=True):
    """A unit on its way to the store, and what is told of it once it is there."""

    done: UnitResult
    place: PendingCommit


class Tracker:
    """Takes payloads for one project and one store. `start` it before the first payload."""

    def __init__(
        self, project: Project, store: Store, performer: Performer, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self.store = store
        self.driver = Driver(store, performer, clock)
        self.clock = clock
        self.new_id = new_id
        self.cache = ProfileCache()
        self.ledger = Ledger()
        self.queues = ProfileQueues(store, self.cache, self.ledger)
        self.triggers = Triggers(project)
        self.loading = Loading(store, self.cache, lambda: self.project.settings.fields)

    @property
    def project(self) -> Project:
        """The project whose flows run now."""
        return self.triggers.project

    async def start(self) -> None:
        """Read the store's secret and keep the texts of the flows."""
        self.loading.secret = await self.store.secret()
        await self.remember(self.project)

    async def readiness(self) -> Readiness:
        """Whether payloads can be taken now."""
        reason = await self.store.ready()
        return Readiness("ready" if reason is None else "not ready", reason)

    async def remember(self, project: Project) -> None:
        """Keep the text of every flow version, once."""
        for flow in project.flows:
            await self.store.remember_flow(flow.version, flow.name, flow.text)

    async def track(self, intake: Intake, source: Source) -> Answer:
        """Do what a payload asks for, durably. Raises `Refusal` or `Unavailable`."""
        request = self._request(self._with_session(intake, source), source)
        if not request.events:
            await self._reject(request)
            raise nothing_accepted(request.intake)
        return answer_of(request, *await self._one_by_one(units_of(request)))

    async def reevaluate(self, id: str, options: Options = PLAIN) -> bool:
        """Work out a profile's segments anew, as time has passed or they have changed; gives whether anything has.

        What they make flows do is done in the same unit; with the debugger, it is kept why others do nothing. Raises
        `Unavailable`.
        """
        done = await self._unit(
            self._request(Intake(source=SYSTEM_SOURCE.source, profile=id, options=options), SYSTEM_SOURCE)
        )
        return done is not UNCHANGED

    async def _reject(self, request: UnitRequest) -> None:
        """Keep the events of a payload of which none could be accepted."""
        await self.loading.not_late(request.intake)
        await self.store.reject(rejected_records(request.intake, request.now, request.seed))
        self.ledger.count(Counted(rejected=len(request.intake.rejected)))

    async def _one_by_one(self, requests: list[UnitRequest]) -> tuple[list[UnitResult], list[FailedUnit]]:
        """The units of one payload: those that are done, and once one is, those that could not be taken."""
        done: list[UnitResult] = []
        missed: list[FailedUnit] = []
        for request in requests:
            try:
                done.append(await self._unit(request))
            except (Unavailable, Refusal) as error:
                if not done:
                    raise
                missed.append(FailedUnit(request, error))
        return done, missed

    def _request(self, intake: Intake, source: Source) -> UnitRequest:
        return UnitRequest(
            source=source,
            intake=intake,
            events=client_events(intake, self.new_id),
            now=self.clock.now(),
            seed=self.new_id(),
            deadline=self.clock.ticks() + source.answer_within / 1000,
            replies={},
        )

    def _with_session(self, intake: Intake, source: Source) -> Intake:
        session = intake.session
        if session is not None and is_placeholder(session):
            session = None
        if session is None and not intake.sessionless:
            if source.sessions != "made":
                told = "a payload needs `session.id`: make one per visit on the client (a uuid4) and send it each time"
                raise Refusal("malformed", told, "/session/id")
            session = self.new_id()
        return intake if session == intake.session else structs.replace(intake, session=session)

    # ---- a unit -----------------------------------------------------------------------------------------------------

    async def _unit(self, request: UnitRequest) -> UnitResult:
        for run in range(1, MAX_RUNS + 1):
            try:
                sent = await self._sent(request)
                if isinstance(sent, Enqueued):
                    return await self._landed(request, sent)
                if sent is not None:
                    return sent
            except Conflict:
                pass
            await asyncio.sleep(_pause(request.seed, run))
        raise Contention(f"the documents of this payload moved {MAX_RUNS} times while it was processed")

    async def _sent(self, request: UnitRequest) -> Enqueued | UnitResult | None:
        """Run a unit and put it on its way; None when it turns out to be of another profile than it was taken for."""
        loaded = self.loading.at_hand(request, None) or await self.loading.load(request, None)
        if loaded.known is None:
            return await self._alone(request, loaded) if request.events else UNCHANGED
        return await self._in_line(request, loaded, loaded.known.profile.id)

    async def _landed(self, request: UnitRequest, boarded: Enqueued) -> UnitResult:
        """What is told of a unit, once it is committed. Raises `Conflict` if it could not be."""
        place = boarded.place
        try:
            await self.queues.wait_committed(place)
        except Conflict:
            self._forget(request, [place.acting], [place.known.profile if place.known is not None else None])
            raise
        return boarded.done

    async def _alone(self, request: UnitRequest, loaded: Loaded) -> UnitResult:
        """A unit that came without a profile: nothing else waits for it."""
        marks, fresh = await self._fresh(request, None)
        if not fresh:
            return await self._repeated(request, loaded, marks)
        work, composed = await self._run(request, loaded, fresh)
        return await self._committed(request, loaded, work, composed, marks)

    async def _in_line(self, request: UnitRequest, loaded: Loaded, turn: str) -> Enqueued | UnitResult | None:
        """A unit of the profile `turn`, in turn with others; None when it turns out to be of another profile."""
        line, old = await self.queues.acquire(turn)
        try:
            if old:
                loaded = self.loading.at_hand(request, line.uncommitted) or await self.loading.load(
                    request, line.uncommitted
                )
                if loaded.known is None or loaded.known.profile.id != turn:
                    return None  # merged meanwhile: it is another profile's turn to wait for
            marks, fresh = await self._fresh(request, line.uncommitted)
            if request.events and not fresh:
                await self.queues.drained(line)
                return await self._repeated(request, loaded, marks)
            work, composed = await self._run(request, loaded, fresh)
            if not request.events and writes_nothing(work, composed):
                await self.queues.drained(line)  # it has looked at what may not be committed yet
                return UNCHANGED
            if work.merged:  # it touches other lines: nobody may build on it before it is committed
                await self.queues.drained(line)
                return await self._committed(request, loaded, work, composed, marks)
            done = unit_result(request, work, composed, marks)
            return Enqueued(done, self.queues.enqueue(line, composed, loaded.acting, done.counted))
        finally:
            self.queues.release(line)

    async def _run(self, request: UnitRequest, loaded: Loaded, fresh: list[UnitEvent]) -> tuple[UnitRun, Composed]:
        """Run the unit's events; what comes of it is to be committed."""
        work = self._work(request, loaded)
        for pending in work.run([*self._system_events(loaded, request), *fresh]):
            await self.driver.drive(pending, request)
        rejected = rejected_records(request.intake, request.now, request.seed)
        return work, compose(work, request.intake, request.intake.options.saveSession, rejected)

    async def _committed(
        self, request: UnitRequest, loaded: Loaded, work: UnitRun, composed: Composed, marks: dict[int, ProcessedEvent]
    ) -> UnitResult:
        """Commit a unit on its own. Raises `Conflict`."""
        done = unit_result(request, work, composed, marks)
        try:
            await self.store.commit(composed.unit)
        except Conflict:
            own = loaded.known.profile if loaded.known is not None else None
            self._forget(request, [loaded.acting, work.state.acting_id], [own, work.state.profile, *work.merged])
            raise
        self.cache.update(composed.session, composed.known, loaded.acting)
        self.ledger.count(done.counted)
        return done

    async def _fresh(
        self, request: UnitRequest, ahead: UncommittedState | None
    ) -> tuple[dict[int, ProcessedEvent], list[UnitEvent]]:
        """The marks of those events that have taken effect before, by index; and the others, each id once."""
        ids = tuple(event.id for event in request.events if event.marked)
        if not ids:
            return {}, list(request.events)
        source = request.source.source
        found = ahead.marks if ahead is not None else {}
        before = {id: found[source, id] for id in ids if (source, id) in found}  # first: what lands meanwhile goes
        marks = {**await self.store.marks(source, ids), **before}
        return split_duplicates(request, marks)

    async def _repeated(self, request: UnitRequest, loaded: Loaded, marks: dict[int, ProcessedEvent]) -> UnitResult:
        """A payload of which nothing is new: the first answer's ids for the same session or profile, else its own."""
        first = next(iter(marks.values()))
        own = loaded.known.profile if loaded.known else None
        profile = loaded.acting
        if first.session == request.intake.session or authority(request.source) == "trust":
            same = first.session == request.intake.session or (own is not None and first.profile in own.ids)
            profile = first.profile if same else own.id if own is not None else None
        rejected = rejected_records(request.intake, request.now, request.seed)
        mine = committed_earlier(request, marks)
        if rejected and not mine:
            await self.store.reject(rejected)
        stored = sum([event.save for event in mine])
        counted = Counted(stored, len(mine) - stored, len(rejected), len(request.events) - len(mine))
        self.ledger.count(counted)
        return duplicate_result(request, None if request.intake.profile_less else profile, marks, counted)

    def _work(self, request: UnitRequest, loaded: Loaded) -> UnitRun:
        start = UnitContext(
            source=request.source,
            session=loaded.session,
            profile=loaded.known.profile if loaded.known else None,
            view=loaded.known.view if loaded.known else None,
            acting=loaded.acting,
            now=request.now,
            seed=request.seed,
            identify=authority(request.source),
            debug=request.intake.options.debugger if request.source.debugger else False,
            proven=request.intake.proven,
            meets=bool(request.events),
            visit=loaded.session is not None and not loaded.session.version and request.intake.options.saveSession,
            save=request.intake.options.saveEvents,
        )
        return UnitRun(self.triggers, start, self.clock.ticks, self._sampled)

    def _sampled(self, event: UnitEvent, flow: Flow) -> bool:
        share = flow.keep if flow.keep is not None else self.project.settings.keep("finished")
        return share > 0 and zlib.crc32(f"{event.id}{flow.name}".encode()) % 10_000 < share * 10_000

    def _system_events(self, loaded: Loaded, request: UnitRequest) -> list[UnitEvent]:
        """The events that the system adds, where a flow is triggered by them."""
        events = []
        save = request.intake.options.saveEvents
        if (
            loaded.known is not None
            and loaded.known.profile.version == 0
            and self.triggers.of_system("profile-created")
        ):
            events.append(system_event("profile-created", loaded.known.profile.id, save))
        if loaded.session is not None and loaded.session.version == 0 and self.triggers.of_system("session-opened"):
            events.append(system_event("session-opened", f"{loaded.session.source}/{loaded.session.id}", save))
        return events

    def _forget(self, request: UnitRequest, actings: Iterable[str | None], people: Iterable[Profile | None]) -> None:
        """Forget what a conflict has shown to be old."""
        ids = {id for id in (*actings, request.intake.profile) if id}
        for profile in people:
            ids |= set(profile.ids) if profile is not None else set()
        session = request.intake.session
        self.cache.forget((request.intake.source, session) if session else None, ids)


def _pause(seed: str, runs: int) -> float:
    """Seconds to wait before a unit runs again: more each time, and not the same for any two units."""
    most = 0 if runs == 1 else min(2**runs, 128)
    return most * (zlib.crc32(f"{seed}{runs}".encode()) % 1000) / 1e6
