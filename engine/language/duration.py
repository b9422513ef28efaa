"""Durations as authors write them: `500ms`, `2s`, `10m`, `24h`, `7d`."""

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)


def read_duration(value: object) -> int | None:
    """Return a duration in milliseconds, or None when `value` is not a duration."""
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * UNITS[match[2]] if match else None


def show_duration(ms: int) -> str:
    """Return the shortest text for a duration of `ms`."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % UNITS[unit] == 0:
            return f"{ms // UNITS[unit]}{unit}"
    return f"{ms}ms"
