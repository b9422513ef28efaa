"""The timeline of a profile over HTTP, as the console and `headrace profile timeline` show it."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from api.access.directory import mask_of
from api.access.option import access
from api.access.shown import shown
from api.description.operation import described
from api.documents.profile import ID
from api.documents.timeline import TIMELINE, FoundProfile, KeyText, TimelineOfProfile
from api.serialize import serialize_delivery, serialize_rejected, serialize_run
from api.unmerge import no_foreign_page
from engine.ports.outbox import StoredDelivery
from engine.ports.records import Rejected
from engine.ports.resolve import resolve_profile
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.profile.document import Link, WaitStub
from engine.profile.merge_history import describe_link
from engine.profile.operator_view import wait_document
from engine.project.project import Project
from engine.tracking.operations.key_search import profile_of
from engine.tracking.operations.timeline import Entry, Timeline, timeline

Before = Annotated[int | None, QueryParameter(description="Only what happened at this time (ms) or earlier")]


def timeline_handlers(store: Store, project: Callable[[], Project], clock: Clock) -> list[HTTPRouteHandler]:
    """`GET /profiles/ID/timeline`, and `POST /profiles/find`, whose body has the key, so that no address has it."""

    @get(
        "/profiles/{id:str}/timeline",
        summary="What became of a profile: events with their runs, segments, links, deliveries and waits",
        opt=access("viewer") | described("readTimeline", TimelineOfProfile, example=TIMELINE),
    )
    async def line(request: Request[Any, Any, Any], id: FromPath[str], before: Before = None) -> dict[str, Any]:
        profile = await resolve_profile(store, id)
        if profile is None:
            raise NotFoundException(f"there is no profile {id}")
        found = await timeline(store, project(), profile, clock.now(), before)
        return shown(mask_of(request), serialize_timeline(profile.id, found))

    @post(
        "/profiles/find",
        status_code=200,
        summary="The profile that holds a key, such as an e-mail address",
        guards=[no_foreign_page],
        opt=access("viewer")
        | described("findProfile", FoundProfile, 404, example={"profile": ID}, body={"text": "ann@example.com"}),
    )
    async def find(data: JSONBody[KeyText]) -> FoundProfile:
        profile = await profile_of(store, project().settings.keys, data.text)
        if profile is None:
            raise NotFoundException("no profile has this id or key")
        return FoundProfile(profile.id)

    return [line, find]


def serialize_timeline(profile: str, timeline: Timeline) -> dict[str, Any]:
    """Return a timeline with its entries, newest first. Times are ms."""
    return {
        "profile": profile,
        "entries": [_entry(entry) for entry in timeline.entries],
        "before": timeline.before,
        "partial": timeline.partial,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    """Return an entry: `at`, `kind`, the document of what happened under the name of the kind, and its runs."""
    document = {"at": entry.at, "kind": entry.kind, entry.kind: _what(entry)}
    return document | ({"runs": [serialize_run(run) for run in entry.runs]} if entry.kind == "event" else {})


def _what(entry: Entry) -> dict[str, Any]:
    match entry.what:
        case Link():
            return describe_link(entry.what)
        case WaitStub():
            return wait_document(entry.what)
        case StoredDelivery():
            return serialize_delivery(entry.what)
        case Rejected():
            return serialize_rejected(entry.what)
    plain: dict[str, Any] = msgspec.to_builtins(entry.what)
    return plain
