"""When the steps of a run began, and how long it took: from the times that were measured of nodes and of their calls.

A step begins when those before it have ended. So a trace that was made afterwards, by repeating the run, has the times
of the run and not of the repetition.
"""

from collections.abc import Sequence

from engine.flow.trace import TracedStep


def begins_of(steps: Sequence[TracedStep]) -> tuple[list[int], int]:
    """Return when each step began, and when the last one ended, in µs since the start of the run."""
    ends: dict[int, float] = {}
    begins: list[int] = []
    for step in steps:
        begin = max([ends.get(source, 0.0) for source in step.via], default=0.0)
        asking = max([call.at_ms + call.took_ms for call in step.calls], default=0) * 1_000
        ends[step.node.index] = begin + asking + step.seconds * 1e6
        begins.append(round(begin))
    return begins, round(max(ends.values(), default=0.0))


def has_asked(steps: Sequence[TracedStep]) -> bool:
    """Return whether a call took any time: else there is nothing to show beside the steps' own times."""
    return any(call.at_ms or call.took_ms for step in steps for call in step.calls)
