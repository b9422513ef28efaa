"""The schedule in a flow's trigger: read from its document, and checked."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from engine.flow.names import ProjectNames
from engine.flow.problem_list import ProblemList
from engine.flow.schedule import SCHEDULE_FIRED, Schedule
from engine.flow.schedule_times import TIME_KEYS, read_times
from engine.language.rate import Rate, read_rate
from engine.problem import KeyPath
from engine.validation_message import format_value

SCHEDULE_KEYS: Final = (*TIME_KEYS, "for", "rate")
_LONGER: Final = "a run that needs more time keeps a cursor with `state.set`, and goes on at its next firing"
_AT: KeyPath = ("trigger",)
_FOR = re.compile(r"segment\s+(\S+)")


def is_scheduled(raw: Mapping[str, Any]) -> bool:
    """Return whether a trigger is a schedule, correct or not."""
    return "schedule" in raw or "every" in raw


def read_schedule(raw: Mapping[str, Any], names: ProjectNames, problems: ProblemList) -> Schedule:
    """Return the schedule of a trigger. Adds its errors to `problems`; the schedule is then incomplete."""
    _check_beside(raw, problems)
    found = ProblemList()
    schedule = read_times(raw, found, longer=_LONGER)
    problems += [problem.below(_AT) for problem in found]
    return structs.replace(schedule, segment=_segment(raw, names, problems), rate=_rate(raw, problems))


def check_unscheduled(raw: Mapping[str, Any], problems: ProblemList) -> None:
    """Add an error for each key of a schedule in a trigger that has none."""
    for key in raw:
        if key in SCHEDULE_KEYS:
            help = 'write `schedule: "0 6 * * *"` or `every: 15m` as well; then leave out `event`'
            message = f"`{key}` belongs to a schedule, and this trigger has none"
            problems.add("H101", message, (*_AT, key), on="key", help=help)


def _check_beside(raw: Mapping[str, Any], problems: ProblemList) -> None:
    """Add an error for each key that does not go with another one."""

    def add(key: str, message: str, help: str) -> None:
        problems.add("H123", message, (*_AT, key), on="key", help=help)

    if "event" in raw:
        help = "let the scheduled flow emit the event with `event.emit`, or write two flows"
        add("event", "a flow starts by an event or by a schedule, not by both", help)
    if "source" in raw:
        help = "a schedule has no sender: delete this line"
        add("source", "`source` belongs to events, and this flow has a schedule", help)
    if "rate" in raw and "for" not in raw:
        help = "write `for: segment NAME` as well, or delete this line"
        add("rate", "`rate` belongs to `for`", help)


def _segment(raw: Mapping[str, Any], names: ProjectNames, problems: ProblemList) -> str:
    if "for" not in raw:
        return ""
    value, at = raw["for"], (*_AT, "for")
    match = _FOR.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        known = isinstance(value, str) and value in names.segments
        help = f"write `for: segment {value if known else 'NAME'}`"
        problems.add("H114", f"`{format_value(value)}` does not say for whom the flow runs", at, help=help)
        return format_value(value)  # it has an error already: the nodes are checked as those of a segment's flow
    problem = names.problem("segment", match[1])
    problems += [problem.below(at)] if problem else []
    return match[1]


def _rate(raw: Mapping[str, Any], problems: ProblemList) -> Rate | None:
    if "rate" not in raw:
        return None
    rate = read_rate(raw["rate"])
    if rate is None:
        help = "write a number of profiles for each s, min, h or d: `rate: 50/s`"
        problems.add("H114", f"`{format_value(raw['rate'])}` is not a rate", (*_AT, "rate"), help=help)
    return rate


def check_events(events: tuple[str, ...], problems: ProblemList) -> None:
    """Add an error where a trigger waits for the event with which scheduled flows run."""
    if SCHEDULE_FIRED in events:
        help = 'write `trigger: {schedule: "0 6 * * *"}`; other flows take an event that the scheduled one emits'
        message = f"`{SCHEDULE_FIRED}` starts the flow with the schedule alone"
        problems.add("H114", message, (*_AT, "event"), help=help)
