"""Counts over time: a counter is a map of buckets, and a window sums the newest of them.

A bucket is a minute, an hour or a day (UTC), named by the start of an ISO time: `2024-05-01T12:03`, `2024-05-01T12`,
`2024-05-01`. Every count goes to the bucket of its minute. Compacting adds minutes up to hours and hours to days once
no window needs the finer buckets, and drops days once no window reaches them. So compacting changes no count, whenever
it is done, and whether counters of several parts are added up before or after it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from engine.language.absent import ABSENT
from engine.language.decimals import Exact, Number, exact_sum, nearest_number
from engine.language.duration import show_duration
from engine.language.path import Scope

Buckets = Mapping[str, Exact]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grain(Struct, frozen=True):
    """One size of bucket. Windows of up to `longest` are counted in such buckets, which are kept for `kept`.

    The difference between the two allows for clocks of processes that differ.
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
LONGEST_KEPT_MS: Final = GRAINS[-1].kept  # no window reaches back any further


class CounterWindow:
    """How much a counter of the scope's profile has counted within a window (ms). Raises `ValueError` for a bad one."""

    __slots__ = ("_grain", "_name", "_window")

    def __init__(self, name: str, window: int) -> None:
        check_window(window)
        self._name = name
        self._window = window
        self._grain = grain_of(window)

    def count(self, scope: Scope) -> Any:
        """Return the count at the scope's `now`; 0 without such a counter, absent without a profile."""
        profile = scope.get("profile")
        if not isinstance(profile, dict):
            return ABSENT
        counters = profile.get("counters")
        buckets = counters.get(self._name) if isinstance(counters, dict) else None
        return _counted(buckets, self._window, self._grain, scope["now"]) if buckets else 0

    def next_change(self, scope: Scope) -> int | None:
        """Return when the count changes after the scope's `now` if nothing more is counted; None when it will not."""
        profile = scope.get("profile")
        counters = profile.get("counters") if isinstance(profile, dict) else None
        buckets = counters.get(self._name) if isinstance(counters, dict) else None
        return _next_change(buckets, self._window, self._grain, scope["now"]) if buckets else None


def check_window(window: int) -> None:
    """Raise `ValueError` when `window` (ms) is too short or too long to be counted."""
    if not MIN_WINDOW_MS <= window <= MAX_WINDOW_MS:
        raise ValueError(f"a window is from {show_duration(MIN_WINDOW_MS)} to {show_duration(MAX_WINDOW_MS)} long")


def counted(buckets: Buckets, window: int, now: int) -> Number:
    """Return the sum of the last `window` ms before `now` (ms): complete, plus at most one bucket's width."""
    return _counted(buckets, window, grain_of(window), now)


def _counted(buckets: Buckets, window: int, grain: Grain, now: int) -> Number:
    first = key(now - window, grain)
    amount = total([amount for name, amount in buckets.items() if name >= first])  # a finer name extends a coarser one
    return amount if type(amount) is int else nearest_number(amount)


def next_change(buckets: Buckets, window: int, now: int) -> int | None:
    """Return when (ms) `counted` changes next if nothing more is counted; None when it will not change."""
    return _next_change(buckets, window, grain_of(window), now)


def _next_change(buckets: Buckets, window: int, grain: Grain, now: int) -> int | None:
    first = key(now - window, grain)
    counted_names = [name for name in buckets if name >= first]
    if not counted_names:
        return None
    return start_of(min(counted_names)[: grain.length]) + grain.width + window


def compacted(buckets: Buckets) -> dict[str, Exact]:
    """Return the buckets added up to coarser ones where no window needs finer ones, without those out of reach.

    The newest bucket serves as the current time, so the result is the same whenever and however often this is done.
    """
    newest = start_of(max(buckets))
    minute, hour, day = [key(newest - grain.kept, grain) for grain in GRAINS]
    kept: dict[str, Exact] = {}
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
    """Return the finest grain in which a window (ms) is counted."""
    return next((grain for grain in GRAINS if window <= grain.longest), GRAINS[-1])


def key(moment: int, grain: Grain = GRAINS[0]) -> str:
    """Return the name of the bucket of a moment (ms)."""
    return _minute(moment // MINUTE_MS)[: grain.length]


def start_of(key: str) -> int:
    """Return the time (ms) at which a bucket starts."""
    return (datetime.fromisoformat(key).replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def total(numbers: list[Exact]) -> Exact:
    """Return the exact sum of some numbers."""
    whole = 0
    for number in numbers:
        if type(number) is not int:
            return exact_sum(numbers)
        whole += number
    return whole


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).isoformat()[:16]
