"""Times in queries: dates of any precision, milliseconds, and arithmetic such as `now-1h` or `now-1d/d`.

A date means the span of its precision: `2024-05` is the whole of May. Times without an offset are in UTC.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from msgspec import Struct

HELP: Final = (
    "a time is written `2024-05-01`, `2024-05-01T12:30`, `now-1h`, `now-1d/d` or in ms since 1970; "
    'one with a colon behind the minutes, as in `"2024-05-01T12:30:00+02:00"`, in quotes'
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_DATE = re.compile(
    r"(?P<y>\d{4})(?:-(?P<M>\d\d)(?:-(?P<d>\d\d)"
    r"(?:T(?P<h>\d\d)(?::(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<ms>\d{1,9}))?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_MILLISECONDS = re.compile(r"-?\d{5,15}", re.ASCII)
_OPERATION = re.compile(r"(?:(?P<sign>[+-])(?P<count>\d{1,6})|/)(?P<unit>[yMwdhHms])", re.ASCII)
_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "H": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


class Span(Struct, frozen=True):
    """A span of time, from its first to its last millisecond (ms since 1970)."""

    first: int
    last: int


def span(text: str, now: int) -> Span | None:
    """Return the span that a text means at the time `now` (ms), or None when the text is not a time."""
    try:
        if _MILLISECONDS.fullmatch(text):
            return Span(int(text), int(text))
        if text.startswith("now"):
            return _calculate(_EPOCH + timedelta(milliseconds=now), text[3:])
        anchor, bars, operations = text.partition("||")
        match = _DATE.fullmatch(anchor)
        if match is None:
            return None
        first = _start(match)
        if bars:
            return _calculate(first, operations)
        precision = next((unit for unit in ("ms", "s", "m", "h", "d", "M") if match[unit]), "y")
        return Span(_ms(first), _last(first, precision))
    except (ValueError, OverflowError):  # no such date, or beyond the years 1 to 9999
        return None


def _start(match: re.Match[str]) -> datetime:
    """Return the first moment of a date."""
    year, month, day, hour, minute, second = (
        int(match[unit] or least) for unit, least in zip("yMdhms", "011000", strict=True)
    )
    thousandths = int((match["ms"] or "0").ljust(3, "0")[:3])
    zone = _zone(match["zone"])
    return datetime(year, month, day, hour, minute, second, thousandths * 1000, tzinfo=zone).astimezone(UTC)


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _calculate(at: datetime, operations: str) -> Span | None:
    """Return `at` after some operations, e.g. `-1d/d`; if the last one rounds, the whole unit to which it rounds."""
    end, unit = 0, ""
    while operation := _OPERATION.match(operations, end):
        end, unit = operation.end(), operation["unit"]
        if operation["sign"]:
            at, unit = _moved(at, int(operation["sign"] + operation["count"]), unit), ""
        else:
            at = _floor(at, unit)
    if end != len(operations):
        return None
    return Span(_ms(at), _last(at, unit) if unit else _ms(at))


def _last(at: datetime, unit: str) -> int:
    """Return the last millisecond of the unit that starts at `at`; the year 9999 is the last."""
    try:
        return _ms(_moved(at, 1, unit)) - 1
    except OverflowError:
        return _ms(datetime.max.replace(tzinfo=UTC))


def _moved(at: datetime, count: int, unit: str) -> datetime:
    if unit in _UNITS:
        return at + count * _UNITS[unit]
    months = at.year * 12 + at.month - 1 + (count * 12 if unit == "y" else count)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(year)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))


def _floor(at: datetime, unit: str) -> datetime:
    if unit in _UNITS:
        return at - (at - _MONDAY) % _UNITS[unit]
    return datetime(at.year, at.month if unit == "M" else 1, 1, tzinfo=UTC)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
