"""A firing of a flow without a profile: one run, committed together with the document of its task."""

import asyncio
from typing import Any, Final

from msgspec import Struct, structs

from engine.flow.plan import Flow
from engine.flow.run_state import TASK_STATE
from engine.flow.schedule import DEADLINE_MS
from engine.ports.kinds import TASKS
from engine.ports.records import RecordWrite
from engine.ports.store import Conflict, TooLarge
from engine.ports.task import FiringRecord
from engine.project.source import SYSTEM_SOURCE
from engine.tracking.intake.payload import Intake, Options
from engine.tracking.pipeline.loading import Loaded
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import Claim
from engine.tracking.schedules.task_changes import ended
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.effects import UnitEffects
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.scheduled import Firing, fired_event, firing_seed

CONFLICTS: Final = 3  # in a row at one version of the task, after which it is certain that another document conflicts
FIRED_BEFORE: Final = "what it delivers is stored already: it was fired for this due time before"
WITHOUT_PROFILE = Loaded(None, None, None)


class FlowFiring(Struct, frozen=True):
    """Fires one flow once, under a claim. `next` is the first due time after that of the claim."""

    pipeline: Pipeline
    flow: Flow
    claim: Claim
    missed: int
    next: int
    options: Options = Options()

    async def fire(self) -> FiringRecord:
        """Run the flow and commit all that it did. Raises `TakenOver` and `Unavailable`.

        The look-ups of the run are made at each attempt: what a process that died has asked is asked again.
        """
        task = self.claim.task
        began = self.pipeline.clock.now()
        firing = Firing(task.id, self.claim.due, self.missed, state=task.state)
        request = unit_request(self.pipeline, self.flow, firing, options=self.options)
        renewing = asyncio.create_task(self.claim.renew_for_ever())
        try:
            effects, composed = await self.pipeline.run(request, WITHOUT_PROFILE, list(request.events))
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        record = self._record(effects, composed, began)
        try:
            return await self._commit(request, effects, composed, record)
        except TooLarge as refused:
            failed = structs.replace(record, outcome="failed", reason=str(refused), run="")
            return await self._commit(request, effects, structs.replace(composed, unit=type(composed.unit)()), failed)

    async def _commit(
        self, request: UnitRequest, effects: UnitEffects, composed: Composed, record: FiringRecord
    ) -> FiringRecord:
        """Commit the unit over the version of the claim, as long as that is held.

        A conflict that is not about the task says that this due time has been fired before: the clock was set back.
        """
        finished, elsewhere = record.outcome == "finished", 0
        while True:
            task = self.claim.task
            state = effects.state.scope.get(TASK_STATE, task.state) if finished else task.state
            write = RecordWrite(TASKS, ended(task, record, state, self.next), task.version)
            unit = structs.replace(composed.unit, changes=(write, *composed.unit.changes))
            try:
                await self.pipeline.commit_alone(
                    request, WITHOUT_PROFILE, effects, structs.replace(composed, unit=unit), {}
                )
            except Conflict:
                await self.claim.adopt()
                elsewhere = elsewhere + 1 if self.claim.task.version == task.version else 0
                if elsewhere == CONFLICTS:
                    return await self._give_up(record)
            else:
                return record

    async def _give_up(self, record: FiringRecord) -> FiringRecord:
        """End the firing without anything that it did."""
        failed = structs.replace(record, outcome="failed", reason=FIRED_BEFORE, run="")
        await self.claim.end(lambda task: ended(task, failed, task.state, self.next))
        return failed

    def _record(self, effects: UnitEffects, composed: Composed, began: int) -> FiringRecord:
        result = effects.flows[0] if effects.flows else None
        runs = composed.unit.runs
        return FiringRecord(
            due=self.claim.due,
            began=began,
            ended=self.pipeline.clock.now(),
            outcome=result.outcome if result is not None else "not-triggered",
            reason=_reason(result.trace) if result is not None else "its `when` is false",
            missed=self.missed,
            run=runs[0].id if runs else "",
        )


def unit_request(
    pipeline: Pipeline,
    flow: Flow,
    firing: Firing,
    profile: str = "",
    options: Options = Options(),  # noqa: B008
) -> UnitRequest:
    """Return the unit of a firing: of one profile, or without any."""
    schedule = flow.trigger.schedule
    deadline = schedule.deadline_ms if schedule is not None else DEADLINE_MS
    return UnitRequest(
        source=SYSTEM_SOURCE,
        intake=Intake(
            source=SYSTEM_SOURCE.source,
            profile=profile or None,
            profile_less=not profile,
            sessionless=True,
            options=options,
        ),
        events=(fired_event(firing, profile),),
        now=pipeline.clock.now(),
        seed=firing_seed(pipeline.loading.secret, firing, profile),
        deadline=pipeline.clock.ticks() + deadline / 1000,
        replies={},
        firing=firing,
    )


def _reason(trace: dict[str, Any] | None) -> str:
    """Return the reason of a run as its trace has it, short; empty if there is none."""
    reason = (trace or {}).get("reason", "")
    return reason[:500] if isinstance(reason, str) else ""
