"""When an event occurred: its own time, corrected by the clock of its sender where that is safe, and within bounds.

A client may say when it sent an event, by its own clock. If that is in our future, the client's clock is ahead: the
event's time is shifted by the difference. If it is in our past, either the client's clock is slow or the client has
sent an old request again, so the time is shifted only where the source says that clocks of its clients are slow, or
where the protocol says that all times are shifted.
"""

from typing import Final

from msgspec import Struct

from engine.language.written_time import FIRST

AHEAD_MS: Final = 5_000  # beyond this, a client's clock is ahead
SLOW_MS: Final = 5_000  # from here on, a client's clock may be slow: a request takes less time
SLOWEST_MS: Final = 86_400_000  # beyond this, the request was kept, and sent again
FUTURE_MS: Final = 60_000  # beyond this, the time of an event is not used


class Occurrence(Struct, frozen=True):
    """When an event occurred, in ms since 1970, and whether that is longer ago than the project's `events.oldest`."""

    at: int
    late: bool


def occurrence(
    time: int, sent: int | None, received: int, oldest: int, *, slow: bool = False, skewed: bool = False
) -> Occurrence:
    """Return when an event occurred.

    `time` is the event's own time, `sent` that at which its client sent it by its own clock, `received` that at which
    it came in, all in ms since 1970. `oldest` is the age in ms beyond which an event is late. `slow` says that the
    clients of its source may have slow clocks, `skewed` that the protocol corrects each time.
    """
    at = time if sent is None else time + shift(received - sent, slow=slow, skewed=skewed)
    if at > received + FUTURE_MS or at < FIRST:
        at = received
    return Occurrence(at, late=at < received - oldest)


def shift(lag: int, *, slow: bool, skewed: bool) -> int:
    """Return what to add (ms) to the time of an event that was sent `lag` ms ago by its client's clock."""
    if skewed or lag < -AHEAD_MS:
        return lag
    return lag if slow and SLOW_MS <= lag <= SLOWEST_MS else 0
