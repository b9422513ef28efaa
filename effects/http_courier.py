"""Deliveries over HTTP: each attempt is one request under the delivery's id as its `Idempotency-Key`.

Addresses are guarded as those of look-ups are. A redirect is followed only where the target says so, to its own host,
and if the same request would be sent there: one that turns it into a GET would lose the body. The status decides; of an
answer that is no success a little is kept as the reason, and nothing else is read. So an answer that is huge or drips
delays nothing.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import ClientError, ClientResponse
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct, structs

from effects.address import ForbiddenAddress
from effects.clock import SystemClock
from effects.connections import Connections
from effects.http import failed_call
from effects.http_request import (
    HttpRequest,
    PreparedTarget,
    RequestRefused,
    build_request,
    prepare_target,
    redirect_request,
)
from effects.response import retry_after_ms
from effects.webhook import webhook_body, webhook_headers
from engine.flow.ask import HttpAsk
from engine.flow.message import HttpMessage, WebhookMessage
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.world import Clock
from engine.project.signing_key import BadSigningKey, signing_keys
from engine.project.source import Target
from engine.project.target_limits import timeout_ms
from engine.sending.answers import http_verdict, impossible, no_answer

KEY_HEADER: Final = "idempotency-key"
REASON_BYTES: Final = 2_000  # of an answer that is no success
REASON_SECONDS: Final = 1.0
REASON_CHARACTERS: Final = 200


class _Place(Struct, frozen=True):
    """A target, prepared; `keys` sign its webhooks."""

    prepared: PreparedTarget
    keys: tuple[bytes, ...]
    timeout: float  # seconds


class HttpCourier:
    """Sends `HttpMessage` and `WebhookMessage` to the targets of one project. `close` it at the end."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._connections = Connections()
        self._places: dict[tuple[str, str], _Place] = {}

    async def close(self) -> None:
        """Close all connections. May be called twice."""
        await self._connections.close()

    async def send(self, delivery: StoredDelivery, target: Target) -> DeliveryResult:
        """Make one attempt, within the target's timeout. See `Courier`."""
        started = self._clock.ticks()
        try:
            place = self._place(delivery, target)
        except (RequestRefused, BadSigningKey) as unusable:
            return no_answer(str(unusable), health="refuses")  # until an operator corrects the target
        try:
            request = _request(place, delivery, self._clock.now())
        except RequestRefused as refused:
            return impossible(str(refused))
        try:
            async with asyncio.timeout(place.timeout):
                result = await self._follow(place.prepared, request)
        except TimeoutError:
            result = no_answer(f"no answer within {place.timeout:g} s")
        except (RequestRefused, ForbiddenAddress) as refused:
            result = no_answer(str(refused))
        except (ClientError, HttpProcessingError, OSError, ValueError, RuntimeError) as error:
            result = no_answer(failed_call(error).reason)
        took = round((self._clock.ticks() - started) * 1000)
        return structs.replace(result, reason=place.prepared.redaction.text(result.reason), took_ms=took)

    def _place(self, delivery: StoredDelivery, target: Target) -> _Place:
        """Return the prepared target. Raises `RequestRefused` and `BadSigningKey`."""
        name = delivery.target, delivery.mode
        if name not in self._places:
            self._places[name] = _Place(prepare_target(target), signing_keys(target.secret), timeout_ms(target) / 1000)
        return self._places[name]

    async def _follow(self, target: PreparedTarget, first: HttpRequest) -> DeliveryResult:
        """Return the result of the request or of its last redirect. Raises `RequestRefused`."""
        request = first
        for _ in range(target.redirects + 1):
            async with self._connections.session(private=request.private).request(
                request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                redirect = _redirect(target, request, response)
                if redirect is None:
                    return await _result(target, response, self._clock.now())
            request = redirect
        raise RequestRefused(f"the target redirects more than {target.redirects} times")


def _request(place: _Place, delivery: StoredDelivery, now: int) -> HttpRequest:
    """Return the request of an attempt. Raises `RequestRefused` for a message that can never be sent."""
    message = delivery.message
    if isinstance(message, WebhookMessage):
        request = build_request(place.prepared, _ask(delivery, "POST", message.path, {}, {}), delivery.hops)
        body = webhook_body(message)
        signed = webhook_headers(delivery.id, body, now, place.keys)
        headers = {**request.headers, "content-type": "application/json", **signed}
        return structs.replace(request, body=body, headers={**headers, KEY_HEADER: delivery.id})
    if not isinstance(message, HttpMessage):
        raise RequestRefused(f"the target {delivery.target} takes HTTP requests, and this is another message")
    ask = _ask(delivery, message.method, message.path, message.query, message.headers, message.body)
    request = build_request(place.prepared, ask, delivery.hops)
    return structs.replace(request, headers={**request.headers, KEY_HEADER: delivery.id})


def _ask(
    delivery: StoredDelivery,
    method: str,
    path: str,
    query: Mapping[str, object],
    headers: Mapping[str, str],
    body: object = None,
) -> HttpAsk:
    return HttpAsk(delivery.target, method, path, dict(query), dict(headers), body)


def _redirect(target: PreparedTarget, request: HttpRequest, response: ClientResponse) -> HttpRequest | None:
    """Return the same request to where the answer leads; None if it leads nowhere, or is not to be followed."""
    location = response.headers.get("Location")
    redirect = redirect_request(target, request, response.status, location) if target.redirects else None
    if redirect is None or structs.replace(redirect, url=request.url) != request:
        return None
    return redirect


async def _result(target: PreparedTarget, response: ClientResponse, now: int) -> DeliveryResult:
    verdict, health = http_verdict(response.status)
    if verdict == "sent":
        return DeliveryResult("sent", status=response.status)
    pause = retry_after_ms(response.headers.get("Retry-After"), now)
    said = target.redaction.body(await _said(response))
    reason = f"the target answered {response.status}" + (f": {said}" if said else "")
    return DeliveryResult(verdict, response.status, reason, pause, health=health)


async def _said(response: ClientResponse) -> str:
    """Return the beginning of an answer as one line; empty if it is compressed, no text, or slow."""
    kind = response.content_type
    if response.headers.get("Content-Encoding") or not (kind.startswith("text/") or kind.endswith("json")):
        return ""
    try:
        async with asyncio.timeout(REASON_SECONDS):
            begin = await response.content.read(REASON_BYTES)
    except (TimeoutError, ClientError, OSError):
        return ""
    words = " ".join("".join(c if c.isprintable() else " " for c in begin.decode("utf-8", "replace")).split())
    return words[:REASON_CHARACTERS]
