"""What became of a payload's units, and the one answer that comes of them."""

from typing import Any, Final

from msgspec import Struct

from engine.tracking.answer import (
    Answer,
    debugging,
    errors_of,
    plain_answer,
    squatted,
    whole_profile,
    without_values,
)
from engine.tracking.compose import Composed
from engine.tracking.intake import Intake
from engine.tracking.ports import Unavailable
from engine.tracking.records import Mark
from engine.tracking.request import Request
from engine.tracking.sight_of import may_see_all
from engine.tracking.work import Work


class Done(Struct, frozen=True):
    """A unit that has been committed, or needed no commit."""

    profile: str | None
    work: Work | None
    composed: Composed | None
    marks: dict[int, Mark]


UNTOUCHED: Final = Done(None, None, None, {})


class Missed(Struct, frozen=True):
    """A unit of a payload that could not be taken, although others were."""

    request: Request
    wrong: Unavailable

    def told(self) -> dict[str, Any]:
        """What its sender is told of it."""
        index = self.request.events[0].index
        reason = f"it was not taken, send it again: {self.wrong.reason}"
        return {"index": index, "at": f"/events/{index}", "reason": reason}


WITHHELD = (
    "values, `response`, profile and segments are not told: a profile is in sight that is not proven to be the "
    "sender's own (in development `identify: trust` in the source's file tells them; `/events/ID/runs` has them)"
)


def answer_of(request: Request, parts: list[Done], missed: list[Missed]) -> Answer:
    """One answer for the units of a payload (several only when it is profile-less)."""
    intake, source, first = request.intake, request.source, parts[0]
    body = plain_answer(source, None if intake.profile_less else first.profile)
    open_to_all = all(may_see_all(part.work, part.composed.person if part.composed else None) for part in parts)
    response = {k: v for part in parts if part.work for k, v in part.work.response.items()}
    if response and open_to_all:
        body["response"] = response
    errors = [*errors_of(intake), *(one.told() for one in missed), *squatted(intake, first.marks)]
    if errors:
        body["errors"] = errors
    composed = first.composed if intake.options.profile and source.profiles and open_to_all else None
    if composed is not None and composed.person is not None and composed.shown is not None:
        body["profile"] = whole_profile(composed.person, composed.shown)
    if not intake.options.debugger:
        return Answer(body)
    if not source.debugger:
        return Answer(body, debugger_refused=True)
    body["debugging"] = _debugging(intake, parts, open_to_all)
    return Answer(body)


def _debugging(intake: Intake, parts: list[Done], open_to_all: bool) -> dict[str, Any]:
    told = debugging(intake, parts[0].work, parts[0].composed, parts[0].marks)
    for part in parts[1:]:
        more = debugging(intake, part.work, part.composed, part.marks)
        told["events"]["saved"] += more["events"]["saved"]
        told["events"]["ids"] += more["events"]["ids"]
        told["events"]["types"] = list(dict.fromkeys(told["events"]["types"] + more["events"]["types"]))
        told["execution"] |= more["execution"]
        told["logs"] = told["logs"] + more["logs"]
    if not open_to_all:
        told["execution"], told["logs"] = without_values(told["execution"]), []
        told["segmentation"]["ids"] = []
        told["withheld"] = WITHHELD
    return told
