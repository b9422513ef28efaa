"""The turns of look-ups at one target: how many are under way, how many begin in a time, and none while it fails.

A look-up that may not begin yet waits, in the order of asking. It is turned away when the target's breaker is open, and
while a first look-up finds out whether the target works again.
"""

import asyncio
from collections import deque
from math import ceil

from engine.ports.world import Clock
from engine.project.source import Target
from engine.project.target_limits import rate_of
from engine.sending.breaker import Breaker
from engine.sending.rate import RateLimit


class TargetTurns:
    """The order of turns. After `begin` has returned no reason, call `end` or `abandon` once."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._breaker = Breaker(target.concurrency)
        self._rate = RateLimit(rate_of(target))
        self._ticks = clock.ticks
        self._waiting: deque[asyncio.Future[str]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_troubled(self) -> bool:
        """Whether look-ups have failed so that the breaker opened, and the target has not recovered since."""
        return self._breaker.troubled

    @property
    def pause(self) -> float:
        """The seconds until the next look-up may find out whether the target works again; 0 when it may now."""
        return max(self._breaker.opens_until - self._ticks(), 0)

    async def begin(self) -> str:
        """Wait for a turn and return an empty text, or the reason why no look-up begins now."""
        now = self._ticks()
        if self._breaker.is_open(now) or (self._breaker.is_probing and self._breaker.under_way):
            return self._why(now)
        if not self._waiting and self._breaker.may_begin(now) and not self._rate.pause(now):
            self._take(now)
            return ""
        turn: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._go_on()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.result():
                self.abandon()
            raise

    def end(self, *, failed: bool) -> None:
        """Count the end of a look-up that began: whether the target has `failed` to answer."""
        now = self._ticks()
        if failed:
            self._breaker.failed(now)
        else:
            self._breaker.succeeded(now)
        self._go_on()

    def abandon(self) -> None:
        """Count the end of a look-up that shows nothing about the target."""
        self._breaker.abandoned()
        self._go_on()

    def _take(self, now: float) -> None:
        self._breaker.begin()
        self._rate.begin(now)

    def _go_on(self) -> None:
        """Give turns to those that wait, as far as the limits allow."""
        now = self._ticks()
        is_open = self._breaker.is_open(now)
        while self._waiting and (is_open or (self._breaker.may_begin(now) and not self._rate.pause(now))):
            turn = self._waiting.popleft()
            if turn.done():  # its look-up was broken off
                continue
            if not is_open:
                self._take(now)
            turn.set_result(self._why(now) if is_open else "")
        pause = self._rate.pause(now)
        if self._waiting and pause and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._go_on()

    def _why(self, now: float) -> str:
        seconds = ceil(max(self._breaker.opens_until - now, 0))
        until = f"for {seconds} s" if seconds else "until one that is under way has succeeded"
        return f"the last look-ups of this target failed, so none is sent {until}"
