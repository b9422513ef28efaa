"""Clients that send events in old and new sessions, from before a server listens, and record the acknowledged ones."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from tests.storage.upgrade.linked_story import KEYS

PAUSE = 0.02  # seconds between two attempts of a client, as real ones make


class Sent(Struct, frozen=True):
    """An event with an id of its own, in a session of a source: a page view, or a login with an address."""

    id: str
    source: str
    session: str
    email: str | None = None

    @property
    def type(self) -> str:
        """`page-view` or `identified`."""
        return "page-view" if self.email is None else "identified"

    @property
    def body(self) -> bytes:
        """The payload."""
        properties = {"page": "/again"} if self.email is None else {"email": self.email, "tag": "again"}
        event = {"type": self.type, "id": self.id, "properties": properties}
        return msgspec.json.encode({"source": {"id": self.source}, "session": {"id": self.session}, "events": [event]})

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its request: a secret source has a key."""
        key = KEYS.get(self.source)
        return {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}


class ReturningVisitors:
    """Sends page views of all `sessions` in turn, and of new ones, and every `logins` once between them."""

    def __init__(self, sessions: Sequence[tuple[str, str]], logins: Sequence[Sent]) -> None:
        self.acknowledged: list[Sent] = []
        self.refused = 0  # attempts
        self.enough = asyncio.Event()  # all logins, and events of all sessions are acknowledged
        self._required = 2 * len(sessions)
        self._events = self._new(sessions, logins)
        self._ended = False

    def end(self) -> None:
        """Send no further event."""
        self._ended = True

    async def send(self, address: str, clients: int = 4) -> None:
        """Send until `end` is called, each event until it is acknowledged."""
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*[self._client(http, address) for _ in range(clients)])

    async def _client(self, http: aiohttp.ClientSession, address: str) -> None:
        while not self._ended:
            event = next(self._events)
            while not await delivered(http, address, event):
                self.refused += 1
                await asyncio.sleep(PAUSE)
            self.acknowledged.append(event)
            if len(self.acknowledged) >= self._required:
                self.enough.set()

    def _new(self, sessions: Sequence[tuple[str, str]], logins: Sequence[Sent]) -> Iterator[Sent]:
        due = iter(logins)
        for number, (source, session) in enumerate(itertools.cycle(sessions)):
            yield Sent(f"again-{number}", source, session)
            if number % 4 == 0:
                yield Sent(f"new-{number}", "shop", f"new-visit-{number % 40}")
                yield from itertools.islice(due, 1)

    def views_of(self) -> Counter[tuple[str, str]]:
        """How many page views were acknowledged, by source and session."""
        return Counter((each.source, each.session) for each in self.acknowledged if each.type == "page-view")


async def delivered(http: aiohttp.ClientSession, address: str, event: Sent) -> bool:
    """Whether the server acknowledged it; False while it does not listen, or says that it is not ready."""
    try:
        async with http.post(f"{address}/track", data=event.body, headers=event.headers) as answer:
            text = await answer.text()
    except aiohttp.ClientError:
        return False
    assert answer.status in (200, 503), text
    return answer.status == 200


async def asked(http: aiohttp.ClientSession, address: str, headers: dict[str, str]) -> Any:
    """The decoded answer to an operator's request."""
    async with http.get(address, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()
