"""Answers: what a client is told, in the seed's shape."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from engine.ports.records import ProcessedEvent
from engine.profile.document import Profile
from engine.project.source import Source
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.unit.compose import Composed
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.processing import FlowResult, UnitRun


class Answer(Struct, frozen=True):
    """The body of an answer, and whether the debugger was asked for and refused."""

    body: dict[str, Any]
    debugger_refused: bool = False


def plain_answer(source: Source, profile: str | None) -> dict[str, Any]:
    """The answer that every accepted payload gets at least."""
    return {"profile": {"id": profile}, "source": {"consent": source.consent}}


def errors_of(intake: Intake) -> list[dict[str, Any]]:
    """The rejected events of a payload, by index and place."""
    return [{"index": one.index, "at": one.at, "reason": one.reason} for one in intake.rejected]


def nothing_accepted(intake: Intake) -> Refusal:
    """How a payload is refused when every one of its events was rejected."""
    return Refusal("nothing-accepted", "none of the events could be accepted", "/events", errors_of(intake))


def foreign_duplicates(intake: Intake, marks: dict[int, ProcessedEvent]) -> list[dict[str, Any]]:
    """The events that were left out because their id has taken effect for another session: no mere repeats."""
    reason = "this event id has taken effect before, for another session: the event was not processed"
    others = [index for index, mark in marks.items() if mark.session != intake.session]
    return [{"index": index, "at": f"/events/{index}/id", "reason": reason} for index in others]


def debugging(
    intake: Intake, work: UnitRun | None, done: Composed | None, marks: dict[str, tuple[int, ProcessedEvent]]
) -> dict[str, Any]:
    """The debugger's part of an answer. `marks` are those of the events that had taken effect before, by key."""
    stored = done.unit.events if done else ()
    profile = done.profile if done else None
    session = done.session if done else None
    kept = session is not None and session.version > 0
    fresh = [event.id for event, _, _ in work.done] if work else []
    return {
        "session": _part(int(kept), [session.id] if session else []),
        "events": {
            "saved": len(stored),
            "errors": errors_of(intake),
            "ids": [event.id for event in stored] or fresh,
            "types": list(dict.fromkeys(event.type for event, _, _ in work.done)) if work else [],
        },
        "profile": _part(int(profile is not None), [done.told] if done and done.told else []),
        "execution": execution(intake, work, marks),
        "segmentation": {"errors": [], "ids": list(done.view["segments"]) if done and done.view else []},
        "logs": work.logs if work else [],
    }


def queued_answer(
    intake: Intake, source: Source, told: str | None, events: tuple[UnitEvent, ...], reason: str
) -> Answer:
    """The answer to a payload that waits for the store: `told` is its profile's id, `reason` why it waits."""
    body = plain_answer(source, told)
    errors = errors_of(intake)
    if errors:
        body["errors"] = errors
    if not intake.options.debugger:
        return Answer(body)
    if not source.debugger:
        return Answer(body, debugger_refused=True)
    body["debugging"] = {
        "session": _part(0, [intake.session] if intake.session is not None else []),
        "events": {
            "saved": 0,
            "errors": errors,
            "ids": [event.id for event in events],
            "types": list(dict.fromkeys(event.type for event in events)),
        },
        "profile": _part(0, [told] if told is not None else []),
        "execution": execution(intake, None, {}) | queued(events, reason),
        "segmentation": {"errors": [], "ids": []},
        "logs": [],
    }
    return Answer(body)


def queued(events: Iterable[UnitEvent], reason: str) -> dict[str, Any]:
    """The execution part for events that wait for the store."""
    told = {"disposition": "queued", "reason": reason, "runs": []}
    return {event.key: {"index": event.index, "type": event.type, **told} for event in events}


def execution(intake: Intake, work: UnitRun | None, marks: dict[str, tuple[int, ProcessedEvent]]) -> dict[str, Any]:
    """What became of every event: stored, processed (not to be saved), duplicate or rejected; and its runs."""
    told: dict[str, Any] = {}
    for event, _, _ in work.done if work else ():
        runs = [_ran(ran) for ran in work.ran if ran.event is event] if work else []
        told[event.key] = {
            "index": event.index,
            "type": event.type,
            "disposition": "stored" if event.save else "processed",
            **({"origin": event.origin, "parent": event.parent} if event.origin != "client" else {}),
            "runs": runs,
        }
    for key, (index, mark) in marks.items():
        told[key] = {
            "index": index,
            "disposition": "duplicate",
            "reason": f"event id {mark.event} of source {mark.source} has taken effect before",
            "runs": [],
        }
    for one in intake.rejected:
        reason = f"{one.reason} (at {one.at})"
        told[f"#{one.index}"] = {"index": one.index, "disposition": "rejected", "reason": reason, "runs": []}
    return told


def without_values(told: dict[str, Any]) -> dict[str, Any]:
    """The execution part for a sender who may not see values: which nodes ran and how they left, nothing more."""
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
                if "flow" in run or run["outcome"] != "not-triggered"  # the line that counts the other flows
            ],
        }
        for key, event in told.items()
    }


def whole_profile(profile: Profile, shown: dict[str, Any]) -> dict[str, Any]:
    """The profile as `options.profile` answers it."""
    return {**shown, "id": profile.id}


def _part(saved: int, ids: list[str]) -> dict[str, Any]:
    return {"saved": saved, "errors": [], "ids": ids, "types": []}


def _ran(ran: FlowResult) -> dict[str, Any]:
    head = (
        {"flow": ran.flow, "version": ran.version[:16], "outcome": ran.outcome}
        if ran.flow
        else {"outcome": ran.outcome}
    )
    return {**head, **(ran.trace or {})}
