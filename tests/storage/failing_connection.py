"""A connection whose n-th write fails: before it is done, or after it, so that only the answer is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from functools import partial
from typing import Any

from engine.ports.records import Unit
from storage.elasticsearch.connection import Answer, Lost
from storage.elasticsearch.store import ElasticsearchStore


class WriteFailure(Enum):
    """How the n-th write fails."""

    CRASH = "the process ends before it"
    NOT_DONE = "it does not arrive"
    UNHEARD = "its answer is lost"


class FailingConnection:
    """Stands between a store and its server. Of a request of many writes those before the n-th are done."""

    def __init__(self, store: ElasticsearchStore, nth: int, how: WriteFailure) -> None:
        self._request = store._connection.request
        self._left = nth
        self._how = how
        self.failed = asyncio.Event()
        self._late: Callable[[], Awaitable[Answer]] | None = None
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        setattr(store._connection, "request", self.request)  # noqa: B010 - what mypy would not let us assign

    async def request(self, method: str, path: str, body: bytes | None = None, *more: Any, **named: Any) -> Answer:
        """As the connection's."""
        if self.failed.is_set() and self._how is WriteFailure.CRASH:
            await asyncio.Event().wait()  # for ever
        writes = _writes(body or b"") if path.startswith("/_bulk") else []
        if self.failed.is_set() or len(writes) < self._left:
            self._left -= len(writes)
            return await self._passed(method, path, body, *more, **named)
        done = writes[: self._left if self._how is WriteFailure.UNHEARD else self._left - 1]
        if done:
            await self._passed(method, path, b"".join(done), *more, **named)
        self._late = partial(self._request, method, path, b"".join(writes[len(done) :]), *more, **named)
        self.failed.set()
        if self._how is WriteFailure.CRASH:
            await asyncio.Event().wait()
        raise Lost(self._how.value)

    async def _passed(self, *request: Any, **named: Any) -> Answer:
        self._under_way += 1
        self._quiet.clear()
        try:
            return await self._request(*request, **named)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until the requests that were under way at the failure are answered."""
        await self._quiet.wait()

    async def until(self, doing: Coroutine[Any, Any, None]) -> bool:
        """Run a coroutine; at the n-th write, cancel all tasks that it started. Returns whether that write came."""
        others = asyncio.all_tasks()
        done = asyncio.create_task(doing)
        dying = asyncio.create_task(self.failed.wait())
        await asyncio.wait([done, dying], return_when=asyncio.FIRST_COMPLETED)
        while not self.failed.is_set() and (rest := asyncio.all_tasks() - others - {done, dying}):
            await asyncio.wait([dying, *rest], return_when=asyncio.FIRST_COMPLETED)  # it left work behind
        came = self.failed.is_set()
        if not came:
            dying.cancel()
            await done
        begun = asyncio.all_tasks() - others if came else {dying}
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        return came

    async def late(self) -> Answer:
        """Send the write that had failed, as a network does that delivers late."""
        assert self._late is not None
        return await self._late()


async def commit_breaking_off(store: ElasticsearchStore, unit: Unit, nth: int) -> FailingConnection:
    """Commit a unit; the process ends before its n-th write, which `late` sends after all."""
    await store.counts()  # it is open
    failing = FailingConnection(store, nth, WriteFailure.CRASH)
    assert await failing.until(store.commit(unit)), "it needs fewer writes than that"
    return failing


def _writes(body: bytes) -> list[bytes]:
    lines = iter(body.splitlines(keepends=True))
    return [line if line.startswith(b'{"delete"') else line + next(lines) for line in lines]
