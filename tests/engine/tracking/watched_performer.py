"""A scripted performer that says when it has been called."""

import asyncio

from effects.scripted import ScriptedPerformer
from engine.flow.ask import Reply
from engine.ports.world import OutsideCall


class WatchedPerformer(ScriptedPerformer):
    """`await asked_times(n)` returns once it has been called so often."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    async def perform(self, call: OutsideCall) -> Reply:
        self._more.set()  # those who wait go on when this waits, so they find the call in `calls`
        return await super().perform(call)

    async def asked_times(self, times: int) -> None:
        while len(self.calls) < times:
            self._more.clear()
            await self._more.wait()
