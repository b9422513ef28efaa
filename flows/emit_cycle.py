"""Flows that emit, whatever the data, an event that starts them again: a circle that only the limits end."""

from collections.abc import Iterator

from engine.flow.node import type_name
from engine.flow.plan import Flow, PlannedNode
from engine.problem import Problem

EMITTING = "event.emit"


def emit_cycles(flow: Flow) -> Iterator[Problem]:
    """The events that surely start the flow again. A `when` in its trigger may end the circle, so it is let pass."""
    if flow.trigger.when is not None:
        return
    for node in flow.nodes:
        type = node.template.literals.get("type") if type_name(node.node) == EMITTING else None
        if isinstance(type, str) and flow.trigger.matches_type(type.strip()) and _surely(flow, node):
            message = f"`{type}` starts this flow again, and nothing but the limit on events that emit events ends that"
            help = "give it a type of its own, or take clients' events only: `when: event.origin == 'client'`"
            at = ("nodes", node.id, EMITTING, "type")
            yield Problem(code="H418", message=message, path=at, help=help, severity="warning")


def _surely(flow: Flow, goal: PlannedNode) -> bool:
    """Whether every run in which nothing fails comes to a node. Consents are no condition: they stay as they are."""
    sure: dict[int, bool] = {}
    for node in reversed(flow.nodes):  # in plan order: what a node leads to comes after it
        ways = [name for name, port in node.ports.items() if not port.failure and name != "skipped"]
        onward = bool(ways) and all(any(sure[target] for target in node.outs.get(way, ())) for way in ways)
        free = node.when is None and not node.disabled and node.join != "all"
        sure[node.index] = free and (node is goal or onward)
    return any(sure[start] for start in flow.starts)
