"""Waking a profile that is due: its ripe waits end, and its segments are evaluated as time has passed."""

from typing import Final

from engine.tracking.intake.payload import Options
from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.waits.resuming import ReportPostponed, ignore_postponed, resume

PLAIN: Final = Options()


async def wake(
    pipeline: Pipeline, id: str, report: ReportPostponed = ignore_postponed, options: Options = PLAIN
) -> bool:
    """Do all that is due for a profile. Returns whether that changed anything.

    `report` is called with each wait whose run was put off, since its unit conflicts again and again. With the debugger
    on, the reasons why flows do not run are stored. Raises `Unavailable`.
    """
    if await resume(pipeline, id, report, options):
        return True  # the units of the runs have evaluated the segments, too
    return await reevaluate(pipeline, id, options)
