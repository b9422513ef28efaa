"""The rate of a target: at most so many requests begin in any span of time of a given length."""

from collections import deque

from engine.project.target_limits import Rate


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

    def take_back(self, at: float) -> None:
        """Forget a request that was counted at `at` and did not begin after all."""
        if self._rate is not None and at in self._begun:
            self._begun.remove(at)
