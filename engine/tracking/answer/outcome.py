"""The outcome of a unit: where its events have ended, and all that its sender may learn of it.

It is computed before the commit, so that the unit's documents can be freed while the store writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.ports.records import ProcessedEvent, RunRecord
from engine.ports.store import Unavailable
from engine.tracking.intake.payload import Intake, Refusal, RejectedEvent
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.effects import FlowResult, UnitEffects
from engine.tracking.unit.event import UnitEvent, refused_view
from engine.tracking.unit.ledger import Counted
from engine.tracking.unit.request import UnitRequest

Marks = Mapping[int, ProcessedEvent]  # of the events that had taken effect before, by index


class UnitResult(Struct, frozen=True):
    """The outcome of a unit that is committed, or needed no commit, or waits for the store."""

    profile: str | None  # the id that its sender may know
    marks: Marks
    counted: Counted
    open_to_all: bool = True  # the sender may see values and ids of the profiles in the unit
    response: dict[str, Any] = {}
    whole: dict[str, Any] | None = None  # the profile, if it was asked for
    debugging: dict[str, Any] | None = None  # if it was asked for and is allowed
    rejected: tuple[RejectedEvent, ...] = ()


class FirstTime(Struct, frozen=True):
    """The stored outcome of events that took effect before: of those in `marks`, with their runs by index.

    `profile` is the id that was answered, as far as the sender may know it, and `known` the profile to which it leads.
    """

    profile: str | None
    marks: Marks
    known: CachedProfile | None
    runs: Mapping[int, list[RunRecord]]
    open_to_all: bool


class FailedUnit(Struct, frozen=True):
    """A unit of a payload that was not taken, although others were."""

    request: UnitRequest
    error: Unavailable | Refusal

    def error_document(self) -> dict[str, Any]:
        """Return the error of its event."""
        index = self.request.events[0].index
        reason = f"it was not taken: {self.error}"
        if isinstance(self.error, Unavailable):
            reason = f"it was not taken, send it again: {self.error.reason}"
        return {"index": index, "at": f"/events/{index}", "reason": reason}


UNCHANGED: Final = UnitResult(None, {}, Counted())


def unit_result(request: UnitRequest, effects: UnitEffects, composed: Composed, marks: Marks) -> UnitResult:
    """Return the outcome of a unit that has been run."""
    options, source, known = request.intake.options, request.source, composed.cached
    open_to_all, whole = composed.open_to_all and request.given_up_open, None
    if options.profile and source.profiles and open_to_all and known is not None:
        whole = {**known.view, "id": known.profile.id}
    debugging = _debugging(request, effects, composed, marks) if options.debugger and source.debugger else None
    return UnitResult(
        composed.answered_id,
        marks,
        _counted(request, effects, marks),
        open_to_all,
        effects.response,
        whole,
        debugging,
        request.intake.rejected,
    )


def repeat_result(request: UnitRequest, first: FirstTime, counted: Counted) -> UnitResult:
    """Return the outcome of a unit of which no event is new."""
    options, source, known = request.intake.options, request.source, first.known
    whole = None
    if options.profile and source.profiles and first.open_to_all and known is not None:
        whole = {**known.view, "id": known.profile.id}
    debugging = _debugging_again(request, first) if options.debugger and source.debugger else None
    return UnitResult(
        first.profile,
        first.marks,
        counted,
        first.open_to_all,
        whole=whole,
        debugging=debugging,
        rejected=request.intake.rejected,
    )


def refused_result(request: UnitRequest) -> UnitResult:
    """Return the outcome of a unit of which all events were rejected."""
    debugging = None
    if request.intake.options.debugger and request.source.debugger:
        debugging = _document(request.intake, _execution(request, None, {}))
    rejected = request.intake.rejected
    return UnitResult(None, {}, Counted(rejected=len(rejected)), debugging=debugging, rejected=rejected)


def handed_over_result(before: UnitResult, after: UnitResult) -> UnitResult:
    """Return the outcome of a unit that was handed over, `after`, with that of the events before it in the payload."""
    debugging = [part for part in (after.debugging, before.debugging) if part is not None]
    return msgspec.structs.replace(
        after,
        marks={**before.marks, **after.marks},
        counted=before.counted + after.counted,
        open_to_all=before.open_to_all and after.open_to_all,
        response={**before.response, **after.response},
        debugging=merged_debugging(debugging) if debugging else None,
        rejected=(*before.rejected, *after.rejected),
    )


def merged_debugging(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the debugger's parts of several units as one; the profile and the session are those of the first."""
    merged = dict(parts[0])
    if len(parts) > 1:
        events = [part["events"] for part in parts]
        merged["events"] = {
            **events[0],
            "saved": sum([one["saved"] for one in events]),
            "ids": list(dict.fromkeys([id for one in events for id in one["ids"]])),
            "types": list(dict.fromkeys([type for one in events for type in one["types"]])),
        }
        merged["execution"] = {key: one for part in parts for key, one in part["execution"].items()}
        merged["logs"] = [line for part in parts for line in part["logs"]]
    return merged


def queued_result(request: UnitRequest, profile: str | None, reason: str) -> UnitResult:
    """Return the outcome of a payload that waits for the store; `profile` is the id that its sender may know."""
    debugging = None
    if request.intake.options.debugger and request.source.debugger:
        session = request.intake.session
        debugging = _document(
            request.intake,
            _execution(request, None, {}) | _queued(request.events, reason),
            session=_part(0, [session] if session is not None else []),
            ids=[event.id for event in request.events],
            types=[event.type for event in request.events],
            profile=_part(0, [profile] if profile is not None else []),
        )
    return UnitResult(profile, {}, Counted(), debugging=debugging, rejected=request.intake.rejected)


