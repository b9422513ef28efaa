"""The times of a schedule as an author writes them, beside one another: read and checked.

Key paths of problems begin where the keys are.
"""

from collections.abc import Mapping
from typing import Any, Final

from engine.flow.cron import EXAMPLE, Cron, CronError, read_cron
from engine.flow.problem_list import ProblemList
from engine.flow.schedule import CATCH_UP, DEADLINE_MS, SHORTEST_MS, CatchUp, Schedule
from engine.language.duration import read_duration, show_duration
from engine.language.moment import zone_remedy
from engine.language.zone import find_zone
from engine.validation_message import format_value

TIME_KEYS: Final = ("schedule", "every", "timezone", "catch_up", "jitter", "deadline")


def read_times(
    raw: Mapping[str, Any],
    problems: ProblemList,
    *,
    deadline_ms: int = DEADLINE_MS,
    longest_ms: int = 3_600_000,
    longer: str = "",
) -> Schedule:
    """Return the schedule of the `TIME_KEYS` in a map. Adds its errors to `problems`; it is then incomplete.

    `deadline_ms` is the deadline of a schedule that names none, `longest_ms` the longest; `longer` is the remedy for
    what takes longer.
    """
    _check_beside(raw, problems)
    text, fields, every = "", None, 0
    if "schedule" in raw:
        text, fields = _cron(raw["schedule"], problems)
    elif "every" in raw:
        every = _every(raw["every"], problems)
    schedule = Schedule(
        cron=text,
        fields=fields,
        every_ms=every,
        timezone=_timezone(raw, problems),
        catch_up=_catch_up(raw, problems),
        jitter_ms=_duration(raw, "jitter", 0, problems),
        deadline_ms=_duration(raw, "deadline", deadline_ms, problems),
    )
    if every and schedule.jitter_ms >= every:
        problems.add("H114", "`jitter` is shorter than the time from one firing to the next", ("jitter",))
    if schedule.deadline_ms > longest_ms:
        problems.add("H114", f"`deadline` is at most {show_duration(longest_ms)}", ("deadline",), help=longer)
    return schedule


def _check_beside(raw: Mapping[str, Any], problems: ProblemList) -> None:
    if "schedule" in raw and "every" in raw:
        help = "`schedule` is for times of day, `every` for a span of time"
        problems.add("H123", "`schedule` and `every` are one in place of the other", ("every",), on="key", help=help)
    if "every" in raw and "schedule" not in raw and "timezone" in raw:
        help = "spans of time are the same in every zone: delete this line, or write `schedule`"
        problems.add("H123", "`timezone` belongs to `schedule`", ("timezone",), on="key", help=help)


def _cron(raw: Any, problems: ProblemList) -> tuple[str, Cron | None]:
    at = ("schedule",)
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
    at = ("every",)
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
    problems.add("H114", f"`{format_value(name)}` is not a time zone", ("timezone",), help=help)
    return ""


def _catch_up(raw: Mapping[str, Any], problems: ProblemList) -> CatchUp:
    value = raw.get("catch_up", "last")
    if value in CATCH_UP:
        found: CatchUp = value
        return found
    help = "last: the newest stands for all that were missed; none: skip them; all: each, at most 100"
    problems.add("H114", f"`{format_value(value)}` is not a way to catch up", ("catch_up",), help=help)
    return "last"


def _duration(raw: Mapping[str, Any], key: str, default: int, problems: ProblemList) -> int:
    if key not in raw:
        return default
    value = read_duration(raw[key])
    if value is None or (key == "deadline" and value == 0):
        help = f"write a number with ms, s, m, h or d: `{key}: 5m`"
        problems.add("H119", f"`{format_value(raw[key])}` is not a duration", (key,), help=help)
        return default
    return value
