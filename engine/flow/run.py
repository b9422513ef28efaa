"""A run as a value: its inputs, its settled nodes and its waiting nodes.

A `Run` can be encoded, stored and decoded; `Machine.from_run` continues it. The docstring of `Machine` explains the
states of a node and of a run.
"""

from typing import Any, Literal

from msgspec import Struct, field

from engine.flow.ask import Ask, Reply
from engine.flow.effect import Effect
from engine.flow.outbox_room import OutboxRoom
from engine.profile.declared import Rule
from engine.profile.document import Path, Profile, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
from engine.profile.operations import Operation

RunOutcome = Literal["finished", "failed"]
Place = int | tuple[int, ...]
"""The index of a node; within a loop the indexes of the loop, the turn and the node, from the outside in."""
Identify = Literal["link", "trust", "refuse"]


class Inputs(Struct, frozen=True):
    """All that determines a run, except the replies. `now` (ms) and `seed` are drawn once per unit."""

    event: dict[str, Any]
    session: dict[str, Any] | None
    source: dict[str, Any]
    profile: Profile | None
    now: int
    seed: str = ""
    earlier_operations: tuple[Operation, ...] = ()  # on the profile, by earlier runs of the unit
    acting_id: str | None = None  # the profile id under which the unit acts, when there is a profile
    identify: Identify = "trust"  # what a key in the event proves
    fields: tuple[tuple[Path, Rule], ...] = ()  # paths of the profile with a declared rule
    keys: KeyRules = DEFAULT_KEY_RULES
    proven: dict[str, Scalar] = field(default_factory=dict)  # keys that a user token verifies; trusted in any case
    flow: str = ""
    timezone: str = "UTC"  # the project's
    handed_over: bool = False  # the event was begun again by `session.hand_over`
    outbox: OutboxRoom = OutboxRoom()
    task_state: dict[str, Any] | None = None  # of a scheduled flow, as the last firing has left it


class TracedCall(Struct, frozen=True, omit_defaults=True):
    """One ask and its reply, as a trace lists them. The field names are those of the trace document."""

    kind: str
    what: str
    got: str
    attempt: int = 1
    took_ms: int = 0
    at_ms: int = 0  # since the node began to ask, with the pauses between


class Settled(Struct, frozen=True, omit_defaults=True):
    """The final state of a node: it has left by `port`. `via` are the indexes of the nodes whose edges led to it."""

    port: str
    via: tuple[int, ...] = ()
    out: Any = None
    effects: tuple[Effect, ...] = ()
    reason: str = ""
    calls: tuple[TracedCall, ...] = ()
    names: tuple[str, ...] = ()  # of a loop: for each effect the node that had it, with its turn: `lines[3].price`


class Waiting(Struct, frozen=True, omit_defaults=True):
    """The state of a node that waits for the reply to `ask`. `reply` is set once it has arrived.

    `number` counts the node's asks from 1, `attempt` the attempts at this ask from 1.
    """

    ask: Ask
    via: tuple[int, ...] = ()
    number: int = 1
    attempt: int = 1
    delay_ms: int = 0  # pause before this attempt
    spent_ms: int = 0  # used up of the node's deadline by its earlier attempts
    due: bool = True  # `advance` has not issued it yet
    reply: Reply | None = None
    calls: tuple[TracedCall, ...] = ()


class IssuedAsk(Struct, frozen=True):
    """An ask that the machine's caller has to perform, after a pause of `delay_ms`.

    `node` is the place and `id` the name of the asking node; `number` and `attempt` are those of `Waiting`.
    """

    node: Place
    id: str
    ask: Ask
    number: int
    attempt: int
    delay_ms: int = 0


class EndedTurn(Struct, frozen=True, omit_defaults=True):
    """A turn of a loop that is over: its effects, each with the name of its node, or the reason why it failed."""

    effects: tuple[Effect, ...] = ()
    names: tuple[str, ...] = ()
    collected: Any = None
    failed: bool = False
    reason: str = ""
    stops: bool = False  # a node in it has ended the run


class OpenTurn(Struct, frozen=True, omit_defaults=True):
    """A turn of a loop that waits: the states of its nodes, and of the loops in it."""

    settled: dict[int, Settled] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    loops: "dict[int, OpenLoop]" = field(default_factory=dict)


class OpenLoop(Struct, frozen=True, omit_defaults=True):
    """A loop whose turns have not all ended. `ended` and `turns` are by the index of the item."""

    items: tuple[Any, ...]
    via: tuple[int, ...] = ()
    ended: dict[int, EndedTurn] = field(default_factory=dict)
    turns: dict[int, OpenTurn] = field(default_factory=dict)


class Run(Struct, frozen=True, omit_defaults=True):
    """One execution of one flow for one event. `settled` is in the order in which the nodes settled."""

    flow: str
    version: str
    inputs: Inputs
    settled: dict[int, Settled] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    loops: dict[int, OpenLoop] = field(default_factory=dict)
    turn_nodes: int = 0  # that have settled in turns of loops
    cancelled: tuple[int, ...] = ()  # the nodes that still waited when the run ended
    outcome: RunOutcome | None = None  # None: not over
    reason: str = ""
    failed_at: str = ""
