"""Traces: what is noted of each node while a machine runs.

Only references are kept: values are never changed in place, so they stay as they were. `rendering` explains them.
"""

from collections.abc import Callable

from engine.flow.node import Node, Outcome
from engine.flow.plan import PlannedNode
from engine.flow.run import TracedCall
from engine.language.path import Scope


class TracedStep:
    """What was noted of one node while it ran. What it saw is kept as a whole: it is never changed in place."""

    __slots__ = ("calls", "made", "node", "outcome", "scope", "seconds", "via")

    outcome: Outcome  # these four are set when the node has settled
    via: tuple[int, ...]
    calls: tuple[TracedCall, ...]
    seconds: float

    def __init__(self, node: PlannedNode) -> None:
        self.node = node
        self.scope: Scope | None = None  # what its `when` looked at and its config was filled in from
        self.made: Node | None = None  # None when it could not be filled in


class Trace:
    """Collects what a run's nodes did. `ticks` is a monotonic clock in seconds."""

    __slots__ = ("began", "current", "ended", "steps", "ticks")

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self.steps: list[TracedStep] = []
        self.began = self.ended = ticks()
        self.current: TracedStep | None = None  # what is noted of the node that is at work

    def begin(self, node: PlannedNode) -> TracedStep:
        """`node` is at work from now; what is noted of it goes into what this gives."""
        self.current = noted = TracedStep(node)
        return noted

    def wake(self) -> None:
        """The machine goes on; what it waited for is nobody's work."""
        self.ended = self.ticks()

    def settled(self, node: PlannedNode, outcome: Outcome, via: tuple[int, ...], calls: tuple[TracedCall, ...]) -> None:
        """The node has left by a port."""
        noted = self.current or self.begin(node)
        noted.outcome, noted.via, noted.calls = outcome, via, calls
        now = self.ticks()
        noted.seconds = now - self.ended
        self.ended = now
        self.steps.append(noted)
