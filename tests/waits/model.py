"""A model of waits: which runs begin, which event each hears, and how each ends. It knows nothing of stores or crashes.

A run is named by the event that began it. A wait is *pending* until its time has come or an event has arrived. From
then on its end is certain, whenever a process comes to it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

Policy = Literal["restart", "ignore", "parallel"]
End = Literal["took", "late", "cancelled", "gone"]

LASTS = {"brief": 10_000, "long": 60_000}  # ms, by flow


@dataclass
class Wait:
    """A run that has begun. `end` is how it ends, as soon as that is certain."""

    name: str
    flow: str
    of: str
    began: int
    end: End | None = None

    @property
    def due(self) -> int:
        """When it ends if no event arrives (ms)."""
        return self.began + LASTS[self.flow]


@dataclass
class Model:
    """All runs that have begun, in their order."""

    policy: Policy
    waits: list[Wait] = field(default_factory=list)

    def start(self, name: str, flow: str, of: str, ids: Collection[str], now: int) -> None:
        """Begin a run under an id of the profile with `ids`, unless the flow ignores that while one waits."""
        pending = self.pending(flow, ids, now)
        if self.policy == "ignore" and pending:
            return
        for wait in pending if self.policy == "restart" else ():
            wait.end = "cancelled"
        self.waits.append(Wait(name, flow, of, now))

    def buy(self, ids: Collection[str], now: int) -> None:
        """Let the event happen for which all runs wait."""
        for flow in LASTS:
            for wait in self.pending(flow, ids, now):
                wait.end = "took"

    def look(self, ids: Collection[str], now: int) -> None:
        """Begin a unit on a profile: of several waits that a merge has brought together, some flows keep one."""
        for flow in LASTS if self.policy != "parallel" else ():
            pending = self.pending(flow, ids, now)
            for wait in pending[:-1] if self.policy == "restart" else pending[1:]:
                wait.end = "cancelled"

    def forget(self, ids: Collection[str]) -> None:
        """Erase all that these ids have."""
        for wait in self.waits:
            if wait.of in ids:
                wait.end = "gone"

    def pass_time(self, now: int) -> None:
        """Let the waits end whose time has come."""
        for wait in self.waits:
            if wait.end is None and wait.due <= now:
                wait.end = "late"

    def pending(self, flow: str, ids: Collection[str], now: int) -> list[Wait]:
        """Return the pending waits of a flow and a profile, those that began first first."""
        self.pass_time(now)
        return [wait for wait in self.waits if wait.end is None and wait.flow == flow and wait.of in ids]
