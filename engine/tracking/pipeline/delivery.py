"""Delivery: the intakes of a foreign request go to the tracker side by side, and the request is answered as a whole.

A client of a foreign protocol sends a whole request again or not at all. So there is no answer for a part of it: if the
store cannot take one intake now, the request is answered 503 after the others are through; the client sends all of it
again, and the ids of the events keep each to one effect. An event that can never be taken is rejected and recorded, and
is no reason to refuse the others.

Groups of a request have no person in common. They run side by side, `SIDE_BY_SIDE` at most and as many as there are
slots for; the intakes of one group run one after another. After an intake that was unavailable, the others of its group
are left for the next try: they come in order.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from msgspec import Struct, field, structs

from engine.ports.store import TooLarge, Unavailable
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup, SenderIntake
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.tracker import PayloadTracker
from engine.tracking.unit.ledger import Counted

SIDE_BY_SIDE: Final = 16  # groups of a request


class EventError(Struct, frozen=True):
    """An event of a request that was rejected: its place in the request, the place in it, and the reason."""

    index: int
    at: str
    reason: str


class Delivered(Struct):
    """The end of a request: how many events it had, and which of them were rejected."""

    events: int
    errors: list[EventError] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """How many events have been taken, now or before."""
        return self.events - len(self.errors)


class Slots(Protocol):
    """Bounds how many units of all requests run at a time. A request has one slot from its start."""

    def take_slots(self, wanted: int) -> int:
        """Give a request up to `wanted` more slots. Returns how many."""

    def return_slots(self, count: int) -> None:
        """Take slots back."""


class Delivery:
    """Delivers the requests of one process."""

    def __init__(self, tracker: PayloadTracker, slots: Slots) -> None:
        self._tracker = tracker
        self._slots = slots

    async def deliver(self, groups: Sequence[IntakeGroup], source: Source, hops: int = 0) -> Delivered:
        """Have all events of a request taken, rejected or dropped, durably. Raises `Unavailable` if one is left."""
        request = _Request(self._tracker, groups, source, hops)
        if len(groups) == 1:
            await request.work()
        else:
            await self._side_by_side(request)
        return request.end()

    async def _side_by_side(self, request: "_Request") -> None:
        """Deliver the groups of a request by as many workers as there are slots for."""
        unmarked, source, ids = self._tracker.pipeline.unmarked, request.source.source, request.ids
        more = self._slots.take_slots(min(SIDE_BY_SIDE, len(request.groups)) - 1)
        try:
            await unmarked.read(source, ids)
            async with asyncio.TaskGroup() as workers:
                for _ in range(1 + more):
                    workers.create_task(request.work())
        finally:
            self._slots.return_slots(more)
            unmarked.forget(source, ids)


class _Request:
    """A request while its groups are delivered."""

    def __init__(self, tracker: PayloadTracker, groups: Sequence[IntakeGroup], source: Source, hops: int) -> None:
        self.groups = groups
        self.source = source
        self._tracker = tracker
        self._hops = hops
        self._waiting = iter(groups)
        self._delivered = Delivered(sum([one.events for group in groups for one in group]))
        self._unavailable: list[Unavailable] = []

    @property
    def ids(self) -> list[str]:
        """The ids that its events have."""
        return [event.id for group in self.groups for one in group for event in one.intake.events if event.id]

    def end(self) -> Delivered:
        """Return the end of the request. Raises `Unavailable` if an event is left."""
        if self._unavailable:
            raise max(self._unavailable, key=lambda one: one.retry_after)
        self._delivered.errors.sort(key=lambda one: one.index)
        return self._delivered

    async def work(self) -> None:
        """Deliver one group after another, as long as any waits."""
        for group in self._waiting:
            try:
                for one in group:
                    await self._deliver(one)
            except Unavailable as away:
                self._unavailable.append(away)

    async def _deliver(self, one: SenderIntake) -> None:
        """Deliver one intake. Raises `Unavailable`."""
        intake = structs.replace(one.intake, hops=self._hops) if self._hops else one.intake
        try:
            answer = await self._tracker.track(intake, self.source)
            self._delivered.errors += _errors(answer.body.get("errors", ()), one)
        except TooLarge as error:
            if len(intake.events) > 1:
                for half in one.halves():
                    await self._deliver(half)
            else:
                await self._reject(one, f"the changes that it makes are too large: {error.reason}")
        except Refusal as refusal:
            if refusal.kind == "nothing-accepted":
                self._delivered.errors += _errors(refusal.errors, one)
            elif refusal.kind == "forgotten":  # a client would send it for ever if it were refused
                self._tracker.pipeline.ledger.count(Counted(rejected=one.events))
            else:
                await self._reject(one, refusal.detail)

    async def _reject(self, one: SenderIntake, reason: str) -> None:
        """Record events that cannot be taken, for a reason that all of them have in common. Raises `Unavailable`."""
        intake = one.all_rejected(reason)
        with suppress(Refusal):
            await self._tracker.track(intake, self.source)
        self._delivered.errors += [EventError(event.index, event.at, event.reason) for event in intake.rejected]


def _errors(documents: Sequence[dict[str, Any]], one: SenderIntake) -> list[EventError]:
    """Return the errors of an answer, with the places that the protocol has for its events."""
    return [EventError(each["index"], _place(each, one), each["reason"]) for each in documents]


def _place(document: dict[str, Any], one: SenderIntake) -> str:
    event = one.given.get(document["index"])
    return event.at if event is not None else str(document["at"])
