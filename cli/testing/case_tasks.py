"""The scheduled flows of a flow test: fired by the step `fire`, and while time passes."""

from typing import Any

from msgspec import structs

from effects.due_times import SystemDueTimes
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import SELF, queue_of
from engine.ports.records import RecordDelete, Unit
from engine.tracking.intake.payload import Options
from engine.tracking.operations.own_events import track_own
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import write_task
from engine.tracking.schedules.scheduled import Scheduled, scheduled_flows
from engine.tracking.schedules.scheduler import Scheduler

DEBUGGED = Options(debugger="all")
PAGE = 500  # own events that are looked for at a time


class CaseTasks:
    """The tasks of one case, of the flows named `timed`: time fires no others."""

    def __init__(self, pipeline: Pipeline, timed: frozenset[str]) -> None:
        self._pipeline, self._store = pipeline, pipeline.store
        self._bugs: list[BaseException] = []
        self._scheduler = Scheduler(
            pipeline,
            SystemDueTimes(),
            "test",
            lambda pipeline: _of_case(pipeline, timed),
            report_bug=lambda name, bug: self._bugs.append(bug),
        )

    async def start(self, flow: str | None, state: dict[str, Any]) -> None:
        """Store the tasks; that of `flow` begins with a state."""
        await self._scheduler.store_tasks()
        if state and flow is not None and flow in self._scheduler.scheduled:
            task = await self._scheduler.task(flow)
            await write_task(self._store, structs.replace(task, version=task.version + 1, state=state), task.version)

    async def next_start(self) -> int | None:
        """Return when the next firing starts (ms); None without any."""
        return await self._scheduler.next_start()

    async def fire_due(self) -> None:
        """Fire what is due now, and process the events that it emits."""
        await self._scheduler.turn()
        await self._settled()

    async def fire(self, flow: str) -> None:
        """Fire a flow now, and process the events that it emits."""
        await self._scheduler.run_now(flow)
        await self._settled()

    async def state(self, flow: str) -> dict[str, Any] | None:
        """Return what a flow keeps from one firing to the next; None if it has no schedule."""
        return (await self._scheduler.task(flow)).state if flow in self._scheduler.scheduled else None

    async def _settled(self) -> None:
        await self._scheduler.settled()
        if self._bugs:
            raise self._bugs[0]
        while own := await self._store.due_records(DELIVERIES, self._pipeline.clock.now(), PAGE, queue_of(SELF)):
            for delivery in own:
                await track_own(self._pipeline, delivery)
                await self._store.commit(Unit(changes=(RecordDelete(DELIVERIES, delivery.id, delivery.version),)))


def _of_case(pipeline: Pipeline, timed: frozenset[str]) -> dict[str, Scheduled]:
    """Return the flows that time fires in a case; their runs are debugged."""
    scheduled = scheduled_flows(pipeline, DEBUGGED)
    return {name: one for name, one in scheduled.items() if name in timed}
