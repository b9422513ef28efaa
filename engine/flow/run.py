"""A run as a value: what it was given, what has settled, what it waits for. Encode it, and the process may die.

A node is *settled* (it left by a port), *waiting* (for exactly one reply), or neither yet. A run is over when nothing
waits and nothing can go on, or at once when it fails or is stopped.
"""

from typing import Any, Literal

from msgspec import Struct, field

from engine.flow.ask import Ask, Reply
from engine.flow.effect import Effect
from engine.profile.declared import Rule
from engine.profile.document import Path, Profile, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
from engine.profile.operations import Operation

RunOutcome = Literal["finished", "failed"]
Identify = Literal["link", "trust", "refuse"]


class Inputs(Struct, frozen=True):
    """What a run starts from. `now` (ms) and `seed` are drawn once per unit. `fields` are the declared rules."""

    event: dict[str, Any]
    session: dict[str, Any] | None
    source: dict[str, Any]
    profile: Profile | None
    now: int
    seed: str = ""
    earlier_operations: tuple[Operation, ...] = ()  # what earlier runs of the unit did to the profile
    acting_id: str | None = None  # the id under which the unit acts, when there is a profile
    identify: Identify = "trust"  # what a key in the event proves
    fields: tuple[tuple[Path, Rule], ...] = ()  # paths of the profile with a declared rule
    keys: KeyRules = DEFAULT_KEY_RULES
    proven: dict[str, Scalar] = field(default_factory=dict)  # keys that are more than claims, whatever `identify` says
    flow: str = ""


class TracedCall(Struct, frozen=True, omit_defaults=True):
    """One ask and what came back, as a trace shows it."""

    kind: str
    what: str
    got: str
    attempt: int = 1
    took_ms: int = 0


class Settled(Struct, frozen=True, omit_defaults=True):
    """That a node has left by `port`. `via` are the indexes of the nodes whose edges were taken to it."""

    port: str
    via: tuple[int, ...] = ()
    out: Any = None
    effects: tuple[Effect, ...] = ()
    reason: str = ""
    calls: tuple[TracedCall, ...] = ()


class Waiting(Struct, frozen=True, omit_defaults=True):
    """That a node has asked. `reply` is set once it has come; `number` counts this node's asks from 1."""

    ask: Ask
    via: tuple[int, ...] = ()
    number: int = 1
    attempt: int = 1
    delay_ms: int = 0
    spent_ms: int = 0
    due: bool = True  # not handed out yet
    reply: Reply | None = None
    calls: tuple[TracedCall, ...] = ()


class IssuedAsk(Struct, frozen=True):
    """An ask for whoever performs it: after `delay_ms`, as attempt `attempt` of the node's ask `number`."""

    node: int
    id: str
    ask: Ask
    number: int
    attempt: int
    delay_ms: int = 0


class Run(Struct, frozen=True, omit_defaults=True):
    """One execution of one flow for one event. `settled` is in the order of settling."""

    flow: str
    version: str
    inputs: Inputs
    settled: dict[int, Settled] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    cancelled: tuple[int, ...] = ()  # the nodes that still waited when it ended
    outcome: RunOutcome | None = None
    reason: str = ""
    failed_at: str = ""
