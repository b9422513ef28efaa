"""The proxy between a client and the server: it lets requests fail as they fail for clients, and notes their events."""

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain

import msgspec

from tests.servers.exchange import Exchange
from tests.servers.fault import Fault, Pass
from tests.servers.fault_proxy import FaultProxy, Rule
from tests.servers.message import Message


class Refused(Fault, frozen=True):
    """An answer of this status, which pages may read. With `taken`, the server has done the request before."""

    status: int
    retry_after: int | None = None
    taken: bool = False

    async def act(self, exchange: Exchange) -> None:
        if self.taken:
            await exchange.forward()
        await exchange.reply(self._answer(exchange.request))

    def _answer(self, request: Message) -> Message:
        phrase = HTTPStatus(self.status).phrase
        origin = next((value for name, value in request.headers if name.lower() == "origin"), "*")
        headers = [
            ("Content-Type", "application/problem+json"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "Retry-After"),
        ]
        if self.retry_after is not None:
            headers.append(("Retry-After", str(self.retry_after)))
        body = {"title": phrase, "status": self.status, "code": self.status, "message": phrase}
        return Message(f"HTTP/1.1 {self.status} {phrase}", tuple(headers), json.dumps(body).encode())


class Crash(Fault, frozen=True):
    """The server does the request, and is killed before its answer; `restart` kills it and starts another one."""

    restart: Callable[[], str]
    """Returns the address of the new server."""
    lead_to: Callable[[str], None]

    async def act(self, exchange: Exchange) -> None:
        await exchange.forward()
        restarting = asyncio.create_task(asyncio.to_thread(self.restart))
        exchange.reset()
        self.lead_to(await restarting)


class Request(msgspec.Struct, frozen=True):
    """A request with events: its number in the proxy's log, and the marks of its events in their order."""

    number: int
    marks: tuple[str, ...]


class FaultyProxy(FaultProxy):
    """Takes the requests of one client. `mark` finds in a body what tells its events apart, such as their ids."""

    def __init__(self, target: str, mark: re.Pattern[bytes]) -> None:
        super().__init__(target)
        self.requests: list[Request] = []
        """Those with events, in their order."""
        self._mark = mark
        self._plan: list[Rule] = []
        self.fail(Pass(), method="POST", when=self._note)

    def plan(self, *faults: Fault, apart: bool = True) -> None:
        """Let these faults happen, each to one request with events, in turn; `apart`: after each one, one passes."""
        for fault in faults:
            self._plan.append(self.fail(fault, method="POST", times=1, when=self._has_events))
            if apart:
                self.fail(Pass(), method="POST", times=1, when=self._has_events)

    @property
    def to_come(self) -> list[Fault]:
        """The faults that have not happened."""
        return [rule.how for rule in self._plan if not rule.done]

    @property
    def sent(self) -> set[str]:
        """The marks of all events that the client has sent."""
        return set(chain.from_iterable(request.marks for request in self.requests))

    @property
    def delivered(self) -> set[str]:
        """The marks of the events in requests that the server answered."""
        passed = {line.number for line in self.log if isinstance(line.action, Pass)}
        return set(chain.from_iterable(request.marks for request in self.requests if request.number in passed))

    async def settled(self, events: int) -> None:
        """Wait until all faults have happened, and the client has delivered so many events and all that it has sent."""
        await self.until(lambda: not self.to_come and len(self.sent) >= events and self.sent == self.delivered)

    def _marks(self, exchange: Exchange) -> tuple[str, ...]:
        body = exchange.request.body
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        return tuple(mark.decode() for mark in self._mark.findall(body))

    def _has_events(self, exchange: Exchange) -> bool:
        return bool(self._marks(exchange))

    def _note(self, exchange: Exchange) -> bool:
        if marks := self._marks(exchange):
            self.requests.append(Request(exchange.number, marks))
        return False
