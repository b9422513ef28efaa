"""Single flight: of equal calls at the same time one is made, and its reply is that of all.

A call is *under way* from its first caller on, until it has its reply or its last caller has gone; then it is
cancelled. A later equal call begins another one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from engine.flow.ask import Reply


class _UnderWay:
    """A call that is under way, and how many wait for its reply."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: "asyncio.Task[Reply]") -> None:
        self.task = task
        self.waiting = 0


class SingleFlight:
    """The calls that are under way, by key."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, _UnderWay] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def reply(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
        """Return the reply to the call under this key that is under way, or to the one that `begin` starts."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _UnderWay(asyncio.ensure_future(self._made(key, begin)))
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if not call.waiting and not call.task.done():
                del self._calls[key]
                call.task.cancel()
                await asyncio.wait([call.task])

    async def _made(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
        """Make the call. It cannot be joined from the moment at which it has its reply."""
        this = asyncio.current_task()
        try:
            return await begin()
        finally:
            if key in self._calls and self._calls[key].task is this:
                del self._calls[key]
