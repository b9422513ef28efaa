"""Counters that a segment asks for, and that no flow counts: then nobody, or everybody, belongs to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.problem import Problem, did_you_mean
from engine.project.segment import Segment

COUNTING = "profile.count"


def counters_of(flow: Any) -> Iterator[str]:
    """The counters that a flow's document counts, whatever else may be wrong with it."""
    nodes = flow.get("nodes") if isinstance(flow, Mapping) else None
    for node in nodes.values() if isinstance(nodes, Mapping) else ():
        named = node.get(COUNTING) if isinstance(node, Mapping) else None
        for name in [named] if isinstance(named, str) else named if isinstance(named, list | Mapping) else ():
            yield str(name)


def unknown_counters(segment: Segment, known: frozenset[str]) -> Iterator[Problem]:
    """The counters of a segment's condition that are not `known`."""
    for read in segment.condition.reads if segment.condition is not None else ():
        if read.function == "counted" and read.path[2] not in known:
            yield Problem(
                code="H414",
                message=f"no flow counts `{read.path[2]}`",
                path=("condition",),
                offset=read.offset,
                length=read.length,
                help=did_you_mean(read.path[2], known) or f"a node counts it by `{COUNTING}: {read.path[2]}`",
                severity="warning",
            )
