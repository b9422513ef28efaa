"""Timers of a process that is alone, as tests use them."""

from functools import partial

from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.waits.timers import Timers
from engine.tracking.waits.waking import wake


def timers(pipeline: Pipeline) -> Timers:
    """Timers that wake the due profiles of a pipeline's store."""
    return Timers(pipeline, partial(wake, pipeline))
