"""An event while it is processed: the client's, one of the system, or one that a flow emitted."""

from typing import Any, Literal

from msgspec import Struct

from engine.ports.ids import short_hash
from engine.tracking.intake.payload import Incoming

Origin = Literal["client", "system", "flow"]
MAX_DEPTH = 8  # of events emitted by events emitted by ...
SEGMENT_ENTERED = "segment-entered"
SEGMENT_LEFT = "segment-left"
SYSTEM_TYPES = frozenset({"profile-created", "session-opened", SEGMENT_ENTERED, SEGMENT_LEFT})


class UnitEvent(Struct, frozen=True):
    """One event of a unit. `key` names it in `debugging.execution`."""

    key: str
    id: str
    index: int | None
    type: str
    properties: dict[str, Any]
    context: dict[str, Any]
    time: str | int | float | None = None
    origin: Origin = "client"
    parent: str | None = None
    depth: int = 0
    save: bool = True
    marked: bool = False  # the client gave the id: it takes effect once

    def view(self, received: int) -> dict[str, Any]:
        """What flows see as `event`."""
        return {
            "id": self.id,
            "type": self.type,
            "properties": self.properties,
            "context": self.context,
            "time": self.time if self.time is not None else received,
            "received": received,
            "origin": self.origin,
        }


def client_event(incoming: Incoming, id: str, repeated: bool) -> UnitEvent:
    """The event that a client sent, under the id it gave or the one made for it."""
    return UnitEvent(
        key=f"#{incoming.index}" if repeated else id,
        id=id,
        index=incoming.index,
        type=incoming.type,
        properties=incoming.properties,
        context=incoming.context,
        time=incoming.time,
        save=incoming.save,
        marked=incoming.id is not None,
    )


def system_event(type: str, of: str, save: bool) -> UnitEvent:
    """An event that the system itself adds, e.g. `profile-created`. `of` is the id of what it is about."""
    id = short_hash(type, of)
    return UnitEvent(key=id, id=id, index=None, type=type, properties={}, context={}, origin="system", save=save)


def segment_event(
    entered: bool, segment: str, of: tuple[str, ...], parent: UnitEvent | None, save: bool = True
) -> UnitEvent:
    """The event of the system that a profile has entered or left a segment; `of` tells this crossing from others."""
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


def child_event(
    parent: UnitEvent, flow: str, node: str, index: int, type: str, properties: dict[str, Any]
) -> UnitEvent:
    """The event that a node emitted. Its id is derived, so running again gives the same."""
    id = short_hash(parent.id, flow, node, str(index))
    return UnitEvent(
        key=id,
        id=id,
        index=None,
        type=type,
        properties=properties,
        context=parent.context,
        origin="flow",
        parent=parent.id,
        depth=parent.depth + 1,
        save=parent.save,
    )
