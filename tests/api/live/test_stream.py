"""A stream: what it sends, and how it ends."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec import Struct, structs

from api.live.message import message
from api.live.stream import Stream, Streams
from effects.clock import SystemClock
from engine.ports.following import Follower, Rows, following
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.store import Unavailable
from engine.search.query import Query
from storage.memory import MemoryStore
from tests.storage.build import event

CLOCK = SystemClock()
EVENTS = {"events": Query(SEARCHABLE["events"])}


class Message(Struct):
    """A message as a client reads it."""

    type: str
    data: str
    place: str | None


class Client:
    """The other end of a stream."""

    def __init__(self) -> None:
        self.bytes = b""
        self.stuck = asyncio.Event()
        self.left = asyncio.Event()
        self.ended = False
        self._more = asyncio.Condition()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, sent: Any) -> None:
        if self.stuck.is_set():
            await asyncio.Event().wait()
        async with self._more:
            self.bytes += sent.get("body", b"")
            self.ended = sent["type"] == "http.response.body" and not sent["more_body"]
            self._more.notify_all()

    @property
    def messages(self) -> list[Message]:
        found = []
        for block in self.bytes.decode().split("\n\n"):
            fields = [line.partition(": ")[::2] for line in block.split("\n")]
            named = dict(fields)
            if "event" in named:
                data = "\n".join(value for name, value in fields if name == "data")
                found.append(Message(named["event"], data, named.get("id")))
        return found

    async def until(self, holds: Callable[[list[Message]], bool]) -> list[Message]:
        async with self._more:
            await self._more.wait_for(lambda: holds(self.messages))
        return self.messages


async def allowed() -> bool:
    return True


async def store_of(count: int) -> MemoryStore:
    """A store with so many events."""
    store = MemoryStore()
    await add(store, range(count))
    return store


async def add(store: MemoryStore, numbers: range) -> None:
    for number in numbers:
        await store.commit(Unit(events=(structs.replace(event(f"e{number}"), received=CLOCK.now()),)))


def stream_of(follower: Follower, **more: Any) -> Stream:
    settings = {"allowed": allowed, "clock": CLOCK, "report": lambda _failure: None, "poll": 0.01, **more}
    return Stream(follower, lambda row: row.id, **settings)


async def test_rows_come_in_order_and_each_place_leads_on() -> None:
    store = await store_of(0)
    client, streams = Client(), Streams()
    running = asyncio.create_task(
        stream_of(await following(store, EVENTS, CLOCK)).run(streams, client.receive, client.send)
    )
    await add(store, range(5))
    rows = [one for one in await client.until(lambda found: len(found) >= 5) if one.type == "row"]
    assert [row.data for row in rows] == [f"e{number}" for number in range(5)]
    again, second = Client(), await following(store, EVENTS, CLOCK, rows[2].place)
    other = asyncio.create_task(stream_of(second).run(streams, again.receive, again.send))
    assert [one.data for one in await again.until(lambda found: len(found) >= 2)] == ["e3", "e4"]
    streams.close()
    await asyncio.gather(running, other)
    assert (client.messages[-1].type, client.messages[-1].data, client.ended) == ("end", "stopping", True)
    assert streams.open == 0


async def test_a_client_that_has_gone_ends_its_stream() -> None:
    client, streams = Client(), Streams()
    follower = await following(await store_of(0), EVENTS, CLOCK)
    running = asyncio.create_task(stream_of(follower).run(streams, client.receive, client.send))
    await client.until(lambda _found: b"retry" in client.bytes)
    client.left.set()
    await running
    assert not client.ended


async def test_a_client_that_takes_nothing_is_ended() -> None:
    client, store = Client(), await store_of(0)
    stream = stream_of(await following(store, EVENTS, CLOCK), slow=0.05)
    running = asyncio.create_task(stream.run(Streams(), client.receive, client.send))
    await client.until(lambda _found: b"retry" in client.bytes)
    client.stuck.set()
    await add(store, range(1))
    await running
    assert not client.ended


async def test_a_sender_who_may_not_read_any_longer_is_told_so() -> None:
    may = [True, False]

    async def still_allowed() -> bool:
        return may.pop(0)

    client = Client()
    stream = stream_of(await following(await store_of(0), EVENTS, CLOCK), quiet=0.02, allowed=still_allowed)
    await stream.run(Streams(), client.receive, client.send)
    assert [one.type for one in client.messages][-1] == "end"
    assert client.messages[-1].data == "denied"
    assert any(one.type == "at" for one in client.messages), "while nothing comes, the place moves on"


async def test_of_too_many_rows_in_a_second_the_number_is_sent() -> None:
    client, store = Client(), await store_of(0)
    stream = stream_of(await following(store, EVENTS, CLOCK), most=20)
    streams = Streams()
    running = asyncio.create_task(stream.run(streams, client.receive, client.send))
    await add(store, range(50))
    found = await client.until(lambda found: any(one.type == "more" for one in found))
    assert sum(one.type == "row" for one in found) == 20
    assert [one.data for one in found if one.type == "more"] == ["30"]
    await add(store, range(50, 51))
    assert (await client.until(lambda found: found[-1].type == "row"))[-1].data == "e50"
    streams.close()
    await running


async def test_a_store_that_is_away_is_reported_and_read_again() -> None:
    class Flaky:
        place = "n.0.0"

        async def read(self, limit: int) -> Rows:
            raise Unavailable("gone")

    reported = asyncio.Event()
    client, streams = Client(), Streams()
    stream = stream_of(Flaky(), report=lambda _failure: reported.set())
    running = asyncio.create_task(stream.run(streams, client.receive, client.send))
    await reported.wait()
    streams.close()
    await running
    assert client.messages[-1].data == "stopping"


@pytest.mark.parametrize("data", ["a", "a\nb", "a\r\nb\rc", "id: 7", "", "\n", "event: end\n\nid: 9"])
def test_no_data_of_a_message_is_taken_for_another_field(data: str) -> None:
    client = Client()
    client.bytes = message("row", data, "n.1.2")
    (found,) = client.messages
    assert found == Message("row", data.replace("\r\n", "\n").replace("\r", "\n"), "n.1.2")


async def test_cancelling_a_request_ends_its_stream() -> None:
    client, streams = Client(), Streams()
    follower = await following(await store_of(0), EVENTS, CLOCK)
    running = asyncio.create_task(stream_of(follower).run(streams, client.receive, client.send))
    await client.until(lambda _found: b"retry" in client.bytes)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert streams.open == 0
