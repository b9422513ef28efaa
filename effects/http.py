"""The outgoing HTTP client: performs look-ups against configured targets, and is careful with them.

Whatever the world does becomes a reply; only a cancellation passes through. Two pools of connections are kept, because
a pooled connection is used again without a new check of its address: one for public addresses, one for private targets.
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
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)
from aiohttp.http_exceptions import HttpProcessingError
from msgspec.structs import replace

from effects.address import CheckedResolver, Forbidden, checked_socket
from effects.answer import BUSY, read, text_of, value_of
from effects.clock import SystemClock
from effects.http_request import HttpRequest, Refused, TargetSite, build_request, redirected, site
from engine.flow.ask import HttpReply, NoAnswer
from engine.ports.world import Clock, OutsideCall
from engine.project.source import Target

MAX_CONNECTIONS = 32  # to one host, so that a slow target holds up nobody else
_NO_TIMEOUT = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)  # the ask's covers all


class HttpPerformer:
    """A `Performer` that sends each `HttpAsk` to the target that the ask names."""

    def __init__(self, targets: Mapping[str, Target], clock: Clock | None = None) -> None:
        self._sites = {name: _site(target) for name, target in targets.items()}
        self._clock: Clock = clock or SystemClock()
        self._public: ClientSession | None = None
        self._private: ClientSession | None = None
        self._closed = False

    async def start(self) -> None:
        """Open the pools. The first `perform` does it if nobody did."""
        self._session(private=False)
        self._session(private=True)

    async def close(self) -> None:
        """Close all connections; asks that come later get no answer. May be called twice."""
        self._closed = True
        for session in (self._public, self._private):
            if session is not None:
                await session.close()

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
        place = self._sites.get(ask.target)
        if not isinstance(place, TargetSite):
            return _refused(place or Refused(f"there is no target {ask.target}"))
        if self._closed:
            return NoAnswer("connection", "the client is closed", retriable=False)
        begun = self._clock.ticks()
        try:
            first = build_request(place, ask)
        except Refused as refused:
            return _refused(refused)
        try:
            async with asyncio.timeout(ask.timeout_ms / 1000):
                reply = await self._follow(place, first)
        except TimeoutError:
            reply = NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms")
        except (Refused, Forbidden) as refused:
            reply = _refused(refused)
        except (ClientError, HttpProcessingError, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: what uvloop calls a broken line, and aiohttp a pool that was closed meanwhile
            reply = _broken(error)
        return _shown(reply, place, first, round((self._clock.ticks() - begun) * 1000))

    async def _follow(self, place: TargetSite, first: HttpRequest) -> HttpReply | NoAnswer:
        """The answer to the call, or to the last of as many redirects as the target allows."""
        hop = first
        for left in range(place.redirects, -1, -1):
            async with self._session(private=hop.private).request(
                hop.method, hop.url, headers=hop.headers, data=hop.body, allow_redirects=False
            ) as response:
                location = response.headers.get("Location")
                onward = redirected(place, hop, response.status, location) if place.redirects else None
                if onward is None:
                    return await _reply(place, response)
            if left:
                hop = onward
        raise Refused(f"the target redirects more than {place.redirects} times")

    def _session(self, *, private: bool) -> ClientSession:
        if private:
            self._private = self._private or _pool(TCPConnector(limit=0, limit_per_host=MAX_CONNECTIONS))
            return self._private
        if self._public is None:
            connector = TCPConnector(
                limit=0,
                limit_per_host=MAX_CONNECTIONS,
                resolver=CheckedResolver(),
                socket_factory=checked_socket,
            )
            self._public = _pool(connector)
        return self._public


def _pool(connector: TCPConnector) -> ClientSession:
    """A session that takes nothing from the environment and remembers nothing between calls."""
    return ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=_NO_TIMEOUT, trust_env=False)


def _site(target: Target) -> TargetSite | Refused:
    """The target made ready, or why it cannot be called: one bad target stops no other."""
    try:
        return site(target)
    except Refused as refused:
        return refused


async def _reply(place: TargetSite, response: ClientResponse) -> HttpReply | NoAnswer:
    if response.status in BUSY:
        return NoAnswer("status", f"the target answered {response.status}", status=response.status)
    body = await read(response, place.max_bytes)
    text = place.redaction.body(text_of(body, response.charset))
    return HttpReply(response.status, value_of(text, response.content_type), url=str(response.url))


def _refused(reason: Refused | Forbidden) -> NoAnswer:
    return NoAnswer("refused", str(reason), retriable=False)


def _broken(error: Exception) -> NoAnswer:
    """What a failed exchange is called; in our own words, for the libraries' words quote what was sent."""
    if isinstance(error, InvalidURL):
        return NoAnswer("refused", "the address cannot be understood", retriable=False)
    if isinstance(error, ClientSSLError | CertificateError):
        return NoAnswer("connection", "no secure connection: the certificate or the handshake failed", retriable=False)
    if isinstance(error, ClientConnectorDNSError):
        return NoAnswer("connection", "the host's name cannot be resolved")
    if isinstance(error, ClientConnectorError):
        cause = os.strerror(error.errno) if error.errno else "the host cannot be reached"
        return NoAnswer("connection", f"no connection: {cause}")
    return NoAnswer("connection", "the connection broke off, or what came over it is not proper HTTP")


def _shown(reply: HttpReply | NoAnswer, place: TargetSite, first: HttpRequest, took_ms: int) -> HttpReply | NoAnswer:
    """The reply with its address and time, secrets hidden."""
    url = place.redaction.text(reply.url or str(first.url))
    if isinstance(reply, HttpReply):
        return replace(reply, url=url, took_ms=took_ms)
    return replace(reply, url=url, took_ms=took_ms, reason=place.redaction.text(reply.reason))
