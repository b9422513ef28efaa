"""An event loop on which waiting takes no time, for flow tests.

As soon as every task waits, the loop's time jumps to the earliest moment that a task waits for, and that task goes on.
So a retry after a minute, or a timeout, happens at once and still in the right order.
"""

import asyncio
import selectors


class _SkippingSelector(selectors.DefaultSelector):
    """A selector that skips every timeout instead of waiting, and adds up the skipped time."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0  # seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self.skipped += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 and passes only while every task waits."""

    def __init__(self) -> None:
        self._skipping_selector = _SkippingSelector()
        super().__init__(self._skipping_selector)

    def time(self) -> float:
        """Return the seconds that have been skipped so far."""
        return self._skipping_selector.skipped
