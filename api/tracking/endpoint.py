"""The shared request handling of all tracking endpoints: admit, track, respond."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from litestar.types import Scope, Send
from msgspec import structs

from api.problem import MEDIA_TYPE, HttpProblem, answer_of, encoded_problem
from api.request_id import HEADER, id_header
from api.response_headers import NO_SNIFF
from api.tracking.body import ClientGone, bearer, hops, origin, wanted_headers
from api.tracking.cors import Headers, answer_headers, preflight_headers
from engine.ports.store import Unavailable
from engine.project.source import Source
from engine.tracking.intake.admission import admit, credential_matches
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.pipeline.tracker import PayloadTracker

log = structlog.get_logger("headrace.track")

_encoder = msgspec.json.Encoder()
_JSON = (b"content-type", b"application/json")

Read = Callable[[dict[bytes, bytes]], Awaitable[Intake]]


async def handle(tracker: PayloadTracker, scope: Scope, send: Send, methods: tuple[str, ...], read: Read) -> None:
    """Answer a preflight, or track the intake that `read` makes of a request. A client that has gone gets nothing."""
    pipeline = tracker.pipeline
    source: Source | None = None
    page: str | None = None
    extra: Headers = []
    headers: dict[bytes, bytes] = {}
    try:
        headers = wanted_headers(scope["headers"])
        page, key = origin(headers), bearer(headers)
        method = scope["method"]  # type: ignore[typeddict-item]  # an HTTP scope
        if method == "OPTIONS":
            await respond(send, 204, b"", preflight_headers(pipeline.project.sources.values(), page))
            return
        if method not in methods:
            raise HttpProblem(405, f"send a {' or a '.join(methods)}", {"Allow": ", ".join([*methods, "OPTIONS"])})
        intake = await read(headers)
        if b"headrace-hops" in headers:
            intake = structs.replace(intake, hops=hops(headers))
        source = admit(pipeline.project.sources, intake.source, key, page)
        answered = await tracker.track(credential_matches(intake, source, pipeline.clock.now()), source)
        status, body = 200, _encoder.encode(answered.body)
        if answered.debugger_refused:
            extra = [(b"headrace-debugger", b"refused")]
    except ClientGone:
        return
    except asyncio.CancelledError:  # the server stops and has waited long enough; no caller awaits this task
        status, body, more = answer_of(Unavailable("the server is stopping: send this again", retry_after=1))
        extra = [(name.lower().encode(), value.encode()) for name, value in more.items()]
    except (Refusal, Unavailable, HttpProblem) as error:
        if isinstance(error, Unavailable):
            pipeline.report(error)
        status, body, more = answer_of(error)
        extra = [(name.lower().encode(), value.encode()) for name, value in more.items()]
    except Exception:  # the outermost edge: a bug of ours is logged and reported as one
        log.exception("a tracking request failed")
        status, body = 500, encoded_problem(500, "the request was not processed; the log of the server says why")
    if status >= 400 or HEADER in headers:
        extra = [*extra, id_header(scope)]
    pipeline.ledger.meter.answers[status // 100] += 1
    await respond(send, status, body, [*extra, *answer_headers(source, page)])


async def respond(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send a whole response."""
    if body:
        kind = _JSON if status < 400 else (b"content-type", MEDIA_TYPE.encode())
        headers = [kind, (b"content-length", str(len(body)).encode()), NO_SNIFF, *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
