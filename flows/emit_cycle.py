"""Flows that emit, whatever the data, an event that starts them again: a cycle that only the limits end."""

from collections.abc import Iterator

from engine.flow.node import type_name
from engine.flow.plan import Flow, PlannedNode
from engine.problem import Problem

EMIT = "event.emit"


def emit_cycles(flow: Flow) -> Iterator[Problem]:
    """A problem for each event that surely starts its own flow again. A `when` in the trigger may end the cycle."""
    if flow.trigger.when is not None:
        return
    for node in flow.nodes:
        type = node.template.literals.get("type") if type_name(node.node) == EMIT else None
        if isinstance(type, str) and flow.trigger.matches_type(type.strip()) and _always_runs(flow, node):
            message = f"`{type}` starts this flow again, and nothing but the limit on events that emit events ends that"
            help = "give it a type of its own, or take clients' events only: `when: event.origin == 'client'`"
            at = ("nodes", node.id, EMIT, "type")
            yield Problem(code="H418", message=message, path=at, help=help, severity="warning")


def _always_runs(flow: Flow, goal: PlannedNode) -> bool:
    """Whether every run without a failure reaches `goal` at once, without waiting.

    Consents do not count as a condition: they stay the same.
    """
    reaches: dict[int, bool] = {}  # by a node's index, whether every run that enters the node reaches the goal
    for node in reversed(flow.nodes):  # in the order of the plan: the targets of a node come after it
        ports = [name for name, port in node.ports.items() if not port.failure and name != "skipped"]
        onward = bool(ports) and all(any(reaches[target] for target in node.outs.get(port, ())) for port in ports)
        unconditional = node.when is None and not node.disabled and node.join != "all" and not node.node.waits
        reaches[node.index] = unconditional and (node is goal or onward)
    return any(reaches[start] for start in flow.starts)
