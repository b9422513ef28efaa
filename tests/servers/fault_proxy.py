"""A proxy that lets requests to a server fail on purpose, in ways that can be had again.

It stands between a client and a server on loopback:

    async with FaultProxy(server, seed=7) as proxy:
        proxy.fail(Loss(), method="POST", path="*/_bulk", nth=2)
        ...  # a client of proxy.url

The first rule that takes a request decides what happens to it; a request that no rule takes passes. What happens by
chance follows from the seed, the rule and the how-manieth request of the rule it is: with the same requests in the
same order, everything happens again. `str(proxy)` tells the seed and what was done.
"""

import asyncio
import contextlib
import fnmatch
import random
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from tests.servers.exchange import HEAD_LIMIT, Exchange, Link, Silent, reset
from tests.servers.fault import Fault, Pass
from tests.servers.message import read_request


class Silence(Fault, frozen=True):
    """The server itself was unreachable or broke the connection; no rule asked for this."""

    async def act(self, exchange: Exchange) -> None:
        exchange.reset()


class Line(msgspec.Struct, frozen=True):
    """The log entry of one request: the request and the fault that happened to it."""

    number: int
    method: str
    path: str
    action: Fault
    items: tuple[int, ...] = ()
    """The places of the items that were refused in a bulk request."""

    def __str__(self) -> str:
        items = f" items {', '.join(map(str, self.items))}" if self.items else ""
        return f"{self.number} {self.method} {self.path} {self.action}{items}"


class Rule(msgspec.Struct):
    """Which requests a fault happens to."""

    how: Fault
    seed: str
    method: str
    path: str
    nth: int | None
    times: int | None
    chance: float
    when: Callable[[Exchange], bool] | None
    seen: int = 0
    done: int = 0
    """How many requests it has taken."""

    def takes(self, exchange: Exchange) -> bool:
        """Whether the fault happens to this request, which counts as seen."""
        named = fnmatch.fnmatchcase(exchange.method, self.method) and fnmatch.fnmatchcase(exchange.path, self.path)
        if not named or (self.when is not None and not self.when(exchange)):
            return False
        self.seen += 1
        chance = random.Random(f"{self.seed}/{self.seen}")
        spent = self.times is not None and self.done >= self.times
        if spent or self.nth not in {None, self.seen} or chance.random() >= self.chance:
            return False
        self.done += 1
        exchange.random = chance
        return True


class FaultProxy:
    """Passes HTTP/1.1 requests to a server, except those that a rule takes."""

    def __init__(self, target: str, *, seed: int = 0) -> None:
        self.lead_to(target)
        self.seed = seed
        self.log: list[Line] = []
        """One entry for each request, in the order in which the requests were handled."""
        self.rules: list[Rule] = []
        self._made = 0
        self._count = 0
        self._socket = _bound(0)
        self._port = int(self._socket.getsockname()[1])
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._broken: list[BaseException] = []
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients reach the proxy."""
        return f"http://127.0.0.1:{self._port}"

    def fail(
        self,
        how: Fault,
        *,
        method: str = "*",
        path: str = "*",
        nth: int | None = None,
        times: int | None = None,
        chance: float = 1,
        when: Callable[[Exchange], bool] | None = None,
    ) -> Rule:
        """Let a fault happen to requests; without conditions, to each.

        `method` and `path` are patterns with `*`, the path without its query. Of the requests that these and `when`
        describe: `nth` takes only that one, counted from 1; `chance` takes each with this probability; `times` is
        how many are taken at most.
        """
        self._made += 1
        rule = Rule(how, f"{self.seed}/{self._made}", method, path, nth, times, chance, when)
        self.rules.append(rule)
        return rule

    def heal(self) -> None:
        """Forget all rules: from now on requests pass."""
        self.rules.clear()

    async def stop(self) -> None:
        """Break all connections and refuse new ones; the port stays ours."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._socket = _bound(self._port)
        clients = dict(self._clients)
        for task, writer in clients.items():
            reset(writer)
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def go_on(self) -> None:
        """Accept connections, at the start and after a stop, at the same address."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=self._socket, limit=HEAD_LIMIT)

    async def happened(self, how: type[Fault], times: int = 1) -> list[Line]:
        """Wait until faults of this kind have happened so often; their lines."""
        lines: list[Line] = []

        def enough() -> bool:
            lines[:] = [line for line in self.log if isinstance(line.action, how)]
            return len(lines) >= times

        await self.until(enough)
        return lines

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until it is so; it can only change with a request."""
        while not reached():
            self._news.clear()
            await self._news.wait()

    def lead_to(self, target: str) -> None:
        """Pass the requests of new connections to another server."""
        address = urlsplit(target)
        self._target = (address.hostname or "127.0.0.1", address.port or 80)

    async def __aenter__(self) -> Self:
        await self.go_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._socket.close()
        if self._broken and error is None:
            raise self._broken[0]

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}", *map(str, self.log)])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        task.add_done_callback(self._served)
        link = Link(*self._target)
        try:
            # a client that goes away, or is broken off, ends its own connection only
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._one(reader, writer, link)
        finally:
            writer.close()
            await link.close()

    def _served(self, task: asyncio.Task[None]) -> None:
        del self._clients[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken.append(error)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        request = await read_request(reader)
        self._count += 1
        how: Fault = Pass()

        def note(exchange: Exchange) -> None:
            self.log.append(Line(exchange.number, exchange.method, exchange.path, how, exchange.items))
            self._news.set()

        exchange = Exchange(self._count, request, (reader, writer), link, note)
        how = next((rule.how for rule in self.rules if rule.takes(exchange)), how)
        try:
            await how.act(exchange)
        except Silent:
            how = Silence()
            await how.act(exchange)
        if request.header("connection") == "close":
            writer.close()


def _bound(port: int) -> socket.socket:
    """A socket that holds a port; until it listens, connections are refused."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held
