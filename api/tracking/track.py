"""`POST /track`: the hot path, a raw ASGI handler (an ordinary one costs several times as much)."""

from urllib.parse import parse_qs

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from api.access.option import access
from api.description.operation import operations
from api.problem import HttpProblem
from api.tracking.body import check_media_type, read_body
from api.tracking.endpoint import handle
from api.tracking.operations.own import TRACK
from engine.tracking.intake.payload import Intake, read_track, track_steps
from engine.tracking.pipeline.tracker import PayloadTracker

LARGE = 32_768  # bytes of a body whose decoding may take longer than a time slice
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def track_handler(tracker: PayloadTracker) -> ASGIRouteHandler:
    """Return the handler of `/track` as a route of Litestar."""
    return asgi("/track", copy_scope=False, opt=access("public") | operations(TRACK))(track_app(tracker))


def track_app(tracker: PayloadTracker) -> ASGIApp:
    """Return the handler of `/track` as an ASGI application of its own."""

    async def track(scope: Scope, receive: Receive, send: Send) -> None:
        async def read(headers: dict[bytes, bytes]) -> Intake:
            check_media_type(headers)
            profile_less = read_flag(scope["query_string"], "profile_less")
            body = await read_body(receive, headers)
            if len(body) <= LARGE:
                return read_track(body, profile_less=profile_less)
            return await tracker.pipeline.slices.run(track_steps(body, profile_less=profile_less))

        await handle(tracker, scope, send, ("POST",), read)

    return track


def read_flag(query: bytes, name: str) -> bool:
    """Return a query parameter that is true or false; false when it is missing."""
    if not query:
        return False
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get(name, ["false"])[-1].lower()
    if given not in BOOLEANS:
        raise HttpProblem(400, f"`{name}` is true or false")
    return BOOLEANS[given]
