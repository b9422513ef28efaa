"""Time slices: work that takes long leaves the event loop to others every few milliseconds.

Work is done in steps. When its slice is over, it waits behind everything that is ready, and for a pause. Of several
such works one goes on after each pause, so that many of them delay others no longer than one does. In the pause the
loop may be idle, and only then can another thread, such as the one that writes to SQLite, take the interpreter lock at
once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar

SLICE_SECONDS = 0.003
PAUSE_SECONDS = 0.001

T = TypeVar("T")


class TimeSlices:
    """The time slices of one process; `ticks` returns monotonic seconds."""

    def __init__(self, ticks: Callable[[], float], seconds: float = SLICE_SECONDS) -> None:
        self.ticks = ticks
        self._seconds = seconds
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, steps: Generator[None, None, T]) -> T:
        """Do work whose generator yields after each step. Returns its result."""
        began: float | None = None
        try:
            while True:
                next(steps)
                began = await self.after_step(began)
        except StopIteration as end:
            result: T = end.value
            return result

    async def after_step(self, began: float | None) -> float:
        """Wait for the next slice if the one that began at `began` is over. Returns when the current one began.

        The first slice begins after the first step: then work of one step, most of all there is, needs no clock.
        """
        now = self.ticks()
        if began is None or now - began < self._seconds:
            return now if began is None else began
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        if len(self._waiting) == 1:
            self._pause()
        await mine
        return self.ticks()

    def _next(self) -> None:
        """Let the first work that waits go on; those behind it follow, one after each pause."""
        mine = self._waiting.popleft()
        if not mine.done():
            mine.set_result(None)
        if self._waiting:
            self._pause()

    def _pause(self) -> None:
        asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._next)
