"""`/console/profiles` and `/console/profiles/ID`: profiles, and all that became of one of them."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Struct

from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.profile_page import (
    consents_of,
    drawn,
    links_of,
    name_of,
    segment_view,
    traits_of,
)
from api.console.queries import Asked, ask
from api.console.site import Site, link, path_of
from api.console.timeline_view import SHOWN, lines_of
from api.console.words import many
from api.serialize import serialize_record
from api.timeline import serialize_timeline
from engine.ports.resolve import resolve_profile
from engine.profile.document import Profile
from engine.profile.merge_history import explain_identity
from engine.profile.operator_view import operator_view
from engine.project.explanation import explain_segment
from engine.tracking.operations.timeline import timeline

TAB: Final = "/console/profiles"
Document = dict[str, Any]


class ProfileRow(Struct, frozen=True):
    """A profile in the list."""

    id: str
    name: str
    link: str
    ids: int
    segments: list[str]
    visits: int
    created: int
    updated: int


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of profiles and of the page of one."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def profiles(
        request: Request[Any, Any, Any], q: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        return profiles_page(site, request, await ask(site, "profiles", q, after, request=request), q, after)

    @get(f"{TAB}/{{id:str}}", include_in_schema=False, opt=access("viewer"))
    async def profile(
        request: Request[Any, Any, Any],
        id: FromPath[str],
        show: FromQuery[str] = "",
        before: FromQuery[int | None] = None,
    ) -> Response[Any]:
        stored = await resolve_profile(site.store, id)
        if stored is None:
            raise NotFoundException(f"no profile has the id {id}: it is what /track answers as `profile.id`")
        if stored.id != id and id not in stored.parts:
            return Redirect(link(path_of("profiles", stored.id), show=show))
        document = site.shown(request, await _document(site, stored, before))
        role = principal_of(request).role
        may = {"may": allows(role, "operator"), "may_forget": allows(role, "admin")}
        return site.page(request, "profile.html", tab=TAB, **_context(site, document, show, before), **may)

    return [profiles, profile]


def profiles_page(
    site: Site, request: Request[Any, Any, Any], asked: Asked, q: str, after: str = "", *, private: bool = False
) -> Response[str]:
    """Return the list of profiles. A `private` query quotes personal data, so that no address may carry it."""
    fields = site.project.settings.fields
    rows = [_row(site.shown(request, serialize_record(each, fields))) for each in asked.page.items]
    more = asked.page.after is not None
    return site.page(
        request,
        "profiles.html",
        tab=TAB,
        q=q,
        error=asked.problem,
        rows=rows,
        said=_said(len(rows), q, more=more),
        private=private and more,
        older=link(TAB, q=q, after=asked.page.after) if more and not private else "",
        newest=link(TAB, q=q) if after else "",
    )


def _said(count: int, q: str, *, more: bool) -> str:
    what = "that the query finds" if q.strip() else "that are stored"
    return f"{many(count, 'profile')} {'on this page of those ' if more else ''}{what}, the newest first."


def _row(profile: Document) -> ProfileRow:
    metadata = profile["metadata"]
    return ProfileRow(
        id=profile["id"],
        name=name_of(profile),
        link=path_of("profiles", profile["id"]),
        ids=len(profile["ids"]),
        segments=[str(name) for name in profile["segments"]],
        visits=metadata.get("visits", 0),
        created=metadata["created"],
        updated=metadata["updated"],
    )


async def _document(site: Site, profile: Profile, before: int | None) -> Document:
    """Return all that the page of a profile shows, as one document. Raises `Unavailable`."""
    project, now = site.project, site.clock.now()
    line = await timeline(site.store, project, profile, now, before)
    fields = project.settings.fields
    explained = [explain_segment(project, profile, name, now) for name in sorted(project.segments)]
    shown: Document = msgspec.to_builtins(operator_view(profile, fields))
    return {
        "profile": shown,
        "why": explain_identity(profile, fields),
        "timeline": serialize_timeline(profile.id, line),
        "segments": msgspec.to_builtins(explained),
    }


def _context(site: Site, document: Document, show: str, before: int | None) -> Document:
    profile, why, line = document["profile"], document["why"], document["timeline"]
    here, segments = path_of("profiles", profile["id"]), [segment_view(each) for each in document["segments"]]
    raw = msgspec.json.format(msgspec.json.encode(profile), indent=1).decode()
    return {
        "profile": profile,
        "here": here,
        "name": name_of(profile),
        "metadata": profile["metadata"],
        "chips": [(word, link(here, show="" if word == "all" else word), word == (show or "all")) for word in SHOWN],
        "lines": lines_of(line, show),
        "show": show,
        "said": _reach(line, before),
        "older": link(here, show=show, before=line["before"]) if line["before"] is not None else "",
        "newest": link(here, show=show) if before is not None else "",
        "picture": drawn(profile, why),
        "links": links_of(profile["id"], why),
        "claimed": profile.get("by_claims", []),
        "segments": [each for each in segments if each.member],
        "others": [each for each in segments if not each.member],
        "unknown": [each for each in profile["segments"] if each not in site.project.segments],
        "traits": traits_of(profile, line),
        "consents": consents_of(profile, site.clock.now()),
        "waits": profile.get("waits", []),
        "runs_link": link("/console/runs", q=f"profile:{profile['id']}"),
        "raw": raw,
    }


def _reach(line: Document, before: int | None) -> str:
    """Return what the list is: whether it shows all that is kept, and of which runs it has a sample."""
    entries = line["entries"]
    events = sum(entry["kind"] == "event" for entry in entries)
    runs = sum(len(entry.get("runs", ())) for entry in entries)
    counted = f"{many(events, 'event')} with {many(runs, 'kept run')}"
    whole = before is None and line["before"] is None and not line["partial"]
    part = "Everything kept of this person is shown" if whole else "A part of what is kept of this person"
    missing = " Old deliveries and rejected events may be missing." if line["partial"] else ""
    return f"{part}: {counted}. Runs that failed are all kept, of the others a share.{missing}"
