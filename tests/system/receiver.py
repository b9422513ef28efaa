"""A system that receives deliveries and does each once, by its `Idempotency-Key`."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web


class Receiver:
    """Keeps the body of the first request under each key. `slow` is the seconds that an answer takes."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.done: dict[str, int] = {}  # the number of the event, by key
        self.requests: Counter[str] = Counter()
        self.different: list[str] = []  # keys that came with another body
        self.url = ""
        self._more = asyncio.Event()  # another request has come
        self._runner: web.AppRunner | None = None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events of which it heard, once for each key."""
        return list(self.done.values())

    @property
    def repeated(self) -> int:
        """How many keys came more than once."""
        return sum(count > 1 for count in self.requests.values())

    async def until(self, expected: set[int]) -> None:
        """Wait until it heard of all these events."""
        while not expected <= set(self.done.values()):
            self._more.clear()
            await self._more.wait()

    async def first(self) -> None:
        """Wait until a request comes."""
        self._more.clear()
        await self._more.wait()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        number = msgspec.json.decode(await request.read())["number"]
        self.requests[key] += 1
        if self.done.setdefault(key, number) != number:
            self.different.append(key)
        self._more.set()
        await asyncio.sleep(self.slow)
        return web.Response(status=204)
