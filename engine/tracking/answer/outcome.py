"""What became of a payload's units, and the one answer that comes of them."""

from typing import Any, Final

from msgspec import Struct

from engine.ports.records import ProcessedEvent
from engine.ports.store import Unavailable
from engine.tracking.answer.answer import (
    Answer,
    debugging,
    errors_of,
    foreign_duplicates,
    plain_answer,
    whole_profile,
    without_values,
)
from engine.tracking.intake.payload import Refusal
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.ledger import Counted
from engine.tracking.unit.processing import UnitRun
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.visibility import may_see_all


class UnitResult(Struct, frozen=True):
    """What is told of a unit once it is committed, or needed no commit.

    It is worked out before, so that nothing else of the unit has to be held while the store writes.
    """

    profile: str | None
    marks: dict[int, ProcessedEvent]  # of the events that had taken effect before, by index
    counted: Counted
    open_to_all: bool = True  # whether the sender may be told values and ids that the unit met
    response: dict[str, Any] = {}
    whole: dict[str, Any] | None = None  # the profile, if it was asked for
    debugging: dict[str, Any] | None = None  # if it was asked for


UNCHANGED: Final = UnitResult(None, {}, Counted())


def unit_result(
    request: UnitRequest, work: UnitRun, composed: Composed, marks: dict[int, ProcessedEvent]
) -> UnitResult:
    """What is told of a unit that has been run. `marks` are those of the events that had taken effect before."""
    intake, source, profile = request.intake, request.source, composed.profile
    open_to_all = may_see_all(work, profile)
    whole = None
    if intake.options.profile and source.profiles and open_to_all and profile is not None and composed.view is not None:
        whole = whole_profile(profile, composed.view)
    told = None
    if intake.options.debugger and source.debugger:
        told = debugging(intake, work, composed, by_key(request, marks))
    return UnitResult(composed.told, marks, _counted(request, work, marks), open_to_all, work.response, whole, told)


def duplicate_result(
    request: UnitRequest, profile: str | None, marks: dict[int, ProcessedEvent], counted: Counted
) -> UnitResult:
    """What is told of a unit of which nothing is new."""
    told = None
    if request.intake.options.debugger and request.source.debugger:
        told = debugging(request.intake, None, None, by_key(request, marks))
    return UnitResult(profile, marks, counted, debugging=told)


def by_key(request: UnitRequest, marks: dict[int, ProcessedEvent]) -> dict[str, tuple[int, ProcessedEvent]]:
    """Marks of events by the keys that name those in `debugging.execution`, with their indices."""
    keys = {event.index: event.key for event in request.events}
    return {keys.get(index, f"#{index}"): (index, mark) for index, mark in marks.items()}


def _counted(request: UnitRequest, work: UnitRun, marks: dict[int, ProcessedEvent]) -> Counted:
    stored = processed = 0
    for event, _, _ in work.done:
        if event.origin == "client":
            stored += event.save
            processed += not event.save
    return Counted(stored, processed, len(request.intake.rejected), len(marks))


class FailedUnit(Struct, frozen=True):
    """A unit of a payload that was not taken, although others were."""

    request: UnitRequest
    error: Unavailable | Refusal

    def error_document(self) -> dict[str, Any]:
        """What its sender is told of it."""
        index = self.request.events[0].index
        reason = f"it was not taken: {self.error}"
        if isinstance(self.error, Unavailable):
            reason = f"it was not taken, send it again: {self.error.reason}"
        return {"index": index, "at": f"/events/{index}", "reason": reason}


WITHHELD = (
    "values, `response`, profile and segments are not told: a profile is in sight that is not proven to be the "
    "sender's own (in development `identify: trust` in the source's file tells them; `/events/ID/runs` has them)"
)


def answer_of(request: UnitRequest, parts: list[UnitResult], missed: list[FailedUnit]) -> Answer:
    """One answer for the units of a payload (several only when it is profile-less)."""
    intake, source, first = request.intake, request.source, parts[0]
    body = plain_answer(source, None if intake.profile_less else first.profile)
    marks = {index: mark for part in parts for index, mark in part.marks.items()}
    open_to_all = all(part.open_to_all for part in parts)
    response = {name: value for part in parts for name, value in part.response.items()}
    if response and open_to_all:
        body["response"] = response
    errors = [*errors_of(intake), *(one.error_document() for one in missed), *foreign_duplicates(intake, marks)]
    if errors:
        body["errors"] = errors
    if first.whole is not None and open_to_all:
        body["profile"] = first.whole
    if not intake.options.debugger:
        return Answer(body)
    if first.debugging is None:
        return Answer(body, debugger_refused=True)
    body["debugging"] = _debugging([part.debugging for part in parts if part.debugging is not None], open_to_all)
    return Answer(body)


def _debugging(parts: list[dict[str, Any]], open_to_all: bool) -> dict[str, Any]:
    """The debugger's part of an answer, of those of its units."""
    told = dict(parts[0])
    if len(parts) > 1:
        events = [part["events"] for part in parts]
        told["events"] = {
            **events[0],
            "saved": sum([one["saved"] for one in events]),
            "ids": [id for one in events for id in one["ids"]],
            "types": list(dict.fromkeys([type for one in events for type in one["types"]])),
        }
        told["execution"] = {key: one for part in parts for key, one in part["execution"].items()}
        told["logs"] = [line for part in parts for line in part["logs"]]
    if not open_to_all:
        told["execution"], told["logs"] = without_values(told["execution"]), []
        told["segmentation"] = {**told["segmentation"], "ids": []}
        told["withheld"] = WITHHELD
    return told
