"""Sends every click as a request of its own, over a number of connections, each user's clicks in order."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from benchmarks.clickstream.clicks import Click, by_user

MAX_TRIES = 20  # of one event that is answered 429 or 503


class Sent(Struct, frozen=True):
    """The result of one click: the last status, the answered profile, and the time of the last answer."""

    click: Click
    status: int
    profile: str | None
    disposition: str | None  # only when the debugger was asked
    seconds: float
    tries: int


class Pass(Struct, frozen=True):
    """All clicks, sent once."""

    sent: list[Sent]
    seconds: float


async def send(
    url: str, clicks: list[Click], connections: int, on_sent: Callable[[], object], *, debugger: bool = False
) -> Pass:
    """Send all clicks to `/track`. Each connection sends one user's clicks in order, then takes the next user."""
    users = iter(by_user(clicks))
    connector = aiohttp.TCPConnector(limit=connections)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        sender = _Sender(session, f"{url}/track", {"debugger": True} if debugger else {}, on_sent)
        started = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(sender.drain(users))
        seconds = perf_counter() - started
    return Pass(sender.sent, seconds)


class _Sender:
    def __init__(
        self, session: aiohttp.ClientSession, url: str, options: dict[str, bool], on_sent: Callable[[], object]
    ) -> None:
        self.sent: list[Sent] = []
        self._session = session
        self._url = url
        self._options = options
        self._on_sent = on_sent

    async def drain(self, users: Iterator[list[Click]]) -> None:
        for clicks in users:
            for click in clicks:
                self.sent.append(await self._send(click))
                self._on_sent()

    async def _send(self, click: Click) -> Sent:
        """Send until the server accepts or finally refuses it. A repeat is harmless: it has the same event id."""
        body = click.payload(**self._options)
        tries = 0
        while True:
            tries += 1
            started = perf_counter()
            async with self._session.post(self._url, data=body) as response:
                answer = await response.read()
            seconds = perf_counter() - started
            if response.status in {429, 503} and tries < MAX_TRIES:
                await asyncio.sleep(float(response.headers.get("Retry-After", "1")))
                continue
            body_of_answer = msgspec.json.decode(answer) if response.status == 200 else {}
            return Sent(
                click=click,
                status=response.status,
                profile=(body_of_answer.get("profile") or {}).get("id"),
                disposition=_disposition(body_of_answer),
                seconds=seconds,
                tries=tries,
            )


def _disposition(answer: dict[str, Any]) -> str | None:
    execution = answer.get("debugging", {}).get("execution", {})
    return next((event["disposition"] for event in execution.values()), None)
