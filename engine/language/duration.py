"""Durations as authors write them: `500ms`, `2s`, `10m`, `24h`, `7d`."""

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORM = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_LIKELY = re.compile(r"(\d{1,9})[ _-]?([a-z]+)", re.ASCII)
_WORDS = {
    "ms": "ms msec msecs millis millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
}


def read_duration(value: object) -> int | None:
    """Return a duration in milliseconds, or None when `value` is not a duration."""
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * UNITS[match[2]] if match else None


def likely_duration(written: object) -> str:
    """Return the duration that a text such as `2 hours` or `1w` is meant as; empty when it is none."""
    match = _LIKELY.fullmatch(written.lower()) if isinstance(written, str) else None
    word = match[2] if match else ""
    if match and word in ("w", "week", "weeks"):
        return f"{int(match[1]) * 7}d"
    unit = next((unit for unit, words in _WORDS.items() if word in words.split()), "")
    return f"{int(match[1])}{unit}" if match and unit else ""


def show_duration(ms: int) -> str:
    """Return the shortest text for a duration of `ms`."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % UNITS[unit] == 0:
            return f"{ms // UNITS[unit]}{unit}"
    return f"{ms}ms"
