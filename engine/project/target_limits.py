"""The limits of a target: its rate and its durations, which authors write as texts, as numbers."""

import re
from typing import Final

from msgspec import Struct

from engine.language.duration import read_duration
from engine.project.source import Target

MAX_COUNT: Final = 100_000  # requests in one span of time
MAX_TIMEOUT_MS: Final = 600_000
MAX_GIVE_UP_MS: Final = 7 * 86_400_000  # profiles know their last ordered deliveries for longer

DEFAULT_TIMEOUT_MS: Final = 10_000
DEFAULT_GIVE_UP_MS: Final = 3 * 86_400_000

_SECONDS: Final = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_FORM = re.compile(r"([1-9]\d{0,5})/(s|sec|m|min|h|d)", re.ASCII)


class Rate(Struct, frozen=True):
    """At most `count` requests begin in any `seconds`."""

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Requests per second on average."""
        return self.count / self.seconds


def read_rate(text: object) -> Rate | None:
    """Return a rate as authors write it, such as `50/s`, `600/min` or `1000/h`; None when `text` is none."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) > MAX_COUNT:
        return None
    return Rate(int(match[1]), _SECONDS[match[2]])


def rate_of(target: Target) -> Rate | None:
    """Return how many requests to a target may begin in a span of time; None without a limit."""
    return read_rate(target.rate)


def timeout_ms(target: Target) -> int:
    """Return how long one attempt at a delivery may take, in milliseconds."""
    return read_duration(target.timeout) or DEFAULT_TIMEOUT_MS


def give_up_ms(target: Target) -> int:
    """Return the age in milliseconds at which a delivery that fails is given up."""
    return read_duration(target.give_up) or DEFAULT_GIVE_UP_MS
