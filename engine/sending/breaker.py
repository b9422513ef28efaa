"""The circuit breaker of a target: it stops requests to a target that fails, and lets them begin again gradually.

States
------
    CLOSED       requests begin, up to `concurrency` side by side
    OPEN         no request begins until `opens_until`
    PROBING      the time has passed: one request may begin, the probe
    RECOVERING   the probe has succeeded: as many requests as `width` run side by side

    CLOSED     -> OPEN         `FAILURES` requests in a row failed, or one was refused for its credentials (`at_once`)
    OPEN       -> PROBING      by time alone
    PROBING    -> RECOVERING   the probe succeeded: `width` is 2
    PROBING    -> OPEN         the probe failed: the pause is twice as long as before, up to `LONGEST_SECONDS`
    RECOVERING -> RECOVERING   each success raises `width` by one, so each round is twice as wide: 1, 2, 4, ...
    RECOVERING -> CLOSED       `width` has reached `concurrency`; the next pause is the first one again
    RECOVERING -> OPEN         as from CLOSED, with the doubled pause

A request that ends while the breaker is open began before it opened: its result changes nothing. A request that was
broken off (`abandoned`) counts neither as a success nor as a failure; an abandoned probe may be followed by another.
No method reads a clock: `now` are seconds on a clock that only goes forward.
"""

from typing import Final

from msgspec import Struct

FAILURES: Final = 5  # in a row
FIRST_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 600.0


class LeftBreaker(Struct, frozen=True, omit_defaults=True):
    """The state of a breaker, for another process: without a moment, for two processes share no clock."""

    pauses: int = 0
    remaining: float = 0  # seconds until a probe may begin


class Breaker:
    """The breaker of one target. Ask `may_begin` before each request; report each end once."""

    __slots__ = ("_concurrency", "_failures", "_pauses", "_width", "opens_until", "under_way")

    def __init__(self, concurrency: int) -> None:
        """Make a closed breaker."""
        self._concurrency = concurrency
        self._failures = 0  # in a row
        self._pauses = 0  # since it was closed
        self._width = concurrency
        self.opens_until = float("-inf")
        self.under_way = 0

    def follow(self, left: LeftBreaker, now: float) -> None:
        """Go on from what another process has left; requests of this process stay counted."""
        self._failures, self._pauses = 0, left.pauses
        self._width = 1 if left.pauses else self._concurrency
        self.opens_until = now + min(left.remaining, LONGEST_SECONDS) if left.pauses else float("-inf")

    def is_open(self, now: float) -> bool:
        """Return whether no request may begin now, since too many have failed."""
        return now < self.opens_until

    def may_begin(self, now: float) -> bool:
        """Return whether a request may begin now."""
        return now >= self.opens_until and self.under_way < self._width

    @property
    def troubled(self) -> bool:
        """Whether the breaker has opened and the target has not recovered completely since."""
        return self._pauses > 0

    @property
    def is_probing(self) -> bool:
        """Whether the breaker has opened and no request has succeeded since."""
        return self._pauses > 0 and self._width == 1

    def begin(self) -> None:
        """Count a request that begins."""
        self.under_way += 1

    def succeeded(self, now: float) -> None:
        """Count a request to which the target has answered as one that works."""
        self.under_way -= 1
        if self.is_open(now):
            return
        self._failures = 0
        if self._width < self._concurrency:
            self._width += 1
        if self._width == self._concurrency:
            self._pauses = 0

    def failed(self, now: float, *, at_once: bool = False) -> None:
        """Count a request that failed. `at_once`: all others would fail as well, such as with wrong credentials."""
        self.under_way -= 1
        if self.is_open(now):
            return
        self._failures += 1
        if at_once or self.is_probing or self._failures >= FAILURES:
            self._open(now)

    def abandoned(self) -> None:
        """Count a request that was broken off."""
        self.under_way -= 1

    def left(self, now: float) -> LeftBreaker:
        """Return the state for a process that goes on after this one."""
        return LeftBreaker(self._pauses, round(max(self.opens_until - now, 0), 1))

    def _open(self, now: float) -> None:
        pause = min(FIRST_SECONDS * 2 ** min(self._pauses, 16), LONGEST_SECONDS)
        self._pauses += 1
        self._failures, self._width, self.opens_until = 0, 1, now + pause
