"""`POST` and `GET /collect/TYPE/SOURCE[/SESSION]`: events whose properties are the body, or one with the query."""

from urllib.parse import unquote

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from api.access.option import access
from api.description.operation import operations
from api.problem import HttpProblem
from api.tracking.body import check_media_type, read_body, wanted_headers
from api.tracking.endpoint import handle
from api.tracking.operations.own import COLLECT
from engine.project.project import Project
from engine.tracking.intake.collect import Body, body_steps, collect_intake
from engine.tracking.intake.delivery_id import DeliveryIds
from engine.tracking.intake.form import MULTIPART, BadForm, url_encoded_fields
from engine.tracking.intake.payload import Intake
from engine.tracking.pipeline.tracker import PayloadTracker


def collect_handler(tracker: PayloadTracker) -> ASGIRouteHandler:
    """Return the handler of `/collect/…`. It is mounted, and splits the path itself."""

    @asgi("/collect", is_mount=True, copy_scope=True, opt=access("public") | operations(*COLLECT))
    async def collect(scope: Scope, receive: Receive, send: Send) -> None:
        async def read(headers: dict[bytes, bytes]) -> Intake:
            type, source, session = path_parts(scope)
            if scope["method"] == "GET":  # type: ignore[typeddict-item]  # an HTTP scope
                body = Body((query_properties(scope["query_string"]),))
            else:
                check_media_type(headers, MULTIPART.encode())
                content_type = headers.get(b"content-type", b"").decode("latin-1")
                body = await tracker.pipeline.slices.run(body_steps(content_type, await read_body(receive, headers)))
            ids = delivery_ids(tracker.pipeline.project, source, scope)
            return collect_intake(type, source, session, body, ids)

        await handle(tracker, scope, send, ("POST", "GET"), read)

    return collect


def path_parts(scope: Scope) -> tuple[str, str, str | None]:
    """Return type, source and session of the path, percent-decoded part by part."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1").partition("?")[0]
    parts = [unquote(part) for part in path.removeprefix("/collect/").strip("/").split("/")]
    if not path.startswith("/collect/") or len(parts) not in {2, 3} or not all(parts):
        raise HttpProblem(404, "write /collect/EVENT-TYPE/SOURCE-ID or /collect/EVENT-TYPE/SOURCE-ID/SESSION-ID")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def query_properties(query: bytes) -> dict[str, object]:
    """Return properties from a query string: text, or a list of texts for a name that occurs several times."""
    try:
        return url_encoded_fields(query.decode("latin-1"))
    except BadForm as bad:
        raise HttpProblem(400, bad.reason) from None


def delivery_ids(project: Project, source: str, scope: Scope) -> DeliveryIds | None:
    """Return what finds the ids of a request's events; None where the source's file says nothing about them."""
    found = project.sources.get(source)
    if found is None or found.event_id is None:
        return None
    place, header = found.event_id, None
    if place.header is not None:
        name = place.header.lower().encode("latin-1")
        value = wanted_headers(scope["headers"], frozenset({name})).get(name)
        header = None if value is None else value.decode("latin-1").strip()
    return DeliveryIds(place, header, project.settings.keys.never)
