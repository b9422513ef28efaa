"""The guard of stored data: requests to read, erase and unmerge must carry the admin key."""

import asyncio
import hashlib
import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from api.problem import HttpProblem
from api.tracking.body import bearer, wanted_headers

PAUSE = 0.25  # seconds from one answer to a wrong key to the next
MAX_DELAY = 10.0  # seconds that an answer to a wrong key waits at most; beyond that, 429
HOW_TO = (
    "send `Authorization: Bearer KEY` with the admin key of this server. The server made it at its first start, in the "
    "folder `.headrace` of its project, or got it as HEADRACE_ADMIN_KEY"
)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class ReadGuard:
    """Admits requests with the admin key; without one, it refuses all requests.

    A right key is admitted at once. Wrong keys are answered one after another, a `PAUSE` apart, also those of
    several clients: behind a proxy, all clients have one address. At most `MAX_DELAY / PAUSE` of them wait.
    """

    def __init__(self, key: str | None) -> None:
        self._digest = None if key is None else _digest(key)
        self._next_answer = 0.0  # when the newest waiting request is answered, in the event loop's time

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Admit the request, or raise `HttpProblem`."""
        given = bearer(wanted_headers(connection.scope["headers"]))
        if given is None:
            raise HttpProblem(401, HOW_TO, CHALLENGE)
        if self._digest is not None and hmac.compare_digest(_digest(given), self._digest):
            return
        await self._wait_turn()
        raise HttpProblem(401, f"this is not the admin key: {HOW_TO}", CHALLENGE)

    async def _wait_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_answer) + PAUSE
        if turn - now > MAX_DELAY:
            retry = {"Retry-After": str(round(MAX_DELAY))}
            raise HttpProblem(429, "too many requests with a wrong admin key: send the right one, later", retry)
        self._next_answer = turn
        await asyncio.sleep(turn - now)


def _digest(key: str) -> bytes:
    """A hash of a key: digests are of one length, so comparing them tells nothing about the key's."""
    return hashlib.sha256(key.encode()).digest()
