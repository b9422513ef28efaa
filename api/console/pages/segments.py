"""`/console/segments` and `/console/segments/NAME`: conditions, members, and why a profile belongs to one or not."""

from collections import Counter
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from markupsafe import Markup
from msgspec import Struct

from api.access.option import access
from api.console.charts import mirrored_bars
from api.console.pages.login import texts_of
from api.console.profile_page import SegmentView, name_of, segment_view
from api.console.queries import ask, quoted_word
from api.console.site import Site, link, path_of
from api.console.words import day, many
from api.serialize import serialize_record
from engine.ports.kinds import EVENTS, SEARCHABLE
from engine.ports.records import StoredEvent
from engine.ports.resolve import resolve_profile
from engine.profile.document import Profile
from engine.project.explanation import NoSuchSegment, describe_segment, explain_segment
from engine.project.segment import Segment
from engine.search.field import Field
from engine.search.query import AllOf, Is, Query, Within
from engine.tracking.operations.key_search import profile_of
from engine.tracking.operations.reevaluation import progress_of
from engine.tracking.unit.event import SEGMENT_ENTERED, SEGMENT_LEFT
from engine.tracking.unit.triggers import Triggers

TAB: Final = "/console/segments"
COUNTED: Final = 500  # profiles, of which the members of each segment are counted
DAYS: Final = 30
DAY_MS: Final = 86_400_000
MAX_COUNTED: Final = 1_000  # events of entering and leaving, in a chart
Document = dict[str, Any]


class SegmentRow(Struct, frozen=True):
    """A segment in the list. `members` counts those of the newest profiles."""

    name: str
    description: str
    link: str
    condition: str
    window: str
    members: int


class Member(Struct, frozen=True):
    """A member of a segment, since when, and until when at least."""

    id: str
    name: str
    link: str
    since: int | None
    due: int | None


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of segments, and of the page of one."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def segments(request: Request[Any, Any, Any]) -> Response[str]:
        newest = await ask(site, "profiles", "", limit=COUNTED)
        counted = Counter(name for each in newest.page.items for name in _names(site, each))
        rows = [_row(segment, counted[name]) for name, segment in sorted(site.project.segments.items())]
        sample = f"of the newest {COUNTED:,} profiles" if newest.page.after else "of all profiles"
        progress = await progress_of(site.store)
        return site.page(request, "segments.html", tab=TAB, rows=rows, sample=sample, progress=progress)

    @get(f"{TAB}/{{name:str}}", include_in_schema=False, opt=access("viewer"))
    async def segment(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        profile: FromQuery[str] = "",
        absent: FromQuery[str] = "",
        after: FromQuery[str] = "",
    ) -> Response[str]:
        found = site.project.segments.get(name)
        if found is None:
            raise NotFoundException(f"the project has no segment {name}")
        page = (await ask(site, "profiles", f"segments:{quoted_word(name)}", after)).page
        members = [_member(site, request, each, name) for each in page.items if isinstance(each, Profile)]
        chart, counted = await _chart(site, found)
        here = path_of("segments", name)
        return site.page(
            request,
            "segment.html",
            tab=TAB,
            segment=describe_segment(found),
            headline=_headline(name, len(members), after, more=page.after is not None),
            members=members,
            chart=chart,
            counted=counted,
            explained=await _explained(site, request, name, profile),
            explained_id=profile,
            absent=bool(absent),
            here=here,
            older=link(here, after=page.after) if page.after else "",
            newest=here if after else "",
        )

    @post(f"{TAB}/{{name:str}}/explain", include_in_schema=False, opt=access("viewer"))
    async def explain(request: Request[Any, Any, Any], name: FromPath[str]) -> Redirect:
        text = (await texts_of(request)).get("q", "")
        found = await profile_of(site.store, site.project.settings.keys, text)
        more = {"profile": found.id} if found is not None else {"absent": "yes"}
        return Redirect(link(path_of("segments", name), more) + "#explain", status_code=303)

    return [segments, segment, explain]


def _names(site: Site, profile: Struct) -> list[str]:
    document = serialize_record(profile, site.project.settings.fields)
    return [str(name) for name in document["segments"]]


def _row(segment: Segment, members: int) -> SegmentRow:
    described = describe_segment(segment)
    windows = [f"{key} {described[key]}" for key in ("for", "within") if key in described]
    return SegmentRow(
        name=segment.name,
        description=segment.description,
        link=path_of("segments", segment.name),
        condition=described.get("condition", ""),
        window=", ".join(windows),
        members=members,
    )


def _member(site: Site, request: Request[Any, Any, Any], profile: Profile, name: str) -> Member:
    document = site.shown(request, serialize_record(profile, site.project.settings.fields))
    explained = explain_segment(site.project, profile, name, site.clock.now())
    return Member(
        id=profile.id,
        name=name_of(document),
        link=path_of("profiles", profile.id),
        since=explained.get("since"),
        due=explained.get("due"),
    )


async def _explained(site: Site, request: Request[Any, Any, Any], name: str, id: str) -> SegmentView | None:
    """Return why a profile belongs to a segment or not; None without such a profile. Raises `Unavailable`."""
    profile = await resolve_profile(site.store, id) if id else None
    if profile is None:
        return None
    try:
        explained = explain_segment(site.project, profile, name, site.clock.now())
    except NoSuchSegment:
        return None
    view = serialize_record(profile, site.project.settings.fields)
    document = site.shown(request, {"profile": view, "explained": msgspec.to_builtins(explained)})
    return segment_view(document["explained"])


async def _chart(site: Site, segment: Segment) -> tuple[Markup | None, str]:
    """Return how many profiles entered and left on each of the last days, from stored events; else why there is none.

    Raises `Unavailable`.
    """
    if not Triggers(site.project).segment_events:
        return (
            None,
            "No flow listens to `segment-entered` or `segment-left`, so no event of entering or leaving is stored.",
        )
    now = site.clock.now()
    first = now - now % DAY_MS - (DAYS - 1) * DAY_MS
    conditions = (
        Is(Field("type"), (SEGMENT_ENTERED, SEGMENT_LEFT)),
        Is(Field("properties", "segment", "free"), (segment.name,)),
        Within(Field("received", type="moment"), low=first),
    )
    page = await site.store.search(Query(SEARCHABLE[EVENTS.name], AllOf(conditions)), MAX_COUNTED)
    changes = [each for each in page.items if isinstance(each, StoredEvent)]
    if not changes:
        return None, f"No profile entered or left it in {DAYS} days, as far as flows listen to it."
    up, down = [0] * DAYS, [0] * DAYS
    for each in changes:
        bar = min(DAYS - 1, max(0, (each.received - first) // DAY_MS))
        (up if each.type == SEGMENT_ENTERED else down)[bar] += 1
    label = f"{many(sum(up), 'profile')} entered, {sum(down):,} left since {day(first)[:10]}, by day"
    newest = f", the newest {MAX_COUNTED:,} of them" if page.after else ""
    return mirrored_bars(up, down, label, below_kind="c-dry"), f"{label}{newest}"


def _headline(name: str, count: int, after: str, *, more: bool) -> str:
    if after:
        return f"More members of `{name}`"
    return f"`{name}` has {'more than ' if more else ''}{many(count, 'member')}"
