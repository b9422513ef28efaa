"""Turns: units of one profile run one after another within a process, in the order in which they came."""

import asyncio
from collections import deque


class Turns:
    """One turn at a time for each id. Other processes are kept apart by compare-and-set, not by this."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, id: str) -> bool:
        """Wait until nobody else holds the turn of `id`; gives whether it had to wait."""
        line = self._waiting.get(id)
        if line is None:
            self._waiting[id] = deque()
            return False
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give(id)  # the turn came in the same moment: pass it on
            elif place in line:  # `give` passes over places that are done
                line.remove(place)
            raise
        return True

    def give(self, id: str) -> None:
        """Let the next one have the turn of `id`."""
        line = self._waiting[id]
        while line:
            place = line.popleft()
            if not place.done():
                place.set_result(None)
                return
        del self._waiting[id]
