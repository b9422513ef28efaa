"""`POST` and `GET /collect/TYPE/SOURCE[/SESSION]`: one event, whose properties are the body or the query."""

from typing import Any
from urllib.parse import parse_qs, unquote

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from api.problem import HttpProblem
from api.tracking.body import check_media_type, read_body
from api.tracking.endpoint import handle
from engine.tracking.intake.collect import collect_intake, read_properties
from engine.tracking.intake.mending import MalformedEvent
from engine.tracking.intake.payload import Intake
from engine.tracking.pipeline.tracker import PayloadTracker

MAX_FIELDS = 500  # of a query


def collect_handler(tracker: PayloadTracker) -> ASGIRouteHandler:
    """Return the handler of `/collect/…`. It is mounted, and splits the path itself."""

    @asgi("/collect", is_mount=True, copy_scope=True)
    async def collect(scope: Scope, receive: Receive, send: Send) -> None:
        async def read(headers: dict[bytes, bytes]) -> Intake:
            type, source, session = path_parts(scope)
            properties: dict[str, Any] | MalformedEvent
            if scope["method"] == "GET":  # type: ignore[typeddict-item]  # an HTTP scope
                properties = query_properties(scope["query_string"])
            else:
                check_media_type(headers)
                properties = read_properties(await read_body(receive, headers))
            return collect_intake(type, source, session, properties)

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


def query_properties(query: bytes) -> dict[str, Any]:
    """Return properties from a query string: text, or a list of texts for a name that occurs several times."""
    try:
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HttpProblem(400, f"a query has at most {MAX_FIELDS} fields") from None
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()}
