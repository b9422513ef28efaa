"""A store or spool that cancels a caller at one of the points at which it waits for an answer."""

import asyncio
from typing import Any

NAMES_WITHOUT_WAITING = frozenset({"entries", "events", "close"})


class CancellingPort:
    """Delegates to a store or a spool. The task `victim` is cancelled at its `at`th point, counted from 0.

    Each call has two points: before it, and after it has taken effect.
    """

    def __init__(self, port: Any) -> None:
        self.port = port
        self.victim: asyncio.Task[Any] | None = None
        self.at = 0
        self.passed = 0

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.port, name)
        if not callable(member) or name in NAMES_WITHOUT_WAITING:
            return member

        async def call(*args: Any, **named: Any) -> Any:
            await self._point()
            result = await member(*args, **named)
            await self._point()
            return result

        return call

    async def _point(self) -> None:
        task = asyncio.current_task()
        if task is not None and task is self.victim:
            if self.passed == self.at:
                task.cancel()
            self.passed += 1
        await asyncio.sleep(0)
