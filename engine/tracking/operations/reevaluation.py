"""Reevaluation: profiles are looked at again without an event.

Those that are due, since time alone may have changed their segments; and once all of them, when the segments have
changed. Each is a unit of its own, in line with those of events. Both go on where they ended, and do a limited amount
of work at a time, so serving goes on meanwhile.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, json, structs

from engine.ports.store import Contention
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.search.page import BadCursor, Page
from engine.search.query import Query
from engine.tracking.pipeline.tracker import Tracker

NOTE: Final = "segments"
BATCH: Final = 100  # profiles that are asked of the store at a time
SIDE_BY_SIDE: Final = 16  # units: they share commits


class Progress(Struct, frozen=True):
    """How far all profiles have been looked at since the segments changed. Kept in the store as a note."""

    version: str  # of the segments
    begun: int  # ms
    of: int  # about how many profiles there are
    looked: int = 0
    changed: int = 0
    after: str | None = None  # the cursor of the page that was looked at last
    ended: int | None = None  # ms


class Reevaluation:
    """Looks at profiles again, for one tracker. Raises `Unavailable`."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._store = tracker.store
        self._known: Progress | None = None  # what this process has written last

    async def due(self, seconds: float, most: int) -> int:
        """Look at profiles that are due, at most `most` of them and for about so many seconds; gives how many."""
        clock, seen = self._tracker.clock, set[str]()
        end = clock.ticks() + seconds
        while len(seen) < most and (not seen or clock.ticks() < end):
            ids = await self._store.due(clock.now(), len(seen) + min(BATCH, most - len(seen)))
            fresh = [id for id in ids if id not in seen]  # the others may still be found for a moment
            if not fresh:
                break
            await self._look(fresh)
            seen.update(fresh)
        return len(seen)

    async def renew(self, seconds: float, most: int) -> Progress:
        """Go on looking at all profiles, if the segments have changed since that was done."""
        version, clock = self._tracker.project.segment_rules.version, self._tracker.clock
        progress = self._known or await self.progress()
        if progress is None or progress.version != version:
            counts = await self._store.counts()
            progress = Progress(version, clock.now(), counts.profiles)
        end, first = clock.ticks() + seconds, progress.looked
        while progress.ended is None and progress.looked - first < most:
            progress = await self._stretch(progress)
            if clock.ticks() >= end:
                break
        if progress != self._known:
            await self._store.keep_note(NOTE, json.encode(progress))
            self._known = progress
        return progress

    async def progress(self) -> Progress | None:
        """How far any process has come; None when none has begun."""
        note = await self._store.note(NOTE)
        return None if note is None else json.decode(note, type=Progress)

    async def _stretch(self, progress: Progress) -> Progress:
        page = await self._page(progress.after)
        people = [item for item in page.items if isinstance(item, Profile)]
        changed = await self._look([profile.id for profile in people if self._would_move(profile)])
        return structs.replace(
            progress,
            looked=progress.looked + len(people),
            changed=progress.changed + changed,
            after=page.after,
            ended=self._tracker.clock.now() if page.after is None else None,
        )

    async def _page(self, after: str | None) -> Page:
        query = Query("profiles", declared=self._tracker.project.settings.fields)
        try:
            return await self._store.search(query, BATCH, after)
        except BadCursor:  # of a store that was another one then
            return await self._store.search(query, BATCH)

    def _would_move(self, profile: Profile) -> bool:
        """Whether a unit would find anything to write: most profiles are only read."""
        project = self._tracker.project
        at = max(self._tracker.clock.now(), profile.evaluated_at)
        seen = profile_view(profile, fold(profile, project.settings.fields))
        after = project.segment_rules.with_membership(
            project.segment_rules.with_time_passed(profile, seen, at), seen, at
        )
        return (after.conditional, after.standing, after.due) != (profile.conditional, profile.standing, profile.due)

    async def _look(self, ids: Iterable[str]) -> int:
        """Look at some profiles; gives how many have changed."""
        todo, changed = list(ids), 0
        for start in range(0, len(todo), SIDE_BY_SIDE):
            some = [self._tracker.reevaluate(id) for id in todo[start : start + SIDE_BY_SIDE]]
            for found in await asyncio.gather(*some, return_exceptions=True):
                if isinstance(found, BaseException) and not isinstance(found, Contention):
                    raise found
                changed += found is True  # one that keeps moving is looked at by whoever moves it
        return changed
