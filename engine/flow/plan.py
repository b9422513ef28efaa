"""A compiled flow: its trigger and its nodes in plan order, all parsed and wired.

Plan order is a topological order; between nodes that no path connects, the order in the file decides. The effects of
parallel branches are applied in plan order. A plan contains functions, so it is never encoded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache
from typing import Literal

from engine.flow.config_template import ConfigTemplate
from engine.flow.node import Node, Port
from engine.flow.schedule import Schedule
from engine.language.expression import Condition
from engine.language.value import Value

Join = Literal["settled", "any", "all"]
ProfilePolicy = Literal["required", "optional", "none"]
WhileWaiting = Literal["restart", "ignore", "parallel"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often an ask without an answer is retried, and the pause (ms) before the first retry, doubled each time."""

    times: int = 0
    backoff_ms: int = 500


@dataclass(frozen=True, slots=True)
class Body:
    """The nodes that a loop runs in each of its turns, as a flow, and the value that it collects at the end of a turn.

    The rest says what one of the nodes does, also within loops in the body.
    """

    flow: "Flow"
    collect: Value | None = None
    reads_profile: bool = False  # other than to identify it
    identifies: bool = False
    makes_ids: bool = False


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node of a flow, ready to run. `ins` are pairs: the index of a source, and its ports that lead here."""

    index: int
    id: str
    node: type[Node]
    template: ConfigTemplate
    ports: Mapping[str, Port]
    asks: bool
    ins: tuple[tuple[int, frozenset[str]], ...] = ()
    outs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    when: Condition | None = None
    consents: tuple[str, ...] = ()  # the node is skipped unless all are given
    fatal: frozenset[str] = frozenset()  # unwired failure ports: leaving by one ends the run as failed
    starts: bool = False
    makes_ids: bool = False
    draws: bool = False  # an expression of the node draws
    guarded: bool = False  # the node may be skipped
    disabled: bool = False
    join: Join = "settled"
    retry: Retry = Retry()
    timeout_ms: int = 2_000
    deadline_ms: int | None = None
    line: int = 0
    description: str = ""
    body: Body | None = None  # of a loop

    @property
    def reads_profile(self) -> bool:
        """Whether the node reads the run's profile, other than to identify it; of a loop, without its turns."""
        return (
            (self.node.uses_profile and not self.node.identifies)
            or bool(self.consents)
            or tests_profile(self.when)
            or self.template.reads_profile
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """The events that start a flow. `events` and `sources` are names or globs; empty means any."""

    events: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    when: Condition | None = None
    schedule: Schedule | None = None  # the flow starts by this alone, with the event `schedule-fired`

    def matches_type(self, type: str) -> bool:
        """Whether the trigger matches events of `type`."""
        if self.schedule is not None:
            return False
        return not self.events or any(glob(pattern).fullmatch(type) for pattern in self.events)

    def matches_source(self, source: str) -> bool:
        """Whether the trigger matches events of `source`."""
        return not self.sources or any(glob(pattern).fullmatch(source) for pattern in self.sources)


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow, ready to run. `version` is the hash of its text; `starts` are indexes into `nodes`."""

    name: str
    version: str
    trigger: Trigger
    nodes: tuple[PlannedNode, ...]
    starts: tuple[int, ...]
    profile: ProfilePolicy = "optional"
    consents: tuple[str, ...] = ()  # the flow does not run unless all are given
    description: str = ""
    keep: float | None = None  # share of its uneventful runs to store; None: the project decides
    text: str = ""
    while_waiting: WhileWaiting | None = None  # what a new event does to a run that waits; None: no node waits
    indexes: Mapping[str, int] = field(default_factory=dict)  # into `nodes`, by node id
    all_nodes: "Mapping[str, PlannedNode]" = field(default_factory=dict)  # by id, also those within loops
    has_loops: bool = False

    def loops_around(self, id: str) -> tuple[str, ...]:
        """The ids of the loops that a node is in, from the outside in."""
        for node in self.nodes:
            if node.body is not None and id in node.body.flow.all_nodes:
                return (node.id, *node.body.flow.loops_around(id))
        return ()


def tests_profile(condition: Condition | None) -> bool:
    """Return whether a condition reads the profile."""
    return condition is not None and any(read.path[0] == "profile" for read in condition.reads)


@cache  # only flows contain patterns, so they are few, and each event is matched against them
def glob(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob: `*` matches any text, `?` one character; brackets are plain text."""
    return re.compile(translate(pattern.replace("[", "[[]")))  # `translate` never backtracks into a star
