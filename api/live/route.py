"""`GET /live`: events and runs as they are stored, as server-sent events; a client that comes again misses nothing."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from litestar import asgi
from litestar.connection import ASGIConnection
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from msgspec import UNSET, Struct, UnsetType

from api.access.directory import mask_of
from api.access.guard import AccessGuard
from api.access.guessing import require_no_guessing
from api.access.mask import Mask
from api.access.option import access
from api.access.principal import principal_of
from api.description.operation import Answer, Content, Operation, Parameter, operations
from api.live.queries import queries_of
from api.live.stream import MAX_STREAMS, Stream, Streams
from api.problem import HttpProblem
from api.serialize import serialize_record
from engine.ports.following import FOLLOWED, BadPlace, Follower, Row, following
from engine.profile.declared import Fields
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.pipeline import Pipeline

Show = Callable[[Row], str]
Connection = ASGIConnection[Any, Any, Any, Any]


class StreamedMessage(Struct, frozen=True):
    """A message of the stream: a row has its record as JSON in `data`; `id` is the place behind it."""

    event: str | UnsetType = UNSET
    data: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    retry: int | UnsetType = UNSET


LIVE: Final = Operation(
    method="GET",
    path="/live",
    id="followLive",
    tag="reading",
    summary="Events and runs as they are stored",
    parameters=(
        Parameter("q", "query", "The query, see docs/search.md; a kind that lacks a field of it finds nothing"),
        Parameter("kinds", "query", "What to follow, separated by commas", default=",".join(FOLLOWED)),
        Parameter("after", "query", "The place from which to read on; without it, what is stored from now on"),
        Parameter("most", "query", "How many rows are sent in a second at most; without it, all", type=int),
        Parameter("Last-Event-ID", "header", "The place of the last message; it wins over `after`"),
    ),
    answers={200: Answer("Server-sent events: see docs/live.md", {"text/event-stream": Content(StreamedMessage)})},
    problems=(400, 401, 403, 429, 503),
    security=("adminKey",),
)


class Live:
    """Makes the streams of one application. `guard` is asked again and again whether a sender may still read."""

    def __init__(self, pipeline: Pipeline, guard: AccessGuard, streams: Streams) -> None:
        self.pipeline = pipeline
        self.streams = streams
        self._guard = guard

    async def answer(self, scope: Scope, receive: Receive, send: Send, show: Show, most: int | None = None) -> None:
        """Answer a request with a stream of what its query finds, each row as `show` writes it.

        The route's guard has admitted the request. Raises `Refusal`, `HttpProblem` and `Unavailable`.
        """
        if self.streams.open >= MAX_STREAMS:
            raise HttpProblem(503, f"a process has at most {MAX_STREAMS} streams: close one", {"Retry-After": "5"})
        connection: Connection = ASGIConnection(scope)
        shows = principal_of(connection).sees_personal

        async def allowed() -> bool:
            try:
                await self._guard(connection, connection.route_handler)
            except HttpProblem:
                return False
            return principal_of(connection).sees_personal or not shows

        follower = await self._follower(connection)
        pipeline = self.pipeline
        await Stream(follower, show, allowed, pipeline.clock, pipeline.report, most).run(self.streams, receive, send)

    async def _follower(self, connection: Connection) -> Follower:
        pipeline, query = self.pipeline, query_of(connection.scope)
        last = connection.headers.get("last-event-id")
        kinds = [kind for kind in query.get("kinds", ",".join(FOLLOWED)).split(",") if kind]
        declared = pipeline.project.settings.fields
        queries = queries_of(query.get("q", ""), kinds, pipeline.clock.now(), declared)
        for each in queries.values():
            require_no_guessing(each, mask_of(connection))
        try:
            return await following(pipeline.store, queries, pipeline.clock, last or query.get("after") or None)
        except BadPlace as bad:
            raise Refusal("malformed", str(bad)) from bad


def query_of(scope: Scope) -> dict[str, str]:
    """Return the fields of a request's query, of each the last value. Raises `Refusal`."""
    try:
        found = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Refusal("malformed", "the query has too many fields") from error
    return {name: values[-1] for name, values in found.items()}


def row_json(fields: Fields, mask: Mask) -> Show:
    """Return how a row is shown to programs: its kind, its id and the record, as `/search` has it."""

    def show(row: Row) -> str:
        record = mask.view(row.kind, serialize_record(row.record, fields))
        document = {"kind": row.kind, "id": row.id, "record": record}
        return msgspec.json.encode(document).decode()

    return show


def live_handler(live: Live) -> ASGIRouteHandler:
    """Return the handler of `/live`."""

    @asgi("/live", copy_scope=False, opt=access("viewer") | operations(LIVE))
    async def follow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":  # type: ignore[typeddict-item]  # an HTTP scope
            raise HttpProblem(405, "send a GET", {"Allow": "GET"})
        most = query_of(scope).get("most", "")
        if most and not (most.isdigit() and 1 <= int(most) <= 1_000):
            raise Refusal("malformed", "`most` is a whole number from 1 to 1000")
        show = row_json(live.pipeline.project.settings.fields, mask_of(ASGIConnection(scope)))
        await live.answer(scope, receive, send, show, int(most) if most else None)

    return follow
