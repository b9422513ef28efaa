"""Typed events: the client's events of a unit, with their properties cast to the types of their collections' fields.

Pure: `engine.tracking.pipeline.field_types` knows the types.
"""

from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, tzinfo

from msgspec import Raw, json, structs

from engine.schema.conform import Types, conformed, new_fields
from engine.schema.schema import LearntField
from engine.tracking.intake.consent import CONSENT_CHANGED
from engine.tracking.intake.data_limits import pointer
from engine.tracking.intake.payload import RejectedEvent
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.request import UnitRequest


def typed_events(request: UnitRequest) -> Iterator[UnitEvent]:
    """Yield the events of a request to which schemas apply: all but those whose properties Headrace itself reads."""
    return (event for event in request.events if event.type != CONSENT_CHANGED)


def claims_of(request: UnitRequest, types: Mapping[str, Types]) -> dict[str, dict[str, LearntField]]:
    """Return the fields without a type in the events of a request, by collection: the first value of each claims it.

    `types` are those of the known fields, by collection.
    """
    found: dict[str, dict[str, LearntField]] = {}
    for event in typed_events(request):
        for name, type in new_fields(event.properties, types.get(event.type, {})):
            found.setdefault(event.type, {}).setdefault(name, LearntField(type, request.now, event.id))
    return found


def typing_steps(
    request: UnitRequest, types: Mapping[str, Types], *, fixed: bool, zone: tzinfo = UTC
) -> Generator[None, None, UnitRequest]:
    """Return a request with its events cast. If the schema is `fixed`, those with a field without a type are rejected.

    `zone` is that of times without an offset. It yields between two events: many fields take long.
    """
    events: list[UnitEvent] = []
    rejected: list[RejectedEvent] = []
    for number, event in enumerate(request.events):
        if number:
            yield
        known = types.get(event.type, {})
        if event.type == CONSENT_CHANGED:
            events.append(event)
        elif fixed and (new := next(new_fields(event.properties, known), None)) is not None:
            rejected.append(_rejected(event, new[0], request))
        else:
            events.append(_cast(event, known, zone))
    if rejected:
        all_rejected = sorted((*request.intake.rejected, *rejected), key=lambda one: one.index)
        intake = structs.replace(request.intake, rejected=tuple(all_rejected))
        return structs.replace(request, intake=intake, events=tuple(events))
    return structs.replace(request, events=tuple(events))


def _cast(event: UnitEvent, types: Types, zone: tzinfo) -> UnitEvent:
    if not types:
        return event
    found = conformed(event.type, event.properties, types, zone)
    return structs.replace(event, properties=found.properties, refused=found.refused)


def _rejected(event: UnitEvent, field: str, request: UnitRequest) -> RejectedEvent:
    index = event.index or 0
    reason = (
        f"Schema is invalid: `{event.type}` has no field `{field[:80]}`, and the schema of the source "
        f"`{request.source.source}` is fixed: declare the field in schemas/, or leave it out"
    )
    body = next(Raw(json.encode(each)) for each in request.intake.events if each.index == event.index)
    return RejectedEvent(index, reason, f"/events/{index}/properties/{pointer(field)}", body)
