"""The answer of `/track`: one document for all units of a payload, in the shape that clients of its model expect."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from engine.tracking.answer.outcome import FailedUnit, UnitResult, errors_of, merged_debugging
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.unit.request import UnitRequest

WITHHELD = (
    "values, `response`, profile and segments are withheld: claims join the sender with others, or a profile was read "
    "that is not proven to be the sender's own; a user token proves who the sender is (in development, "
    "`identify: trust` in the source's file shows them; `/events/ID/runs` has them)"
)


class Answer(Struct, frozen=True):
    """The body of an answer, whether the debugger was asked for and refused, and how many events came before."""

    body: dict[str, Any]
    debugger_refused: bool = False
    repeated: int = 0


def nothing_accepted(intake: Intake) -> Refusal:
    """Return the refusal of a payload of which every event was rejected."""
    refusal = _refusal(errors_of(intake.rejected))
    if all(not one.at.startswith(refusal.at) for one in intake.rejected):  # of `/collect`: an event, or a bare list
        refusal.at = ""
        if len(intake.rejected) == 1:
            refusal.at = intake.rejected[0].at
            refusal.detail = f"the event could not be accepted: {intake.rejected[0].reason}"
    return refusal


def answer_of(request: UnitRequest, results: Sequence[UnitResult], failed: Sequence[FailedUnit] = ()) -> Answer:
    """Return the answer for a payload, from the results of its units (several only when it is profile-less).

    Raises `Refusal` if every event was rejected.
    """
    intake, first = request.intake, results[0]
    profile = None if intake.profile_less else first.profile
    body: dict[str, Any] = {"profile": {"id": profile}, "source": {"consent": request.source.consent}}
    rejected = [one for result in results for one in result.rejected]
    if len(rejected) == len(request.events) + len(intake.rejected):
        raise _refusal(errors_of(rejected))
    open_to_all = all(result.open_to_all for result in results)
    response = {name: value for result in results for name, value in result.response.items()}
    if response and open_to_all:
        body["response"] = response
    errors = [*errors_of(rejected), *(one.error_document() for one in failed)]
    if errors:
        body["errors"] = errors
    if first.whole is not None and open_to_all:
        body["profile"] = first.whole
    repeated = sum([len(result.marks) for result in results])
    if not intake.options.debugger:
        return Answer(body, repeated=repeated)
    if first.debugging is None:
        return Answer(body, debugger_refused=True, repeated=repeated)
    parts = [result.debugging for result in results if result.debugging is not None]
    body["debugging"] = _debugging(parts, open_to_all)
    return Answer(body, repeated=repeated)


def _refusal(errors: list[dict[str, Any]]) -> Refusal:
    return Refusal("nothing-accepted", "none of the events could be accepted", "/events", errors)


def _debugging(parts: list[dict[str, Any]], open_to_all: bool) -> dict[str, Any]:
    """Return the debugger's part of an answer, from those of its units."""
    merged = merged_debugging(parts)
    if not open_to_all:
        merged["execution"], merged["logs"] = _without_values(merged["execution"]), []
        merged["segmentation"] = {**merged["segmentation"], "ids": []}
        merged["withheld"] = WITHHELD
    return merged


def _without_values(execution: dict[str, Any]) -> dict[str, Any]:
    """Return the execution part for a sender who may not see values: which nodes ran, and by which ports they left."""
    keep = ("node", "type", "line", "port", "us", "from")
    return {
        key: {
            **event,
            "runs": [
                {
                    **{k: run[k] for k in ("flow", "version", "outcome") if k in run},
                    "steps": [{k: step[k] for k in keep if k in step} for step in run.get("steps", [])],
                }
                for run in event["runs"]
                if "flow" in run or run["outcome"] != "not-triggered"  # the entry that counts the other flows
            ],
        }
        for key, event in execution.items()
    }
