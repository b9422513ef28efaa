"""Things with a schedule, as the scheduler sees them: a name, the times at which each is due, and how it is fired."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from engine.flow.plan import Flow
from engine.flow.schedule import Schedule
from engine.ports.task import FiringRecord
from engine.project.script_task import ScriptTask
from engine.tracking.intake.payload import Options
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import Claim
from engine.tracking.schedules.fan_out import FanOut
from engine.tracking.schedules.flow_firing import FlowFiring
from engine.tracking.schedules.script_firing import ScriptFiring, TaskScripts


class Firing(Protocol):
    """A firing for one due time, under a claim."""

    async def fire(self) -> FiringRecord:
        """Do it, and write its end. Raises `TakenOver`, `Paused` and `Unavailable`; then the claim is held still."""


PLAIN: Final = Options()
Begin = Callable[[Claim, int, int], Firing]  # of a claim, how many missed due times it stands for, and the next one


class Scheduled(Struct, frozen=True):
    """A flow with a schedule, or a task. The name is that of its document in the store."""

    name: str
    schedule: Schedule
    begin: Begin


ScheduledOf = Callable[[Pipeline], Mapping[str, Scheduled]]  # of the pipeline's project, by name


def scheduled_flows(pipeline: Pipeline, options: Options = PLAIN) -> dict[str, Scheduled]:
    """Return the flows with a schedule; runs of those without a segment have `options`."""
    scheduled = [_of_flow(pipeline, flow, flow.trigger.schedule, options) for flow in pipeline.project.flows]
    return {each.name: each for each in scheduled if each is not None}


def scheduled_in(scripts: TaskScripts) -> ScheduledOf:
    """Return what finds all that has a schedule in a project: its flows, and its tasks, which `scripts` run."""

    def found(pipeline: Pipeline) -> Mapping[str, Scheduled]:
        tasks = pipeline.project.tasks.values()
        return {**{task.name: _of_task(pipeline, task, scripts) for task in tasks}, **scheduled_flows(pipeline)}

    return found


def _of_task(pipeline: Pipeline, task: ScriptTask, scripts: TaskScripts) -> Scheduled:
    def begin(claim: Claim, missed: int, next: int) -> Firing:
        return ScriptFiring(pipeline, scripts, task, claim, missed, next)

    return Scheduled(task.name, task.schedule, begin)


def _of_flow(pipeline: Pipeline, flow: Flow, schedule: Schedule | None, options: Options) -> Scheduled | None:
    if schedule is None:
        return None

    def begin(claim: Claim, missed: int, next: int) -> Firing:
        if schedule.segment:
            return FanOut(pipeline, flow, claim, missed, next, options)
        return FlowFiring(pipeline, flow, claim, missed, next, options)

    return Scheduled(flow.name, schedule, begin)
