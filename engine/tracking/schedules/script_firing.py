"""A firing of a task: its script runs, then its events are stored, then the task's document.

    run       the script, with the task's params; it fetches, reads what earlier runs have kept, and stores events
    store     the events, all of them, as those of a request in Rakam's protocol
    end       the task, with the values that the script has kept and the next due time

The events come first: so what a run keeps, such as a cursor, is never ahead of its events. A process that dies before
the end leaves the task as it was; another one runs the script again for the same due time, and events that are stored
already have the ids that they had.

Failures
--------
* The script fails or takes too long: nothing of the run is stored. The next run comes after 1, 2, 4, … minutes, or when
  the task is due, whichever is first.
* The store is away after the run: the events are tried again, without a second run, for ten minutes.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, structs

from engine.ports.backoff import BackoffFormula
from engine.ports.ids import short_hash
from engine.ports.script import ScriptFailed, Scripting, ScriptLine
from engine.ports.store import Unavailable
from engine.ports.task import FiringRecord, Task
from engine.project.script import Script
from engine.project.script_task import MAIN, ScriptTask
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup
from engine.tracking.pipeline.foreign_processing import ForeignProcessing, Processed
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import Claim
from engine.tracking.schedules.script_events import group_steps, trusted
from engine.tracking.schedules.script_world import TaskWorld
from engine.tracking.schedules.task_changes import ended, failures

MINUTE_MS: Final = 60_000
PERSISTS_SECONDS: Final = 600.0  # for which events are tried again
MAX_LINES: Final = 20  # of a run that its record keeps: the last ones
MAX_LINE: Final = 200  # characters
MAX_REASON: Final = 500  # characters

_AGAIN: Final = BackoffFormula(first=0.1, longest=10, certain=1)


class TaskScripts(Struct, frozen=True):
    """All that scripts of tasks need of a process; `processing` takes their events."""

    scripting: Scripting
    processing: ForeignProcessing


class ScriptFiring(Struct, frozen=True):
    """Fires one task once, under a claim. `next` is the first due time after that of the claim."""

    pipeline: Pipeline
    scripts: TaskScripts
    task: ScriptTask
    claim: Claim
    missed: int
    next: int

    async def fire(self) -> FiringRecord:
        """Run the script, store its events, and write the end. Raises `TakenOver` and `Unavailable`."""
        before = self.claim.task
        record = FiringRecord(
            due=self.claim.due, began=self.pipeline.clock.now(), ended=0, outcome="finished", missed=self.missed
        )
        renewing = asyncio.create_task(self.claim.renew_for_ever())
        try:
            record, values = await self._run(record, before)
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        record = structs.replace(record, ended=self.pipeline.clock.now())
        next = self.next if record.outcome == "finished" else min(self.next, self._retry_at(before))
        await self.claim.end(lambda task: ended(task, record, values, next))
        return record

    async def _run(self, record: FiringRecord, before: Task) -> tuple[FiringRecord, dict[str, Any]]:
        """Return the record of the run, and what the task keeps after it. Raises `Unavailable`."""
        script, scripting = self.task.script, self.scripts.scripting
        world = TaskWorld(scripting.way_out(script), before.state)
        try:
            source = self._source()
            arguments = [script.plain_params()]
            limit = self.task.schedule.deadline_ms
            result = await scripting.runner.run(script, MAIN, arguments, world, limit)
        except ScriptFailed as failed:
            reason = script.without_secrets(failed.reason)[:MAX_REASON]
            lines = lines_of(script, failed.log)
            return structs.replace(record, outcome="failed", reason=reason, lines=lines), before.state
        seed = short_hash("task", self.task.name, str(self.claim.due))
        rules = self.pipeline.project.settings.keys
        groups = await self.pipeline.slices.run(group_steps(world.events, source, rules, seed))
        processed = await self._stored(groups, source)
        done = structs.replace(
            record,
            events=processed.accepted,
            rejected=len(processed.errors),
            reason=_rejected(processed),
            lines=lines_of(script, result.log),
        )
        return done, world.values

    def _source(self) -> Source:
        """Return the source of the task's events. Raises `ScriptFailed`."""
        source = self.pipeline.project.sources.get(self.task.source)
        if source is None or not source.enabled:
            raise ScriptFailed(f"the source `{self.task.source}` of the task is disabled, or not there")
        return trusted(source)

    async def _stored(self, groups: list[IntakeGroup], source: Source) -> Processed:
        """Store events, if need be again and again. Raises `Unavailable`."""
        clock, failed = self.pipeline.clock, 0
        end = clock.ticks() + PERSISTS_SECONDS
        while True:
            try:
                return await self.scripts.processing.process(groups, source)
            except Unavailable as away:
                if clock.ticks() >= end:
                    raise
                self.pipeline.report(away)
            failed += 1
            await asyncio.sleep(_AGAIN.pause(failed, 0))

    def _retry_at(self, before: Task) -> int:
        """Return when a failed run is tried again (ms)."""
        return self.pipeline.clock.now() + (MINUTE_MS << min(failures(before), 30))


def lines_of(script: Script, log: Iterable[ScriptLine]) -> tuple[str, ...]:
    """Return the last lines that a script has logged, short, and without its secrets."""
    lines = [script.without_secrets(f"{line.level}: {line.text}") for line in log]
    return tuple([line[:MAX_LINE] for line in lines[-MAX_LINES:]])


def _rejected(processed: Processed) -> str:
    """Return why the first of the rejected events was rejected; empty without any."""
    if not processed.errors:
        return ""
    first = processed.errors[0]
    return f"event {first.index} was rejected: {first.reason}"[:MAX_REASON]