def late_result(request: UnitRequest, reason: str) -> UnitResult:
    """Return the outcome of one unit of a payload that waits for the store, while others are done."""
    debugging = None
    if request.intake.options.debugger and request.source.debugger:
        debugging = _document(request.intake, _queued(request.events, reason))
    return UnitResult(None, {}, Counted(), debugging=debugging, rejected=request.intake.rejected)


def errors_of(rejected: Iterable[RejectedEvent]) -> list[dict[str, Any]]:
    """Return the documents of rejected events, each with its index and the place of its error."""
    return [{"index": one.index, "at": one.at, "reason": one.reason} for one in rejected]


def _counted(request: UnitRequest, effects: UnitEffects, marks: Marks) -> Counted:
    stored = processed = 0
    for ran in effects.events:
        if ran.event.origin == "client":
            stored += ran.event.save
            processed += not ran.event.save
    runs = tuple([one.counted for one in effects.flows if one.counted is not None])
    return Counted(stored, processed, len(request.intake.rejected), len(marks), runs, request.now)


# ---- `debugging` in an answer ---------------------------------------------------------------------------------------


def _debugging(request: UnitRequest, effects: UnitEffects, composed: Composed, marks: Marks) -> dict[str, Any]:
    stored, session, known = composed.unit.events, composed.session, composed.cached
    kept = session is not None and session.version > 0
    return _document(
        request.intake,
        _execution(request, effects, marks),
        session=_part(int(kept), [session.id] if session else []),
        saved=len(stored),
        ids=[event.id for event in stored] or [ran.event.id for ran in effects.events],
        types=[ran.event.type for ran in effects.events],
        profile=_part(int(known is not None), [composed.answered_id] if composed.answered_id else []),
        segments=list(known.view["segments"]) if known is not None else [],
        logs=effects.logs,
    )


def _debugging_again(request: UnitRequest, first: FirstTime) -> dict[str, Any]:
    session, repeated = request.intake.session, [event for event in request.events if event.index in first.marks]
    return _document(
        request.intake,
        _execution(request, None, first.marks, first.runs),
        session=_part(0, [session] if session is not None else []),
        ids=dict.fromkeys(event.id for event in repeated),
        types=[event.type for event in repeated],
        profile=_part(0, [first.profile] if first.profile is not None else []),
        segments=list(first.known.view["segments"]) if first.known is not None else [],
    )


def _document(
    intake: Intake,
    execution: dict[str, Any],
    *,
    session: dict[str, Any] | None = None,
    saved: int = 0,
    ids: Iterable[str] = (),
    types: Iterable[str] = (),
    profile: dict[str, Any] | None = None,
    segments: Iterable[str] = (),
    logs: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "session": session or _part(0, []),
        "events": {
            "saved": saved,
            "errors": errors_of(intake.rejected),
            "ids": list(ids),
            "types": list(dict.fromkeys(types)),
        },
        "profile": profile or _part(0, []),
        "execution": execution,
        "segmentation": {"errors": [], "ids": list(segments)},
        "logs": logs if logs is not None else [],
    }


def _part(saved: int, ids: list[str]) -> dict[str, Any]:
    return {"saved": saved, "errors": [], "ids": ids, "types": []}


def _execution(
    request: UnitRequest,
    effects: UnitEffects | None,
    marks: Marks,
    stored_runs: Mapping[int, list[RunRecord]] = {},
) -> dict[str, Any]:
    """Return the disposition of every event (stored, processed, duplicate or rejected), with its runs."""
    found: dict[str, Any] = {}
    for ran in effects.events if effects is not None else ():
        event = ran.event
        found[event.key] = {
            "index": event.index,
            "type": event.type,
            "disposition": "stored" if event.save else "processed",
            **({"origin": event.origin, "parent": event.parent} if event.origin != "client" else {}),
            **({"refused": refused_view(event)} if event.refused else {}),
            "runs": [_run(each) for each in effects.flows if each.event is event] if effects is not None else [],
        }
    keys = {event.index: event.key for event in request.events}
    for index, mark in marks.items():
        found[keys.get(index, f"#{index}")] = {
            "index": index,
            "disposition": "duplicate",
            "reason": f"event id {mark.event} of source {mark.source} has taken effect before",
            "runs": [_stored_run(run) for run in stored_runs.get(index, ())],
        }
    for one in request.intake.rejected:
        reason = f"{one.reason} (at {one.at})"
        found[f"#{one.index}"] = {"index": one.index, "disposition": "rejected", "reason": reason, "runs": []}
    return found


def _queued(events: Iterable[UnitEvent], reason: str) -> dict[str, Any]:
    """Return the execution part for events that wait for the store."""
    rest = {"disposition": "queued", "reason": reason, "runs": []}
    return {event.key: {"index": event.index, "type": event.type, **rest} for event in events}


def _stored_run(run: RunRecord) -> dict[str, Any]:
    """Return a stored run as `_run` does: without the members that the record has beside."""
    document: dict[str, Any] = msgspec.json.decode(run.trace)
    return {name: value for name, value in document.items() if name not in {"event", "profile", "at"}}


def _run(result: FlowResult) -> dict[str, Any]:
    head = {"flow": result.flow, "version": result.version[:16]} if result.flow else {}
    return {**head, "outcome": result.outcome, **(result.trace or {})}
