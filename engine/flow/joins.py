"""Joins: whether a node runs, by which nodes before it have left, and by which ports."""

from collections.abc import Sequence
from typing import Final, Literal

from engine.flow.plan import PlannedNode

DOES_NOT_RUN: Final = ""  # in place of a port


def arrival(node: PlannedNode, left_by: Sequence[str | None]) -> tuple[int, ...] | Literal[""] | None:
    """The sources whose edges were taken, once the join says that the node runs.

    `DOES_NOT_RUN` once it will not, None while that is open. `left_by` are the ports by which nodes have left, by
    index; None of those that have not.
    """
    taken: tuple[int, ...] = ()
    missed = pending = False
    for source, ports in node.ins:
        port = left_by[source]
        if port is None:
            pending = True
        elif port in ports:
            taken = (*taken, source)
        else:
            missed = True
    if node.join == "any" and (taken or node.starts):
        return () if node.starts else taken[:1]
    if node.join == "all" and missed:
        return DOES_NOT_RUN
    if pending:
        return None
    return taken if taken or node.starts else DOES_NOT_RUN
