"""Joins intakes of one sender from several requests: they are processed as one unit, and their errors are kept apart.

`SenderIntake` numbers the events of one request. A joined intake has numbers of its own, and each of them leads back to
the request and to the number that the event has there.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from engine.tracking.foreign.groups import SenderIntake
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.payload import Incoming, RejectedEvent

Origin = tuple[int, int]  # which of the intakes, and the event's index in it


class JoinedIntake(Struct, frozen=True):
    """An intake, and where each of its events is from, by index."""

    intake: SenderIntake
    origins: Sequence[Origin]


def joined(intakes: Sequence[SenderIntake]) -> JoinedIntake:
    """Return several intakes of one sender as one, in their order."""
    if len(intakes) == 1:
        return JoinedIntake(intakes[0], ())
    origins: list[Origin] = []
    events: list[Incoming] = []
    rejected: list[RejectedEvent] = []
    given: dict[int, ForeignEvent] = {}
    for which, one in enumerate(intakes):
        for event in one.intake.events:
            given[len(origins)] = one.given[event.index]
            events.append(structs.replace(event, index=len(origins)))
            origins.append((which, event.index))
        for wrong in one.intake.rejected:
            rejected.append(structs.replace(wrong, index=len(origins)))
            origins.append((which, wrong.index))
    intake = structs.replace(intakes[0].intake, events=tuple(events), rejected=tuple(rejected))
    return JoinedIntake(SenderIntake(intake, given), origins)
