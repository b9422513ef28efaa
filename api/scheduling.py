"""Tasks and scheduled flows while the server runs: each is fired when it is due, by the first process to claim it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from api.metrics.worked import worked
from effects.due_times import SystemDueTimes
from effects.ids import new_id
from effects.recurring_work import RecurringWork
from engine.ports.task import FiringRecord
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.scheduled import scheduled_in
from engine.tracking.schedules.scheduler import Scheduler
from engine.tracking.schedules.script_firing import TaskScripts

SECONDS: Final = 1  # between two looks: how late a firing may start

log = structlog.get_logger("headrace.schedules")


class BackgroundScheduling:
    """The scheduler of one application; `running` is its context.

    `looks`: it looks for what is due; else it only fires what operators ask for. `sole`: the store serves one process
    at a time.
    """

    def __init__(self, pipeline: Pipeline, scripts: TaskScripts, *, looks: bool = True, sole: bool = False) -> None:
        self._pipeline = pipeline
        self._looks = looks
        self.scheduler = Scheduler(
            pipeline,
            SystemDueTimes(),
            new_id(),
            scheduled_in(scripts),
            sole=sole,
            report_bug=_log_bug,
            report_fired=_log_fired,
        )

    async def turn(self) -> None:
        """Begin to fire what is due. Raises `Unavailable`."""
        await self.scheduler.turn()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fire as long as the context is open; at its end, leave what is under way to other processes."""
        recurring = RecurringWork(self._pipeline.report, worked(self._pipeline))
        if self._looks:
            recurring.every("firing tasks and scheduled flows", SECONDS, self.turn, first=0)
        try:
            async with recurring:
                yield
        finally:
            await self.scheduler.close()


def _log_bug(task: str, bug: BaseException) -> None:
    log.error("a task or scheduled flow could not be fired", task=task, exc_info=bug)


def _log_fired(task: str, record: FiringRecord) -> None:
    """Log a firing that failed, that stands for others, or that did not take place."""
    if record.outcome == "failed":
        log.warning("a task or scheduled flow failed", task=task, reason=record.reason, run=record.run)
    elif record.outcome == "skipped":
        log.warning("due times of a task or scheduled flow were skipped", task=task, due_times=record.missed)
    elif record.missed:
        log.info("a task or scheduled flow was fired for missed due times, too", task=task, missed=record.missed)
