"""A store that lets others go first, and at which processes end in the middle of an operation."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from engine.ports.store import Store

OFTEN = 0.5  # that something else goes first, where things are done at the same time


@dataclass
class Crash:
    """The process of a task ends when it asks the store for the `left`th time: before or after that is done."""

    left: int
    late: bool
    task: "asyncio.Task[None] | None" = None

    def is_due(self) -> bool:
        """Whether this is that time."""
        self.left -= 1
        return self.left == 0

    async def strike(self) -> None:
        """End the task."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.sleep(0)


CRASH: ContextVar[Crash | None] = ContextVar("CRASH", default=None)


class InterleavingStore:
    """A store that lets others go first, now and then, before it does what it is asked."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self.chance: random.Random | None = None

    async def secret(self) -> bytes:
        """The one of all histories."""
        return self._secret

    async def expunge(self) -> None:
        """Does nothing: other tests look into the files, and on Elasticsearch this takes half a minute."""

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def later(*given: Any) -> Any:
            while self.chance is not None and self.chance.random() < OFTEN:  # noqa: ASYNC110
                await asyncio.sleep(0)
            crash = CRASH.get()
            if crash is None or not crash.is_due():
                return await method(*given)
            if not crash.late:
                await crash.strike()
            found = await method(*given)
            if crash.late:
                await crash.strike()
            return found

        return later
