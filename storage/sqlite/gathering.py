"""The orders of one event loop to the writer thread: gathered while the thread writes, watched until it settles them.

If the thread settles nothing for some time although it has orders (a disk that hangs, or a lock that is held), their
callers are answered so. The thread may still write the orders that it has; the others are dropped.
"""

import sqlite3
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from engine.ports.store import Unavailable
from storage.sqlite.change import Change

STALL_SECONDS = 1.75  # without progress, until callers are answered
TICK_SECONDS = 0.25

Task = Callable[[sqlite3.Connection], None]


class Order(Struct, frozen=True, eq=False):
    """A change and its caller's future; or a task for the connection, which runs alone and outside a transaction."""

    change: Change
    future: "Future[None]"
    task: Task | None = None


class Gathering:
    """The orders of one event loop.

    `settled` returns how many orders the thread has settled in all, of every loop. `dropped` is called with orders that
    the thread will not get.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        settled: Callable[[], int],
        dropped: Callable[[Sequence[Order]], None],
        patience: float,
    ) -> None:
        self.orders: list[Order] = []  # those that the thread does not have yet
        self.awaited = False  # a hand-over is scheduled, or will be made when the thread has settled earlier orders
        self.stalled = False  # the thread makes no progress
        self._loop = loop
        self._settled = settled
        self._dropped = dropped
        self._patience = patience  # seconds without progress
        self._handed: deque[list[Order]] = deque()
        self._left = 0  # orders in the first list of `_handed` that are not settled
        self._timer: TimerHandle | None = None
        self._seen = 0  # what `settled` returned when the thread last made progress, at `_since`
        self._since = 0.0

    def belongs_to(self, loop: AbstractEventLoop) -> bool:
        """Whether these are the orders of a loop."""
        return self._loop is loop

    def hand_over(self) -> list[Order]:
        """Take the gathered orders, for the thread; from now on they are watched."""
        orders, self.orders = self.orders, []
        if not self._handed:
            self._left = len(orders)
        self._handed.append(orders)
        if self._timer is None:
            self._seen, self._since = self._settled(), self._loop.time()
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        return orders

    def on_settled(self, count: int) -> None:
        """Watch the next `count` orders no longer, in the order in which they were handed over."""
        self.stalled = False
        self._left -= count
        while self._left <= 0 and self._handed:
            self._handed.popleft()
            self._left += len(self._handed[0]) if self._handed else 0

    def _tick(self) -> None:
        self._timer = None
        if not self._handed:
            return
        settled, now = self._settled(), self._loop.time()
        if settled != self._seen:
            self._seen, self._since = settled, now
        elif now - self._since >= self._patience:
            self._give_up()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _give_up(self) -> None:
        """Answer all callers that the store does not respond. A task may take long, so its caller waits on."""
        self.stalled = True
        dropped, self.orders = self.orders, []
        self._dropped(dropped)
        running = [order for orders in self._handed for order in orders if order.task is None]
        for order in (*running, *dropped):
            if not order.future.done():
                order.future.set_exception(stalled())


def stalled() -> Unavailable:
    """The error for callers while the thread makes no progress."""
    return Unavailable("SQLite does not answer: its disk hangs, or another program has locked the file")
