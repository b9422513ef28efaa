"""Groups of foreign requests that wait to be processed, and may be joined while they do.

The more requests wait, the more of their events are of the same persons. A group of one intake that no worker has begun
is joined by intakes of the same sender in later requests: all of them become one unit. Such a group is in the list of
each of its requests, and whichever worker comes to it first processes it for all of them. So no request depends on the
workers of another one for what has not begun.

A request ends when the last of its groups has been processed. If one was not, the request as a whole is unavailable.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from engine.ports.store import Unavailable
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup
from engine.tracking.intake.payload import MAX_BODY, MAX_EVENTS

Key = tuple[str, int, str | None, str | None, str | None, str | None]  # source, hops, and the sender
BROKEN_OFF: Final = Unavailable("the request was broken off: send this again", retry_after=1)


class EventError(Struct, frozen=True):
    """An event of a request that was rejected: its place in the request, the place in it, and the reason."""

    index: int
    at: str
    reason: str


class RequestInProcess:
    """A foreign request from its admission to its end. `hops` is that of its intakes."""

    def __init__(self, groups: Sequence[IntakeGroup], source: Source, hops: int) -> None:
        self.groups = groups
        self.source = source
        self.hops = hops
        self.errors: list[EventError] = []
        self.repeated = 0  # events that had taken effect before, with those of requests that were joined with it
        self.forgotten = 0  # events that were dropped, since their persons were forgotten
        self.all_processed = asyncio.Event()
        self._left = len(groups)
        self._unavailable: list[Unavailable] = []

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum([one.events for group in self.groups for one in group])

    @property
    def ids(self) -> list[str]:
        """The ids that its events have."""
        return [event.id for group in self.groups for one in group for event in one.intake.events if event.id]

    def has_processed(self, failure: Unavailable | None) -> None:
        """Note that one of its groups has been processed, or why it was not."""
        if failure is not None:
            self._unavailable.append(failure)
        self._left -= 1
        if not self._left:
            self.all_processed.set()

    def require_available(self) -> None:
        """Raise `Unavailable` if one of its groups was not processed."""
        if self._unavailable:
            raise max(self._unavailable, key=lambda one: one.retry_after)


class WaitingGroup:
    """A group that waits, until it has `started`. The requests that have joined it have one intake in it each."""

    __slots__ = ("groups", "key", "requests", "started")

    def __init__(self, request: RequestInProcess, group: IntakeGroup, key: Key | None = None) -> None:
        self.requests = [request]
        self.groups = [group]
        self.key = key  # None for a group that may not be joined
        self.started = False

    def has_room_for(self, group: IntakeGroup) -> bool:
        """Return whether the group and another one may be one unit, by their events and bytes."""
        intakes = [one for each in (*self.groups, group) for one in each]
        size = sum([len(event.raw) for one in intakes for event in one.given.values()])
        return size <= MAX_BODY and sum([one.events for one in intakes]) <= MAX_EVENTS


class WaitingGroups:
    """The waiting groups of one process that may be joined."""

    def __init__(self) -> None:
        self._of_key: dict[Key, WaitingGroup] = {}

    def add(self, request: RequestInProcess, group: IntakeGroup) -> WaitingGroup:
        """Have a group wait: with one of the same sender that waits already, or by itself. Returns what waits."""
        key = _key_of(request, group)
        if key is None:
            return WaitingGroup(request, group)
        found = self._of_key.get(key)
        if found is not None and found.has_room_for(group):
            found.requests.append(request)
            found.groups.append(group)
            return found
        made = self._of_key[key] = WaitingGroup(request, group, key)
        return made

    def start(self, waiting: WaitingGroup) -> bool:
        """Note that a group is processed now, and joined no more. Returns False if that was so already."""
        if waiting.started:
            return False
        waiting.started = True
        if waiting.key is not None and self._of_key.get(waiting.key) is waiting:
            del self._of_key[waiting.key]
        return True

    def withdraw(self, request: RequestInProcess, waiting: Sequence[WaitingGroup]) -> None:
        """Have those groups wait no more that only a request has that is over. It left some if it was cancelled."""
        for one in waiting:
            if one.requests == [request]:
                self.start(one)


def _key_of(request: RequestInProcess, group: IntakeGroup) -> Key | None:
    """Return what intakes that may be joined have in common; None for a group that may not be."""
    intake = group[0].intake
    if len(group) > 1 or intake.profile_less:
        return None
    return request.source.source, request.hops, intake.visitor, intake.user, intake.previous, intake.session
