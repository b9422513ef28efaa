"""Waking a profile that is due: its ripe waits end, and its segments are evaluated as time has passed."""

from engine.tracking.operations.reevaluation import reevaluate
from engine.tracking.pipeline.pipeline import Pipeline


async def wake(pipeline: Pipeline, id: str) -> bool:
    """Do all that is due for a profile. Returns whether that changed anything. Raises `Unavailable`."""
    return await reevaluate(pipeline, id)
