"""The pace at which one process reads large bodies, so that small requests are read and answered between their pieces.

Connections are read freely until the bytes of a turn are used up. After that, each connection that has brought a piece
of a large body pauses, and a few of them are read again in each turn, in the order in which they paused.
"""

from collections.abc import Callable
from itertools import islice
from typing import Protocol

TURN_SECONDS = 0.01
TURN_BYTES = 1024 * 1024  # of large bodies; 1 MiB takes the event loop about a millisecond
TURN_CONNECTIONS = 8  # that are read again in a turn; a connection brings up to 256 KiB at a time


class Sender(Protocol):
    """A connection as the pace sees it."""

    def pause(self) -> None:
        """Read no more of the connection."""

    def resume(self) -> None:
        """Read the connection again."""


class Pace:
    """The pace of one process. `ticks` returns monotonic seconds; `later` has a function called after some seconds."""

    def __init__(self, ticks: Callable[[], float], later: Callable[[float, Callable[[], None]], object]) -> None:
        self._ticks = ticks
        self._later = later
        self._paused: dict[Sender, None] = {}
        self._turn_ends = float("-inf")
        self._read = 0  # bytes in this turn
        self._ticking = False

    def read(self, sender: Sender, size: int) -> None:
        """Count bytes that were read of a large body, and pause its connection if these are too many for a turn."""
        if self._ticks() >= self._turn_ends:
            self._begin_turn()
        self._read += size
        if self._read > TURN_BYTES:
            sender.pause()
            self._paused[sender] = None
            self._tick_later()

    def forget(self, sender: Sender) -> None:
        """Forget a connection that is closed."""
        self._paused.pop(sender, None)

    def _begin_turn(self) -> None:
        self._turn_ends = self._ticks() + TURN_SECONDS
        self._read = 0

    def _tick_later(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._later(TURN_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._begin_turn()
        for sender in list(islice(self._paused, TURN_CONNECTIONS)):
            del self._paused[sender]
            sender.resume()
        if self._paused:
            self._tick_later()
