"""A log of what may happen thousands of times a second: the first time, then now and then with the number."""

from collections.abc import Callable

SECONDS = 10.0


class OccasionalLog:
    """Calls `write` with the number of occurrences since the last line, at most once in `seconds`.

    `ticks` returns monotonic seconds. The next line also counts what happened after the last one.
    """

    def __init__(self, write: Callable[[int], None], ticks: Callable[[], float], seconds: float = SECONDS) -> None:
        self._write = write
        self._ticks = ticks
        self._seconds = seconds
        self._count = 0
        self._next = float("-inf")

    def occurred(self) -> None:
        """Count one occurrence, and write a line unless the last one is too recent."""
        self._count += 1
        now = self._ticks()
        if now >= self._next:
            count, self._count, self._next = self._count, 0, now + self._seconds
            self._write(count)
