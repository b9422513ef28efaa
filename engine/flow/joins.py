"""Joins: they decide, from the ports by which its sources left, whether a node runs."""

from collections.abc import Sequence
from typing import Final, Literal

from engine.flow.plan import PlannedNode

DOES_NOT_RUN: Final = ""  # in place of a port


def arrival(node: PlannedNode, left_by: Sequence[str | None]) -> tuple[int, ...] | Literal[""] | None:
    """Returns the indexes of the sources whose edges lead to the node, once its join decides that it runs.

    Returns `DOES_NOT_RUN` once it decides that the node will not run, and None while that is open. `left_by` has, by
    index, the port by which each node has left; None for a node that has not.
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
