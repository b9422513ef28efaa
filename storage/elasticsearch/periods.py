"""Periods: the months and weeks, both of UTC, that the names of indices end in."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

DAY = 86_400_000  # ms
WEEK = 7 * DAY
_WEEK_NAME = re.compile(r"\d+w\d\d")
_LAST = 253_402_300_799_000  # the last ms with a year of four digits


def month(time: int) -> str:
    """The month of a time (ms), as six digits."""
    return _month(min(max(time, 0), _LAST) // DAY)


def over_before(indices: Iterable[str], time: int) -> list[str]:
    """Of indices by month, those whose month ended before a time (ms)."""
    now = month(time)
    return [index for index in indices if index.rpartition("-")[2] < now]


def weeks_over_before(indices: Iterable[str], time: int) -> list[str]:
    """Of indices by week, those whose week ended before a time (ms)."""
    now = week(time // WEEK)
    return [index for index in indices if index.rpartition("-")[2] < now]


def is_week(text: str) -> bool:
    """Whether a text is the name of a week."""
    return _WEEK_NAME.fullmatch(text) is not None


@lru_cache(maxsize=64)
def _month(day: int) -> str:
    return datetime.fromtimestamp(day * DAY / 1000, UTC).strftime("%Y%m")


@lru_cache(maxsize=64)
def week(number: int) -> str:
    """The name of the n-th week since the epoch.

    Weeks begin on Thursday, as the epoch did. One is named by the ISO week of its first day, which no other shares.
    """
    year, week, _ = datetime.fromtimestamp(number * WEEK / 1000, UTC).isocalendar()
    return f"{year}w{week:02}"
