"""Units of scheduled flows: the event with which a flow runs, and the events that it emits without a profile."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from engine.flow.effect import Deliver, Emit
from engine.flow.message import EventMessage
from engine.flow.plan import Flow
from engine.flow.schedule import SCHEDULE_FIRED
from engine.ports.ids import derived_id, short_hash
from engine.ports.outbox import SELF
from engine.profile.document import Profile
from engine.tracking.unit.event import UnitEvent

FIRED_MS: Final = 30 * 86_400_000  # how long a profile knows the last firing of a flow that is gone


class Firing(Struct, frozen=True):
    """A firing of a scheduled flow: for its due time `due` (ms), which stands for `missed` others.

    Without a segment the flow runs once, and `state` is what earlier firings have kept. With a `segment` this unit is
    that of one profile, and there is no state.
    """

    task: str  # the flow's name
    due: int
    missed: int = 0
    state: dict[str, Any] | None = None
    segment: str = ""


def firing_seed(secret: bytes, firing: Firing, profile: str = "") -> str:
    """Return the seed of a firing's unit: the same in every process that fires it, so that its ids are the same.

    `secret` is the store's: without it the ids would be those of the same flow on another store, and a receiver of both
    would take the second message for a repeat of the first.
    """
    return derived_id(secret, "firing", firing.task, str(firing.due), profile)


def fired_event(firing: Firing, profile: str = "") -> UnitEvent:
    """Return the event with which the flow runs; `profile` is the id that it is about, if any."""
    id = short_hash(SCHEDULE_FIRED, firing.task, str(firing.due), profile)
    properties = {"due": firing.due, "missed": firing.missed, "task": firing.task}
    return UnitEvent(
        key=id,
        id=id,
        index=None,
        type=SCHEDULE_FIRED,
        properties=properties,
        context={},
        occurred=firing.due,
        origin="system",
    )


def not_fired(firing: Firing, profile: Profile | None, segments: Iterable[str]) -> str:
    """Return why the unit of a profile does not run the flow; empty if it does. `segments` are those it is in now."""
    if not firing.segment:
        return ""
    if profile is None or firing.segment not in segments:
        return f"the profile is not in `{firing.segment}`"
    if profile.fired.get(firing.task, -1) >= firing.due:
        return "the flow has run for this profile and this due time"
    return ""


def still_fired(fired: Mapping[str, int], flows: Iterable[Flow], now: int) -> dict[str, int]:
    """Return the firings that a profile has had, but for old ones of flows that no longer have a schedule.

    A flow may be gone for a while, as in a rolling change; so what it has had stays known for `FIRED_MS`.
    """
    scheduled = {flow.name for flow in flows if flow.trigger.schedule is not None}
    return {task: due for task, due in fired.items() if task in scheduled or due > now - FIRED_MS}


def posted(emits: Iterable[tuple[str, Emit]], depth: int) -> list[tuple[str, Deliver]]:
    """Return the deliveries, with their nodes, that take the place of emitted events: each becomes a unit of its own.

    `depth` is that of the emitting run's event.
    """
    return [
        (at, Deliver(SELF, EventMessage(emit.type, emit.properties, depth + 1, emit.elsewhere))) for at, emit in emits
    ]


def flows_of(flows: Iterable[Flow], firing: Firing | None) -> tuple[Flow, ...]:
    """Return the flow that a firing runs, if the project still has it with a schedule."""
    if firing is None:
        return ()
    return tuple([flow for flow in flows if flow.name == firing.task and flow.trigger.schedule is not None])
