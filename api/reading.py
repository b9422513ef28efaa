"""Routes by which operators read runs with their traces, events, profiles and counts."""

from collections.abc import AsyncIterator, Callable
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Any, Final

import msgspec
from litestar import Request, Router, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.access.principal import principal_of
from api.description.operation import BINARY, Answer, Content, described
from api.documents.profile import PROFILE
from api.documents.profile import Profile as ProfileDocument
from api.documents.record import COUNTS, EVENT, REJECTED, RUN, SESSION, Counts, RejectedEvent, Run
from api.export_archive import write_archive
from api.problem import HttpProblem
from api.schemas import schema_handlers
from api.search import search_handler
from api.segments import segment_handlers
from api.serialize import serialize_rejected, serialize_run
from api.timeline import timeline_handlers
from engine.ports.history import events_of, sessions_of
from engine.ports.records import Session, StoredEvent
from engine.ports.resolve import NotFound, resolve_profile
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.profile.document import Profile
from engine.profile.merge_history import explain_identity
from engine.profile.operator_view import operator_view
from engine.project.project import Project
from engine.tracking.operations.claiming import claiming
from engine.tracking.unit.ledger import Ledger

Why = Annotated[bool, QueryParameter(description="Also return the profile's parts, and the links that join them")]
Claims = Annotated[bool, QueryParameter(description="Also return the profiles that claim keys which it has proven")]

IN_MEMORY = 4 * 1024 * 1024  # bytes of an archive that is made
CHUNK = 64 * 1024
ARCHIVE: Final = Answer("The archive", {"application/zip": Content(BINARY)})


def reading_router(store: Store, project: Callable[[], Project], clock: Clock, ledger: Ledger) -> Router:
    """Return the routes that only read. `project` returns the one that is served now."""
    handlers = [
        *_record_handlers(store, ledger),
        *_profile_handlers(store, project, clock),
        search_handler(store, project, clock),
        *segment_handlers(store, project, clock),
        *schema_handlers(store, project),
        *timeline_handlers(store, project, clock),
    ]
    return Router("/", route_handlers=handlers, tags=["reading"])


def _record_handlers(store: Store, ledger: Ledger) -> list[HTTPRouteHandler]:
    @get(
        "/runs/{id:str}",
        summary="A stored run with its trace",
        opt=access("viewer") | described("readRun", Run, example=RUN),
    )
    async def run(request: Request[Any, Any, Any], id: FromPath[str]) -> dict[str, Any]:
        return mask_of(request).run(serialize_run(_found(await store.run(id), f"run {id}")))

    @get(
        "/events/{id:str}",
        summary="A stored event",
        opt=access("viewer") | described("readEvent", StoredEvent, example=EVENT),
    )
    async def event(request: Request[Any, Any, Any], id: FromPath[str]) -> dict[str, Any]:
        return mask_of(request).event(msgspec.to_builtins(_found(await store.event(id), f"event {id}")))

    @get(
        "/events/{id:str}/runs",
        summary="The stored runs of an event, with their traces",
        opt=access("viewer") | described("listRunsOfEvent", list[Run], example=[RUN]),
    )
    async def runs_of(request: Request[Any, Any, Any], id: FromPath[str]) -> list[dict[str, Any]]:
        runs = await store.runs_of(id)
        if not runs:
            _found(await store.event(id), f"event {id}")
        mask = mask_of(request)
        return [mask.run(serialize_run(run)) for run in runs]

    @get(
        "/rejected",
        summary="The newest rejected events, with their reasons",
        opt=access("viewer") | described("listRejectedEvents", list[RejectedEvent], example=[REJECTED]),
    )
    async def rejected(request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        mask = mask_of(request)
        return [mask.rejected(serialize_rejected(one)) for one in await store.rejected(100)]

    @get(
        "/counts",
        summary="How much is stored, and what became of the events since the start",
        opt=access("viewer") | described("readCounts", Counts, example=COUNTS),
    )
    async def counts(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return {"stored": dict(await store.counts()), "events": msgspec.to_builtins(ledger.totals())}

    return [run, event, runs_of, rejected, counts]


def _profile_handlers(store: Store, project: Callable[[], Project], clock: Clock) -> list[HTTPRouteHandler]:
    async def stored_profile(id: str) -> Profile:
        stored: Profile = _found(await resolve_profile(store, id), f"profile {id}")
        return stored

    @get(
        "/profiles/{id:str}",
        summary="The profile that an id leads to",
        opt=access("viewer") | described("readProfile", ProfileDocument, example=PROFILE),
    )
    async def profile(
        request: Request[Any, Any, Any], id: FromPath[str], why: Why = False, claims: Claims = False
    ) -> dict[str, Any]:
        stored, fields = await stored_profile(id), project().settings.fields
        document = mask_of(request).profile(operator_view(stored, fields, id))
        if claims:
            document["claims"] = msgspec.to_builtins(await claiming(store, stored, id))
        return document | ({"why": explain_identity(stored, fields)} if why else {})

    @get(
        "/profiles/{id:str}/export",
        summary="All that is stored of a profile, as a ZIP file",
        opt=access("admin") | described("exportProfile", ARCHIVE),
    )
    async def exported(request: Request[Any, Any, Any], id: FromPath[str]) -> Stream:
        if not principal_of(request).sees_personal:
            raise HttpProblem(403, "an export is personal data: show personal data first, or use the admin key")
        async with audited(request, "export a profile", f"profile/{id}"):
            return await _archive(store, project(), id, clock.now())

    @get(
        "/profiles/{id:str}/events",
        summary="The newest events of a profile, whichever of its ids they came under",
        opt=access("viewer") | described("listEventsOfProfile", list[StoredEvent], example=[EVENT]),
    )
    async def profile_events(request: Request[Any, Any, Any], id: FromPath[str]) -> list[dict[str, Any]]:
        mask, stored = mask_of(request), await stored_profile(id)
        return [mask.event(msgspec.to_builtins(event)) for event in await events_of(store, stored, 100)]

    @get(
        "/profiles/{id:str}/sessions",
        summary="The sessions of a profile's newest events",
        opt=access("viewer") | described("listSessionsOfProfile", list[Session], example=[SESSION]),
    )
    async def profile_sessions(request: Request[Any, Any, Any], id: FromPath[str]) -> list[dict[str, Any]]:
        events = await events_of(store, await stored_profile(id), 100)
        mask = mask_of(request)
        return [mask.session(msgspec.to_builtins(session)) for session in await sessions_of(store, events)]

    return [profile, exported, profile_events, profile_sessions]


async def _archive(store: Store, project: Project, id: str, now: int) -> Stream:
    """Return the archive of a profile. Raises `NotFoundException` and `Unavailable`."""
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
    try:
        await write_archive(file, store, project, id, now)
    except BaseException as error:
        file.close()
        raise NotFoundException(str(error)) if isinstance(error, NotFound) else error from error
    named = {"Content-Disposition": 'attachment; filename="profile.zip"'}
    return Stream(_sent(file), media_type="application/zip", headers=named)


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece


def _found(thing: Any, name: str) -> Any:
    if thing is None:
        raise NotFoundException(f"there is no {name}")
    return thing
