"""Nodes that do not fit the trigger of their flow: a schedule has no sender, and only a schedule keeps a state."""

from collections.abc import Iterator

from engine.flow.graph import Wiring
from engine.flow.node import Node, type_name
from engine.flow.schedule import Schedule
from engine.problem import Problem


def schedule_uses(wiring: Wiring, schedule: Schedule | None) -> Iterator[Problem]:
    """Yield an error for each node that does not fit a flow with this schedule, or without any."""
    for _, node, place in wiring.places_of_types:
        message, help = _misfit(node, schedule)
        if message:
            path = (*place, type_name(node))
            yield Problem(code="H129", message=message, path=path, on="key", help=help)


def _misfit(node: type[Node], schedule: Schedule | None) -> tuple[str, str]:
    """Return why a node does not fit, and the remedy; or two empty texts."""
    name = type_name(node)
    if node.uses_sender and schedule is not None:
        help = "emit an event with `event.emit`, deliver a message, or log"
        return f"`{name}` is about the sender of an event, and a schedule has none", help
    if node.uses_task and schedule is None:
        help = node.without_task or "keep it in the profile (`profile.set`), or for a time in the cache (`cache.set`)"
        return f"`{name}` is for flows with a schedule: `trigger: {{schedule: …}}`", help
    if node.uses_task and schedule is not None and schedule.segment:
        help = node.without_task or "keep it in the profile with `profile.set`"
        return f"`{name}` is for flows that run once; this one runs for each profile of `{schedule.segment}`", help
    return "", ""
