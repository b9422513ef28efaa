"""The run machine: everything that a run does, without waiting for anything.

One sweep over the nodes in plan order settles all that can be settled; asks are handed out, replies handed in, each
followed by a sweep. So a run is determined by its inputs and its replies; by their order, too, where a branch does not
wait for the others: with `join: any`, and when one ends the run while others still wait.
`step` is the same on values: decode a run, hand in a reply, encode what comes out.
"""

from collections.abc import Iterator

import msgspec

from engine.flow.ask import Ask, Reply
from engine.flow.consents import missing_consent
from engine.flow.effect import Effect, Emit, Merge, Stop
from engine.flow.joins import DOES_NOT_RUN, arrival
from engine.flow.node import NodeContext, Outcome, type_name
from engine.flow.output_limits import VALUE_EFFECTS, limited_effect, limited_output
from engine.flow.plan import Flow, PlannedNode
from engine.flow.retry import ask_limit_reason, backoff_ms, with_timeout
from engine.flow.run import Inputs, IssuedAsk, Run, RunOutcome, Settled, TracedCall, Waiting
from engine.flow.run_state import RunState, initial_state
from engine.flow.trace import Trace
from engine.flow.trace_calls import trace_call
from engine.language.absent import Unusable
from engine.profile.document import Link
from engine.profile.merge import link_id
from engine.profile.operations import Refused

MAX_EMITTED = 100  # child events of one run


