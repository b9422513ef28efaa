"""A spool in a list: for tests. Gone when the process ends."""

from collections.abc import Sequence

from msgspec import structs

from engine.ports.spool import SpoolEntry
from storage.spool.bounds import USUAL, Bounds, spool_load


class MemorySpool:
    """Implements `engine.ports.spool.Spool`."""

    def __init__(self, bounds: Bounds = USUAL) -> None:
        self._bounds = bounds
        self._parcels: list[SpoolEntry] = []
        self._last = 0
        self._secret: bytes | None = None

    @property
    def entries(self) -> int:
        """How many parcels it holds."""
        return len(self._parcels)

    @property
    def events(self) -> int:
        """How many received events are in them."""
        return spool_load(self._parcels).events

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Keep parcels at its end."""
        self._bounds.check(spool_load(self._parcels), spool_load(entries))
        for entry in entries:
            self._last += 1
            self._parcels.append(structs.replace(entry, position=self._last))

    async def after(self, place: int, limit: int) -> list[SpoolEntry]:
        """The first parcels beyond a place."""
        return [entry for entry in self._parcels if entry.position > place][:limit]

    async def drop(self, places: Sequence[int]) -> None:
        """Let go of parcels."""
        gone = set(places)
        self._parcels = [entry for entry in self._parcels if entry.position not in gone]

    async def secret(self) -> bytes | None:
        """The store's secret, as it was kept last."""
        return self._secret

    async def keep_secret(self, secret: bytes) -> None:
        """Keep the store's secret."""
        self._secret = secret

    async def ready(self) -> str | None:
        """Why nothing more can be put in."""
        return self._bounds.full(spool_load(self._parcels))

    async def close(self) -> None:
        """Nothing to let go of."""
