"""Why a flow has not handled an event: by its trigger as it is now, or since no run is kept that says it."""

from collections.abc import Collection
from typing import Any, Literal

from msgspec import Struct

from engine.flow.plan import Flow
from engine.flow.rendering import cut_all
from engine.ports.records import StoredEvent
from engine.project.project import Project

Cause = Literal["schedule", "type", "source", "when", "unknown"]

_STORED = frozenset({"id", "type", "properties", "context", "time", "received", "origin"})  # of an event, for flows


class NotHandled(Struct, frozen=True):
    """A flow that an event did not start, as far as is known.

    Of a `when` that did not hold, `expression` and `values` say why. `unknown`: the trigger takes the event, or its
    `when` reads more than the event; no run is kept.
    """

    flow: str
    cause: Cause
    why: str
    expression: str = ""
    values: dict[str, Any] = {}


def not_handled(project: Project, event: StoredEvent, ran: Collection[str]) -> list[NotHandled]:
    """Return why flows have not handled an event, of all flows of the project but those that `ran`."""
    return [_why(project, flow, event) for flow in project.flows if flow.name not in ran]


def _why(project: Project, flow: Flow, event: StoredEvent) -> NotHandled:
    trigger = flow.trigger
    if trigger.schedule is not None:
        return NotHandled(flow.name, "schedule", "it takes no event: it runs by a schedule")
    taken = ", ".join(f"`{pattern}`" for pattern in trigger.events) or "all events of clients"
    if event.origin == "system" and event.type not in trigger.events:
        return NotHandled(flow.name, "type", f"it takes {taken}; an event of the system starts only flows that name it")
    if not trigger.matches_type(event.type):
        return NotHandled(flow.name, "type", f"it takes {taken}")
    if not trigger.matches_source(event.source):
        sources = ", ".join(f"`{pattern}`" for pattern in trigger.sources)
        return NotHandled(flow.name, "source", f"it takes events from {sources}")
    return _by_condition(project, flow, event)


def _by_condition(project: Project, flow: Flow, event: StoredEvent) -> NotHandled:
    """Return why a flow did not run whose trigger takes the type and the source of an event."""
    when = flow.trigger.when
    share = project.settings.keep("finished") if flow.keep is None else flow.keep
    unknown = f"its trigger takes the event, and no run is kept: of those that finish, {share:.0%} are"
    if when is None:
        return NotHandled(flow.name, "unknown", unknown)
    if all(read.path[0] == "event" and read.path[1:2] and read.path[1] in _STORED for read in when.reads):
        said = when.explain({"event": _seen(event), "now": event.received})
        if said.value is False:
            return NotHandled(flow.name, "when", "its `when` did not hold", when.source, cut_all(said.values))
        return NotHandled(flow.name, "unknown", unknown)
    why = f"its `when` did not hold, or it ran and no run is kept: of those that finish, {share:.0%} are"
    return NotHandled(flow.name, "unknown", why, when.source)


def _seen(event: StoredEvent) -> dict[str, Any]:
    """Return the part of `event` that flows see and the store keeps."""
    return {
        "id": event.id,
        "type": event.type,
        "properties": event.properties,
        "context": event.context,
        "time": event.occurred_at,
        "received": event.received,
        "origin": event.origin,
    }
