"""Re-evaluation: the segments of profiles are evaluated again without an event.

Of one that is due, since time alone may have changed its segments; and once of all, when the segments of the project
have changed. Each profile is a unit of its own, which takes its turn among those of events. The work on all profiles
continues where it ended, and does a limited amount at a time, so that serving goes on meanwhile.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, json, structs

from engine.ports.store import Contention, Notes
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.source import SYSTEM_SOURCE
from engine.search.field import PROFILES
from engine.search.page import BadCursor, Page
from engine.search.query import Query
from engine.tracking.answer.outcome import UNCHANGED
from engine.tracking.intake.payload import Intake, Options
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.request import UnitRequest

NOTE: Final = "segments"
BATCH: Final = 100  # profiles that are asked of the store at a time
SIDE_BY_SIDE: Final = 16  # units: they share commits
PLAIN: Final = Options()


class SegmentProgress(Struct, frozen=True):
    """How many profiles have been evaluated again since the segments changed. Stored as a note."""

    version: str  # of the segments
    begun: int  # ms; when it started
    of: int  # about how many profiles there are
    looked: int = 0
    changed: int = 0
    after: str | None = None  # the cursor of the page that was looked at last
    ended: int | None = None  # ms


async def reevaluate(pipeline: Pipeline, id: str, options: Options = PLAIN) -> bool:
    """Evaluate a profile's segments again, as time has passed or they have changed. Returns whether anything changed.

    The flows that this triggers run in the same unit; with the debugger on, the reasons why others do not run are
    stored. Raises `Unavailable`.
    """
    intake = Intake(source=SYSTEM_SOURCE.source, profile=id, options=options)
    request = UnitRequest.of(intake, SYSTEM_SOURCE, pipeline.clock, pipeline.new_id)
    return await pipeline.process(request) is not UNCHANGED


async def progress_of(store: Notes) -> SegmentProgress | None:
    """Return how far any process has come with all profiles; None when none has started. Raises `Unavailable`."""
    note = await store.note(NOTE)
    return None if note is None else json.decode(note, type=SegmentProgress)


class Reevaluation:
    """Re-evaluates profiles through one pipeline. Raises `Unavailable`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._store = pipeline.store
        self._known: SegmentProgress | None = None  # what this process has written last

    async def renew(self, seconds: float, most: int) -> SegmentProgress:
        """Continue with all profiles, if the segments have changed since they were re-evaluated."""
        version, clock = self._pipeline.project.segment_rules.version, self._pipeline.clock
        progress = self._known or await progress_of(self._store)
        if progress is None or progress.version != version:
            counts = await self._store.counts()
            progress = SegmentProgress(version, clock.now(), counts["profiles"])
        end, first = clock.ticks() + seconds, progress.looked
        while progress.ended is None and progress.looked - first < most:
            progress = await self._stretch(progress)
            if clock.ticks() >= end:
                break
        if progress != self._known:
            await self._store.keep_note(NOTE, json.encode(progress))
            self._known = progress
        return progress

    async def _stretch(self, progress: SegmentProgress) -> SegmentProgress:
        page = await self._page(progress.after)
        profiles = [item for item in page.items if isinstance(item, Profile)]
        changed = await self._reevaluate_all([profile.id for profile in profiles if self._would_move(profile)])
        return structs.replace(
            progress,
            looked=progress.looked + len(profiles),
            changed=progress.changed + changed,
            after=page.after,
            ended=self._pipeline.clock.now() if page.after is None else None,
        )

    async def _page(self, after: str | None) -> Page:
        query = Query(PROFILES, declared=self._pipeline.project.settings.fields)
        try:
            return await self._store.search(query, BATCH, after)
        except BadCursor:  # of a store that was another one then
            return await self._store.search(query, BATCH)

    def _would_move(self, profile: Profile) -> bool:
        """Whether a unit would write anything: most profiles are only read."""
        project = self._pipeline.project
        at = max(self._pipeline.clock.now(), profile.evaluated_at)
        view = profile_view(profile, fold(profile, project.settings.fields))
        after = project.segment_rules.with_membership(
            project.segment_rules.with_time_passed(profile, view, at), view, at
        )
        return (after.conditional, after.standing, after.due) != (profile.conditional, profile.standing, profile.due)

    async def _reevaluate_all(self, ids: Iterable[str]) -> int:
        """Re-evaluate some profiles. Returns how many have changed."""
        todo, changed = list(ids), 0
        for start in range(0, len(todo), SIDE_BY_SIDE):
            some = [reevaluate(self._pipeline, id) for id in todo[start : start + SIDE_BY_SIDE]]
            for found in await asyncio.gather(*some, return_exceptions=True):
                if isinstance(found, BaseException) and not isinstance(found, Contention):
                    raise found
                changed += found is True  # one that keeps moving is evaluated by the units that move it
        return changed
