"""The leases of all queues in one process: renewing those held, and taking free ones so that processes even out.

A process that holds more leases waits longer before it takes another one that is free: a second for each, five at most.
So processes that start together share the queues, without knowing of one another. Where the store serves one process at
a time (`sole`), it takes all at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from math import inf
from typing import Final

from engine.ports.lease import RENEW_SECONDS, Lease
from engine.ports.store import Unavailable

TICK_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 5.0
AT_ONCE: Final = 4  # leases that are taken in one tick by a process that has waited long enough


class Leases:
    """The leases of the queues, by queue. `report` gets each failure of the store."""

    def __init__(
        self,
        leases: Mapping[str, Lease],
        ticks: Callable[[], float],
        report: Callable[[Unavailable], None],
        *,
        sole: bool = False,
        renew: float = RENEW_SECONDS,
    ) -> None:
        self._leases = leases
        self._ticks = ticks
        self._report = report
        self._sole = sole
        self._renew = renew
        self._tended: dict[str, float] = {}  # ticks of the last look
        self._free_since: dict[str, float] = {}

    @property
    def held(self) -> list[str]:
        """The queues whose leases are held now."""
        return [queue for queue, lease in self._leases.items() if lease.held]

    async def run(self) -> None:
        """Keep, follow and take leases, until the task is cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Renew what is held and was not renewed lately, look at the others, and take those whose turn it is."""
        now = self._ticks()
        stale = [queue for queue in self._leases if now - self._tended.get(queue, -inf) >= self._interval(queue)]
        mine = [queue for queue in stale if self._sole or self._leases[queue].held]
        await self._each(mine, self._tend)
        others = {queue for queue in stale if queue not in mine} | set(self._free_since)
        await self._each(sorted(others), self._look)
        taken = 0
        for queue in sorted(self._free_since, key=lambda queue: self._free_since[queue]):
            wait = min(len(self.held) * 1.0, LONGEST_WAIT_SECONDS)
            if taken < AT_ONCE and self._ticks() - self._free_since[queue] >= wait:
                await self._each([queue], self._tend)
                taken += 1

    async def release(self) -> None:
        """Leave all leases to other processes at once, as far as the store can be reached."""
        await self._each(list(self._leases), lambda queue: self._leases[queue].release())

    def _interval(self, queue: str) -> float:
        """Return the seconds between two looks at a lease; while it cannot be had from the store, it is tried soon."""
        return self._renew if self._leases[queue].held or not self._sole else TICK_SECONDS

    async def reported(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do work; report a failure of the store."""
        try:
            await work()
        except Unavailable as unavailable:
            self._report(unavailable)

    async def _each(self, queues: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Do `work` for queues side by side. Failures of the store are reported; they are tried again later."""
        await asyncio.gather(*(self.reported(partial(work, queue)) for queue in queues))

    async def _tend(self, queue: str) -> None:
        self._tended[queue] = self._ticks()
        self._free_since.pop(queue, None)
        await self._leases[queue].tend()

    async def _look(self, queue: str) -> None:
        self._tended[queue] = self._ticks()
        if await self._leases[queue].is_free():
            self._free_since.setdefault(queue, self._ticks())
        else:
            self._free_since.pop(queue, None)
