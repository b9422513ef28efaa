"""Locks: in one process, units that touch the same documents are committed in the order in which they arrived."""

import asyncio
from collections.abc import AsyncIterator, Collection, Hashable
from contextlib import asynccontextmanager


class DocumentLocks:
    """The last unit that arrived, by document."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Future[None]] = {}
        self._open: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def of(self, names: Collection[Hashable]) -> AsyncIterator[None]:
        """Wait for all earlier units that touch one of `names`; later ones wait for this one."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        before = [last for name in names if (last := self._last.get(name)) is not None]
        self._open.add(mine)
        for name in names:
            self._last[name] = mine
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            mine.set_result(None)
            self._open.discard(mine)
            for name in names:
                if self._last.get(name) is mine:
                    del self._last[name]

    async def over(self) -> None:
        """Wait for all units that have arrived."""
        if self._open:
            await asyncio.wait(self._open)
