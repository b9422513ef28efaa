"""The scheduler: fires the flows with a schedule when they are due, each due time once among all processes.

Each such flow has a task: one document, which holds when it is due next, what its runs keep, and the log of its
firings. The steps of a firing:

    look       once a second: the tasks whose `next` has come, by one indexed query
    decide     which due time is fired, for how many others it stands, or that they are skipped (`passed_times`)
    claim      the task, by compare-and-set on its document; the claim is renewed every 5 s
    run        the flow, with an event `schedule-fired`
    commit     all that the run did and the task, with its next due time and its state, as one unit over the version of
               the claim

For a segment the run is one unit for each member, page by page, and the task keeps the place (`fan_out`).

Invariants
----------
* A due time is done by one commit, of one process: another one that fires it too fails at the version of the task.
* `next` only moves forward; a firing is never for a due time before one that was done.
* No task is fired twice at a time: while it is claimed others look on. What comes due meanwhile is missed.
* A process fires only the schedule that is stored with the task; a start stores its own. So in a rolling change the
  process that started last decides.

Failures
--------
* The process dies, or is stopped for long: its claim does not change for 15 s on another process's clock, which takes
  it over, for the same due time. Nothing of the first attempt is stored but pages of a segment. Look-ups are repeated.
* The store is away, or the outcome of the commit is unknown: the task's document tells; if it is still claimed by this
  process, the firing is begun again.
* The run fails: that is an outcome as any other. The log says why, the state stays as it was, the next due time comes.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from engine.flow.plan import Flow
from engine.flow.schedule import Schedule, spec_of
from engine.ports.due_times import DueTimes
from engine.ports.kinds import TASKS
from engine.ports.store import Conflict, Unavailable
from engine.ports.task import FiringRecord, Task
from engine.project.project import Project
from engine.tracking.intake.payload import Options
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import TAKEOVER_SECONDS, Claim, TakenOver, write_task
from engine.tracking.schedules.fan_out import FanOut, Paused
from engine.tracking.schedules.flow_firing import FlowFiring
from engine.tracking.schedules.passed_times import INDEXED_MS, After, Decision, decide, missed_before, start_of
from engine.tracking.schedules.task_changes import gone, new_task, paused, rescheduled, resumed, skipped

AT_ONCE: Final = 16  # firings of one process
EVERY_TASK: Final = 253_402_300_799_000  # ms: the end of the year 9999, by which every task is due
MAX_TASKS: Final = 10_000
PUT_OFF_SECONDS: Final = 60  # after a bug
PLAIN: Final = Options()

FiringCoroutine = Coroutine[None, None, FiringRecord | None]
FiringTask = asyncio.Task[FiringRecord | None]


class Busy(Exception):
    """The task is being fired."""


class NoTask(Exception):
    """No flow with a schedule has this name."""


class Scheduler:
    """The scheduler of one process. `holder` is drawn at its start; `sole` says that the store has no other process.

    With `only`, it knows no other flows than these.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        due_times: DueTimes,
        holder: str,
        *,
        sole: bool = False,
        only: frozenset[str] | None = None,
        options: Options = PLAIN,
        report_bug: Callable[[str, BaseException], None] = lambda name, bug: None,
        report_fired: Callable[[str, FiringRecord], None] = lambda name, record: None,
    ) -> None:
        self._pipeline, self._store = pipeline, pipeline.store
        self._due_times = due_times
        self._holder = holder
        self._sole = sole
        self._only = only
        self._options = options
        self._report_bug, self._report_fired = report_bug, report_fired
        self._stored_for: Project | None = None  # the project whose tasks are stored
        self._running: dict[str, FiringTask] = {}
        self._observed: dict[str, tuple[int, float]] = {}  # by task: the version of a foreign claim, since which tick
        self._put_off: dict[str, float] = {}  # by task: until which tick it is put off, after a bug
        self._closing = False

    # ---- tasks ------------------------------------------------------------------------------------------------------

    @property
    def timezone(self) -> str:
        """The zone of schedules that name none."""
        return self._pipeline.project.settings.timezone

    @property
    def flows(self) -> dict[str, Flow]:
        """The flows with a schedule, by name."""
        flows = self._pipeline.project.flows
        scheduled = {flow.name: flow for flow in flows if flow.trigger.schedule is not None}
        return scheduled if self._only is None else {name: scheduled[name] for name in scheduled.keys() & self._only}

    async def store_tasks(self) -> None:
        """Store the schedules of this process's project: of new flows, of changed ones, and of those that are gone.

        Raises `Unavailable`.
        """
        project, flows = self._pipeline.project, self.flows
        for flow in flows.values():
            await self._store_task(flow)
        for task in await self._store.due_records(TASKS, EVERY_TASK, MAX_TASKS):
            if task.id not in flows:
                await self._change(task.id, gone)
        self._stored_for = project

    async def tasks(self) -> list[tuple[Flow, Task | None]]:
        """Return the flows with a schedule, by name, and their tasks as they are stored. Raises `Unavailable`."""
        return [(flow, await self._store.record(TASKS, name)) for name, flow in sorted(self.flows.items())]

    async def task(self, name: str) -> Task:
        """Return a task as it is stored, or as it would be stored. Raises `NoTask` and `Unavailable`."""
        flow = self._flow(name)
        task = await self._store.record(TASKS, name)
        return self._new_task(flow) if task is None else task

    async def pause(self, name: str) -> Task:
        """Pause a task. Raises `NoTask` and `Unavailable`."""
        await self._store_task(self._flow(name))
        return await self._change(name, lambda task: task if task.paused else paused(task))

    async def resume(self, name: str) -> Task:
        """Resume a task: it goes on with the first due time after now. Raises `NoTask` and `Unavailable`."""
        flow = self._flow(name)
        await self._store_task(flow)
        next = self._after(flow)(self._pipeline.clock.now())
        return await self._change(name, lambda task: resumed(task, next) if task.paused else task)

    async def run_now(self, name: str) -> FiringTask:
        """Begin to fire a task now, whenever it is due. Raises `NoTask`, `Busy` and `Unavailable`."""
        flow = self._flow(name)
        await self._store_task(flow)
        task = await self.task(name)
        if name in self._running or not self._is_free(task):
            raise Busy(name)
        now = self._pipeline.clock.now()
        since = now - INDEXED_MS if _schedule(flow).segment else now
        due = task.firing.due if task.firing is not None else max(since, (task.last or 0) + 1)
        claim = await Claim.take(self._store, task, self._holder, due)
        if claim is None:
            raise Busy(name)
        return self._begin(name, self._fire_claimed(flow, claim, 0))

    # ---- firing -----------------------------------------------------------------------------------------------------

    async def turn(self) -> int:
        """Begin to fire what is due now. Returns how many firings have begun. Raises `Unavailable`."""
        if self._stored_for is not self._pipeline.project:
            await self.store_tasks()
        begun, flows = 0, self.flows
        if not flows:
            return 0
        for task in await self._store.due_records(TASKS, self._pipeline.clock.now(), MAX_TASKS):
            flow = flows.get(task.id)
            if flow is None or task.id in self._running or len(self._running) >= AT_ONCE or self._closing:
                continue
            if self._pipeline.clock.ticks() < self._put_off.get(task.id, float("-inf")):
                continue
            if self._decision(flow, task) is not None:
                self._begin(task.id, self._fire(flow))
                begun += 1
        return begun

    async def next_start(self) -> int | None:
        """Return when the next firing starts (ms), with its jitter; None if no task is due. Raises `Unavailable`."""
        starts = []
        for flow, task in await self.tasks():
            if task is not None and task.next is not None:
                starts.append(start_of(_schedule(flow), flow.name, task.next))
        return min(starts, default=None)

    async def settled(self) -> None:
        """Wait for the end of all firings that this process has begun."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def close(self) -> None:
        """Begin no more firings, and end those under way: other processes go on with them at once."""
        self._closing = True
        for task in self._running.values():
            task.cancel()
        await self.settled()

    async def _fire(self, flow: Flow) -> FiringRecord | None:
        """Fire a flow, or skip due times, if its task still wants it. Raises `Unavailable`."""
        task = await self._store.record(TASKS, flow.name)
        decision = self._decision(flow, task) if task is not None else None
        if task is None or decision is None or not self._is_free(task):
            return None
        if decision.due is None:
            await self._skip(task, decision)
            return None
        claim = await Claim.take(self._store, task, self._holder, decision.due)
        return await self._fire_claimed(flow, claim, decision.missed) if claim is not None else None

    async def _fire_claimed(self, flow: Flow, claim: Claim, missed: int) -> FiringRecord | None:
        schedule, next = _schedule(flow), self._after(flow)(claim.due)
        firing: FlowFiring | FanOut
        if schedule.segment:
            firing = FanOut(self._pipeline, flow, claim, missed, next, self._options)
        else:
            firing = FlowFiring(self._pipeline, flow, claim, missed, next, self._options)
        try:
            record = await firing.fire()
        except (TakenOver, Paused):
            return None
        except asyncio.CancelledError:
            await self._leave(claim)
            raise
        self._report_fired(flow.name, record)
        return record

    async def _leave(self, claim: Claim) -> None:
        try:
            await claim.leave()
        except TakenOver:
            pass
        except Unavailable as unavailable:  # then others wait until the claim has not changed for long enough
            self._pipeline.report(unavailable)

    def _decision(self, flow: Flow, task: Task) -> Decision | None:
        """Return what to do about a task as it is stored; None if nothing is to do, or another schedule is stored."""
        if task.next is None or task.spec != spec_of(_schedule(flow), self.timezone):
            return None
        now, after = self._pipeline.clock.now(), self._after(flow)
        if task.firing is not None and (task.next <= now):
            due = task.firing.due
            return Decision(due, missed_before(due, task.next, after), after(due))
        return decide(_schedule(flow), task.id, task.next, now, after)

    def _is_free(self, task: Task) -> bool:
        """Return whether a task is not claimed, or its claim is this process's or has not changed for long enough."""
        firing = task.firing
        if firing is None or not firing.by or firing.by == self._holder or self._sole:
            self._observed.pop(task.id, None)
            return True
        ticks = self._pipeline.clock.ticks()
        version, since = self._observed.get(task.id, (0, ticks))
        if version != task.version:
            self._observed[task.id] = task.version, ticks
            return False
        return ticks - since >= TAKEOVER_SECONDS

    async def _skip(self, task: Task, decision: Decision) -> None:
        now = self._pipeline.clock.now()
        assert task.next is not None  # noqa: S101  # else there was no decision
        reason = f"{decision.missed} due times were more than five minutes late"
        record = FiringRecord(task.next, now, now, "skipped", reason, decision.missed)
        try:
            await write_task(self._store, skipped(task, record, decision.next), task.version)
        except Conflict:  # another process did it, or fires
            return
        self._report_fired(task.id, record)

    def _begin(self, name: str, firing: FiringCoroutine) -> FiringTask:
        task = asyncio.create_task(firing)
        self._running[name] = task
        task.add_done_callback(lambda done: self._over(name, done))
        return task

    def _over(self, name: str, task: FiringTask) -> None:
        """Report why a firing ended without a result; its task is looked at again at the next turn."""
        del self._running[name]
        failure = task.exception() if not task.cancelled() else None
        if isinstance(failure, Unavailable):
            self._pipeline.report(failure)
        elif failure is not None:
            self._put_off[name] = self._pipeline.clock.ticks() + PUT_OFF_SECONDS
            self._report_bug(name, failure)

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _after(self, flow: Flow) -> After:
        schedule, zone = _schedule(flow), self.timezone
        return lambda time: self._due_times.after(schedule, time, zone)

    def _flow(self, name: str) -> Flow:
        flow = self.flows.get(name)
        if flow is None:
            raise NoTask(name)
        return flow

    def _new_task(self, flow: Flow) -> Task:
        now = self._pipeline.clock.now()
        return new_task(flow.name, spec_of(_schedule(flow), self.timezone), now, self._after(flow)(now))

    async def _store_task(self, flow: Flow) -> None:
        while not await self._stored(flow):
            pass

    async def _stored(self, flow: Flow) -> bool:
        """Store the schedule of a flow, if another one is stored. Returns False if another process was faster."""
        now = self._pipeline.clock.now()
        spec = spec_of(_schedule(flow), self.timezone)
        task = await self._store.record(TASKS, flow.name)
        if task is not None and task.spec == spec and (task.paused or task.next is not None):
            return True
        if task is None:
            changed = self._new_task(flow)
        else:  # a clock that was set back does not bring back a due time
            changed = rescheduled(task, spec, now, self._after(flow)(max(now, task.last or 0)))
        try:
            await write_task(self._store, changed, task.version if task is not None else 0)
        except Conflict:
            return False
        return True

    async def _change(self, name: str, change: Callable[[Task], Task]) -> Task:
        while True:
            task = await self._store.record(TASKS, name)
            if task is None:
                raise NoTask(name)
            changed = change(task)
            if changed is task:
                return task
            try:
                await write_task(self._store, changed, task.version)
            except Conflict:
                continue
            return changed


def _schedule(flow: Flow) -> Schedule:
    assert flow.trigger.schedule is not None  # noqa: S101  # the caller has checked it
    return flow.trigger.schedule
