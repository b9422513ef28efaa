"""Schedules as other tools write them."""

from collections.abc import Mapping
from typing import Any, Final

from engine.language.duration import read_duration

_TIMES: Final = ("schedule", "cron", "expression", "cron_expression", "cronExpression", "value", "at")
_SPANS: Final = ("every", "interval", "timer")
_ZONES: Final = ("timezone", "time_zone", "timeZone", "tz", "zone")


def schedule_of(raw: Any) -> dict[str, Any]:
    """Return the trigger that a value asks for, with `schedule` or `every`; empty if it names neither."""
    if isinstance(raw, list):
        return schedule_of(raw[0]) if len(raw) == 1 else {}
    if isinstance(raw, str):
        return {"every": raw} if read_duration(raw) is not None else {"schedule": raw}
    if not isinstance(raw, Mapping):
        return {}
    time = next((raw[key] for key in (*_TIMES, *_SPANS) if isinstance(raw.get(key), str)), None)
    if time is None or time == "schedule":
        return {}
    zone = next((raw[key] for key in _ZONES if isinstance(raw.get(key), str)), None)
    found = schedule_of(time)
    return {**found, "timezone": zone} if zone is not None and "schedule" in found else found
