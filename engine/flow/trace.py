"""Traces: what is noted of each node while a machine runs.

Only references are kept: values are never changed in place, so they stay as they were. `rendering` explains them.
"""

from collections.abc import Callable

from engine.flow.node import Node, Outcome
from engine.flow.plan import PlannedNode
from engine.flow.run import Call
from engine.language.scope import Scope

NO_OUTCOME = Outcome("")


class Noted:
    """What was noted of one node while it ran. What it saw is kept as a whole: it is never changed in place."""

    __slots__ = ("calls", "guarded", "made", "node", "outcome", "scope", "seconds", "via")

    def __init__(self, node: PlannedNode) -> None:
        self.node = node
        self.guarded: Scope | None = None  # what its `when` looked at
        self.scope: Scope | None = None  # what its config was filled in from
        self.made: Node | None = None  # None when it could not be filled in
        self.outcome = NO_OUTCOME
        self.via: tuple[int, ...] = ()
        self.calls: tuple[Call, ...] = ()
        self.seconds = 0.0


class Trace:
    """Collects what a run's nodes did. `ticks` is a monotonic clock in seconds."""

    __slots__ = ("_began", "_current", "began", "ended", "noted", "ticks")

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self.noted: list[Noted] = []
        self.began = self.ended = self._began = ticks()
        self._current: Noted | None = None

    def begin(self, node: PlannedNode) -> Noted:
        """`node` is at work from now; what is noted of it goes into what this gives."""
        self._current = Noted(node)
        self._began = self.ticks()
        return self._current

    @property
    def current(self) -> Noted:
        """What is noted of the node that is at work."""
        assert self._current is not None  # noqa: S101
        return self._current

    def settled(self, node: PlannedNode, outcome: Outcome, via: tuple[int, ...], calls: tuple[Call, ...]) -> None:
        """The node has left by a port."""
        noted = self._current if self._current is not None and self._current.node is node else Noted(node)
        noted.outcome, noted.via, noted.calls = outcome, via, calls
        self.ended = self.ticks()
        noted.seconds = self.ended - self._began
        self.noted.append(noted)
