"""A firing for all profiles of a segment: page by page, one unit for each profile.

    search a page of members, newest profiles first -> for each one a unit -> keep the place -> the next page

The unit of a profile sees again whether it is a member, notes in the profile that it has had this due time (`fired`),
and runs the flow with the profile, all in one commit. A process that dies repeats its page, and `fired` skips those
that are done. A merged profile has had what one of both has had. So it runs for no profile twice, and at least
once for each that was a member at the due time and was not split off since.

The order of the search never changes, for it is that of the profiles' creation: the place in it stays valid, and a
profile that is merged away leads to an older one.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from engine.flow.plan import Flow
from engine.ports.store import Contention
from engine.ports.task import FiringRecord
from engine.profile.document import Profile
from engine.search.field import PROFILES, Field
from engine.search.page import BadCursor, Page
from engine.search.query import Is, Query
from engine.sending.rate import RateLimit
from engine.tracking.answer.outcome import UNCHANGED
from engine.tracking.intake.payload import Options, Refusal
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.schedules.claim import Claim
from engine.tracking.schedules.flow_firing import unit_request
from engine.tracking.schedules.task_changes import ended
from engine.tracking.unit.scheduled import Firing

PAGE: Final = 100  # profiles
SIDE_BY_SIDE: Final = 16  # units: they share commits
ATTEMPTS: Final = 3  # at a profile whose documents keep moving


class Paused(Exception):
    """The task was paused: the firing stops, and goes on when it is resumed."""


class _Place(Struct, frozen=True):
    """How far a firing has come: how many profiles it ran for, and the cursor of the next page."""

    fired: int = 0
    after: str | None = None

    @classmethod
    def read(cls, text: str | None) -> "_Place":
        if text is None:
            return cls()
        fired, _, after = text.partition(" ")
        return cls(int(fired), after)

    def text(self) -> str:
        return f"{self.fired} {self.after}"


class FanOut:
    """Fires a flow for the profiles of its segment, under a claim. `next` is the due time after that of the claim."""

    def __init__(self, pipeline: Pipeline, flow: Flow, claim: Claim, missed: int, next: int, options: Options) -> None:
        assert flow.trigger.schedule is not None  # noqa: S101  # the caller has checked it
        self._pipeline, self._flow, self._claim = pipeline, flow, claim
        self._schedule = flow.trigger.schedule
        self._options = options
        self._missed, self._next = missed, next
        self._rate = RateLimit(self._schedule.rate)
        self._given_up = 0  # profiles that moved too often

    async def fire(self) -> FiringRecord:
        """Fire for all, from the place on that is stored. Raises `TakenOver`, `Paused` and `Unavailable`."""
        began = self._pipeline.clock.now()
        renewing = asyncio.create_task(self._claim.renew_for_ever())
        try:
            place = await self._pages(_Place.read(self._claim.task.place))
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
        reason = f"ran for {place.fired} profiles"
        if self._given_up:
            reason += f"; {self._given_up} others changed too often while it tried"
        record = FiringRecord(
            due=self._claim.due,
            began=began,
            ended=self._pipeline.clock.now(),
            outcome="finished" if not self._given_up else "failed",
            reason=reason,
            missed=self._missed,
        )
        await self._claim.end(lambda task: ended(task, record, task.state, self._next))
        return record

    async def _pages(self, place: _Place) -> _Place:
        while True:
            page = await self._page(place.after)
            profiles = [item for item in page.items if isinstance(item, Profile)]
            place = _Place(place.fired + await self._fire_page(profiles), page.after)
            if place.after is None:
                return place
            await self._claim.keep_place(place.text())
            if self._claim.task.paused:
                await self._claim.leave()
                raise Paused

    async def _page(self, after: str | None) -> Page:
        is_member = Is(Field("segments"), (self._schedule.segment,))
        query = Query(PROFILES, is_member, declared=self._pipeline.project.settings.fields)
        try:
            return await self._pipeline.store.search(query, PAGE, after)
        except BadCursor:  # of a store that was another one then
            return await self._pipeline.store.search(query, PAGE)

    async def _fire_page(self, profiles: Iterable[Profile]) -> int:
        """Run the flow for the profiles of a page. Returns for how many it ran."""
        todo = [one.id for one in profiles if one.fired.get(self._flow.name, -1) < self._claim.due]
        fired = 0
        for _ in range(ATTEMPTS):
            done: list[bool | None] = []
            for start in range(0, len(todo), SIDE_BY_SIDE):
                done += await self._side_by_side(todo[start : start + SIDE_BY_SIDE])
            fired += done.count(True)
            todo = [id for id, result in zip(todo, done, strict=True) if result is None]
            if not todo:
                break
        self._given_up += len(todo)
        return fired

    async def _side_by_side(self, ids: Iterable[str]) -> list[bool | None]:
        """Do the units of some profiles, each as soon as the rate allows it. Returns what `_fire_one` returns."""
        clock, units = self._pipeline.clock, list[asyncio.Task[bool | None]]()
        try:
            for id in ids:
                if (pause := self._rate.pause(clock.ticks())) > 0:
                    await asyncio.sleep(pause)
                self._rate.begin(clock.ticks())
                units.append(asyncio.create_task(self._fire_one(id)))
            return await asyncio.gather(*units)
        finally:
            for unit in units:
                unit.cancel()
            if units:
                await asyncio.wait(units)

    async def _fire_one(self, id: str) -> bool | None:
        """Do the unit of a profile. Returns whether the flow ran for it, None if its documents kept moving."""
        firing = Firing(self._flow.name, self._claim.due, self._missed, segment=self._schedule.segment)
        request = unit_request(self._pipeline, self._flow, firing, id, self._options)
        try:
            return await self._pipeline.process(request) is not UNCHANGED
        except Contention:
            return None
        except Refusal:  # forgotten meanwhile
            return False
