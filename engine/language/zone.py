"""Time zones by their IANA names, and the local calendar: the starts of days, weeks and years, and their changes.

A moment is a number of milliseconds since 1970 (UTC). A zone's offset from UTC changes at a *transition*, mostly by an
hour and twice a year; the data are those of `zoneinfo`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

TIMEZONE: Final = "timezone"  # the scope's name of the project's zone; without it, times are in UTC

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_NAME_CAP: Final = 64  # characters


@lru_cache(maxsize=1024)
def find_zone(name: str) -> tzinfo | None:
    """Return the zone with an IANA name such as `Europe/Berlin`, or None. The name may come from anyone."""
    if name == "UTC":
        return UTC
    if len(name) > _NAME_CAP or not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a folder or a file of the database that is no zone; no such zone
        return None


def zone_names() -> frozenset[str]:
    """Return the names of all zones, for suggestions. Reads the whole database: some ten milliseconds."""
    return frozenset(available_timezones())


def local_time(moment: int, zone: tzinfo) -> datetime:
    """Return the local time of a moment (ms). Raises `OverflowError` outside the years 1 to 9999."""
    return (_EPOCH + timedelta(milliseconds=moment)).astimezone(zone)


def moment_of(local: datetime) -> int:
    """Return the moment (ms) of a time with a zone, rounded down; of two moments with one local time that of its fold.

    A local time that a transition skips is taken with the offset before the transition. Raises `OverflowError`.
    """
    return (local - _EPOCH) // _MILLISECOND


def next_change(moment: int, width: int, zone: tzinfo) -> int:
    """Return the first moment after `moment` at which its local time reaches a multiple of `width`, or jumps.

    `width` is a second, minute, hour or day, in ms. Raises `OverflowError`.
    """
    offset = _offset(moment, zone)
    boundary = moment + width - (moment + offset) % width
    return _first(moment, boundary, lambda at: _offset(at, zone) != offset)


def start_of(unit: str, moment: int, zone: tzinfo) -> int:
    """Return the first moment (ms) of the local unit of time that `moment` is in. Raises `OverflowError`.

    A week starts on Monday (ISO 8601). A day that has no midnight starts at the transition that skips it; one that has
    two starts at the first. An hour that occurs twice is two hours.
    """
    local = local_time(moment, zone)
    if unit in _CLOCK:
        return moment_of(_CLOCK[unit](local))
    return first_moment(_CALENDAR[unit](local.replace(tzinfo=None)), zone)


def start_of_next(unit: str, moment: int, zone: tzinfo) -> int:
    """Return the first moment after `moment` that is in another unit than it, or an earlier one in the same unit."""
    if unit in _CLOCK:
        return next_change(moment, MINUTE_MS if unit == "minute" else HOUR_MS, zone)
    first = _CALENDAR[unit](local_time(moment, zone).replace(tzinfo=None))
    return first_moment(_CALENDAR[unit](first + _LONGER[unit] * _DAY), zone)


def next_at(minute: int, moment: int, zone: tzinfo) -> int:
    """Return the first moment from `moment` on at which a minute of the local day (0 to 1439) begins.

    Of a time that is skipped or occurs twice, that of `first_moment`. Raises `OverflowError`.
    """
    day = local_time(moment, zone).replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, tzinfo=None)
    while (at := first_moment(day, zone)) < moment:
        day += _DAY
    return at


def first_moment(local: datetime, zone: tzinfo) -> int:
    """Return the moment (ms) of a local time without a zone: the first if it occurs twice, the end of a gap with it."""
    first, other = (moment_of(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= other:  # it occurs once, or twice
        return first
    offset = _offset(other - 1, zone)  # it is skipped: the transition is between the two
    return _first(other - 1, first, lambda at: _offset(at, zone) != offset)


def _first(before: int, last: int, holds: Callable[[int], bool]) -> int:
    """Return the first moment after `before` for which `holds` becomes true; `last` if it does not until then."""
    if not holds(last):
        return last
    while last - before > 1:
        middle = (before + last) // 2
        if holds(middle):
            last = middle
        else:
            before = middle
    return last


def _offset(moment: int, zone: tzinfo) -> int:
    """Return by how many ms the zone's local time is ahead of UTC at a moment."""
    offset = local_time(moment, zone).utcoffset()
    return 0 if offset is None else offset // _MILLISECOND


_CLOCK: Final[dict[str, Callable[[datetime], datetime]]] = {
    "minute": lambda local: local.replace(second=0, microsecond=0),
    "hour": lambda local: local.replace(minute=0, second=0, microsecond=0),
}


def _day(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


_CALENDAR: Final[dict[str, Callable[[datetime], datetime]]] = {
    "day": _day,
    "week": lambda local: _day(local) - local.weekday() * _DAY,
    "month": lambda local: _day(local).replace(day=1),
    "quarter": lambda local: _day(local).replace(month=(local.month - 1) // 3 * 3 + 1, day=1),
    "year": lambda local: _day(local).replace(month=1, day=1),
}

# Days from the start of a unit into the next one, which may not end before.
_LONGER: Final = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}

START_UNITS: Final = (*_CLOCK, *_CALENDAR)
