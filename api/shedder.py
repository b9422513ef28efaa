"""The shedder: it decides by the time that a request has waited whether the request is refused unprocessed.

While requests come faster than they are processed, a queue of fixed length only makes each of them late. So the time
decides, as in CoDel: a queue that was empty not long ago holds a burst, and a burst may wait longer; a queue that has
not been empty for a while stands for overload, and only those that came just now are processed in time.
"""

TARGET_SECONDS = 0.1
BURST_SECONDS = 0.5


class Shedder:
    """Decides for one queue. Pure: each call gets the time, in seconds that never go back."""

    def __init__(self, target: float = TARGET_SECONDS, burst: float = BURST_SECONDS) -> None:
        self._target = target
        self._burst = burst
        self._emptied = float("-inf")

    def emptied(self, now: float) -> None:
        """Note that nothing waits at `now`."""
        self._emptied = now

    def overloaded(self, now: float) -> bool:
        """Whether the queue has not been empty for longer than a burst lasts."""
        return now - self._emptied > self._burst

    def sheds(self, now: float, arrived: float) -> bool:
        """Whether a request that has waited since `arrived` is refused at `now`."""
        return now - arrived > (self._target if self.overloaded(now) else self._burst)
