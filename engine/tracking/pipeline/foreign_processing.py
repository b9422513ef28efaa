"""Foreign processing: the intakes of a request go to the tracker side by side; the request is answered as a whole.

A client of a foreign protocol sends a whole request again or not at all. So there is no answer for a part of it: if the
store cannot take one intake now, the request is answered 503 after the others are through; the client sends all of it
again, and the ids of the events keep each to one effect. An event that can never be taken is rejected and recorded, and
is no reason to refuse the others.

Groups of a request have no person in common. They run side by side, `SIDE_BY_SIDE` at most and as many as there are
slots for; the intakes of one group run one after another. After an intake that was unavailable, the others of its group
are left for the next try: they come in order. Under load, intakes of one sender in several requests are joined
(`engine.tracking.pipeline.waiting_groups`).
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from msgspec import Struct, structs

from engine.ports.store import TooLarge, Unavailable
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup, SenderIntake
from engine.tracking.foreign.joined import joined
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.tracker import PayloadTracker
from engine.tracking.pipeline.waiting_groups import (
    BROKEN_OFF,
    EventError,
    RequestInProcess,
    WaitingGroup,
    WaitingGroups,
)
from engine.tracking.unit.ledger import Counted

SIDE_BY_SIDE: Final = 16  # groups of a request


class Processed(Struct):
    """The end of a request: how many events it had, and which of them were rejected.

    Of the others, `repeated` had taken effect before, and `forgotten` were dropped, since their persons were forgotten.
    """

    events: int
    errors: list[EventError]
    repeated: int = 0
    forgotten: int = 0

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


class ForeignProcessing:
    """Processes the requests of one process."""

    def __init__(self, tracker: PayloadTracker, slots: Slots) -> None:
        self._tracker = tracker
        self._slots = slots
        self._waiting = WaitingGroups()

    async def process(self, groups: Sequence[IntakeGroup], source: Source, hops: int = 0) -> Processed:
        """Have all events of a request taken, rejected or dropped, durably. Raises `Unavailable` if one is left."""
        request = RequestInProcess(groups, source, hops)
        if len(groups) == 1:
            await self._process(WaitingGroup(request, groups[0]))
        elif groups:
            await self._side_by_side(request)
        request.require_available()
        errors = sorted(request.errors, key=lambda one: one.index)
        return Processed(request.events, errors, request.repeated, request.forgotten)

    async def _side_by_side(self, request: RequestInProcess) -> None:
        """Process the groups of a request by as many workers as there are slots for."""
        unmarked, source, ids = self._tracker.pipeline.unmarked, request.source.source, request.ids
        more = self._slots.take_slots(min(SIDE_BY_SIDE, len(request.groups)) - 1)
        waiting = [self._waiting.add(request, group) for group in request.groups]
        try:
            await unmarked.read(source, ids)
            left = iter(waiting)
            async with asyncio.TaskGroup() as workers:
                for _ in range(1 + more):
                    workers.create_task(self._work(left))
            await request.all_processed.wait()  # workers of other requests may have begun some
        finally:
            self._slots.return_slots(more)
            unmarked.forget(source, ids)
            self._waiting.withdraw(request, waiting)

    async def _work(self, left: Iterator[WaitingGroup]) -> None:
        """Process one group after another, as long as any is left that no other worker has begun."""
        for waiting in left:
            if self._waiting.start(waiting):
                await self._process(waiting)

    async def _process(self, waiting: WaitingGroup) -> None:
        """Process a group, for all requests that have events in it."""
        failure: Unavailable | None = BROKEN_OFF
        try:
            await self._process_intakes(waiting)
            failure = None
        except Unavailable as away:
            failure = away
        finally:
            for request in waiting.requests:
                request.has_processed(failure)

    async def _process_intakes(self, waiting: WaitingGroup) -> None:
        """Process the intakes of a group, one after another or joined. Raises `Unavailable`."""
        first = waiting.requests[0]
        if len(waiting.requests) == 1:
            for one in waiting.groups[0]:
                first.errors += await self._errors_of(one, first)
            return
        whole = joined([group[0] for group in waiting.groups])
        for error in await self._errors_of(whole.intake, first):
            which, index = whole.origins[error.index]
            waiting.requests[which].errors.append(structs.replace(error, index=index))

    async def _errors_of(self, one: SenderIntake, request: RequestInProcess) -> list[EventError]:
        """Process one intake, as a part of a request. Returns the errors of its events. Raises `Unavailable`."""
        source = request.source
        intake = structs.replace(one.intake, hops=request.hops) if request.hops else one.intake
        try:
            answer = await self._tracker.track(intake, source)
        except TooLarge as error:
            if len(intake.events) > 1:
                return [each for half in one.halves() for each in await self._errors_of(half, request)]
            return await self._rejected(one, source, f"the changes that it makes are too large: {error.reason}")
        except Refusal as refusal:
            if refusal.kind == "nothing-accepted":
                return _errors(refusal.errors, one)
            if refusal.kind == "forgotten":  # a client would send it for ever if it were refused
                self._tracker.pipeline.ledger.count(Counted(rejected=one.events))
                request.forgotten += one.events
                return []
            return await self._rejected(one, source, refusal.detail)
        request.repeated += answer.repeated
        return _errors(answer.body.get("errors", ()), one)

    async def _rejected(self, one: SenderIntake, source: Source, reason: str) -> list[EventError]:
        """Record events that cannot be taken, for a reason that all of them have in common. Raises `Unavailable`."""
        intake = one.all_rejected(reason)
        with suppress(Refusal):
            await self._tracker.track(intake, source)
        return [EventError(event.index, event.at, event.reason) for event in intake.rejected]


def _errors(documents: Sequence[dict[str, Any]], one: SenderIntake) -> list[EventError]:
    """Return the errors of an answer, with the places that the protocol has for its events."""
    return [EventError(each["index"], _place(each, one), each["reason"]) for each in documents]


def _place(document: dict[str, Any], one: SenderIntake) -> str:
    event = one.given.get(document["index"])
    return event.at if event is not None else str(document["at"])
