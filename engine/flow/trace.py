"""Traces: a record of each node's step, made while a machine runs.

A trace keeps references only: values are never changed in place, so they stay as they were. `rendering` makes the
readable document of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.flow.node import Node, Outcome
from engine.flow.plan import PlannedNode
from engine.flow.run import TracedCall
from engine.language.path import Scope

if TYPE_CHECKING:
    from engine.flow.loop import LoopRun


class TracedStep:
    """The record of one node's step. That of a loop has the loop, which knows the turns to show."""

    __slots__ = ("calls", "loop", "made", "node", "outcome", "scope", "seconds", "via")

    outcome: Outcome  # these four are set when the node has settled
    via: tuple[int, ...]
    calls: tuple[TracedCall, ...]
    seconds: float

    def __init__(self, node: PlannedNode) -> None:
        self.node = node
        self.loop: LoopRun | None = None
        self.scope: Scope | None = None  # its `when` and its templates were evaluated in this scope
        self.made: Node | None = None  # the node with its config; None when a template could not be evaluated


class Trace:
    """Records the steps of a run. `ticks` is a monotonic clock in seconds."""

    __slots__ = ("current", "ended", "started", "steps", "ticks")

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self.steps: list[TracedStep] = []  # in the order in which the nodes settled
        self.started = self.ended = ticks()
        self.current: TracedStep | None = None  # the step of the node that is running

    def begin(self, node: PlannedNode) -> TracedStep:
        """Start the step of `node` and return it; it is the current step from now on."""
        self.current = step = TracedStep(node)
        return step

    def end_loop(self, loop: "LoopRun") -> None:
        """A loop has an outcome: the step that began when it started is the current one again."""
        self.current = step = loop.step or self.begin(loop.node)
        step.loop = loop

    def wake(self) -> None:
        """The machine continues: the time that passed since the last step is not counted for the next."""
        self.ended = self.ticks()

    def settled(self, node: PlannedNode, outcome: Outcome, via: tuple[int, ...], calls: tuple[TracedCall, ...]) -> None:
        """Complete the current step: its node has left by a port."""
        step = self.current or self.begin(node)
        step.outcome, step.via, step.calls = outcome, via, calls
        now = self.ticks()
        step.seconds = now - self.ended if step.loop is None else step.loop.seconds
        self.ended = now
        self.steps.append(step)
