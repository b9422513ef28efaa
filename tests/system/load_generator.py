"""Clients that send numbered events, and record which ones the server acknowledged."""

import asyncio
from collections.abc import Iterator

import aiohttp
import msgspec

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import StoredEvent
from engine.ports.store import Store
from engine.profile.fold import fold
from engine.search.query import Query

JSON = {"Content-Type": "application/json"}


class LoadGenerator:
    """Sends numbered events, several clients side by side, and notes which were acknowledged.

    Its clients are never to be refused; `patient` ones send again what was answered 503.
    """

    def __init__(self, profiles: int = 4, *, patient: bool = False) -> None:
        self.profiles = profiles
        self.patient = patient
        self.refused = 0
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self._numbers = iter(range(10**9))
        self._milestone = 0
        self._reached = asyncio.Event()

    def body(self, number: int) -> bytes:
        """The payload of an event: its id and its token are its number."""
        event = {"type": "counted", "id": f"e-{number}", "properties": {"token": f"t-{number}"}}
        session = {"id": f"visit-{number % self.profiles}"}
        return msgspec.json.encode({"source": {"id": "shop"}, "session": session, "events": [event]})

    async def load(self, address: str, until: int, clients: int = 8) -> None:
        """Send new events until `until` are acknowledged in all, or the server has gone."""
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(self._client(http, address, self._new(until)) for _ in range(clients)))

    async def resend(self, address: str) -> None:
        """Send everything again that was ever sent."""
        numbers = iter(sorted(self.sent))
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(self._client(http, address, numbers, tries=5) for _ in range(8)))

    async def reached(self, acknowledged: int) -> None:
        """Wait until so many events are acknowledged."""
        self._milestone, self._reached = acknowledged, asyncio.Event()
        self._acknowledge(None)
        await self._reached.wait()

    def _acknowledge(self, number: int | None) -> None:
        if number is not None:
            self.acknowledged.add(number)
        if len(self.acknowledged) >= self._milestone:
            self._reached.set()

    def _new(self, until: int) -> Iterator[int]:
        while len(self.acknowledged) < until:
            yield self.next_number()

    def next_number(self) -> int:
        """The number of an event that is about to be sent for the first time."""
        number = next(self._numbers)
        self.sent.add(number)
        return number

    async def _client(self, http: aiohttp.ClientSession, address: str, numbers: Iterator[int], tries: int = 1) -> None:
        for number in numbers:
            if not await self._send(http, address, number, tries):
                return

    async def _send(self, http: aiohttp.ClientSession, address: str, number: int, tries: int) -> bool:
        """Whether the server answered; a connection that broke is tried again, as clients do."""
        while tries:
            try:
                async with http.post(f"{address}/track", data=self.body(number), headers=JSON) as answer:
                    text = await answer.text()
            except aiohttp.ClientError:
                tries -= 1
                continue
            if self.patient and answer.status == 503:
                self.refused += 1
                continue
            assert answer.status == 200, text
            self._acknowledge(number)
            return True
        return False


async def numbers_in(store: Store) -> set[int]:
    """The numbers of all stored events."""
    found: set[int] = set()
    page = await store.search(Query(SEARCHABLE["events"]), 1000)
    while True:
        found |= {int(event.id.removeprefix("e-")) for event in page.items if isinstance(event, StoredEvent)}
        if page.after is None:
            return found
        page = await store.search(Query(SEARCHABLE["events"]), 1000, page.after)


async def found_in(store: Store, ledger: LoadGenerator) -> tuple[set[int], int]:
    """The numbers of the stored events, and the sum of all counters."""
    found = await numbers_in(store) & ledger.sent
    total = 0
    for visit in range(ledger.profiles):
        session = await store.session("shop", f"visit-{visit}")
        if session is None:
            continue
        profile = await store.profile(session.profile or "")
        assert profile is not None
        total += fold(profile)["traits"]["count"]
    return found, total
