"""Filters and functions on time. A moment is a number of milliseconds since 1970 (UTC), as `now` is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.language.absent import Unfit
from engine.language.operators import bounded, is_number
from engine.language.signature import need_number, need_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVES = "YmdHMSyjuGV%"
_FORMAT_CAP = 100  # characters


def date(value: Any) -> Any:
    """The moment that an ISO 8601 text such as `2024-05-01T12:00:00Z` names (UTC when it has no offset)."""
    if is_number(value):
        return int(bounded(value, "date"))
    text = need_text(value, "date")
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise Unfit(f"`date` needs an ISO 8601 time, not {text[:40]!r}") from None


def format_date(value: Any, pattern: Any) -> str:
    """The moment (UTC) as text: a literal pattern of %Y %m %d %H %M %S, %y %j %G %V %u, and %% for a percent sign."""
    try:
        moment = _EPOCH + timedelta(milliseconds=int(bounded(need_number(value, "format_date"), "format_date")))
    except OverflowError:
        raise Unfit("`format_date` needs a moment in the years 1 to 9999") from None
    year, week, day = moment.isocalendar()
    own = {"%Y": f"{moment.year:04}", "%G": f"{year:04}", "%V": f"{week:02}", "%u": str(day), "%%": "%"}
    return "".join(own.get(part) or (moment.strftime(part) if part[0] == "%" else part) for part in pattern)


def compile_format(text: str) -> tuple[str, ...]:
    """Return the pattern split into directives and single characters. Raises `ValueError`."""
    if len(text) > _FORMAT_CAP:
        raise ValueError(f"a pattern has at most {_FORMAT_CAP} characters")
    parts: list[str] = []
    rest = text
    while rest:
        width = 2 if rest[0] == "%" else 1
        if width == 2 and (len(rest) < 2 or rest[1] not in _DIRECTIVES):
            raise ValueError(f"`{rest[:2]}` is not a directive; there are %Y %m %d %H %M %S %y %j %G %V %u %%")
        parts.append(rest[:width])
        rest = rest[width:]
    return tuple(parts)


def days(number: Any) -> Any:
    """The given number of days, in milliseconds: `now - days(30)`."""
    return _milliseconds(number, 86_400_000, "days")


def hours(number: Any) -> Any:
    """The given number of hours, in milliseconds."""
    return _milliseconds(number, 3_600_000, "hours")


def minutes(number: Any) -> Any:
    """The given number of minutes, in milliseconds."""
    return _milliseconds(number, 60_000, "minutes")


def _milliseconds(number: Any, unit: int, name: str) -> Any:
    return bounded(int(bounded(need_number(number, name) * unit, name)), name)
