"""The rate of a target: at most so many requests begin in any span of time of a given length."""

import re
from collections import deque
from typing import Final

from msgspec import Struct

MAX_COUNT: Final = 100_000  # requests in one span, whose times are remembered

_UNITS: Final = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_FORM = re.compile(r"([1-9]\d{0,5})/(s|sec|m|min|h|d)", re.ASCII)


class Rate(Struct, frozen=True):
    """At most `count` requests begin in any `seconds`."""

    count: int
    seconds: float


def read_rate(text: object) -> Rate | None:
    """Return a rate as authors write it, such as `50/s`, `600/min` or `1000/h`; None when `text` is none."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) > MAX_COUNT:
        return None
    return Rate(int(match[1]), _UNITS[match[2]])


class RateLimit:
    """The requests that have begun lately. `now` are seconds on a clock that only goes forward."""

    __slots__ = ("_begun", "_rate")

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._begun: deque[float] = deque(maxlen=rate.count if rate is not None else 0)

    def pause(self, now: float) -> float:
        """Return the seconds until the next request may begin; 0 for at once."""
        if self._rate is None or len(self._begun) < self._rate.count:
            return 0.0
        return max(self._begun[0] + self._rate.seconds - now, 0.0)

    def begin(self, now: float) -> None:
        """Count a request that begins."""
        if self._rate is not None:
            self._begun.append(now)
