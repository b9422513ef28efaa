"""The Protocols through which the engine reaches the world outside: other systems and the clock."""

from typing import Protocol

from engine.flow.ask import OutsideAsk, Reply


class Performer(Protocol):
    """Answers asks that go outside. Never raises for what the world does: that is a `NoAnswer`."""

    async def perform(self, ask: OutsideAsk) -> Reply:
        """The reply to `ask`, within its timeout."""


class Clock(Protocol):
    """The only reader of time."""

    def now(self) -> int:
        """Wall clock, ms since the epoch."""

    def ticks(self) -> float:
        """Monotonic seconds, for durations."""
