"""When each background task last ended well."""

from collections.abc import Callable

from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.families import WORKED


def worked(pipeline: Pipeline) -> Callable[[str], None]:
    """Return a function that notes that the task of a name has ended well now."""

    def note(task: str) -> None:
        pipeline.ledger.meter.cell(WORKED, task).put(pipeline.clock.now())

    return note
