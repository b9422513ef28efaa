"""Clocks: the machine's clock, and one that the caller advances. Only a clock reads the time."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any


def ticks_of(clocks: Any) -> Callable[[], float]:
    """Return the monotonic clock of `clocks`, which has the names of the module `time`.

    It goes on while the machine sleeps, where the platform has such a clock (Linux): a lease or a timeout must not
    last longer because a laptop was shut.
    """
    boot = getattr(clocks, "CLOCK_BOOTTIME", None)
    if boot is None:
        monotonic: Callable[[], float] = clocks.monotonic
        return monotonic
    return partial(clocks.clock_gettime, boot)


_ticks = ticks_of(time)


class SystemClock:
    """The machine's clock. `ticks` returns monotonic seconds, which go on while the machine sleeps (see `ticks_of`)."""

    def __init__(self) -> None:
        self.ticks: Callable[[], float] = _ticks  # no method: it is called several times for each event

    def now(self) -> int:
        """Wall clock, ms since the epoch."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock whose time passes only when the caller advances it, for flow tests and dry runs."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._ticks = 0.0

    def now(self) -> int:
        """Wall clock, ms since the epoch."""
        return self._now

    def ticks(self) -> float:
        """Monotonic seconds, for durations."""
        return self._ticks

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass. Raises `ValueError` if that is negative."""
        if ms < 0:
            raise ValueError("time cannot pass backwards; use `set` to set the wall clock back")
        self._now += ms
        self._ticks += ms / 1000

    def set(self, now: int) -> None:
        """Set the wall clock to `now` (ms), back or forth, as an operator or NTP does; no time passes."""
        self._now = now
