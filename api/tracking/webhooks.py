"""`/webhook/collect/NAME` and `/event/hook/collect/NAME`: the requests of other systems to the project's webhooks.

A request is read in this order, and nothing of it is kept before its sender is known: the webhook, the method, the
body as it was sent, the signature or the key, the body's content. Then it goes the way of all foreign requests. It is
answered `1` when an event of it is stored, or was before, and `0` when it made none.

The second address is Rakam's. There a webhook without a signature takes the key of its source, as Rakam's does.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from msgspec import structs

from api.access.option import access
from api.description.operation import operations
from api.problem import HttpProblem, problem
from api.tracking.body import ClientGone, check_encoding, hops, origin, read_sent, unpacked
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
from api.tracking.operations.webhooks import webhook_operations
from api.tracking.refused_requests import RefusedRequests
from engine.language.absent import Unusable
from engine.ports.script import ScriptBusy, ScriptFailed, Scripting, ScriptLine, ScriptsNotInstalled, ScriptTimedOut
from engine.ports.store import Unavailable
from engine.project.origin import allows
from engine.project.signature_check import SignatureCheck
from engine.project.source import Source
from engine.project.webhook import Webhook
from engine.tracking.foreign.rakam_api import KEY_HEADERS
from engine.tracking.foreign.senders import grouping_steps
from engine.tracking.foreign.signature import Verified, verified
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.foreign.webhook import Delivery, scope_of
from engine.tracking.foreign.webhook_body import UnreadableBody
from engine.tracking.intake.admission import key_fits
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.foreign_processing import ForeignProcessing, Processed
from engine.tracking.pipeline.tracker import PayloadTracker
from engine.tracking.pipeline.webhook_reading import WebhookReading

ADDRESS: Final = "/webhook/collect"
RAKAM_ADDRESS: Final = "/event/hook/collect"
ADDRESSES: Final = {ADDRESS: "Webhook", RAKAM_ADDRESS: "RakamWebhook"}  # with names for the API's description
KEY_PARAMETERS: Final = ("write_key", "master_key")  # of a query
PROTOCOL: Final = "webhook"
MAX_LINES: Final = 20  # of a call that are logged
MAX_LINE: Final = 200  # characters
UNSIGNED: Final = Verified(repeat_id=None)
NO_KEY: Final = "the request has not the key of the webhook's source"

log = structlog.get_logger("headrace.track")


class Webhooks:
    """Handles the requests to the webhooks of the project that the pipeline has."""

    def __init__(self, tracker: PayloadTracker, processing: ForeignProcessing, scripting: Scripting) -> None:
        self.pipeline = tracker.pipeline
        self.processing = processing
        self.reading = WebhookReading(self.pipeline.slices, scripting, report_lines)
        self._refused = RefusedRequests()

    async def handle(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path below `address`. A client that has gone gets nothing."""
        exchange = Exchange()
        try:
            reply = await self._answer(exchange, address, scope, receive)
        except ClientGone:
            return
        self.pipeline.ledger.meter.answers[reply.status // 100] += 1
        await send_reply(send, reply, exchange.headers)

    async def _answer(self, exchange: Exchange, address: str, scope: Scope, receive: Receive) -> Reply:
        webhook: Webhook | None = None
        try:
            webhook = self._webhook(path_of(scope), address)
            return await self._taken(webhook, address, scope, receive)
        except asyncio.CancelledError:  # the server stops and has waited long enough; no caller awaits this task
            document = exchange.failed(STOPPING)
        except (Refusal, Unavailable, HttpProblem) as error:
            document = exchange.failed(error)
            if isinstance(error, Unavailable):
                self.pipeline.report(error)
            self._refused.failed(_shown(webhook), error, document)
        except ScriptFailed as failed:
            status, detail = answer_to_failed(failed)
            exchange.headers = [(b"retry-after", b"1")] if status == 503 else []
            self._refused.refused(_shown(webhook), status, failed.reason)
            document = problem(status, detail)
        except Exception as bug:  # the outermost edge: a bug of ours is logged and reported as one
            log.exception("a request to a webhook failed")
            document = exchange.failed(bug)
        return problem_reply(document["status"], document)

    def _webhook(self, path: str, address: str) -> Webhook:
        """Return the webhook that a path names. Raises `HttpProblem` (404)."""
        name = path.removeprefix(address).strip("/")
        webhook = self.pipeline.project.webhooks.get(name)
        if webhook is None:
            raise HttpProblem(404, f"write {address}/NAME with the name of a webhook of the project")
        return webhook

    async def _taken(self, webhook: Webhook, address: str, scope: Scope, receive: Receive) -> Reply:
        """Return the answer to a request once its events are taken.

        Raises `Refusal`, `Unavailable`, `HttpProblem` and `ScriptFailed`.
        """
        check_method(scope, webhook.methods)
        source = self.pipeline.project.sources[webhook.source]
        sent = await read_request(scope, receive)
        check_source(source, origin(sent.headers))
        now = self.pipeline.clock.now()
        request, proof = structs.replace(sent, body=unpacked(sent.body, sent.headers)), UNSIGNED
        if webhook.check is not None:
            proof = verified_as_sent(webhook.check, webhook.secrets, sent, request, now)
        elif source.kind == "secret" or address == RAKAM_ADDRESS:
            check_key(source, sent)
        delivery = Delivery(
            webhook=webhook,
            request=request,
            now=now,
            settings=self.pipeline.project.settings,
            id=proof.repeat_id,
            named_by_events=proof.covers_body,
            content_ids=source.deduplicate == "content",
        )
        processed = await self._processed(delivery, source)
        return reply_to(delivery, processed)

    async def _processed(self, delivery: Delivery, source: Source) -> Processed:
        """Process the events of a delivery. Raises `Refusal`, `ScriptFailed` and `Unavailable`."""
        translation = await self.reading.read(delivery)
        rules = self.pipeline.project.settings.keys
        groups = await self.pipeline.slices.run(grouping_steps(translation, source, PROTOCOL, rules))
        return await self.processing.process(groups, source, hops(delivery.request.headers))


def webhook_handlers(webhooks: Webhooks) -> list[ASGIRouteHandler]:
    """Return the handlers of both addresses. They are mounted: the name of the webhook follows."""
    return [
        asgi(
            address,
            is_mount=True,
            copy_scope=True,
            opt=access("public") | operations(*webhook_operations(address, name)),
        )(partial(webhooks.handle, address))
        for address, name in ADDRESSES.items()
    ]


def answer_to_failed(failed: ScriptFailed) -> tuple[int, str]:
    """Return the status and the words, which are Rakam's, for a script that failed; the log has the reason."""
    match failed:
        case ScriptsNotInstalled():
            return 501, failed.reason
        case ScriptBusy():
            return 503, "the script of this webhook has too many requests: send this again later"
        case ScriptTimedOut():
            return 500, "Webhook code timed-out"
    return 500, "Error executing callback code"


def report_lines(webhook: str, lines: Sequence[ScriptLine]) -> None:
    """Write the last lines that a script has logged to the server's log."""
    for line in lines[-MAX_LINES:]:
        log.info("a script's line", webhook=webhook, level_of_line=line.level, text=line.text[:MAX_LINE])


async def read_request(scope: Scope, receive: Receive) -> ForeignRequest:
    """Return a request with all of its headers, and its body as it was sent. Raises `HttpProblem` and `ClientGone`."""
    headers = all_headers(scope["headers"])
    check_encoding(headers)
    return ForeignRequest(
        path=path_of(scope),
        query=query_of(scope),
        body=await read_sent(receive),
        headers=headers,
        address=client_of(scope),
        method=scope["method"],  # type: ignore[typeddict-item]  # an HTTP scope
        target=target_of(scope),
    )


def verified_as_sent(
    check: SignatureCheck, secrets: Sequence[str], sent: ForeignRequest, unpacked: ForeignRequest, now: int
) -> Verified:
    """Return what a right signature tells, be it of the body as it was sent or of what it was before its compression.

    Raises `Refusal` for any other signature.
    """
    try:
        return verified(check, secrets, sent, now)
    except Refusal:
        if unpacked.body == sent.body:
            raise
    return verified(check, secrets, unpacked, now)


def all_headers(headers: Any) -> dict[bytes, bytes]:
    """Return all headers of a request; the values of one that stands several times are joined (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found else value
    return found


def check_source(source: Source, origin: str | None) -> None:
    """Refuse a request of a disabled source, or of a page that may not send. Raises `Refusal`."""
    if not source.enabled:
        cause = f"the source `{source.source}` is disabled"
        raise Refusal("not-allowed", "the webhook is disabled", cause=cause)
    if origin is not None and source.origins and not allows(source.origins, origin):
        raise Refusal("not-allowed", f"the webhook does not take events from the origin {origin}")


def check_key(source: Source, request: ForeignRequest) -> None:
    """Refuse a request that has not the key of its source in a header or its query. Raises `Refusal`."""
    keys = {key for key in keys_of(request, KEY_HEADERS, KEY_PARAMETERS) if key}
    if len(keys) == 1:
        key = next(iter(keys))
        if key_fits(source.key, key) if source.kind == "secret" else key == source.source:
            return
    raise Refusal("unauthorised", NO_KEY, cause=NO_KEY if len(keys) < 2 else "the request has several keys")


def reply_to(delivery: Delivery, processed: Processed) -> Reply:
    """Return the answer that the webhook's file asks for, or the usual one."""
    answer = delivery.webhook.answer
    usual = Reply(b"1" if processed.accepted else b"0")
    if answer is None:
        return usual
    try:
        body = answer.body.evaluate(scope_of(delivery))
    except (Unusable, UnreadableBody):
        return usual
    return Reply(str(body).encode(), media_type=answer.media_type.encode()) if isinstance(body, str | int) else usual


def _shown(webhook: Webhook | None) -> str:
    """Return the name of a webhook in the log."""
    return f"webhook {webhook.name}" if webhook is not None else PROTOCOL
