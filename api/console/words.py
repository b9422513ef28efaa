"""How the console writes times, durations, ids, values and sentences."""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

MAX_VALUE: Final = 160  # characters of a value in a line
_LONG_ID = re.compile(r"\b(?![0-9]+\b)([0-9a-f]{8})[0-9a-f]{24,}\b")
_CONTROLS = {**{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}, 10: "\\n", 9: "\\t"}


def clock(ms: int | None) -> str:
    """Return a time of day in UTC, to the millisecond; empty for None."""
    if ms is None:
        return ""
    return _moment(ms).strftime("%H:%M:%S.") + f"{ms % 1000:03d}"


def day(ms: int | None) -> str:
    """Return a date and a time of day in UTC, to the second; empty for None."""
    return "" if ms is None else _moment(ms).strftime("%Y-%m-%d %H:%M:%S")


def iso(ms: int | None) -> str:
    """Return a time for the attribute `datetime` of an element."""
    return "" if ms is None else _moment(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)


def took(us: float | None) -> str:
    """Return a duration that is in microseconds, with the unit that fits; empty for None."""
    if us is None:
        return ""
    if us < 100:
        return f"{us:.0f} µs"
    if us < 10_000:
        return f"{us / 1000:.1f} ms"
    if us < 10_000_000:
        return f"{us / 1000:,.0f} ms"
    return f"{us / 1_000_000:,.0f} s"


def ago(ms: int, now: int) -> str:
    """Return how long ago a time was, in the largest unit that fits."""
    seconds = max(0, (now - ms) // 1000)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds < 5 else f"{seconds} seconds ago"


def ahead(ms: int, now: int) -> str:
    """Return in how long a time is, in the largest unit that fits."""
    seconds = max(0, -((now - ms) // 1000))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"in {count} {unit}{'s' if count > 1 else ''}"
    return f"in {seconds} s"


def short_id(id: str | None) -> str:
    """Return an id, cut to eight digits if it is one of ours."""
    return "" if id is None else _LONG_ID.sub(r"\1…", visible(id))


def code(text: str) -> str:
    """Return a text of several lines with its other control characters written out."""
    return "\n".join([visible(line) for line in text.split("\n")])


def visible(text: str) -> str:
    """Return a text with its control characters written out, so that none is hidden."""
    return text.translate(_CONTROLS)


def value(data: Any, limit: int = MAX_VALUE) -> str:
    """Return a value on one line: texts as they are, other data as JSON; cut to `limit` characters."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)
    text = _LONG_ID.sub(r"\1…", visible(text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def literal(data: Any, limit: int = MAX_VALUE) -> str:
    """Return a value as JSON on one line, which tells a text from a number."""
    text = visible(json.dumps(data, ensure_ascii=False, default=str))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def many(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun: `1 run`, `1,204 runs`."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def prose(text: str) -> Markup:
    """Return a sentence with what stands between backquotes as code. All of it is escaped."""
    pieces = visible(text).split("`")
    if len(pieces) % 2 == 0:  # an odd number of backquotes: the last one is a character of the text
        pieces[-2:] = ["`".join(pieces[-2:])]
    made = Markup()
    for place, piece in enumerate(pieces):
        made += Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece)
    return made
