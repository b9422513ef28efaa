"""Foreign protocols over HTTP: the clients of other systems send here, and get the answers that they expect.

A protocol is one module beside this one, which is found by itself (`api.tracking.discovery`). Its `ENDPOINTS` say at
which addresses which translator reads a request, and how the request is answered. What they share is here: preflights,
bodies, credentials, processing, and errors. An endpoint answers with success as soon as every event is stored, or is
recorded as rejected; only the request as a whole is refused.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from api.description.operation import Operation
from api.problem import HttpProblem
from api.tracking.body import WANTED, ClientGone, hops, origin, read_body, wanted_headers
from api.tracking.cors import Headers, answer_headers, preflight_headers
from api.tracking.exchange import (
    STOPPING,
    Exchange,
    Reply,
    check_method,
    client_of,
    path_of,
    problem_reply,
    query_of,
    send_reply,
    target_of,
)
from api.tracking.keys import keys_of
from api.tracking.refused_requests import RefusedRequests
from engine.ports.store import Unavailable
from engine.project.project import Project
from engine.project.source import Accepted, Source
from engine.tracking.foreign.senders import grouping_steps
from engine.tracking.foreign.translation import ForeignRequest, Steps, Translation
from engine.tracking.intake.credentials import Credentials
from engine.tracking.intake.payload import MAX_BODY, Refusal
from engine.tracking.pipeline.foreign_processing import ForeignProcessing, Processed
from engine.tracking.pipeline.tracker import PayloadTracker

LARGE_BODY: Final = 4 * MAX_BODY  # bytes, decompressed: of protocols whose clients send many events at once


log = structlog.get_logger("headrace.track")


class Endpoint(Struct, frozen=True, kw_only=True):
    """Addresses of a protocol that take events. `translate` does its work in steps where a request may be large.

    `refuse` makes the answer to a refused request from its status and its problem document; `Retry-After` and its like
    are added to it. `headers` are those that the translator reads, by their lower-case names: pages may send them. A
    key of a source may be in `key_headers`, in `key_parameters` of the query, in `Authorization`, and in what the
    translator finds in the body; `secret_only` asks for that of a secret source. `verify` checks the signature of a
    request, where a protocol has one. `operations` describe all addresses, for the API's description.
    """

    protocol: Accepted
    addresses: tuple[str, ...]
    translate: Callable[[ForeignRequest], Translation | Steps]
    answer: Callable[[Processed], Reply]
    refuse: Callable[[int, dict[str, Any]], Reply] = problem_reply
    methods: tuple[str, ...] = ("POST",)
    most_bytes: int = MAX_BODY
    headers: tuple[bytes, ...] = ()
    key_headers: tuple[bytes, ...] = ()
    key_parameters: tuple[str, ...] = ()
    secret_only: bool = False
    verify: Callable[[ForeignRequest, Source], bool] | None = None
    operations: tuple[Operation, ...]


class Configuration(Struct, frozen=True, kw_only=True):
    """Addresses at which clients ask for their configuration before they send anything; `KEY` may be a part of one.

    `key` finds the key of a source in a request, and `answer` makes the configuration for it. Without `key` the answer
    is the same for all, and the key is empty.
    """

    protocol: Accepted
    addresses: tuple[str, ...]
    key: Callable[[ForeignRequest], str] | None
    answer: Callable[[str, ForeignRequest], Reply]
    methods: tuple[str, ...] = ("GET",)
    most_bytes: int = MAX_BODY
    operations: tuple[Operation, ...]


class ForeignTracking:
    """Handles the requests to the endpoints of all protocols."""

    def __init__(self, tracker: PayloadTracker, processing: ForeignProcessing) -> None:
        self.pipeline = tracker.pipeline
        self.processing = processing
        self._project: Project | None = None
        self._credentials = Credentials({})
        self._refused = RefusedRequests()

    @property
    def credentials(self) -> Credentials:
        """The keys of the project's sources."""
        if self._project is not self.pipeline.project:
            self._project = self.pipeline.project
            self._credentials = Credentials(self._project.sources)
        return self._credentials

    async def handle(self, endpoint: Endpoint | Configuration, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A client that has gone gets nothing."""
        asked: Headers = list(scope["headers"])
        page = next((value.decode("latin-1") for name, value in asked if name == b"origin"), None)
        try:
            if scope["method"] == "OPTIONS":  # type: ignore[typeddict-item]  # an HTTP scope
                sources = self.pipeline.project.sources.values()
                await send_reply(send, Reply(b"", 204), preflight_headers(sources, page, _allowed(endpoint)))
                return
            exchange = Exchange()
            reply = await self._answer(exchange, endpoint, scope, receive)
        except ClientGone:
            return
        self.pipeline.ledger.meter.answers[reply.status // 100] += 1
        await send_reply(send, reply, [*exchange.headers, *answer_headers(exchange.source, page)])

    async def _answer(
        self, exchange: Exchange, endpoint: Endpoint | Configuration, scope: Scope, receive: Receive
    ) -> Reply:
        """Return the answer to a request."""
        try:
            request = await _read(endpoint, scope, receive)
            if isinstance(endpoint, Configuration):
                return self._configured(exchange, endpoint, request)
            return await self._tracked(exchange, endpoint, request)
        except asyncio.CancelledError:  # the server stops and has waited long enough; no caller awaits this task
            document = exchange.failed(STOPPING)
        except (Refusal, Unavailable, HttpProblem) as error:
            document = exchange.failed(error)
            self._report(error, endpoint, document)
        except Exception as bug:  # the outermost edge: a bug of ours is logged and reported as one
            log.exception("a tracking request failed")
            document = exchange.failed(bug)
        refuse = endpoint.refuse if isinstance(endpoint, Endpoint) else problem_reply
        return refuse(document["status"], document)

    def _configured(self, exchange: Exchange, endpoint: Configuration, request: ForeignRequest) -> Reply:
        """Return a configuration. Raises `Refusal` and `HttpProblem`."""
        if endpoint.key is None:
            return endpoint.answer("", request)
        key = endpoint.key(request)
        exchange.source = self.credentials.source_of([key], endpoint.protocol, origin(request.headers))
        exchange.headers = [(b"cache-control", b"private, max-age=60")]
        return endpoint.answer(key, request)

    async def _tracked(self, exchange: Exchange, endpoint: Endpoint, request: ForeignRequest) -> Reply:
        """Return the answer to a request once its events are taken. Raises `Refusal`, `Unavailable`, `HttpProblem`."""
        keys = list(keys_of(request, endpoint.key_headers, endpoint.key_parameters))
        if any(keys) or endpoint.verify is not None:  # first: decoding takes longer than looking up a key
            exchange.source = self._source(endpoint, request, keys)
        if endpoint.verify is not None and (exchange.source is None or not endpoint.verify(request, exchange.source)):
            remedy = "make it from the body, byte by byte as it is sent, and the `product_secret` of the source"
            raise Refusal("unauthorised", f"the signature of the request is missing or wrong: {remedy}")
        translation = endpoint.translate(request)
        if not isinstance(translation, Translation):
            translation = await self.pipeline.slices.run(translation)
        source = exchange.source = self._source(endpoint, request, [*keys, *translation.keys])
        return endpoint.answer(await self._processed(endpoint, request, translation, source))

    def _report(
        self, error: Refusal | Unavailable | HttpProblem, endpoint: Endpoint | Configuration, document: dict[str, Any]
    ) -> None:
        """Log why a request was not taken; its client may say nothing."""
        if isinstance(error, Unavailable):
            self.pipeline.report(error)
        self._refused.failed(endpoint.protocol, error, document)

    def _source(self, endpoint: Endpoint, request: ForeignRequest, keys: list[str]) -> Source:
        """Return the source that the keys of a request name. Raises `Refusal`."""
        source = self.credentials.source_of(keys, endpoint.protocol, origin(request.headers))
        if endpoint.secret_only and source.kind != "secret":
            raise Refusal("unauthorised", "only the key of a secret source is taken here")
        return source

    async def _processed(
        self, endpoint: Endpoint, request: ForeignRequest, translation: Translation, source: Source
    ) -> Processed:
        """Process the events of a request. Raises `Unavailable`."""
        rules = self.pipeline.project.settings.keys
        steps = grouping_steps(translation, source, endpoint.protocol, rules)
        groups = await self.pipeline.slices.run(steps)
        return await self.processing.process(groups, source, hops(request.headers))


async def _read(endpoint: Endpoint | Configuration, scope: Scope, receive: Receive) -> ForeignRequest:
    """Return a request with its body. Raises `HttpProblem` and `ClientGone`."""
    method = check_method(scope, endpoint.methods, more=("OPTIONS",))
    headers = wanted_headers(scope["headers"], WANTED | frozenset(_headers_of(endpoint)))
    query = query_of(scope)
    return ForeignRequest(
        path=path_of(scope),
        body=await read_body(receive, headers, endpoint.most_bytes),
        query=query,
        headers=headers,
        address=client_of(scope),
        method=method,
        target=target_of(scope),
    )


def _headers_of(endpoint: Endpoint | Configuration) -> tuple[bytes, ...]:
    return (*endpoint.headers, *endpoint.key_headers) if isinstance(endpoint, Endpoint) else ()


def _allowed(endpoint: Endpoint | Configuration) -> list[bytes]:
    """Return the names of the headers that pages may send to an endpoint beside the usual ones."""
    return [name.title() for name in (*_headers_of(endpoint), b"x-requested-with")]
