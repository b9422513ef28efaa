"""The scheduler: fires flows with a schedule and tasks when they are due, each due time once among all processes.

Each has a task in the store: one document, which holds when it is due next, what its runs keep, and the log of its
firings. The steps of a firing:

    look       once a second: the tasks whose `next` has come, by one indexed query
    decide     which due time is fired, for how many others it stands, or that they are skipped (`passed_times`)
    claim      the task, by compare-and-set on its document; the claim is renewed every 5 s
    run        the flow, with an event `schedule-fired`
    commit     all that the run did and the task, with its next due time and its state, as one unit over the version of
               the claim

For a segment the run is one unit for each member, page by page, and the task keeps the place (`fan_out`). A script
stores events first, under ids by which a repeat takes no effect, and then the task (`script_firing`).

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
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

from engine.flow.schedule import spec_of
from engine.ports.due_times import DueTimes
from engine.ports.kinds import TASKS
from engine.ports.store import Conflict, Unavailable
from engine.ports.task import FiringRecord, Task
from engine.project.project import Project
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import TAKEOVER_SECONDS, Claim, TakenOver, write_task
from engine.tracking.schedules.fan_out import Paused
from engine.tracking.schedules.passed_times import INDEXED_MS, After, Decision, decide, missed_before, start_of
from engine.tracking.schedules.scheduled import Scheduled, ScheduledOf
from engine.tracking.schedules.task_changes import gone, new_task, paused, rescheduled, resumed, skipped

AT_ONCE: Final = 16  # firings of one process
EVERY_TASK: Final = 253_402_300_799_000  # ms: the end of the year 9999, by which every task is due
MAX_TASKS: Final = 10_000
PUT_OFF_SECONDS: Final = 60  # after a bug

FiringCoroutine = Coroutine[None, None, FiringRecord | None]
FiringTask = asyncio.Task[FiringRecord | None]


class Busy(Exception):
    """The task is being fired."""


class NoTask(Exception):
    """Nothing with a schedule has this name."""


class Scheduler:
    """The scheduler of one process, for all that is `scheduled` in the project that is in use.

    `holder` is drawn at its start; `sole` says that the store has no other process.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        due_times: DueTimes,
        holder: str,
        scheduled: ScheduledOf,
        *,
        sole: bool = False,
        report_bug: Callable[[str, BaseException], None] = lambda name, bug: None,
        report_fired: Callable[[str, FiringRecord], None] = lambda name, record: None,
    ) -> None:
        self._pipeline, self._store = pipeline, pipeline.store
        self._due_times = due_times
        self._holder = holder
        self._sole = sole
        self._scheduled_of = scheduled
        self._scheduled: tuple[Project, Mapping[str, Scheduled]] | None = None  # of the project that was used last
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
    def scheduled(self) -> Mapping[str, Scheduled]:
        """All that has a schedule, by name."""
        project = self._pipeline.project
        if self._scheduled is None or self._scheduled[0] is not project:
            self._scheduled = project, self._scheduled_of(self._pipeline)
        return self._scheduled[1]

    async def store_tasks(self) -> None:
        """Store the schedules of this process's project: new ones, changed ones, and that some are gone.

        Raises `Unavailable`.
        """
        project, scheduled = self._pipeline.project, self.scheduled
        for one in scheduled.values():
            await self._store_task(one)
        for task in await self._store.due_records(TASKS, EVERY_TASK, MAX_TASKS):
            if task.id not in scheduled:
                await self._change(task.id, gone)
        self._stored_for = project

    async def tasks(self) -> list[tuple[Scheduled, Task | None]]:
        """Return all that has a schedule, by name, and its tasks as they are stored. Raises `Unavailable`."""
        return [(one, await self._store.record(TASKS, name)) for name, one in sorted(self.scheduled.items())]

    async def task(self, name: str) -> Task:
        """Return a task as it is stored, or as it would be stored. Raises `NoTask` and `Unavailable`."""
        one = self._one(name)
        task = await self._store.record(TASKS, name)
        return self._new_task(one) if task is None else task

    async def pause(self, name: str) -> Task:
        """Pause a task. Raises `NoTask` and `Unavailable`."""
        await self._store_task(self._one(name))
        return await self._change(name, lambda task: task if task.paused else paused(task))

    async def resume(self, name: str) -> Task:
        """Resume a task: it goes on with the first due time after now. Raises `NoTask` and `Unavailable`."""
        one = self._one(name)
        await self._store_task(one)
        next = self._after(one)(self._pipeline.clock.now())
        return await self._change(name, lambda task: resumed(task, next) if task.paused else task)

    async def run_now(self, name: str) -> FiringTask:
        """Begin to fire a task now, whenever it is due. Raises `NoTask`, `Busy` and `Unavailable`."""
        one = self._one(name)
        await self._store_task(one)
        task = await self.task(name)
        if name in self._running or not self._is_free(task):
            raise Busy(name)
        now = self._pipeline.clock.now()
        since = now - INDEXED_MS if one.schedule.segment else now
        due = task.firing.due if task.firing is not None else max(since, (task.last or 0) + 1)
        claim = await Claim.take(self._store, task, self._holder, due)
        if claim is None:
            raise Busy(name)
        return self._begin(name, self._fire_claimed(one, claim, 0))

    # ---- firing -----------------------------------------------------------------------------------------------------

    async def turn(self) -> int:
        """Begin to fire what is due now. Returns how many firings have begun. Raises `Unavailable`."""
        if self._stored_for is not self._pipeline.project:
            await self.store_tasks()
        begun, scheduled = 0, self.scheduled
        if not scheduled:
            return 0
        for task in await self._store.due_records(TASKS, self._pipeline.clock.now(), MAX_TASKS):
            one = scheduled.get(task.id)
            if one is None or task.id in self._running or len(self._running) >= AT_ONCE or self._closing:
                continue
            if self._pipeline.clock.ticks() < self._put_off.get(task.id, float("-inf")):
                continue
            if self._decision(one, task) is not None:
                self._begin(task.id, self._fire(one))
                begun += 1
        return begun

    async def next_start(self) -> int | None:
        """Return when the next firing starts (ms), with its jitter; None if no task is due. Raises `Unavailable`."""
        starts = []
        for one, task in await self.tasks():
            if task is not None and task.next is not None:
                starts.append(start_of(one.schedule, one.name, task.next))
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

    async def _fire(self, one: Scheduled) -> FiringRecord | None:
        """Fire something, or skip due times, if its task still wants it. Raises `Unavailable`."""
        task = await self._store.record(TASKS, one.name)
        decision = self._decision(one, task) if task is not None else None
        if task is None or decision is None or not self._is_free(task):
            return None
        if decision.due is None:
            await self._skip(task, decision)
            return None
        claim = await Claim.take(self._store, task, self._holder, decision.due)
        return await self._fire_claimed(one, claim, decision.missed) if claim is not None else None

    async def _fire_claimed(self, one: Scheduled, claim: Claim, missed: int) -> FiringRecord | None:
        firing = one.begin(claim, missed, self._after(one)(claim.due))
        try:
            record = await firing.fire()
        except (TakenOver, Paused):
            return None
        except asyncio.CancelledError:
            await self._leave(claim)
            raise
        self._report_fired(one.name, record)
        return record

    async def _leave(self, claim: Claim) -> None:
        try:
            await claim.leave()
        except TakenOver:
            pass
        except Unavailable as unavailable:  # then others wait until the claim has not changed for long enough
            self._pipeline.report(unavailable)

    def _decision(self, one: Scheduled, task: Task) -> Decision | None:
        """Return what to do about a task as it is stored; None if nothing is to do, or another schedule is stored."""
        if task.next is None or task.spec != spec_of(one.schedule, self.timezone):
            return None
        now, after = self._pipeline.clock.now(), self._after(one)
        if task.firing is not None and (task.next <= now):
            due = task.firing.due
            return Decision(due, missed_before(due, task.next, after), after(due))
        return decide(one.schedule, task.id, task.next, now, after)

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

    def _after(self, one: Scheduled) -> After:
        zone = self.timezone
        return lambda time: self._due_times.after(one.schedule, time, zone)

    def _one(self, name: str) -> Scheduled:
        one = self.scheduled.get(name)
        if one is None:
            raise NoTask(name)
        return one

    def _new_task(self, one: Scheduled) -> Task:
        now = self._pipeline.clock.now()
        return new_task(one.name, spec_of(one.schedule, self.timezone), now, self._after(one)(now))

    async def _store_task(self, one: Scheduled) -> None:
        while not await self._stored(one):
            pass

    async def _stored(self, one: Scheduled) -> bool:
        """Store the schedule of something, if another one is stored. Returns False if another process was faster."""
        now = self._pipeline.clock.now()
        spec = spec_of(one.schedule, self.timezone)
        task = await self._store.record(TASKS, one.name)
        if task is not None and task.spec == spec and (task.paused or task.next is not None):
            return True
        if task is None:
            changed = self._new_task(one)
        else:  # a clock that was set back does not bring back a due time
            changed = rescheduled(task, spec, now, self._after(one)(max(now, task.last or 0)))
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
