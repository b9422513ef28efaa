"""Waking a profile that is due: its ripe waits end, and its segments are evaluated as time has passed."""

from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.waits.resuming import ReportPostponed, ignore_postponed, resume


async def wake(pipeline: Pipeline, id: str, report: ReportPostponed = ignore_postponed) -> bool:
    """Do all that is due for a profile. Returns whether that changed anything. Raises `Unavailable`.

    A unit that resumes a run evaluates segments as well. `report` is as of `resume`.
    """
    return await resume(pipeline, id, report) > 0 or await reevaluate(pipeline, id)
