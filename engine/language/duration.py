"""Durations as authors write them: `500ms`, `2s`, `10m`, `24h`, `7d`."""

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)


def read_duration(value: object) -> int | None:
    """Milliseconds, or None when `value` is not a duration."""
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * UNITS[found[2]] if found else None


def show_duration(ms: int) -> str:
    """The shortest way to write `ms`."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % UNITS[unit] == 0:
            return f"{ms // UNITS[unit]}{unit}"
    return f"{ms}ms"
