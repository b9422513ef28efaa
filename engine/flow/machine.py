"""The machine runs one flow for one event, without I/O: asks come out of it, replies are handed in.

`durable_run` offers the same as functions on values: decode a run, hand in a reply, encode the next state.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from engine.flow.ask import Ask, NoAnswer, Reply, WaitAsk
from engine.flow.consents import missing_consent
from engine.flow.effect import Deliver, Effect, Emit, HandOver, Log, Merge, Stop
from engine.flow.joins import DOES_NOT_RUN, arrival
from engine.flow.loop import SLICE, Budget, LoopRun, with_effects
from engine.flow.loop_node import LoopNode, Turns
from engine.flow.looping import Looping
from engine.flow.node import NodeContext, Outcome, type_name
from engine.flow.output_limits import (
    MAX_EMITTED,
    TOO_MANY_EMITTED,
    VALUE_EFFECTS,
    limited_effect,
    limited_output,
)
from engine.flow.plan import Flow, PlannedNode
from engine.flow.retry import ask_limit_reason, backoff_ms, with_timeout
from engine.flow.run import (
    Inputs,
    IssuedAsk,
    OpenLoop,
    Place,
    Run,
    RunOutcome,
    Settled,
    TracedCall,
    Waiting,
)
from engine.flow.run_state import TASK_STATE, RunState, initial_state
from engine.flow.trace import Trace
from engine.flow.trace_calls import trace_call
from engine.language.absent import Unusable
from engine.language.hidden import DRAW
from engine.profile.document import Link, Profile
from engine.profile.operations import Refused

NOTABLE_LEVELS = frozenset({"warning", "error"})


class Machine(Looping):
    """Runs one flow for one event: `advance`, then `reply` and `advance` for each issued ask, until `over`.

    **States of a node.** Every node of the flow is in one of five states:

    - *undecided*: its join is still open, since a node before it has not settled;
    - *waiting*: it has issued an ask and waits for exactly one reply (`waiting`);
    - *looping*: it is a loop whose turns have not all ended (`open_loops`); a turn is a machine of its own (`loop.py`);
    - *settled*: it has left by one of its ports, with its output and its effects (`settled`);
    - *ruled out*: its join has decided that it does not run (its entry in `left_by` is `DOES_NOT_RUN`).

    *Settled* and *ruled out* are final. An undecided node whose join decides that it runs settles at once, or waits.
    A waiting node settles when its reply arrives, or waits again: for a retry of the same ask (the reply was a
    `NoAnswer` and the node's `retry` allows one more attempt), or for the next ask that its `answer` returns.

    **States of a run.** A run is *running* (`outcome` is None) until it is over, for good:

    - *finished* when nothing waits and the sweep has decided every node, or when a node has stopped the run;
    - *failed* when a node has left by a failure port that no edge leaves, when a node has raised an exception, or when
      the caller has called `fail`.

    A running one is *paused* while all nodes that wait ask a `WaitAsk` without a reply. Such an ask is never issued:
    the caller puts the run away (`engine.flow.paused`), or calls `refuse_waits`.

    When a run ends, nodes that still wait are `cancelled` and undecided nodes stay undecided. The machine only records
    effects. The caller applies the effects of a finished run and drops those of a failed one.

    **Sweeps.** `advance` makes one sweep over the nodes in plan order, which is topological: so one sweep settles or
    rules out every node that can be decided, and accepts every reply that has been handed in. It returns the asks that
    are new, each attempt once. `reply` only stores the reply, so it must be followed by `advance`. A reply belongs to
    a node, not to an attempt: hand in exactly one for each issued ask. An empty list from `advance`, when the run is
    not over, means that every waiting node's ask has been issued before: hand in one of the outstanding replies. When
    it is `resting`, though, a loop has more to do: call `advance` again, once others have had a turn.

    **Invariants.**

    - A node settles at most once, and is never in two of `settled`, `waiting` and `open_loops` at the same time.
    - A node sees the inputs and the effects of its ancestors (the nodes on the taken paths to it), applied in plan
      order, and nothing of branches beside it. `_states` caches these states by the set of ancestors.
    - A run is determined by its inputs and its replies; by the order of the replies only where a node does not wait
      for all branches: with `join: any`, and when one branch ends the run while others wait.
    - A run that is not over waits for at least one reply, once `advance` has returned, or is `resting`.
    - A run that is put away and taken up again has its settled nodes as they were, without their effects: these belong
      to the unit that has put it away. So no effect is yielded twice.

    **Failures.**

    - A config that cannot be evaluated (`Unusable`), effects that do not fit the profile (`Refused`) and exceeded
      limits (size of an output or value, number of emitted events, number of asks, deadline) make the node leave by
      `failed`. The run continues along that port if an edge leaves it, else it fails at this node.
    - A `NoAnswer` reply is passed to the node's `answer` once no retry is left. Built-in nodes then leave by `failed`.
    - Any other exception of a node is a bug of its type. It ends the run as failed, even if `failed` is wired; other
      runs of the unit go on.
    - Effects of parallel branches that do not fit together make the node that joins them leave by `failed`. When no
      node joins them, `final_state` raises `Refused`; the caller then calls `fail`.

    **Running again.** When the commit of a unit conflicts, the caller runs its flows again in new machines, with the
    same `now` and `seed` and with the stored documents read again. It answers outside asks from its record of replies.
    `replay` repeats a run that is over, to get its trace: it hands this machine's replies, in their order, to a new
    machine with the same inputs. A run that was restored by `from_run` cannot be replayed, since a `Run` does not
    carry the order of the replies that it has already consumed.
    """

    __slots__ = (
        "_ancestors",
        "_restored",
        "cancelled",
        "earlier",
        "failed_at",
        "flow",
        "left_by",
        "outcome",
        "reason",
        "replies",
        "settled",
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
        self.notable = False  # a node has left by a failure port, or logged a warning or an error; also in a turn
        self.cancelled: tuple[int, ...] = ()
        self.replies: list[tuple[Place, Reply]] = []  # in the order of arrival, for `replay`
        self.loops: dict[int, LoopRun] = {}  # all that have begun
        self.open_loops: dict[int, LoopRun] = {}
        self.resting = False  # `advance` has returned before all was done that can be done
        self.prefix = ""  # of the names of nodes: the turn that this machine runs, as in `lines[3].`
        self.budget: Budget | None = None  # of all loops of the run; made for the first one
        size = len(flow.nodes)
        self.left_by: list[str | None] = [None] * size  # the port a node left by, or DOES_NOT_RUN; None: undecided
        self._ancestors: list[int] = [0] * size  # bit masks: a settled node and its ancestors
        self._states: dict[int, RunState] = {0: state or initial_state(inputs)}
        self._restored: frozenset[int] = frozenset()  # the nodes that have waited before
        self.earlier: frozenset[int] = frozenset()  # the nodes that had settled when the run was restored
        self._emitted = 0
        self.outbox = inputs.outbox
        self.stopping = False  # a node has ended the run
        self.broken = False  # by a bug or a limit that no loop may skip
        self.hand_over: HandOver | None = None  # by which a node has ended the run

    @classmethod
    def from_run(cls, flow: Flow, run: Run, trace: Trace | None = None, state: RunState | None = None) -> "Machine":
        """A machine that continues `run`, a run of this `flow` and version. `outstanding` returns its open asks.

        `state` is the one before the first node, if it is not that of the run's inputs.
        """
        machine = cls(flow, run.inputs, state, trace)
        machine.outcome, machine.reason, machine.failed_at = run.outcome, run.reason, run.failed_at
        machine.cancelled = run.cancelled
        if run.turn_nodes:
            machine.budget = Budget()
            machine.budget.settled = run.turn_nodes
        machine.restore(run.settled, run.waiting, run.loops)
        return machine

    def restore(
        self, settled: Mapping[int, Settled], waiting: Mapping[int, Waiting], loops: Mapping[int, OpenLoop]
    ) -> None:
        """Continue a run, or a turn, in which these nodes have settled, wait and loop. Only for a new machine."""
        self.settled = dict(settled)
        self.waiting = dict(waiting)
        self._restored = frozenset(waiting)
        self.earlier = frozenset(settled)
        for index, each in self.settled.items():
            self.left_by[index] = each.port
            self._ancestors[index] = self._mask(each.via) | 1 << index
            self._emitted += sum(isinstance(e, Emit) for e in each.effects)
        for index, value in loops.items():
            self._restore_loop(self.flow.nodes[index], value)

    def replay(self, trace: Trace) -> "Machine":
        """Repeat the run with the replies that this machine has received, recording its steps in `trace`.

        Returns the new machine, in the same state as this one.
        """
        machine = Machine(self.flow, self.inputs, self._states[0], trace)
        machine.advance_fully()
        for place, reply in self.replies:
            machine.reply(place, reply)
            machine.advance_fully()
        if self.outcome == "failed" and machine.outcome != "failed":
            machine.fail(self.reason)
        return machine

    @property
    def first_state(self) -> RunState:
        """The state before any node has run."""
        return self._states[0]

    @property
    def has_waited(self) -> bool:
        """Whether the run was restored: it has run before, and has waited."""
        return bool(self._restored)

    @property
    def over(self) -> bool:
        """Whether the run has ended: no node will run, and replies are ignored."""
        return self.outcome is not None

    @property
    def paused(self) -> bool:
        """Whether no branch can go on before some time has passed, or an event has come."""
        return (
            self.outcome is None
            and not self.open_loops
            and bool(self.waiting)
            and all(isinstance(waiting.ask, WaitAsk) and waiting.reply is None for waiting in self.waiting.values())
        )

    def refuse_waits(self, reason: str) -> list[IssuedAsk]:
        """Let the nodes that have begun to wait leave by `failed`, and the run go on. Returns the asks of `advance`.

        If all nodes have waited before, all of them leave.
        """
        begun = [index for index in self.waiting if index not in self._restored] or list(self.waiting)
        for index in begun:
            self.reply(index, NoAnswer("limit", reason, retriable=False))
        return self.advance()

    def hears(self, index: int, awaited: dict[str, Any]) -> bool:
        """Whether the `when` of node `index`, which waits for an event, is true for this one (as flows see it)."""
        node = self.flow.nodes[index]
        try:
            state = self._state_after(self._mask(self.waiting[index].via))
            made: Any = node.template({**state.scope, "awaited": awaited})
        except (Unusable, Refused):
            return False
        return bool(made.when)

    def to_run(self) -> Run:
        """The run as a value that `from_run` continues. An initial `state` of the constructor is not part of it."""
        return Run(
            flow=self.flow.name,
            version=self.flow.version,
            inputs=self.inputs,
            settled=dict(self.settled),
            waiting=dict(self.waiting),
            loops=self.loop_values(),
            turn_nodes=self.budget.settled if self.budget is not None else 0,
            outcome=self.outcome,
            reason=self.reason,
            failed_at=self.failed_at,
            cancelled=self.cancelled,
        )

    def advance(self) -> list[IssuedAsk]:
        """Settle all nodes that can settle. Returns the asks to perform now, each only once; [] when the run is over.

        An empty list of a run that is not over means that replies to earlier asks are outstanding, or that it is
        `resting`.
        """
        if self.trace is not None:
            self.trace.wake()
        if self.budget is not None and not self.prefix:
            self.budget.left = SLICE
        if self.outcome is None:
            self._sweep()
        if self.outcome is None and not self.waiting and not self.open_loops:
            self._end("finished")
        if self.loops:
            return self._issue_with_loops()
        if not self.waiting:
            return []
        return [self._issue(index) for index, waiting in list(self.waiting.items()) if waiting.due]

    def advance_fully(self) -> list[IssuedAsk]:
        """The same as `advance`, without a rest."""
        issued = self.advance()
        while self.resting:
            issued += self.advance()
        return issued

    def first_failure(self) -> tuple[str, str, str]:
        """The node that ended the run, else the first that left by a failure port, with its port and reason.

        A node that had left before the run was restored belongs to the stretch before.
        """
        if self.failed_at or self.outcome == "failed":
            return self.failed_at, "failed" if self.failed_at else "", self.reason
        for index, settled in self.settled.items():
            node = self.flow.nodes[index]
            if settled.port in node.ports and node.ports[settled.port].failure and index not in self.earlier:
                return node.id, settled.port, settled.reason
        return "", "", ""

    def outstanding(self) -> list[IssuedAsk]:
        """All asks without a reply, whether issued before or not: the asks to perform after `from_run`."""
        own = [
            self._issue(index)
            for index, waiting in list(self.waiting.items())
            if waiting.reply is None and not isinstance(waiting.ask, WaitAsk)
        ]
        return [*own, *[asked for loop in self.open_loops.values() for asked in loop.outstanding()]]

    def reply(self, place: Place, reply: Reply) -> bool:
        """Store the reply to the ask of the node at `place`. Call `advance` afterwards.

        Returns False, and ignores the reply, when the node does not wait for one: the run or its turn has ended, or it
        has a reply already.
        """
        if isinstance(place, tuple):
            loop = self.open_loops.get(place[0])
            if loop is None or not loop.reply(place[1:], reply):
                return False
        else:
            waiting = self.waiting.get(place)
            if waiting is None or waiting.reply is not None:
                return False
            self.waiting[place] = msgspec.structs.replace(waiting, reply=reply, due=False)
        self.replies.append((place, reply))
        return True

    def fail(self, reason: str) -> None:
        """End the run as failed, even if it has finished."""
        self._end("failed", reason)

    def final_state(self) -> RunState:
        """The state with the effects of all settled nodes. Raises `Refused` when parallel branches do not fit."""
        mask = 0
        for index in self.settled:
            mask |= 1 << index
        return self._state_after(mask)

    def effects(self) -> Iterator[tuple[str, Effect]]:
        """Yield the effects of all settled nodes in plan order, each with the name of its node: `lines[3].price`."""
        for index in sorted(self.settled):
            settled = self.settled[index]
            if settled.names:
                yield from zip(settled.names, settled.effects, strict=True)
                continue
            for effect in settled.effects:
                yield f"{self.prefix}{self.flow.nodes[index].id}", effect

    def could_not_identify(self) -> bool:
        """Whether a node that joins profiles left by `failed` or `other` after its reply: operators should see why."""
        settled_nodes = [(self.flow.nodes[index].node, settled) for index, settled in self.settled.items()]
        return any(loop.lacks_identity for loop in self.loops.values()) or any(
            node.identifies and settled.port in ("failed", "other") and settled.calls for node, settled in settled_nodes
        )

    def profiles_read(self) -> Iterator[Profile]:
        """Yield the run's profile as each settled node saw it that reads it."""
        for index, settled in self.settled.items():
            if self.flow.nodes[index].reads_profile:
                with suppress(Refused):  # then the node has seen nothing
                    state = self._state_after(self._mask(settled.via))
                    if state.profile is not None:
                        yield state.profile
        for loop in self.loops.values():
            yield from loop.profiles

    def profiles_seen(self) -> Iterator[Profile]:
        """Yield the run's profile as it has been at any point of the run; perhaps several times."""
        yield from (state.profile for state in self._states.values() if state.profile is not None)
        for loop in self.loops.values():
            yield from loop.profiles

    def link_of(self, index: int, effect: Merge) -> Link | None:
        """The last link of a merge of node `index`, with its origin; None if it was not taken.

        Raises `Refused` when the effects of parallel branches before the node do not fit together.
        """
        after = self._state_after(self._ancestors[index])
        return after.profile.links.get(effect.links[-1].id) if after.profile is not None else None

    # ---- the sweep --------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        ports = self.left_by
        for node in self.flow.nodes:
            index = node.index
            if ports[index] is not None:
                continue
            if (self.waiting or self.open_loops) and self._is_open(node):
                self._go_on(node)
            elif node.starts and not node.ins:
                self._start(node, ())
            elif len(node.ins) == 1 and not node.starts:  # all kinds of join agree
                source, leading_ports = node.ins[0]
                left_by = ports[source]
                if left_by is None:
                    continue
                if left_by not in leading_ports:
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

    def _is_open(self, node: PlannedNode) -> bool:
        """Whether a node has started and not settled: it waits, or it is a loop with turns that have not ended."""
        return node.index in self.waiting or node.index in self.open_loops

    def _go_on(self, node: PlannedNode) -> None:
        """Go on with a node that is open, if it can."""
        waiting = self.waiting.get(node.index)
        if waiting is None:
            self._go_on_with_turns(node)
        elif waiting.reply is not None:
            self._accept_reply(node, waiting, waiting.reply)

    def _start(self, node: PlannedNode, via: tuple[int, ...]) -> None:
        if self.trace is not None:
            self.trace.begin(node)
        mask = self._ancestors[via[0]] if len(via) == 1 else self._mask(via)
        result = self._run_or_skip(node, mask) if node.guarded else self._run_node(node, mask, None)
        if isinstance(result, Outcome):
            self._settle(node, result, via, mask)
        elif isinstance(result, Turns):
            self._begin_loop(node, result, via, mask)
            self._go_on_with_turns(node)
        else:
            self._wait(node, Waiting(with_timeout(node, result, 0, self.inputs.now), via))

    def _run_or_skip(self, node: PlannedNode, mask: int) -> Outcome | Ask | Turns:
        """Run a node that may be skipped. Where parallel branches do not fit, `_run_node` reports it."""
        if node.disabled:
            return Outcome("skipped", reason="disabled")
        try:
            state = self._state_after(mask)
        except Refused:
            return self._run_node(node, mask, None)
        scope = self._drawing(node, state.scope) if node.draws else state.scope
        if self.trace is not None:
            self.trace.begin(node).scope = scope
        if node.when is not None and not node.when.test(scope):
            return Outcome("skipped", reason=f"`{node.when.source}` is false")
        if node.consents and (missing := missing_consent(state, node.consents)) is not None:
            return Outcome("skipped", reason=missing.reason)
        return self._run_node(node, mask, None)

    def _run_node(self, node: PlannedNode, mask: int, reply: Reply | None) -> Outcome | Ask | Turns:
        """Evaluate the node's config and call its method. Returns its checked outcome, its ask, or a loop's turns."""
        try:
            state = self._states.get(mask) or self._state_after(mask)
            scope = self._drawing(node, state.scope) if node.draws else state.scope
            if self.trace is None:
                made = node.template(scope)
            else:
                step = self.trace.current or self.trace.begin(node)
                step.scope = scope
                step.made = made = node.template(scope)
            context = NodeContext(
                scope["event"],
                scope["session"],
                scope["profile"],
                scope["source"],
                state.profile,
                self.inputs.now,
                f"{self.inputs.seed}{node.index:02x}" if node.makes_ids else "",
                state.rules,
                state.acting_id,
                self.inputs.identify,
                self.inputs.keys,
                self.inputs.proven,
                timezone=self.inputs.timezone,
            )
            if made.identifies:
                context = msgspec.structs.replace(context, pool=state.pool, handed_over=self.inputs.handed_over)
            if made.uses_task:
                context = msgspec.structs.replace(context, task_state=scope.get(TASK_STATE))
            if made.knows_place:
                context = msgspec.structs.replace(context, place=f"{self.flow.name}.{node.id}")
            if isinstance(made, LoopNode):
                result: Outcome | Ask | Turns = made.turns()
            elif not node.asks:
                result = made.run(context)
            else:
                result = made.ask(context) if reply is None else made.answer(context, reply)
            if type(result) is Outcome:
                return self._checked(node, mask, state, result)
            if (node.asks and isinstance(result, Ask)) or isinstance(result, Turns):
                return result
            raise TypeError(f"it returned {result!r}, which is no outcome")
        except (Unusable, Refused) as error:
            return Outcome("failed", reason=str(error))
        except Exception as bug:  # noqa: BLE001  # the boundary to the code of node types: a bug there ends only this run
            reason = f"a bug in {type_name(node.node)}: {bug!r}"
            self.broken = True
            self._end("failed", reason, f"{self.prefix}{node.id}")
            return Outcome("failed", reason=reason)

    def new(self, flow: Flow, inputs: Inputs, state: RunState, trace: Trace | None) -> "Machine":
        """A new machine."""
        return Machine(flow, inputs, state, trace)

    def _drawing(self, node: PlannedNode, scope: dict[str, Any]) -> dict[str, Any]:
        """The scope of a node that draws: with what its draws depend on, which is the same in each rerun."""
        return {**scope, DRAW: f"{self.inputs.seed}:{scope['event']['id']}:{self.flow.name}:{self.prefix}{node.id}"}

    # ---- asks -------------------------------------------------------------------------------------------------------

    def _accept_reply(self, node: PlannedNode, waiting: Waiting, reply: Reply) -> None:
        """Let a waiting node retry its ask, settle, or issue its next ask."""
        sent = waiting.spent_ms + waiting.delay_ms
        calls = (*waiting.calls, trace_call(waiting.ask, reply, waiting.attempt, sent))
        spent = waiting.spent_ms + waiting.delay_ms + int(getattr(reply, "took_ms", 0))
        del self.waiting[node.index]
        delay = backoff_ms(node, waiting.attempt, spent, reply)
        if delay is not None:
            retried = with_timeout(node, waiting.ask, spent + delay, self.inputs.now)
            self.waiting[node.index] = Waiting(
                retried, waiting.via, waiting.number, waiting.attempt + 1, delay, spent, calls=calls
            )
            return
        mask = self._mask(waiting.via)
        if self.trace is not None:
            self.trace.begin(node)
        result = self._run_node(node, mask, reply)
        assert not isinstance(result, Turns)  # noqa: S101  # a loop does not ask
        if not isinstance(result, Outcome) and (reason := ask_limit_reason(node, waiting.number, spent)):
            result = Outcome("failed", reason=reason)
        if isinstance(result, Outcome):
            self._settle(node, result, waiting.via, mask, calls)
        else:
            next_ask = with_timeout(node, result, spent, self.inputs.now)
            self.waiting[node.index] = Waiting(next_ask, waiting.via, waiting.number + 1, spent_ms=spent, calls=calls)

    def _wait(self, node: PlannedNode, waiting: Waiting) -> None:
        """Let a node wait for the reply to its first ask."""
        if isinstance(waiting.ask, WaitAsk):
            waiting = msgspec.structs.replace(waiting, due=False)  # it is never issued
        self.waiting[node.index] = waiting

    def _issue(self, index: int) -> IssuedAsk:
        waiting = self.waiting[index]
        self.waiting[index] = msgspec.structs.replace(waiting, due=False)
        node = self.flow.nodes[index]
        return IssuedAsk(
            index, f"{self.prefix}{node.id}", waiting.ask, waiting.number, waiting.attempt, waiting.delay_ms
        )

    # ---- settling ---------------------------------------------------------------------------------------------------

    def _settle(
        self,
        node: PlannedNode,
        outcome: Outcome,
        via: tuple[int, ...],
        mask: int,
        calls: tuple[TracedCall, ...] = (),
        names: tuple[str, ...] = (),
    ) -> None:
        index, port = node.index, outcome.port
        self.settled[index] = Settled(port, via, outcome.out, outcome.effects, outcome.reason, calls, names)
        self.left_by[index] = port
        self._ancestors[index] = mask | 1 << index
        if port != "done" and (left_by := node.ports.get(port)) is not None and left_by.failure:
            self.notable = True
        if self.trace is not None:
            self.trace.settled(node, outcome, via, calls)
        if self.outcome is not None:
            return
        if port in node.fatal:
            self._end("failed", outcome.reason, f"{self.prefix}{node.id}")
        elif self.stopping:
            self._end("finished")

    def _checked(self, node: PlannedNode, mask: int, state: RunState, outcome: Outcome) -> Outcome:
        """The outcome with plain data in it, or one by `failed` when it exceeds a limit. Caches the state after it.

        Effects count for the run only once the state has accepted them: a node that fails neither emits nor stops.
        Raises `Refused` when an effect does not fit the state, and `ValueError` when the node has no such port.
        """
        if outcome.port not in node.ports:
            raise ValueError(f"it left by `{outcome.port}`, which is none of its ports")
        out, effects = outcome.out, outcome.effects
        after = mask | 1 << node.index
        if out is None and not effects:
            self._states[after] = state
            return outcome
        if out is not None:
            out, error = limited_output(out)
            if error:
                return Outcome("failed", reason=error)
        if effects:
            effects, error = self._limited_effects(effects)
            if error:
                return Outcome("failed", reason=error)
        self._states[after] = state.after(node.id, out, effects, f"{self.prefix}{node.id}" if self.prefix else "")
        for effect in effects:
            self._note(effect)
        if out is None and effects is outcome.effects:
            return outcome
        return Outcome(outcome.port, out, effects, outcome.reason)

    def _note(self, effect: Effect) -> None:
        """Note what an effect means for the run."""
        kind = type(effect)
        if kind is Emit:
            self._emitted += 1
        elif kind is Stop:
            self.stopping = True
        elif kind is HandOver:
            self.stopping, self.hand_over = True, effect  # type: ignore[assignment]  # it is one
        elif kind is Log and effect.level in NOTABLE_LEVELS:  # type: ignore[union-attr]  # it is one
            self.notable = True

    def _limited_effects(self, effects: tuple[Effect, ...]) -> tuple[tuple[Effect, ...], str]:
        """The effects with plain data in them, and in words the limit that they exceed; empty when they exceed none."""
        emitted, room = self._emitted, self.outbox
        for i, effect in enumerate(effects):
            kind = type(effect)
            if kind is Emit:
                emitted += 1
                if emitted > MAX_EMITTED:
                    return effects, TOO_MANY_EMITTED
            elif kind in VALUE_EFFECTS:
                plain, error = limited_effect(effect)
                if error:
                    return effects, error
                if plain is not effect:
                    effects = (*effects[:i], plain, *effects[i + 1 :])
            elif isinstance(effect, Deliver):
                room, message, error = room.take(effect)
                if error:
                    return effects, error
                effects = (*effects[:i], message, *effects[i + 1 :])
        self.outbox = room
        return effects, ""

    def _end(self, outcome: RunOutcome, reason: str = "", failed_at: str = "") -> None:
        self.outcome, self.reason, self.failed_at = outcome, reason, failed_at
        if self.waiting or self.open_loops:
            self.cancelled = tuple(sorted([*self.waiting, *self.open_loops]))
            self.waiting.clear()
            for loop in self.open_loops.values():
                loop.note_open()
            self.open_loops.clear()

    # ---- states -----------------------------------------------------------------------------------------------------

    def _mask(self, via: tuple[int, ...]) -> int:
        """The bit mask of the nodes `via` and all their ancestors."""
        if len(via) == 1:
            return self._ancestors[via[0]]
        mask = 0
        for source in via:
            mask |= self._ancestors[source]
        return mask

    def _state_after(self, mask: int) -> RunState:
        """The state with the effects of the nodes of `mask` in plan order. Raises `Refused` when they do not fit."""
        state = self._states.get(mask)
        if state is None:
            last = mask.bit_length() - 1
            settled = self.settled[last]
            earlier = self._state_after(mask ^ 1 << last)
            id, effects = self.flow.nodes[last].id, settled.effects
            if settled.names:
                earlier, effects = with_effects(earlier, settled.names, effects), ()
            state = earlier.after(id, settled.out, effects, f"{self.prefix}{id}")
            self._states[mask] = state
        return state
