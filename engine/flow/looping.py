"""The part of a machine that has to do with loops: it begins them, goes on with their turns, and settles them.

`Machine` is the only subclass. `loop.py` has the theory of loops.
"""

from typing import TYPE_CHECKING

import msgspec

from engine.flow.ask import Ask, Reply
from engine.flow.effect import HandOver, Stop
from engine.flow.loop import Budget, LoopRun
from engine.flow.loop_node import Turns
from engine.flow.node import Outcome
from engine.flow.outbox_room import OutboxRoom
from engine.flow.output_limits import MAX_EMITTED, limited_output
from engine.flow.plan import Flow, PlannedNode
from engine.flow.run import Inputs, IssuedAsk, OpenLoop, RunOutcome, TracedCall, Waiting
from engine.flow.run_state import RunState
from engine.flow.trace import Trace

if TYPE_CHECKING:
    from engine.flow.machine import Machine


class Looping:
    """See the module. All but the methods here belongs to `Machine`."""

    __slots__ = (
        "_emitted",
        "_states",
        "broken",
        "budget",
        "hand_over",
        "inputs",
        "loops",
        "notable",
        "open_loops",
        "outbox",
        "prefix",
        "resting",
        "stopping",
        "trace",
        "waiting",
    )

    inputs: Inputs
    trace: Trace | None
    waiting: dict[int, Waiting]
    loops: dict[int, LoopRun]
    open_loops: dict[int, LoopRun]
    notable: bool
    budget: Budget | None
    outbox: OutboxRoom
    prefix: str
    resting: bool
    stopping: bool
    broken: bool
    hand_over: HandOver | None
    _emitted: int
    _states: dict[int, RunState]

    def new(self, flow: Flow, inputs: Inputs, state: RunState, trace: Trace | None) -> "Machine":
        """A new machine."""
        raise NotImplementedError

    def _run_node(self, node: PlannedNode, mask: int, reply: Reply | None) -> Outcome | Ask | Turns:
        raise NotImplementedError

    def _issue(self, index: int) -> IssuedAsk:
        raise NotImplementedError

    def _settle(
        self,
        node: PlannedNode,
        outcome: Outcome,
        via: tuple[int, ...],
        mask: int,
        calls: tuple[TracedCall, ...] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        raise NotImplementedError

    def _end(self, outcome: RunOutcome, reason: str = "", failed_at: str = "") -> None:
        raise NotImplementedError

    def _mask(self, via: tuple[int, ...]) -> int:
        raise NotImplementedError

    def _state_after(self, mask: int) -> RunState:
        raise NotImplementedError

    def turn(self, node: PlannedNode, index: int, state: RunState) -> "Machine":
        """A machine for one turn of a loop, which begins with `state`. For `LoopRun`."""
        assert node.body is not None  # noqa: S101  # it is a loop
        inputs = self.inputs
        if node.body.makes_ids:
            inputs = msgspec.structs.replace(inputs, seed=f"{inputs.seed}{node.index:02x}{index:03x}")
        trace = Trace(self.trace.ticks) if self.trace is not None else None
        turn = self.new(node.body.flow, inputs, state, trace)
        turn.prefix = f"{self.prefix}{node.id}[{index}]."
        turn.budget = self.budget
        turn.outbox = turn.outbox.whole
        return turn

    def may_emit(self, count: int) -> bool:
        """Whether the run may emit so many events in addition to those of its nodes that have settled."""
        return self._emitted + count <= MAX_EMITTED

    def loop_values(self) -> dict[int, OpenLoop]:
        """The open loops as values."""
        return {index: loop.value() for index, loop in self.open_loops.items()}

    def _begin_loop(self, node: PlannedNode, turns: Turns, via: tuple[int, ...], mask: int) -> LoopRun:
        self.budget = self.budget or Budget()
        self.loops[node.index] = self.open_loops[node.index] = loop = LoopRun(
            self, node, turns, via, mask, self._state_after(mask)
        )
        return loop

    def _restore_loop(self, node: PlannedNode, value: OpenLoop) -> None:
        mask = self._mask(value.via)
        if self.trace is not None:
            self.trace.begin(node)
        turns = self._run_node(node, mask, None)
        assert isinstance(turns, Turns)  # noqa: S101  # it was open
        turns = msgspec.structs.replace(turns, items=value.items)
        self._begin_loop(node, turns, value.via, mask).restore(value)

    def _go_on_with_turns(self, node: PlannedNode) -> None:
        """Go on with the turns of an open loop; settle it once it has an outcome."""
        loop = self.open_loops[node.index]
        outcome = loop.advance()
        if outcome is None:
            return
        del self.open_loops[node.index]
        if loop.broken:
            self.broken = True
            self._end("failed", outcome.reason, f"{self.prefix}{node.id}")
        elif outcome.port != "failed":
            outcome = self._looped(node, loop, outcome)
        if self.trace is not None:
            self.trace.end_loop(loop)
        self._settle(node, outcome, loop.via, loop.mask, names=() if outcome.port == "failed" else tuple(loop.names))

    def _looped(self, node: PlannedNode, loop: LoopRun, outcome: Outcome) -> Outcome:
        """The outcome of a loop with the effects of its turns, which take effect now. A large output makes it fail."""
        out, error = limited_output(outcome.out) if outcome.out is not None else (None, "")
        if error:
            return Outcome("failed", reason=error)
        self._states[loop.mask | 1 << node.index] = loop.state_after(node.id, out)
        self._emitted += loop.emitted
        self.outbox = self.outbox.less(loop.outbox)
        for effect in loop.effects:
            if type(effect) is Stop:
                self.stopping = True
            elif type(effect) is HandOver:
                self.stopping, self.hand_over = True, effect
        return Outcome(outcome.port, out, tuple(loop.effects), outcome.reason)

    def _issue_with_loops(self) -> list[IssuedAsk]:
        issued = [self._issue(index) for index, waiting in list(self.waiting.items()) if waiting.due]
        for loop in self.open_loops.values():
            issued += loop.issued()
        assert self.budget is not None  # noqa: S101  # there are loops
        self.resting = bool(self.open_loops) and self.budget.left <= 0
        return issued
