"""The Protocols through which the engine reaches the world outside: other systems and the clock."""

from typing import Any, Protocol

from msgspec import Struct

from engine.flow.ask import OutsideAsk, Reply


class OutsideCall(Struct, frozen=True, kw_only=True):
    """One attempt to have an ask answered outside, with the node that asks.

    `number` counts the asks of this node in its run, `attempt` the attempts at this ask; both start at 1. `event` is
    the id of the event that the run is for, and `hops` how many look-ups led to its request, one by the other. A unit
    that runs again does not repeat its calls.
    """

    ask: OutsideAsk
    flow: str
    node: str
    event: str
    number: int = 1
    attempt: int = 1
    hops: int = 0


class Performer(Protocol):
    """Answers asks that go outside. A call that fails raises nothing: its reply is a `NoAnswer`."""

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply to the call's ask, within the ask's timeout."""


class UnreadableDatabase(Exception):
    """The database of places cannot be read; its message says why."""


class Places(Protocol):
    """Finds the places of IP addresses in a local database, without waiting."""

    def place(self, address: str) -> dict[str, Any] | None:
        """Return what is known of an address; None if it is not known. Raises `UnreadableDatabase`."""


class Clock(Protocol):
    """The only reader of time."""

    def now(self) -> int:
        """Wall clock, ms since the epoch."""

    def ticks(self) -> float:
        """Monotonic seconds, for durations."""
