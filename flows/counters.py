"""Counters that a segment's condition reads and no flow counts: they are always zero."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.problem import Problem, did_you_mean
from engine.project.segment import Segment
from flows.written_nodes import written_nodes

COUNT = "profile.count"


def counters_of(flow: Any) -> Iterator[str]:
    """The names of the counters in a flow's document, which may have errors."""
    for _, node in written_nodes(flow):
        counters = node.get(COUNT)
        names = [counters] if isinstance(counters, str) else counters
        for name in names if isinstance(names, list | Mapping) else ():
            yield str(name)


def unknown_counters(segment: Segment, known: frozenset[str]) -> Iterator[Problem]:
    """A problem for each counter in a segment's condition that is not `known`."""
    for read in segment.condition.reads if segment.condition is not None else ():
        if read.function == "counted" and read.path[2] not in known:
            yield Problem(
                code="H414",
                message=f"no flow counts `{read.path[2]}`",
                path=("condition",),
                offset=read.offset,
                length=read.length,
                help=did_you_mean(read.path[2], known) or f"a node counts it by `{COUNT}: {read.path[2]}`",
                severity="warning",
            )
