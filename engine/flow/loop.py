"""Loops within a run: a loop runs its body once for each item, each time as a run within the run, a *turn*.

**States of a loop.** A loop is *open* from the moment its node has started until it leaves by a port:

- `done`, once all turns have ended;
- `failed`, when a turn has failed and the loop does not skip such turns. Then nothing that its turns did takes effect;
- `stopped`, when a node in a turn has ended the run. What the turns up to there did takes effect.

**States of a turn.** A turn has *not begun*, is *open* (a `Machine` of its own, which may wait for replies), or has
*ended* (finished or failed). Ended turns are *folded* in the order of the items: the effects of a finished one are
added to those of the loop. Turns begin in that order, too, at most `at_once` of them side by side. With one at a time,
a turn sees the effects of all turns before it. Else it sees none of them.

**Invariants.** The result does not depend on which turn ends first: a failure or a `stop` counts when its turn is
folded, turns behind it are then dropped, and none begins any more once one before it has failed for good.

**Failures.** Exceeded limits (`Budget`, the emitted events of a run) and bugs of a node type end the whole run: they
are never skipped.

**Slices.** The loops of a run return to the caller of `Machine.advance` each time that `SLICE` nodes have settled in
their turns, so that a long loop does not hold up others. `Machine.resting` says so.
"""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from msgspec import structs

from engine.flow.ask import Reply
from engine.flow.effect import Deliver, Effect, Emit
from engine.flow.loop_node import MAX_TURN_NODES, Turns
from engine.flow.node import Outcome
from engine.flow.output_limits import MAX_KEPT, TOO_MANY_EMITTED, weight
from engine.flow.plan import Body, PlannedNode
from engine.flow.run import EndedTurn, IssuedAsk, OpenLoop, OpenTurn
from engine.flow.run_state import RunState
from engine.language.absent import Unusable
from engine.profile.document import Profile
from engine.profile.operations import Refused

if TYPE_CHECKING:
    from engine.flow.looping import Looping
    from engine.flow.machine import Machine

SLICE = 10  # nodes; one may take several milliseconds, such as a node that reads a long JSON text
SHOWN_TURNS = 10  # whose steps a trace keeps; and as many of those that failed


class Budget:
    """The nodes that have settled in all turns of a run. `left` are those until its loops return to their caller.

    `kept` is the weight of what ended turns have left: effects and collected values; of loops in loops several times.
    """

    __slots__ = ("kept", "left", "settled")

    def __init__(self) -> None:
        self.settled = self.kept = 0
        self.left = SLICE

    def keep(self, ended: EndedTurn) -> bool:
        """Count what a turn has left. Returns whether it may be kept."""
        self.kept += weight([ended.collected, *[structs.astuple(effect) for effect in ended.effects]], MAX_KEPT)
        return self.kept <= MAX_KEPT

    def spend(self, count: int) -> None:
        """Count a turn that has gone on and settled `count` nodes."""
        self.settled += count
        self.left -= max(count, 1)