class Machine:
    """Runs one flow for one event. `advance`, then `reply` and `advance` for each ask, until `over`."""

    __slots__ = (
        "_ancestors",
        "_emitted",
        "_ports",
        "_states",
        "_stopping",
        "cancelled",
        "failed_at",
        "flow",
        "inputs",
        "outcome",
        "reason",
        "replies",
        "settled",
        "trace",
        "waiting",
    )

    def __init__(self, flow: Flow, inputs: Inputs, state: RunState | None = None, trace: Trace | None = None) -> None:
        self.flow = flow
        self.inputs = inputs
        self.trace = trace
        self.settled: dict[int, Settled] = {}
        self.waiting: dict[int, Waiting] = {}
        self.outcome: RunOutcome | None = None  # None: not over
        self.reason = ""
        self.failed_at = ""
        self.cancelled: tuple[int, ...] = ()
        self.replies: list[tuple[int, Reply]] = []  # as they came, for running again
        size = len(flow.nodes)
        self._ports: list[str | None] = [None] * size  # the port a node left by; "" means that it does not run
        self._ancestors: list[int] = [0] * size  # bit masks: a node and all that ran before it
        self._states: dict[int, RunState] = {0: state or initial_state(inputs)}
        self._emitted = 0
        self._stopping = False

    @classmethod
    def from_run(cls, flow: Flow, run: Run, trace: Trace | None = None) -> "Machine":
        """The machine of a run that was put away as a value."""
        machine = cls(flow, run.inputs, trace=trace)
        machine._restore(run)
        return machine

    def _restore(self, run: Run) -> None:
        """Go on where `run` was put away."""
        self.outcome, self.reason, self.failed_at = run.outcome, run.reason, run.failed_at
        self.cancelled = run.cancelled
        self.settled = dict(run.settled)
        self.waiting = dict(run.waiting)
        for index, settled in self.settled.items():
            self._ports[index] = settled.port
            self._ancestors[index] = self._mask(settled.via) | 1 << index
            self._emitted += sum(isinstance(e, Emit) for e in settled.effects)

    def replay(self, trace: Trace) -> "Machine":
        """The same run once more from the replies that were handed to this machine, this time with its trace."""
        machine = Machine(self.flow, self.inputs, self._states[0], trace)
        machine.advance()
        for index, reply in self.replies:
            machine.reply(index, reply)
            machine.advance()
        if self.outcome == "failed" and machine.outcome != "failed":
            machine.fail(self.reason)
        return machine

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.outcome is not None

    def to_run(self) -> Run:
        """The run as a value."""
        return Run(
            flow=self.flow.name,
            version=self.flow.version,
            inputs=self.inputs,
            settled=dict(self.settled),
            waiting=dict(self.waiting),
            outcome=self.outcome,
            reason=self.reason,
            failed_at=self.failed_at,
            cancelled=self.cancelled,
        )

    def advance(self) -> list[IssuedAsk]:
        """Settle all that can be settled; gives what has to be asked now (each ask is given once)."""
        if self.trace is not None:
            self.trace.wake()
        if self.outcome is None:
            self._sweep()
        if self.outcome is None and not self.waiting:
            self._end("finished")
        if not self.waiting:
            return []
        return [self._asked(index) for index, waiting in list(self.waiting.items()) if waiting.due]

    def outstanding(self) -> list[IssuedAsk]:
        """What has been asked and not answered, e.g. after a run was taken up again."""
        return [self._asked(index) for index, waiting in list(self.waiting.items()) if waiting.reply is None]

    def reply(self, index: int, reply: Reply) -> None:
        """Hand in what came back for the ask of node `index`. Call `advance` afterwards.

        A reply for which nobody waits any more, as the run has ended or the same has come before, is ignored.
        """
        waiting = self.waiting.get(index)
        if waiting is not None and waiting.reply is None:
            self.replies.append((index, reply))
            self.waiting[index] = msgspec.structs.replace(waiting, reply=reply, due=False)

    def fail(self, reason: str) -> None:
        """End the run as failed, whatever it came to."""
        self._end("failed", reason)

    def final_state(self) -> RunState:
        """What is seen at the end, with the effects of all nodes. Raises `Refused` when side branches do not fit."""
        mask = 0
        for index in self.settled:
            mask |= 1 << index
        return self._sight(mask)

    def effects(self) -> Iterator[tuple[PlannedNode, Effect]]:
        """All effects in plan order."""
        for index in sorted(self.settled):
            for effect in self.settled[index].effects:
                yield self.flow.nodes[index], effect

    def could_not_identify(self) -> bool:
        """Whether a node that joins profiles asked whom to join and was then refused: an operator should see why."""
        left = [(self.flow.nodes[index].node, settled) for index, settled in self.settled.items()]
        return any(node.identifies and settled.port == "failed" and settled.calls for node, settled in left)

    def joined_by(self, index: int, effect: Merge) -> Link | None:
        """The step by which a merge of node `index` joins; None when its ids were set apart for good."""
        mask = self._ancestors[index]
        before, after = self._sight(mask ^ 1 << index), self._sight(mask)
        left = before.acting_id or effect.left
        return after.profile.links.get(link_id(left, effect.right, effect.cause)) if after.profile is not None else None

    # ---- the sweep --------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        ports = self._ports
        for node in self.flow.nodes:
            index = node.index
            if ports[index] is not None:
                continue
            if self.waiting and index in self.waiting:
                waiting = self.waiting[index]
                if waiting.reply is not None:
                    self._resume(node, waiting, waiting.reply)
            elif len(node.ins) == 1 and not node.starts:  # then all joins are the same
                source, by = node.ins[0]
                left_by = ports[source]
                if left_by is None:
                    continue
                if left_by not in by:
                    ports[index] = DOES_NOT_RUN
                    continue
                self._start(node, (source,))
            else:
                via = arrival(node, ports)
                if via == DOES_NOT_RUN:
                    ports[index] = DOES_NOT_RUN
                elif via is not None:
                    self._start(node, via)
            if self.outcome is not None:
                return

    def _start(self, node: PlannedNode, via: tuple[int, ...]) -> None:
        if self.trace is not None:
            self.trace.begin(node)
        mask = self._ancestors[via[0]] if len(via) == 1 else self._mask(via)
        came = self._guarded(node, mask) if node.guarded else self._act(node, mask, None)
        if isinstance(came, Outcome):
            self._settle(node, came, via, mask)
        else:
            self.waiting[node.index] = Waiting(with_timeout(node, came, 0), via)

    def _guarded(self, node: PlannedNode, mask: int) -> Outcome | Ask:
        """What comes of a node that may be skipped. Where side branches do not fit, `_act` says so."""
        if node.disabled:
            return Outcome("skipped", reason="disabled")
        try:
            state = self._sight(mask)
        except Refused:
            return self._act(node, mask, None)
        if self.trace is not None:
            self.trace.begin(node).scope = state.scope
        if node.when is not None and not node.when.test(state.scope):
            return Outcome("skipped", reason=f"`{node.when.source}` is false")
        if node.consents and (lacks := missing_consent(state, node.consents)) is not None:
            return Outcome("skipped", reason=lacks.reason)
        return self._act(node, mask, None)

    def _act(self, node: PlannedNode, mask: int, reply: Reply | None) -> Outcome | Ask:
        """What comes of the node, and fits what is there."""
        try:
            state = self._states.get(mask) or self._sight(mask)
            scope = state.scope
            if self.trace is None:
                made = node.template(scope)
            else:
                noted = self.trace.current or self.trace.begin(node)
                noted.scope = scope
                noted.made = made = node.template(scope)
            new_id = f"{self.inputs.seed}{node.index:02x}" if node.makes_ids else ""
            event, session, profile, source = scope["event"], scope["session"], scope["profile"], scope["source"]
            seen = NodeContext(
                event,
                session,
                profile,
                source,
                state.profile,
                self.inputs.now,
                new_id,
                state.rules,
                state.acting_id,
                self.inputs.identify,
                self.inputs.keys,
                self.inputs.proven,
            )
            if not node.asks:
                came: Outcome | Ask = made.run(seen)
            else:
                came = made.ask(seen) if reply is None else made.answer(seen, reply)
            if type(came) is Outcome:
                return self._checked(node, mask, state, came)
            if node.asks and isinstance(came, Ask):
                return came
            raise TypeError(f"it gave {came!r}, which is no outcome")
        except (Unusable, Refused) as unusable:
            return Outcome("failed", reason=str(unusable))
        except Exception as bug:  # noqa: BLE001  # the edge to a node's own code: its bugs end the run, nothing more
            reason = f"a bug in {type_name(node.node)}: {bug!r}"
            self._end("failed", reason, node.id)
            return Outcome("failed", reason=reason)

    # ---- asks -------------------------------------------------------------------------------------------------------

    def _resume(self, node: PlannedNode, waiting: Waiting, reply: Reply) -> None:
        calls = (*waiting.calls, trace_call(waiting.ask, reply, waiting.attempt))
        spent = waiting.spent_ms + waiting.delay_ms + int(getattr(reply, "took_ms", 0))
        del self.waiting[node.index]
        delay = backoff_ms(node, waiting.attempt, spent, reply)
        if delay is not None:
            again = with_timeout(node, waiting.ask, spent + delay)
            self.waiting[node.index] = Waiting(
                again, waiting.via, waiting.number, waiting.attempt + 1, delay, spent, calls=calls
            )
            return
        mask = self._mask(waiting.via)
        if self.trace is not None:
            self.trace.begin(node)
        came = self._act(node, mask, reply)
        if not isinstance(came, Outcome) and (reason := ask_limit_reason(node, waiting.number, spent)):
            came = Outcome("failed", reason=reason)
        if isinstance(came, Outcome):
            self._settle(node, came, waiting.via, mask, calls)
        else:
            following = with_timeout(node, came, spent)
            self.waiting[node.index] = Waiting(following, waiting.via, waiting.number + 1, spent_ms=spent, calls=calls)

    def _asked(self, index: int) -> IssuedAsk:
        waiting = self.waiting[index]
        self.waiting[index] = msgspec.structs.replace(waiting, due=False)
        node = self.flow.nodes[index]
        return IssuedAsk(index, node.id, waiting.ask, waiting.number, waiting.attempt, waiting.delay_ms)

    # ---- settling ---------------------------------------------------------------------------------------------------

    def _settle(
        self, node: PlannedNode, outcome: Outcome, via: tuple[int, ...], mask: int, calls: tuple[TracedCall, ...] = ()
    ) -> None:
        index, port = node.index, outcome.port
        self.settled[index] = Settled(port, via, outcome.out, outcome.effects, outcome.reason, calls)
        self._ports[index] = port
        self._ancestors[index] = mask | 1 << index
        if self.trace is not None:
            self.trace.settled(node, outcome, via, calls)
        if self.outcome is not None:
            return
        if port in node.fatal:
            self._end("failed", outcome.reason, node.id)
        elif self._stopping:
            self._end("finished")

    def _checked(self, node: PlannedNode, mask: int, state: RunState, outcome: Outcome) -> Outcome:
        """The outcome with plain data in it, or one by `failed` when it is too large. Raises `Refused`."""
        if outcome.port not in node.ports:
            raise ValueError(f"it left by `{outcome.port}`, which is none of its ports")
        out, effects = outcome.out, outcome.effects
        behind = mask | 1 << node.index
        if out is None and not effects:
            self._states[behind] = state
            return outcome
        if out is not None:
            out, too_much = limited_output(out)
            if too_much:
                return Outcome("failed", reason=too_much)
        if effects:
            effects, too_much = self._weighed(effects)
            if too_much:
                return Outcome("failed", reason=too_much)
        self._states[behind] = state.after(node.id, out, effects)
        if out is None and effects is outcome.effects:
            return outcome
        return Outcome(outcome.port, out, effects, outcome.reason)

    def _weighed(self, effects: tuple[Effect, ...]) -> tuple[tuple[Effect, ...], str]:
        """The effects with plain data in them; and what is too much about them, if anything is."""
        for place, effect in enumerate(effects):
            kind = type(effect)
            if kind is Emit:
                self._emitted += 1
                if self._emitted > MAX_EMITTED:
                    return effects, f"the run emits more than {MAX_EMITTED} events"
            elif kind is Stop:
                self._stopping = True
            elif kind in VALUE_EFFECTS:
                plain, too_much = limited_effect(effect)
                if too_much:
                    return effects, too_much
                if plain is not effect:
                    effects = (*effects[:place], plain, *effects[place + 1 :])
        return effects, ""

    def _end(self, outcome: RunOutcome, reason: str = "", failed_at: str = "") -> None:
        self.outcome, self.reason, self.failed_at = outcome, reason, failed_at
        if self.waiting:
            self.cancelled = tuple(sorted(self.waiting))
            self.waiting.clear()

    # ---- what is seen -----------------------------------------------------------------------------------------------

    def _mask(self, via: tuple[int, ...]) -> int:
        if len(via) == 1:
            return self._ancestors[via[0]]
        mask = 0
        for source in via:
            mask |= self._ancestors[source]
        return mask

    def _sight(self, mask: int) -> RunState:
        """What is seen behind the nodes of `mask`: their effects in plan order."""
        found = self._states.get(mask)
        if found is None:
            top = mask.bit_length() - 1
            settled = self.settled[top]
            below = self._sight(mask ^ 1 << top)
            found = below.after(self.flow.nodes[top].id, settled.out, settled.effects)
            self._states[mask] = found
        return found


def new_run(flow: Flow, inputs: Inputs) -> Run:
    """A run that has not moved yet."""
    return Run(flow.name, flow.version, inputs)


def advance_run(flow: Flow, run: Run, reply: tuple[int, Reply] | None = None) -> tuple[Run, list[IssuedAsk]]:
    """The next state of a run and what has to be asked. `reply` is what came back for the ask of a node (its index)."""
    machine = Machine.from_run(flow, run)
    if reply is not None:
        machine.reply(*reply)
    asked = machine.advance()
    return machine.to_run(), asked
