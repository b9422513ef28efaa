"""An exchange: a request that a handler reads by itself, and its answer. Foreign protocols and webhooks share this."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import msgspec
from litestar.types import Scope, Send
from msgspec import Struct

from api.addressing import plain_path
from api.problem import MEDIA_TYPE, HttpProblem, problem, problem_of
from api.response_headers import NO_SNIFF
from api.tracking.cors import Headers
from engine.ports.store import Unavailable
from engine.project.source import Source
from engine.tracking.intake.payload import Refusal

JSON: Final = b"application/json"
MAX_FIELDS: Final = 500  # of a query
STOPPING: Final = Unavailable("the server is stopping: send this again", retry_after=1)


class Reply(Struct, frozen=True):
    """The body of an answer, and what else of it a protocol decides."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def problem_reply(status: int, document: dict[str, Any]) -> Reply:
    """Return the answer to a refused request: its problem document."""
    return Reply(msgspec.json.encode(document), status, MEDIA_TYPE.encode())


class Exchange(Struct):
    """A request and its answer: extra headers, and the source as soon as it is known."""

    source: Source | None = None
    headers: Headers = []

    def failed(self, error: Exception) -> dict[str, Any]:
        """Take the headers of the answer to a request that was not taken. Returns its problem document.

        An error that does not say why is a bug, which its caller logs.
        """
        if isinstance(error, Refusal | Unavailable | HttpProblem):
            document, more = problem_of(error)
        else:
            document, more = problem(500, "the request was not processed; the log of the server says why"), {}
        self.headers = [(name.lower().encode(), value.encode()) for name, value in more.items()]
        return document


def check_method(scope: Scope, methods: Sequence[str], *, more: Sequence[str] = ()) -> str:
    """Return the method of a request. Raises `HttpProblem` (405) if it is none of `methods`.

    Some `more` methods are allowed, and are answered elsewhere.
    """
    method: str = scope["method"]  # type: ignore[typeddict-item]  # an HTTP scope
    if method not in methods:
        raise HttpProblem(405, f"send a {' or a '.join(methods)}", {"Allow": ", ".join([*methods, *more])})
    return method


def query_of(scope: Scope) -> dict[str, list[str]]:
    """Return the fields of a request's query. Raises `HttpProblem` (400)."""
    text = scope["query_string"].decode("latin-1")
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS) if text else {}
    except ValueError:
        raise HttpProblem(400, f"a query has at most {MAX_FIELDS} fields") from None


def path_of(scope: Scope) -> str:
    """Return the path of a request, decoded."""
    return plain_path(unquote(scope["raw_path"].decode("latin-1").partition("?")[0]))


def target_of(scope: Scope) -> str:
    """Return the path and the query of a request as they were sent."""
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def client_of(scope: Scope) -> str:
    """Return the address of a request's client, as the connection shows it; empty if it is not known."""
    client = scope.get("client")
    return client[0] if client else ""


async def send_reply(send: Send, reply: Reply, headers: Headers) -> None:
    """Send a whole answer."""
    if reply.body:
        length = (b"content-length", str(len(reply.body)).encode())
        headers = [(b"content-type", reply.media_type), length, NO_SNIFF, *headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": [*headers, *reply.headers]})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
