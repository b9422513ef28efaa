"""Repeats: events whose ids have taken effect before, for the same sender or for another one.

A repeat of the same sender is a duplicate, and is answered as the first was. An id that took effect for another sender
is no repeat: its event is rejected, and nothing is answered about the other sender.
"""

from collections.abc import Mapping

from msgspec import Raw, json, structs

from engine.ports.records import ProcessedEvent
from engine.profile.document import Profile
from engine.tracking.intake.admission import authority
from engine.tracking.intake.payload import Incoming, RejectedEvent
from engine.tracking.unit.request import UnitRequest

FOREIGN = (
    "this event id has taken effect before, for another session: the event was not processed, give it an id of its own"
)

Marks = dict[int, ProcessedEvent]  # of the events that have taken effect before, by index


def reject_foreign(
    request: UnitRequest, marks: Mapping[int, ProcessedEvent], acting_id: str | None, profile: Profile | None
) -> tuple[UnitRequest, Marks]:
    """Return a request with the events rejected whose ids took effect for another sender, and the marks of the others.

    `acting_id` and `profile` are those with which the unit starts.
    """
    own = {index: mark for index, mark in marks.items() if _may_be_own(mark, request, acting_id, profile)}
    if len(own) == len(marks):
        return request, own
    foreign = [_rejected(event) for event in request.intake.events if event.index in marks and event.index not in own]
    intake = structs.replace(request.intake, rejected=(*request.intake.rejected, *foreign))
    return structs.replace(request, intake=intake), own


def is_certainly_own(
    mark: ProcessedEvent, request: UnitRequest, acting_id: str | None, profile: Profile | None
) -> bool:
    """Return whether an event took effect for the sender of a request, so that the sender may know the first answer."""
    if mark.session is not None and mark.session == request.intake.session:
        return True
    if authority(request.source) != "trust":
        return mark.profile is not None and mark.profile == acting_id
    return request.intake.session_made or (profile is not None and mark.profile in profile.ids)


def _may_be_own(mark: ProcessedEvent, request: UnitRequest, acting_id: str | None, profile: Profile | None) -> bool:
    """Whether an event may have taken effect for the sender; one without a session of its own cannot prove it."""
    named = request.intake.session is not None and not request.intake.session_made
    return not named or is_certainly_own(mark, request, acting_id, profile)


def _rejected(event: Incoming) -> RejectedEvent:
    return RejectedEvent(event.index, FOREIGN, f"/events/{event.index}/id", Raw(json.encode(event)))
