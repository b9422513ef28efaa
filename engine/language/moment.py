"""Filters and functions on time. A moment is a number of milliseconds since 1970 (UTC), as `now` is.

The last argument of `zoned` functions is a time zone: an IANA name, or ABSENT for UTC. The compiler adds the project's
time zone where the author has written none.
"""

from datetime import UTC, datetime, tzinfo
from typing import Any

from engine.language import zone as zones
from engine.language.absent import ABSENT, Unfit
from engine.language.operators import bounded, is_number
from engine.language.signature import need_number, need_text
from engine.problem import closest

_DIRECTIVES = "YmdHMSyjGVuz%"
_FORMAT_CAP = 100  # characters
_READ_DIRECTIVES = "YmdHMSfyjIpbBz%"
_DATE_CAP = 100  # characters


def date(value: Any, zone: Any = ABSENT) -> Any:
    """The moment that an ISO 8601 text such as `2024-05-01T12:00:00Z` names, in `zone` when it has no offset."""
    if is_number(value):
        return int(bounded(value, "date"))
    text, zone = need_text(value, "date"), zone_of(zone, "date")
    try:
        moment = datetime.fromisoformat(text.strip())
        return zones.moment_of(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise Unfit(f"`date` needs an ISO 8601 time, not {text[:40]!r}") from None


def format_date(value: Any, pattern: Any, zone: Any = ABSENT) -> str:
    """The moment as text: a literal pattern of %Y %m %d %H %M %S, %y %j %G %V %u, %z, and %% for a percent sign."""
    zone = zone_of(zone, "format_date")
    try:
        moment = zones.local_time(int(bounded(need_number(value, "format_date"), "format_date")), zone)
    except OverflowError:
        raise Unfit("`format_date` needs a moment in the years 1 to 9999") from None
    year, week, day = moment.isocalendar()
    own = {"%Y": f"{moment.year:04}", "%G": f"{year:04}", "%V": f"{week:02}", "%u": str(day), "%%": "%"}
    return "".join(own.get(part) or (moment.strftime(part) if part[0] == "%" else part) for part in pattern)


def parse_date(value: Any, pattern: Any, zone: Any = ABSENT) -> Any:
    """The moment that a text of a literal pattern such as `%d/%m/%Y %H:%M` names, in `zone` when it has no offset."""
    text, zone = need_text(value, "parse_date").strip(), zone_of(zone, "parse_date")
    try:
        moment = datetime.strptime(text[: _DATE_CAP + 1], pattern)  # noqa: DTZ007 (the next line adds the zone)
        return zones.moment_of(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise Unfit(f"`parse_date` needs a time in the form {pattern}, not {text[:40]!r}") from None


def start_of(unit: Any, moment: Any, zone: Any = ABSENT) -> Any:
    """The moment at which the minute, hour, day, week (Monday), month, quarter or year of a moment began, in a zone."""
    zone = zone_of(zone, "start_of")
    try:
        return zones.start_of(unit, int(bounded(need_number(moment, "start_of"), "start_of")), zone)
    except OverflowError:
        raise Unfit("`start_of` needs a moment in the years 1 to 9999") from None


def zone_of(name: Any, function: str) -> tzinfo:
    """Return the time zone of an argument. Raises `Unfit` for a name that is no time zone."""
    if name is ABSENT:
        return UTC
    text = need_text(name, function)
    zone = zones.find_zone(text)
    if zone is None:
        raise Unfit(f"{text[:40]!r} is not a time zone: write an IANA name such as 'Europe/Berlin'")
    return zone


def zone_remedy(name: str) -> str:
    """Return the remedy for a name that is no time zone."""
    near = closest(name, zones.zone_names())
    return f"did you mean `{near}`?" if near else "write an IANA name such as `Europe/Berlin` or `UTC`"


def compile_unit(text: str) -> str:
    """Return the unit of `start_of`. Raises `ValueError`."""
    if text not in zones.START_UNITS:
        raise ValueError(f"`{text}` is not a unit; there are {', '.join(zones.START_UNITS)}")
    return text


def compile_format(text: str) -> tuple[str, ...]:
    """Return the pattern split into directives and single characters. Raises `ValueError`."""
    return _parts(text, _DIRECTIVES)


def compile_read_format(text: str) -> str:
    """Return the pattern of `parse_date`, which names a day and has no directive twice. Raises `ValueError`."""
    directives = [part for part in _parts(text, _READ_DIRECTIVES) if part[0] == "%" and part != "%%"]
    twice = next((part for part in directives if directives.count(part) > 1), None)
    if twice is not None:
        raise ValueError(f"bad pattern: it has `{twice}` twice")
    if not {"%Y", "%y"} & set(directives):
        raise ValueError("bad pattern: it names no year; write e.g. `%d/%m/%Y %H:%M`")
    if ("%I" in directives) != ("%p" in directives):
        raise ValueError("bad pattern: `%I`, an hour of 1 to 12, and `%p`, AM or PM, go together")
    return text


def _parts(text: str, directives: str) -> tuple[str, ...]:
    """Return a pattern split into directives and single characters. Raises `ValueError`."""
    if len(text) > _FORMAT_CAP:
        raise ValueError(f"bad pattern: a pattern has at most {_FORMAT_CAP} characters")
    parts: list[str] = []
    rest = text
    while rest:
        width = 2 if rest[0] == "%" else 1
        if width == 2 and (len(rest) < 2 or rest[1] not in directives):
            known = " ".join(f"%{letter}" for letter in directives)
            raise ValueError(f"bad pattern: `{rest[:2]}` is not a directive; there are {known}")
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
