"""The schedule in a flow's trigger: read from its document, and checked."""

import re
from collections.abc import Mapping
from typing import Any, Final

from engine.flow.cron import EXAMPLE, Cron, CronError, read_cron
from engine.flow.names import ProjectNames
from engine.flow.problem_list import ProblemList
from engine.flow.schedule import CATCH_UP, DEADLINE_MS, SCHEDULE_FIRED, SHORTEST_MS, CatchUp, Schedule
from engine.language.duration import read_duration
from engine.language.moment import zone_remedy
from engine.language.rate import Rate, read_rate
from engine.language.zone import find_zone
from engine.problem import KeyPath
from engine.validation_message import format_value

SCHEDULE_KEYS: Final = ("schedule", "every", "timezone", "catch_up", "jitter", "deadline", "for", "rate")
LONGEST_DEADLINE_MS: Final = 3_600_000
_AT: KeyPath = ("trigger",)
_FOR = re.compile(r"segment\s+(\S+)")


def is_scheduled(raw: Mapping[str, Any]) -> bool:
    """Return whether a trigger is a schedule, correct or not."""
    return "schedule" in raw or "every" in raw


def read_schedule(raw: Mapping[str, Any], names: ProjectNames, problems: ProblemList) -> Schedule:
    """Return the schedule of a trigger. Adds its errors to `problems`; the schedule is then incomplete."""
    _check_beside(raw, problems)
    text, fields, every = "", None, 0
    if "schedule" in raw:
        text, fields = _cron(raw["schedule"], problems)
    elif "every" in raw:
        every = _every(raw["every"], problems)
    segment = _segment(raw, names, problems)
    schedule = Schedule(
        cron=text,
        fields=fields,
        every_ms=every,
        timezone=_timezone(raw, problems),
        catch_up=_catch_up(raw, problems),
        jitter_ms=_duration(raw, "jitter", 0, problems),
        deadline_ms=_duration(raw, "deadline", DEADLINE_MS, problems),
        segment=segment,
        rate=_rate(raw, problems),
    )
    if every and schedule.jitter_ms >= every:
        problems.add("H114", "`jitter` is shorter than the time from one firing to the next", (*_AT, "jitter"))
    if schedule.deadline_ms > LONGEST_DEADLINE_MS:
        help = "a run that needs more time keeps a cursor with `state.set`, and goes on at its next firing"
        problems.add("H114", "`deadline` is at most 1h", (*_AT, "deadline"), help=help)
    return schedule


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

    if "schedule" in raw and "every" in raw:
        help = "`schedule` is for times of day, `every` for a span of time"
        add("every", "`schedule` and `every` are one in place of the other", help)
    if "event" in raw:
        help = "let the scheduled flow emit the event with `event.emit`, or write two flows"
        add("event", "a flow starts by an event or by a schedule, not by both", help)
    if "source" in raw:
        help = "a schedule has no sender: delete this line"
        add("source", "`source` belongs to events, and this flow has a schedule", help)
    if "every" in raw and "schedule" not in raw and "timezone" in raw:
        help = "spans of time are the same in every zone: delete this line, or write `schedule`"
        add("timezone", "`timezone` belongs to `schedule`", help)
    if "rate" in raw and "for" not in raw:
        help = "write `for: segment NAME` as well, or delete this line"
        add("rate", "`rate` belongs to `for`", help)


def _cron(raw: Any, problems: ProblemList) -> tuple[str, Cron | None]:
    at = (*_AT, "schedule")
    if not isinstance(raw, str):
        problems.add("H103", "`schedule` is a cron expression, a text", at, help=EXAMPLE)
        return "", None
    if read_duration(raw) is not None:
        problems.add("H114", f"`{raw}` is a span of time", at, help=f"write `every: {raw}` in place of `schedule`")
        return "", None
    try:
        return " ".join(raw.split()), read_cron(raw)
    except CronError as error:
        problems.add("H114", str(error), at, help=error.help)
        return "", None


def _every(raw: Any, problems: ProblemList) -> int:
    at = (*_AT, "every")
    every = read_duration(raw)
    if every is None:
        help = "write a number with ms, s, m, h or d: `every: 15m`"
        if isinstance(raw, str) and len(raw.split()) > 1:
            help += '; for a cron expression `schedule: "0 6 * * *"`'
        problems.add("H119", f"`{format_value(raw)}` is not a duration", at, help=help)
        return 0
    if every < SHORTEST_MS or every % SHORTEST_MS:
        help = "write whole seconds: `every: 1s`; what must follow an event at once is a flow of that event"
        problems.add("H114", f"`{raw}` is not a whole number of seconds", at, help=help)
    return every


def _timezone(raw: Mapping[str, Any], problems: ProblemList) -> str:
    name = raw.get("timezone", "")
    if "timezone" not in raw or (isinstance(name, str) and find_zone(name) is not None):
        return str(name)
    help = zone_remedy(name) if isinstance(name, str) else "write a name such as `Europe/Berlin`"
    problems.add("H114", f"`{format_value(name)}` is not a time zone", (*_AT, "timezone"), help=help)
    return ""


def _catch_up(raw: Mapping[str, Any], problems: ProblemList) -> CatchUp:
    value = raw.get("catch_up", "last")
    if value in CATCH_UP:
        found: CatchUp = value
        return found
    help = "last: the newest stands for all that were missed; none: skip them; all: each, at most 100"
    problems.add("H114", f"`{format_value(value)}` is not a way to catch up", (*_AT, "catch_up"), help=help)
    return "last"


def _duration(raw: Mapping[str, Any], key: str, default: int, problems: ProblemList) -> int:
    if key not in raw:
        return default
    value = read_duration(raw[key])
    if value is None or (key == "deadline" and value == 0):
        help = f"write a number with ms, s, m, h or d: `{key}: 5m`"
        problems.add("H119", f"`{format_value(raw[key])}` is not a duration", (*_AT, key), help=help)
        return default
    return value


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