class LoopRun:
    """One loop of a run. `advance` goes on with its turns until it returns an outcome; `broken` then ends the run.

    `owner` is the machine of the node, that of the run or of a turn around it. `via` and `mask` are as in `Machine`.
    """

    __slots__ = (
        "_after",
        "_before",
        "_begun",
        "_end",
        "_failed",
        "_folded",
        "_issued",
        "_ready",
        "_state",
        "_too_much",
        "broken",
        "collected",
        "effects",
        "emitted",
        "ended",
        "lacks_identity",
        "mask",
        "names",
        "node",
        "open",
        "outbox",
        "owner",
        "profiles",
        "seconds",
        "shown",
        "step",
        "turns",
        "via",
    )

    def __init__(
        self, owner: "Looping", node: PlannedNode, turns: Turns, via: tuple[int, ...], mask: int, state: RunState
    ) -> None:
        self.owner = owner
        self.node = node
        self.turns = turns
        self.via = via
        self.mask = mask
        self._before = self._state = state  # `_state` has the effects of the turns that are folded
        self._end = len(turns.items)  # no turn from here on is folded
        self._begun = self._folded = 0  # turns
        self._ready: list[int] = []  # open turns that can go on
        self._issued: list[IssuedAsk] = []
        self._after: dict[int, RunState] = {}  # the state after a turn that is not folded yet, if there is one at once
        self._failed: list[int] = []
        self.open: dict[int, Machine] = {}
        self.ended: dict[int, EndedTurn] = {}
        self.effects: list[Effect] = []
        self.names: list[str] = []  # of the nodes that had the effects
        self.collected: list[Any] = []
        self.emitted = 0
        self.outbox = owner.outbox.whole  # less what the turns have taken
        self._too_much = False
        self.broken = False  # the run ends here, as failed
        self.profiles: list[Profile] = []  # the run's profile, as turns have seen it
        self.lacks_identity = False  # a node in a turn could not join profiles
        self.shown: dict[int, Machine] = {}  # turns for the trace
        self.step = owner.trace.current if owner.trace is not None else None
        self.seconds = 0.0

    @property
    def budget(self) -> Budget:
        """The nodes that the loops of the run may still settle."""
        budget = self.owner.budget
        assert budget is not None  # noqa: S101  # the owner has made it before its first loop
        return budget

    @property
    def body(self) -> Body:
        """The nodes of a turn."""
        body = self.node.body
        assert body is not None  # noqa: S101  # it is a loop
        return body

    # ---- going on ---------------------------------------------------------------------------------------------------

    def advance(self) -> Outcome | None:
        """Go on with all turns that can go on. Returns the loop's outcome, or None while it is open."""
        trace = self.owner.trace
        began = trace.ticks() if trace is not None else 0.0
        outcome = self._fold()
        while outcome is None and self.budget.left > 0 and (index := self._next()) is not None:
            outcome = self._go_on(index) or self._fold()
        if trace is not None:
            self.seconds += trace.ticks() - began
        return outcome

    def issued(self) -> list[IssuedAsk]:
        """The new asks of its turns, each only once."""
        issued, self._issued = self._issued, []
        return issued

    def outstanding(self) -> list[IssuedAsk]:
        """All asks of its turns without a reply, whether issued before or not."""
        self._issued = []
        return [self._placed(index, asked) for index, turn in self.open.items() for asked in turn.outstanding()]

    def reply(self, place: tuple[int, ...], reply: Reply) -> bool:
        """Store the reply to the ask of a node in a turn; `place` begins with the turn. Returns whether it waited."""
        index, *inner = place
        turn = self.open.get(index)
        if turn is None or not turn.reply(inner[0] if len(inner) == 1 else tuple(inner), reply):
            return False
        self._ready.append(index)
        return True

    def _next(self) -> int | None:
        """The index of a turn that can go on, perhaps a new one; None when all wait or have ended."""
        if self._ready:
            return self._ready.pop(0)
        if self._begun >= self._end or len(self.open) >= self.turns.at_once:
            return None
        index, self._begun = self._begun, self._begun + 1
        self._open(index)
        return index

    def _open(self, index: int) -> "Machine":
        """Begin a turn."""
        before = self._state if self.turns.at_once == 1 else self._before
        scope = {**before.scope, "nodes": self._before.scope["nodes"], "item": self.turns.items[index], "index": index}
        self.open[index] = turn = self.owner.turn(self.node, index, before.with_scope(scope))
        if turn.trace is not None and (index < SHOWN_TURNS):
            self.shown[index] = turn
        return turn

    def _go_on(self, index: int) -> Outcome | None:
        """Advance one turn. Returns an outcome when the run has to end."""
        turn = self.open.get(index)
        if turn is None:  # it was dropped
            return None
        before = len(turn.settled)
        self._issued += [self._placed(index, asked) for asked in turn.advance()]
        self.budget.spend(len(turn.settled) - before)
        if self.budget.settled > MAX_TURN_NODES:
            return self._break(f"more than {MAX_TURN_NODES:,} nodes have settled in the turns of the run's loops")
        if turn.broken:
            self._show_failed(index, turn)
            return self._break(f"`{turn.failed_at}`: {turn.reason}")
        if turn.over:
            self._close(index, turn)
            if self._too_much:
                return self._break(f"the turns of the run's loops leave more than {MAX_KEPT:,} characters and values")
        elif turn.resting:
            self._ready.append(index)
        return None

    def _break(self, reason: str) -> Outcome:
        self.broken = True
        return Outcome("failed", reason=reason)

    def _placed(self, index: int, asked: IssuedAsk) -> IssuedAsk:
        inner = asked.node if isinstance(asked.node, tuple) else (asked.node,)
        return structs.replace(asked, node=(self.node.index, index, *inner))

    # ---- turns that have ended --------------------------------------------------------------------------------------

    def _close(self, index: int, turn: "Machine") -> None:
        """Keep the effects of a turn that is over. If none behind it counts, those are dropped."""
        del self.open[index]
        self._note(turn)
        self.owner.notable = self.owner.notable or turn.notable
        self.ended[index] = ended = self._ended(index, turn)
        self._too_much = self._too_much or not self.budget.keep(ended)
        if ended.failed:
            self._show_failed(index, turn)
        if ended.stops or (ended.failed and not self.turns.skips):
            self._end = index + 1
            for behind in [other for other in self.open if other > index]:
                self._note(self.open.pop(behind))
                self.shown.pop(behind, None)

    def _ended(self, index: int, turn: "Machine") -> EndedTurn:
        if turn.outcome == "failed":
            return EndedTurn(failed=True, reason=f"`{turn.failed_at}`: {turn.reason}")
        try:
            after = turn.final_state()
            stops = turn.stopping
            collect = self.body.collect
            collected = None if collect is None or stops else collect.evaluate(after.scope)
        except (Unusable, Refused) as error:
            return EndedTurn(failed=True, reason=f"turn {index}: {error}")
        if self.turns.at_once == 1:
            self._after[index] = after
        named = list(turn.effects())
        effects = tuple([effect for _, effect in named])
        return EndedTurn(effects, tuple([name for name, _ in named]), collected, stops=stops)

    def _fold(self) -> Outcome | None:
        """Take over the turns that have ended, in the order of the items. Returns the outcome once there is one."""
        while (ended := self.ended.get(self._folded)) is not None:
            index = self._folded
            outcome = self._take(index, ended)
            if outcome is not None:
                return outcome
            self._folded += 1
        return self._done() if self._folded == self._end else None

    def _take(self, index: int, ended: EndedTurn) -> Outcome | None:
        if not ended.failed:
            if reason := self._count(ended.effects):
                return self._break(reason)
            try:
                after = self._after.pop(index, None)
                self._state = after or with_effects(self._state, ended.names, ended.effects)
            except Refused as refused:
                ended = EndedTurn(failed=True, reason=f"turn {index}: {refused}")
        if ended.failed:
            self._failed.append(index)
            return None if self.turns.skips else Outcome("failed", reason=ended.reason)
        self.effects += ended.effects
        self.names += ended.names
        if ended.stops:
            return Outcome("stopped", reason=f"in turn {index}")
        if self.body.collect is not None:
            self.collected.append(ended.collected)
        return None

    def _count(self, effects: tuple[Effect, ...]) -> str:
        """Count the events and messages of one more turn. Returns the limit that the run exceeds, in words, or ""."""
        emitted = sum([type(effect) is Emit for effect in effects])
        if emitted and not self.owner.may_emit(self.emitted + emitted):
            return TOO_MANY_EMITTED
        self.emitted += emitted
        for effect in effects:
            if type(effect) is Deliver:
                self.outbox, _, reason = self.outbox.take(effect)
                if reason or (reason := self.owner.outbox.less(self.outbox).excess):
                    return reason
        return ""

    def _done(self) -> Outcome:
        out = {"items": self.collected, "count": len(self.turns.items), "failed": self._failed}
        return Outcome("done", out)

    def state_after(self, id: str, out: Any) -> RunState:
        """The state once the loop has left, with its output and the effects of its turns."""
        before, scope = self._before.scope, dict(self._state.scope)
        scope["nodes"] = before["nodes"] if out is None else {**before["nodes"], id: {"out": out}}
        for root in ("item", "index"):  # of a loop around this one
            scope.pop(root, None)
            if root in before:
                scope[root] = before[root]
        return self._state.with_scope(scope)

    @property
    def begun(self) -> int:
        """How many turns have begun."""
        return self._begun

    @property
    def progress(self) -> str:
        """How far an open loop is, in words."""
        return f"turn {self._folded} of {len(self.turns.items)}"

    # ---- what is known of the turns ---------------------------------------------------------------------------------

    def _note(self, turn: "Machine") -> None:
        """Note what the run's caller asks about a turn that will be dropped."""
        if self.body.reads_profile:
            self.profiles += [
                seen for seen in turn.profiles_seen() if not any(seen is known for known in self.profiles)
            ]
        if self.body.identifies:
            self.lacks_identity = self.lacks_identity or turn.could_not_identify()

    def note_open(self) -> None:
        """Note what turns have read that are still open when the run ends."""
        for turn in self.open.values():
            self._note(turn)

    def _show_failed(self, index: int, turn: "Machine") -> None:
        if turn.trace is not None and len(self.shown) < 2 * SHOWN_TURNS:
            self.shown[index] = turn

    # ---- as a value -------------------------------------------------------------------------------------------------

    def value(self) -> OpenLoop:
        """The loop as a value that `restore` continues."""
        turns = {
            index: OpenTurn(dict(turn.settled), dict(turn.waiting), turn.loop_values())
            for index, turn in self.open.items()
        }
        return OpenLoop(tuple(self.turns.items), self.via, dict(self.ended), turns)

    def restore(self, value: OpenLoop) -> None:
        """Continue the loop that was made into `value`. Only for a new one, with the same items."""
        self.ended = dict(value.ended)
        self._begun = max([*value.ended, *value.turns], default=-1) + 1
        ends = [i for i, ended in value.ended.items() if ended.stops or (ended.failed and not self.turns.skips)]
        self._end = min([i + 1 for i in ends], default=self._end)
        self._fold()
        for index, turn in value.turns.items():
            self._open(index).restore(turn.settled, turn.waiting, turn.loops)
            self._ready.append(index)


def with_effects(state: RunState, names: tuple[str, ...], effects: tuple[Effect, ...]) -> RunState:
    """The state with the effects of nodes in turns, whose names these are. Raises `Refused` when one does not fit."""
    at = 0
    for name, group in groupby(names):
        size = len(list(group))
        state = state.after("", None, effects[at : at + size], name)
        at += size
    return state
