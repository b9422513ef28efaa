"""Counts over time: a counter is a map of buckets, and a window asks for what lies in the newest of them.

A bucket is a minute, an hour or a day (UTC), written as the beginning of an ISO time: `2024-05-01T12:03`,
`2024-05-01T12`, `2024-05-01`. What is counted goes to a minute. Minutes grow together into hours and hours into days
once no window asks for them more finely, and days go once no window reaches them. So growing together changes no
count, and it does not matter when it is done, or whether it is before or after counters are added up.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import fsum
from typing import Final

from msgspec import Struct

from engine.language.duration import show_duration

Number = int | float
Buckets = Mapping[str, Number]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain(Struct, frozen=True):
    """One size of bucket. Windows up to `longest` are counted in it; it is kept for `kept`.

    The difference is how much the clocks of processes may differ.
    """

    width: int  # ms
    length: int  # characters of the key
    longest: int  # ms
    kept: int  # ms


GRAINS: Final = (
    Grain(MINUTE_MS, 16, 2 * HOUR_MS, 3 * HOUR_MS),
    Grain(HOUR_MS, 13, 8 * DAY_MS, 9 * DAY_MS),
    Grain(DAY_MS, 10, 400 * DAY_MS, 401 * DAY_MS),
)
MIN_WINDOW_MS: Final = MINUTE_MS
MAX_WINDOW_MS: Final = GRAINS[-1].longest


def check_window(window: int) -> None:
    """Raise `ValueError` when nothing can be counted over `window` (ms)."""
    if not MIN_WINDOW_MS <= window <= MAX_WINDOW_MS:
        raise ValueError(f"a window is from {show_duration(MIN_WINDOW_MS)} to {show_duration(MAX_WINDOW_MS)} long")


def counted(buckets: Buckets, window: int, now: int) -> Number:
    """How much was counted in the last `window` ms: all of it, and at most one bucket's width more."""
    first = key(now - window, grain_of(window))
    return total([amount for name, amount in buckets.items() if name >= first])  # a finer one begins with a coarser


def next_change(buckets: Buckets, window: int, now: int) -> int | None:
    """When `counted` changes next if nothing more is counted; None when it will not."""
    grain = grain_of(window)
    first = key(now - window, grain)
    left = [name for name in buckets if name >= first]
    return begins(min(left)[: grain.length]) + grain.width + window if left else None


def compacted(buckets: Buckets) -> dict[str, Number]:
    """The buckets compacted together where no window asks for them more finely, without those that are over.

    The newest bucket says what time it is, so it gives the same whenever it is done, and how often.
    """
    newest = begins(max(buckets))
    minute, hour, day = [key(newest - grain.kept, grain) for grain in GRAINS]
    kept: dict[str, Number] = {}
    for name, amount in buckets.items():
        into = name
        if len(into) == 16 and into < minute:
            into = into[:13]
        if len(into) == 13 and into < hour:
            into = into[:10]
        if len(into) > 10 or into >= day:
            kept[into] = total([kept[into], amount]) if into in kept else amount
    return kept


def grain_of(window: int) -> Grain:
    """The finest grain in which a window is counted."""
    return next((grain for grain in GRAINS if window <= grain.longest), GRAINS[-1])


def key(moment: int, grain: Grain = GRAINS[0]) -> str:
    """The bucket that a moment (ms) lies in."""
    return _minute(moment // MINUTE_MS)[: grain.length]


def begins(key: str) -> int:
    """When a bucket begins (ms)."""
    return (datetime.fromisoformat(key).replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def total(numbers: list[Number]) -> Number:
    """A sum that does not depend on the order of its terms. Integers stay integers."""
    for number in numbers:
        if type(number) is float:
            return fsum(numbers)
    return sum(numbers)


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).isoformat()[:16]
