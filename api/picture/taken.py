"""The path that a run has taken through its flow, read from the document of its trace."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

State = Literal["ran", "bad", "mind"]  # it ended the run; it left by `failed`, and the run went on


class Taken(Struct, frozen=True):
    """The nodes and edges of a run: for each node the number of its step and its state, and the edges with their state.

    `end` is the node and the port that ended the run, if that led nowhere.
    """

    nodes: Mapping[str, tuple[int, State]]
    edges: Mapping[tuple[str, str], State]
    end: tuple[str, str] | None = None


def taken(trace: Mapping[str, Any]) -> Taken:
    """Return the path of a run. Steps of a loop's turns have no number of their own: their loop's step shows them."""
    steps = trace.get("steps", ())
    ends = trace.get("failed_at") if trace.get("outcome") == "failed" else None
    nodes: dict[str, tuple[int, State]] = {}
    edges: dict[tuple[str, str], State] = {}
    for number, step in enumerate(steps, 1):
        state: State = "ran"
        if step["port"] == "failed":
            state = "bad" if step["node"] == ends else "mind"
        nodes[step["node"]] = (number, state)
        for source in step.get("from", ()):
            left = next((one["port"] for one in steps if one["node"] == source), "")
            edges[source, step["node"]] = "mind" if left == "failed" else "ran"
        _turns(step, step["node"], number, nodes, edges)
    if ends is not None and ends in nodes:
        return Taken(nodes, edges, (ends, "failed"))
    return Taken(nodes, edges)


def _turns(
    step: Mapping[str, Any],
    name: str,
    number: int,
    nodes: dict[str, tuple[int, State]],
    edges: dict[tuple[str, str], State],
) -> None:
    """Add the nodes that the shown turns of a loop went through."""
    for inner in _inner_steps(step):
        id = f"{name}.{inner['node']}"
        failed = inner["port"] == "failed"
        if id not in nodes or failed:
            nodes[id] = (number, "mind" if failed else "ran")
        for source in inner.get("from", ()) or [""]:
            edges[f"{name}.{source}" if source else name, id] = "ran"
        _turns(inner, id, number, nodes, edges)


def _inner_steps(step: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (inner for turn in step.get("turns", ()) for inner in turn["steps"])
