"""The demo's warehouse: it takes signed webhooks, and verifies them as the Standard Webhooks specification says."""

import asyncio
import base64
import hmac
import json
import time
from hashlib import sha256
from typing import Any

from aiohttp import web
from msgspec import Struct

TOLERANCE_SECONDS = 300  # an older webhook may be a replay


class Received(Struct, frozen=True):
    """A webhook that the warehouse has accepted. `id` is the same if it comes again."""

    id: str
    type: str
    data: dict[str, Any]


class Warehouse:
    """A receiver of webhooks that knows the key `whsec_…`; sets `arrived` for each.

    `refused` counts those whose signature was not right.
    """

    def __init__(self, secret: str, arrived: asyncio.Event) -> None:
        self._key = base64.b64decode(secret.strip().removeprefix("whsec_"))
        self.received: dict[str, Received] = {}  # by id: a repeated one counts once
        self.refused = 0
        self._arrived = arrived

    async def take(self, request: web.Request) -> web.Response:
        """Answer 204 to a genuine webhook, also if it came before; 401 to any other request."""
        body = await request.read()
        if not self._is_genuine(request.headers, body):
            self.refused += 1
            return web.json_response({"error": "the signature is not right"}, status=401)
        event, id = json.loads(body), request.headers["webhook-id"]
        self.received[id] = Received(id, event["type"], event["data"])
        self._arrived.set()
        return web.Response(status=204)

    def _is_genuine(self, headers: Any, body: bytes) -> bool:
        id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
            return False
        expected = base64.b64encode(hmac.digest(self._key, f"{id}.{at}.".encode() + body, sha256)).decode()
        signatures = headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(signature.encode(), f"v1,{expected}".encode()) for signature in signatures)
