"""A process with a scheduler, over a store that other processes of a test may share."""

from typing import Any

from effects.due_times import SystemDueTimes
from engine.flow.message import EventMessage
from engine.ports.kinds import DELIVERIES, TASKS
from engine.ports.script import Scripting, ScriptRunner, no_way_out
from engine.ports.store import Store
from engine.ports.task import Task
from engine.ports.world import Performer
from engine.project.project import Project
from engine.tracking.pipeline.foreign_processing import ForeignProcessing
from engine.tracking.schedules.scheduled import scheduled_flows, scheduled_in
from engine.tracking.schedules.scheduler import Scheduler
from engine.tracking.schedules.script_firing import TaskScripts
from tests.engine.tracking.collector import Collector

SECOND = 1_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Counts its firings in its state, and emits an event for each.
COUNTING = """
    flow: counting
    trigger: {every: 10m}
    nodes:
      before: {state.get: {key: count, default: 0}, next: count}
      count: {let: {next: "{{ nodes.before.out + 1 }}"}, next: keep}
      keep: {state.set: {key: count, value: "{{ nodes.count.out.next }}"}, next: say}
      say: {event.emit: {type: counted, properties: {count: "{{ nodes.count.out.next }}", due: "{{ event.properties.due }}"}}}
"""  # noqa: E501


class FreeSlots:
    """Slots of a process that does nothing else."""

    def take_slots(self, wanted: int) -> int:
        return wanted

    def return_slots(self, count: int) -> None:
        pass


class Process(Collector):
    """One process: an engine with a scheduler, on a clock of its own."""

    def __init__(
        self,
        project: Project,
        store: Store,
        holder: str,
        now: int | None = None,
        performer: Performer | None = None,
        runner: ScriptRunner | None = None,
    ) -> None:
        super().__init__(project, store, performer)
        if now is not None:
            self.clock.set(now)
        self.bugs: list[BaseException] = []
        self.scheduler = Scheduler(
            self.pipeline,
            SystemDueTimes(),
            holder,
            scheduled_flows if runner is None else scheduled_in(self._scripts(runner)),
            report_bug=lambda name, bug: self.bugs.append(bug),
        )

    def _scripts(self, runner: ScriptRunner) -> TaskScripts:
        return TaskScripts(Scripting(runner, no_way_out), ForeignProcessing(self.tracker, FreeSlots()))

    async def start(self) -> None:
        """Start the tracker and store the tasks, as a server does."""
        await self.tracker.start()
        await self.scheduler.store_tasks()

    async def turn(self, ms: int = 0) -> int:
        """Let time pass, and fire what is due then. Returns how many firings have begun."""
        self.clock.advance(ms)
        begun = await self.scheduler.turn()
        await self.scheduler.settled()
        return begun

    async def task(self, name: str = "counting") -> Task:
        task = await self.store.record(TASKS, name)
        assert task is not None
        return task

    async def emitted(self) -> list[dict[str, Any]]:
        """The properties of the events that scheduled flows have emitted, in the order of their writing."""
        found = await self.store.due_records(DELIVERIES, 10**15, 1000)
        messages = [each.message for each in sorted(found, key=lambda each: (each.at, each.node, each.id))]
        return [message.properties for message in messages if isinstance(message, EventMessage)]


async def started(project: Project, store: Store, holder: str = "a", now: int | None = None) -> Process:
    """A process that has started."""
    process = Process(project, store, holder, now)
    await process.start()
    return process
