"""Webhooks as Standard Webhooks defines them: the body, and the headers that identify, date and sign it."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from engine.flow.message import WebhookMessage


def webhook_body(message: WebhookMessage) -> bytes:
    """Return the exact bytes that are signed and sent: the same at every attempt."""
    at = datetime.fromtimestamp(message.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": message.type, "timestamp": at, "data": message.data})


def webhook_headers(id: str, body: bytes, now: int, keys: tuple[bytes, ...]) -> dict[str, str]:
    """Return the headers of an attempt at `now` (ms). Without keys, the webhook is not signed."""
    seconds = now // 1000
    headers = {"webhook-id": id, "webhook-timestamp": str(seconds)}
    if keys:
        headers["webhook-signature"] = " ".join(_signatures(id, seconds, body, keys))
    return headers


def _signatures(id: str, seconds: int, body: bytes, keys: tuple[bytes, ...]) -> Iterator[str]:
    signed = f"{id}.{seconds}.".encode() + body
    for key in keys:
        yield f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
