"""Rates as authors write them: `50/s`, `600/min`, `1000/h`."""

import re
from typing import Final

from msgspec import Struct

MAX_COUNT: Final = 100_000  # in one span, whose times are remembered

_UNITS: Final = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_FORM = re.compile(r"([1-9]\d{0,5})/(s|sec|m|min|h|d)", re.ASCII)


class Rate(Struct, frozen=True):
    """At most `count` things begin in any `seconds`."""

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        """How many begin in a second, on average."""
        return self.count / self.seconds


def read_rate(text: object) -> Rate | None:
    """Return a rate as authors write it, such as `50/s`, `600/min` or `1000/h`; None when `text` is none."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) > MAX_COUNT:
        return None
    return Rate(int(match[1]), _UNITS[match[2]])
