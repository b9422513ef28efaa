"""The timeline of a profile: its events with their runs, and what else became of it, the newest first.

Events, rejected events and deliveries are read a page each, at most `AT_ONCE`. A timeline reaches as far back as the
shortest of those pages that are not the last, so that it has no gap; `Timeline.before` leads to what is older.
Entering or leaving a segment is an event if a flow listens to it; otherwise it is known of the current ones only since
when the profile is in them.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from engine.ports.kinds import DELIVERIES, EVENTS, REJECTED, RUNS, SEARCHABLE
from engine.ports.outbox import StoredDelivery
from engine.ports.records import Rejected, RunRecord, StoredEvent
from engine.ports.store import Searches
from engine.profile.document import Link, Profile, WaitStub
from engine.project.explanation import explain_segment
from engine.project.project import Project
from engine.search.field import Field
from engine.search.query import AllOf, Is, Node, Query, Within
from engine.tracking.unit.event import SEGMENT_ENTERED

AT_ONCE: Final = 60  # events of a page
MAX_RUNS: Final = 1000  # of the events of a page
SHORT_PAGES: Final = 4  # that are put together; a store may answer short ones
EVENTS_AT_ONCE: Final = 50  # whose runs one search finds

EntryKind = Literal["event", "segment", "link", "undone", "delivery", "wait", "rejected"]


class EnteredSegment(Struct, frozen=True):
    """A profile has entered a segment, of which no event is stored. `by_hand`: a flow has added it."""

    segment: str
    by_hand: bool


class Entry(Struct, frozen=True):
    """A line of a timeline: what happened, when (ms), and of an event its runs, oldest first."""

    at: int
    kind: EntryKind
    what: StoredEvent | EnteredSegment | Link | StoredDelivery | WaitStub | Rejected
    runs: tuple[RunRecord, ...] = ()


class Timeline(Struct, frozen=True):
    """Entries, the newest first. `before` (ms) leads to older ones; None if there are none.

    `partial` says that the store has looked at a limited number of records only: older deliveries or rejected events
    of the profile may be missing.
    """

    entries: tuple[Entry, ...]
    before: int | None
    partial: bool = False


async def timeline(
    store: Searches, project: Project, profile: Profile, now: int, before: int | None = None
) -> Timeline:
    """Return the newest part of a profile's timeline, or that up to the time `before` (ms). Raises `Unavailable`."""
    pages = await asyncio.gather(
        *[_page(store, kind.name, kind.time, profile.ids, before) for kind in (EVENTS, DELIVERIES, REJECTED)]
    )
    floor = max([page.ends for page in pages if page.ends is not None], default=None)
    events, deliveries, rejected = [page.records for page in pages]
    runs = await runs_of_events(store, [event.id for event in events])
    entries = [
        *[Entry(event.received, "event", event, runs.get((event.source, event.id), ())) for event in events],
        *[Entry(each.at, "delivery", each) for each in deliveries],
        *[Entry(each.at, "rejected", each) for each in rejected],
        *_of_profile(project, profile, events, now),
    ]
    shown = [each for each in entries if _within(each.at, before, floor)]
    return Timeline(tuple(sorted(shown, key=_newest_first)), floor, any(page.partial for page in pages))


class _Page(Struct, frozen=True):
    """Records, the newest first; and if there are more, the time (ms) at which the page ends."""

    records: list[Any]
    ends: int | None
    partial: bool


def _newest_first(entry: Entry) -> tuple[int, bool]:
    """Order entries: links of the same moment come after, since an event that makes a link goes on with it."""
    return -entry.at, entry.kind == "link"


def _within(at: int, before: int | None, floor: int | None) -> bool:
    return (before is None or at <= before) and (floor is None or at > floor)


async def _page(store: Searches, kind: str, time: str, ids: Sequence[str], before: int | None) -> _Page:
    """Return the newest records of a profile."""
    conditions: list[Node] = [Is(Field("profile"), tuple(ids))]
    if before is not None:
        conditions.append(Within(Field(time, type="moment"), high=before))
    query, after, records = Query(SEARCHABLE[kind], AllOf(tuple(conditions))), None, list[Any]()
    for _ in range(SHORT_PAGES):
        page = await store.search(query, AT_ONCE - len(records), after)
        records += page.items
        after = page.after
        if after is None or len(records) == AT_ONCE:
            break
    if len(records) < AT_ONCE:
        return _Page(records, None, after is not None)
    newest, oldest = getattr(records[0], time), getattr(records[-1], time)
    if after is None:
        return _Page(records, None, partial=False)
    return _Page(
        records, oldest if oldest < newest else oldest - 1, partial=False
    )  # a page of one moment leads on, too


async def runs_of_events(store: Searches, events: Sequence[str]) -> dict[tuple[str, str], tuple[RunRecord, ...]]:
    """Return the stored runs of events, oldest first, by source and id of the event. Raises `Unavailable`."""
    parts = [tuple(events[start : start + EVENTS_AT_ONCE]) for start in range(0, len(events), EVENTS_AT_ONCE)]
    pages = await asyncio.gather(
        *[store.search(Query(SEARCHABLE[RUNS.name], Is(Field("event"), part)), MAX_RUNS) for part in parts]
    )
    found: dict[tuple[str, str], tuple[RunRecord, ...]] = {}
    for run in [each for page in pages for each in page.items if isinstance(each, RunRecord)]:
        name = (run.source, run.event)
        found[name] = (run, *found.get(name, ()))
    return found


def _of_profile(project: Project, profile: Profile, events: Iterable[StoredEvent], now: int) -> Iterator[Entry]:
    """Yield what the document of a profile has: its links, its open waits, and since when it is in its segments."""
    for link in profile.links.values():
        if link.why is not None:
            yield Entry(link.why.at, "link", link)
        if link.undone:
            yield Entry(link.undone, "undone", link)
    for wait in profile.waits:
        yield Entry(wait.began, "wait", wait)
    known = {each.properties.get("segment") for each in events if each.type == SEGMENT_ENTERED}
    for segment in sorted(project.segments.keys() - known):
        explained = explain_segment(project, profile, segment, now)
        if explained["member"] and explained["since"]:
            yield Entry(explained["since"], "segment", EnteredSegment(segment, "condition" not in explained))
