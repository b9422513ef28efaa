"""An event loop on which waiting takes no time, for flow tests.

Whoever sleeps is woken as soon as nobody has anything else to do, in the order of the moments they wait for: the loop's
time jumps there. So a retry after a minute, or a timeout, happens at once and at its right place.
"""

import asyncio
import selectors


class _Hasty(selectors.DefaultSelector):
    """A selector that never waits for a time, and remembers how much of it was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0  # seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self.skipped += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0, in seconds, and passes only while everybody waits."""

    def __init__(self) -> None:
        self._hasty = _Hasty()
        super().__init__(self._hasty)

    def time(self) -> float:
        """The seconds that have been skipped."""
        return self._hasty.skipped
