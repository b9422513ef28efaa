"""Flows that start on an event of the system: clients can send events of the same type."""

from collections.abc import Iterator

from engine.flow.plan import Flow
from engine.problem import Problem
from engine.tracking.unit.event import SYSTEM_TYPES

ORIGIN = "event.origin"


def client_sendable(flow: Flow, text: str) -> Iterator[Problem]:
    """A problem for each type of the system in a flow's trigger, unless the `text` of the flow reads `event.origin`."""
    if ORIGIN in text:
        return
    for index, name in enumerate(flow.trigger.events):
        if name in SYSTEM_TYPES:
            at = ("trigger", "event", index) if len(flow.trigger.events) > 1 else ("trigger", "event")
            message = f"clients can send `{name}` as well"
            help = "to take the system's alone, add to the trigger `when: event.origin == 'system'`"
            yield Problem(code="H415", message=message, path=at, help=help, severity="warning")
