"""A unit that is to be done: what is drawn once for all its runs."""

from collections.abc import Callable, Mapping

from msgspec import Struct, structs

from engine.flow.ask import Reply
from engine.ports.records import ProcessedEvent
from engine.project.source import Source
from engine.tracking.intake.payload import Intake
from engine.tracking.unit.event import UnitEvent, client_event

ReplyKey = tuple[str, str, str, int, int, bytes]  # event, flow, node, number of the ask, attempt, what was asked


class UnitRequest(Struct, frozen=True):
    """A unit to be done; one without events looks at its profile anew.

    `replies` are those from outside, in the order in which they came: they are not asked again.
    `deadline` is when (in the clock's ticks) the answer cannot wait any longer. `again` says that the unit may have
    been committed before, when nobody heard of it.
    """

    source: Source
    intake: Intake
    events: tuple[UnitEvent, ...]
    now: int
    seed: str
    deadline: float
    replies: dict[ReplyKey, Reply]
    again: bool = False


def client_events(intake: Intake, new_id: Callable[[], str]) -> tuple[UnitEvent, ...]:
    """The events of a payload, each with an id."""
    ids: set[str] = set()
    found = []
    for event in intake.events:
        id = event.id or new_id()
        found.append(client_event(event, id, id in ids))
        ids.add(id)
    return tuple(found)


def units_of(request: UnitRequest) -> list[UnitRequest]:
    """The units of a payload: each profile-less event is one, and what was rejected is kept with the first."""
    if not request.intake.profile_less or len(request.events) < 2:
        return [request]
    parts = []
    for i, event in enumerate(request.events):
        intake = request.intake if i == 0 else structs.replace(request.intake, rejected=())
        seed = f"{request.seed}{i:03d}"
        parts.append(structs.replace(request, events=(event,), intake=intake, seed=seed, replies={}))
    return parts


def split_duplicates(
    request: UnitRequest, marks: Mapping[str, ProcessedEvent]
) -> tuple[dict[int, ProcessedEvent], list[UnitEvent]]:
    """The marks of those events that have taken effect before, by index; and the others, each id once."""
    found: dict[int, ProcessedEvent] = {}
    fresh: list[UnitEvent] = []
    seen: set[str] = set()
    for event in request.events:
        if event.marked and (event.id in marks or event.id in seen):
            own = ProcessedEvent(request.source.source, event.id, request.now, request.intake.session)
            found[event.index or 0] = marks.get(event.id, own)
        else:
            fresh.append(event)
            seen.add(event.id)
    return found, fresh


def committed_earlier(request: UnitRequest, marks: dict[int, ProcessedEvent]) -> list[UnitEvent]:
    """The events that took effect when this very unit was tried before, each once; `marks` are by index."""
    if not request.again:
        return []
    found: dict[str, UnitEvent] = {}
    for event in request.events:
        mark = marks.get(event.index or 0)
        if mark is not None and (mark.at, mark.session) == (request.now, request.intake.session):
            found.setdefault(event.id, event)
    return list(found.values())
