"""A compiled flow: its trigger and its nodes in plan order, everything parsed and wired.

Plan order is a topological order in which ties go by the order of writing. It decides whose effects come first where
branches run side by side. A plan holds functions; it is never encoded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache
from typing import Literal

from engine.flow.config_template import ConfigTemplate
from engine.flow.node import Node, Port
from engine.language.expression import Condition

Join = Literal["settled", "any", "all"]
ProfilePolicy = Literal["required", "optional", "none"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often an ask that got no answer is asked again, and the first pause (ms), doubled each time."""

    times: int = 0
    backoff_ms: int = 500


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node of a flow, ready to run. `ins` are (index of the source, those of its ports that lead here)."""

    index: int
    id: str
    node: type[Node]
    template: ConfigTemplate
    ports: Mapping[str, Port]
    asks: bool
    ins: tuple[tuple[int, frozenset[str]], ...] = ()
    outs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    when: Condition | None = None
    consents: tuple[str, ...] = ()  # without all of them it is skipped
    fatal: frozenset[str] = frozenset()  # ports that end the run as failed, since nobody wired them
    starts: bool = False
    makes_ids: bool = False
    guarded: bool = False  # it may be skipped
    disabled: bool = False
    join: Join = "settled"
    retry: Retry = Retry()
    timeout_ms: int = 2_000
    deadline_ms: int | None = None
    line: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which events start a flow. `events` and `sources` are names or globs; empty means any."""

    events: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    when: Condition | None = None

    def matches_type(self, type: str) -> bool:
        """Whether the event's type matches."""
        return not self.events or any(glob(pattern).fullmatch(type) for pattern in self.events)

    def matches_source(self, source: str) -> bool:
        """Whether the event's source matches."""
        return not self.sources or any(glob(pattern).fullmatch(source) for pattern in self.sources)


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as it runs. `version` is the hash of its text; `starts` are indexes into `nodes`."""

    name: str
    version: str
    trigger: Trigger
    nodes: tuple[PlannedNode, ...]
    starts: tuple[int, ...]
    profile: ProfilePolicy = "optional"
    consents: tuple[str, ...] = ()  # without all of them it does not run
    description: str = ""
    keep: float | None = None  # share of its uneventful runs to keep, when the flow says so itself
    text: str = ""
    indexes: Mapping[str, int] = field(default_factory=dict)


@cache  # patterns stand in flows: few, and asked for again and again
def glob(pattern: str) -> re.Pattern[str]:
    """A glob of authors as a pattern: `*` stands for any text, `?` for one character; brackets are plain text."""
    return re.compile(translate(pattern.replace("[", "[[]")))  # `translate` never backtracks into a star
