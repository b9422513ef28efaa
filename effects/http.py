"""The outgoing HTTP client: sends look-ups to configured targets.

Every failure of a call becomes a reply; only a cancellation is raised. It sends every call at once: how many are under
way at a time is limited elsewhere, by target (`limited_lookups`).
"""

import asyncio
import os
from collections.abc import Mapping
from ssl import CertificateError
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSSLError,
    InvalidURL,
)
from aiohttp.http_exceptions import HttpProcessingError
from msgspec.structs import replace

from effects.address import ForbiddenAddress
from effects.clock import SystemClock
from effects.connections import Connections
from effects.http_request import (
    HttpRequest,
    PreparedTarget,
    RequestRefused,
    build_request,
    prepare_target,
    redirect_request,
)
from effects.response import RETRIABLE_STATUSES, decode_text, parse_value, read_body, retry_after_ms, says_json
from engine.flow.ask import HttpReply, NoAnswer
from engine.ports.world import Clock, OutsideCall
from engine.project.source import Target


class HttpPerformer:
    """A `Performer` that sends each `HttpAsk` to the target that the ask names."""

    def __init__(self, targets: Mapping[str, Target], clock: Clock | None = None) -> None:
        self._targets = {name: _prepare(target) for name, target in targets.items()}
        self._clock: Clock = clock or SystemClock()
        self._connections = Connections()

    async def start(self) -> None:
        """Open the pools. Without it, the first `perform` opens them."""
        for private in (False, True):
            self._connections.session(private=private)

    async def close(self) -> None:
        """Close all connections; later calls get no answer. May be called twice."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def perform(self, call: OutsideCall) -> HttpReply | NoAnswer:
        """Return the reply within the ask's timeout, which covers name resolution, redirects and reading the body."""
        ask = call.ask
        target = self._targets.get(ask.target)
        if not isinstance(target, PreparedTarget):
            return _refused(target or RequestRefused(f"there is no target {ask.target}"))
        if self._connections.closed:
            return NoAnswer("connection", "the client is closed", retriable=False)
        started = self._clock.ticks()
        try:
            first = build_request(target, ask, call.hops)
        except RequestRefused as refused:
            return _refused(refused)
        try:
            async with asyncio.timeout(ask.timeout_ms / 1000):
                reply = await self._follow(target, first)
        except TimeoutError:
            reply = NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms")
        except (RequestRefused, ForbiddenAddress) as refused:
            reply = _refused(refused)
        except (ClientError, HttpProcessingError, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: uvloop raises it for a broken connection, aiohttp for a pool that was closed meanwhile
            reply = failed_call(error)
        return _redacted(reply, target, first, round((self._clock.ticks() - started) * 1000))

    async def _follow(self, target: PreparedTarget, first: HttpRequest) -> HttpReply | NoAnswer:
        """Return the reply to the request or its last redirect. Raises `RequestRefused` after too many redirects."""
        request = first
        for left in range(target.redirects, -1, -1):
            async with self._connections.session(private=request.private).request(
                request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                location = response.headers.get("Location")
                redirect = redirect_request(target, request, response.status, location) if target.redirects else None
                if redirect is None:
                    return await _reply(target, response, self._clock.now())
            if left:
                request = redirect
        raise RequestRefused(f"the target redirects more than {target.redirects} times")


def _prepare(target: Target) -> PreparedTarget | RequestRefused:
    """Return the prepared target, or why it cannot be called: other targets can be called all the same."""
    try:
        return prepare_target(target)
    except RequestRefused as refused:
        return refused


async def _reply(target: PreparedTarget, response: ClientResponse, now: int) -> HttpReply | NoAnswer:
    if response.status in RETRIABLE_STATUSES:
        pause = retry_after_ms(response.headers.get("Retry-After"), now)
        reason = f"the target answered {response.status}"
        return NoAnswer("status", reason, status=response.status, retry_after_ms=pause)
    body = await read_body(response, target.max_bytes)
    text = target.redaction.body(decode_text(body, response.charset))
    value = parse_value(text, response.content_type)
    if value is text and text and says_json(response.content_type) and response.ok:
        reason = f"the target answered {response.status} with a body that is not the JSON that it is said to be"
        return NoAnswer("broken", reason, status=response.status)
    return HttpReply(response.status, value, url=str(response.url))


def _refused(reason: RequestRefused | ForbiddenAddress) -> NoAnswer:
    return NoAnswer("refused", str(reason), retriable=False)


def failed_call(error: Exception) -> NoAnswer:
    """Return the reply for a failed request. It never quotes the library's message, which may contain secrets."""
    if isinstance(error, InvalidURL):
        return NoAnswer("refused", "the address cannot be understood", retriable=False)
    if isinstance(error, ClientSSLError | CertificateError):
        return NoAnswer("connection", "no secure connection: the certificate or the handshake failed", retriable=False)
    if isinstance(error, ClientConnectorDNSError):
        return NoAnswer("connection", "the host's name cannot be resolved")
    if isinstance(error, ClientConnectorError):
        cause = os.strerror(error.errno) if error.errno else "the host cannot be reached"
        return NoAnswer("connection", f"no connection: {cause}")
    return NoAnswer("connection", "the connection broke off, or the answer is not valid HTTP")


def _redacted(
    reply: HttpReply | NoAnswer, target: PreparedTarget, first: HttpRequest, took_ms: int
) -> HttpReply | NoAnswer:
    """Return the reply with its URL and duration, secrets hidden."""
    url = target.redaction.text(reply.url or str(first.url))
    if isinstance(reply, HttpReply):
        return replace(reply, url=url, took_ms=took_ms)
    return replace(reply, url=url, took_ms=took_ms, reason=target.redaction.text(reply.reason))
