"""An event while it is processed: the client's, one of the system, or one that a flow emitted; with what flows see."""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from engine.ports.ids import short_hash
from engine.ports.records import Session
from engine.project.source import Source
from engine.schema.conform import RefusedValue
from engine.tracking.intake.payload import Incoming

Origin = Literal["client", "system", "flow"]
MAX_DEPTH = 8  # of events emitted by events emitted by ...
SEGMENT_ENTERED = "segment-entered"
SEGMENT_LEFT = "segment-left"
SYSTEM_TYPES = frozenset({"profile-created", "session-opened", SEGMENT_ENTERED, SEGMENT_LEFT})  # that flows may name


class UnitEvent(Struct, frozen=True):
    """One event of a unit. `key` names it in `debugging.execution`."""

    key: str
    id: str
    index: int | None
    type: str
    properties: dict[str, Any]
    context: dict[str, Any]
    time: int | None = None  # of the client, in ms
    occurred: int | None = None  # by that time, corrected and within bounds, in ms; None: as it was received
    late: bool = False  # it occurred before the project's `events.oldest`
    origin: Origin = "client"
    parent: str | None = None
    depth: int = 0
    save: bool = True
    marked: bool = False  # the client sent the id: it takes effect once
    refused: tuple[RefusedValue, ...] = ()  # values that could not be cast to the types of their fields

    def view(self, received: int) -> dict[str, Any]:
        """Return the `event` that flows see. Its `time` is when it occurred; in ms, as is `received`."""
        return {
            "id": self.id,
            "type": self.type,
            "properties": self.properties,
            "context": self.context,
            "time": received if self.occurred is None else self.occurred,
            "received": received,
            "origin": self.origin,
            "late": self.late,
        }


def refused_view(event: UnitEvent) -> list[dict[str, str]]:
    """Return the `event.refused` that flows and the debugger see: never the values."""
    return [{"field": one.field, "type": one.type, "reason": one.reason} for one in event.refused]


def client_event(incoming: Incoming, id: str, repeated: bool) -> UnitEvent:
    """Return the event that a client sent, under its own id or the one drawn for it, without its time."""
    return UnitEvent(
        key=f"#{incoming.index}" if repeated else id,
        id=id,
        index=incoming.index,
        type=incoming.type,
        properties=incoming.properties,
        context=incoming.context,
        save=incoming.save,
        marked=incoming.id is not None,
    )


def system_event(type: str, of: str, save: bool) -> UnitEvent:
    """Return an event that the system adds, e.g. `profile-created`. `of` is the id of its subject."""
    id = short_hash(type, of)
    return UnitEvent(key=id, id=id, index=None, type=type, properties={}, context={}, origin="system", save=save)


def segment_event(
    entered: bool, segment: str, of: tuple[str, ...], parent: UnitEvent | None, save: bool = True
) -> UnitEvent:
    """Return the event that a profile has entered or left a segment; `of` makes its id different from all others."""
    type = SEGMENT_ENTERED if entered else SEGMENT_LEFT
    id = short_hash(type, segment, *of)
    return UnitEvent(
        key=id,
        id=id,
        index=None,
        type=type,
        properties={"segment": segment},
        context=parent.context if parent is not None else {},
        origin="system",
        parent=parent.id if parent is not None else None,
        depth=parent.depth + 1 if parent is not None else 0,
        save=parent.save if parent is not None else save,
    )


def child_id(parent: str, flow: str, node: str, index: int) -> str:
    """Return the id of the event that a node emitted for a parent event; `index` counts those of its run."""
    return short_hash(parent, flow, node, str(index))


def child_event(
    parent: UnitEvent, flow: str, node: str, index: int, type: str, properties: dict[str, Any]
) -> UnitEvent:
    """Return the event that a node emitted. Its id is derived, so that a rerun has the same.

    It occurred when its parent did.
    """
    id = child_id(parent.id, flow, node, index)
    return UnitEvent(
        key=id,
        id=id,
        index=None,
        type=type,
        properties=properties,
        context=parent.context,
        occurred=parent.occurred,
        late=parent.late,
        origin="flow",
        parent=parent.id,
        depth=parent.depth + 1,
        save=parent.save,
    )


def earliest_of(events: Iterable[UnitEvent]) -> int | None:
    """Return when the first of some events occurred (ms); None if none has a time of its own."""
    return min([event.occurred for event in events if event.occurred is not None], default=None)


def source_view(source: Source) -> dict[str, Any]:
    """Return the `source` that flows see: never its key or its secret."""
    return {"id": source.source, "kind": source.kind, "consent": source.consent, "times": source.times}


def session_view(session: Session | None) -> dict[str, Any] | None:
    """Return the `session` that flows see."""
    if session is None:
        return None
    return {
        "id": session.id,
        "created": session.created,
        "properties": session.properties,
        "context": session.context,
    }
