"""A spool in a list, for tests. It ends with the process."""

from collections.abc import Sequence

from msgspec import structs

from engine.ports.spool import SpoolEntry
from storage.spool.bounds import USUAL, Bounds, spool_load


class MemorySpool:
    """Implements `engine.ports.spool.Spool`."""

    def __init__(self, bounds: Bounds = USUAL) -> None:
        self._bounds = bounds
        self._stored: list[SpoolEntry] = []
        self._last = 0
        self._secret: bytes | None = None

    @property
    def entries(self) -> int:
        """How many entries it holds."""
        return len(self._stored)

    @property
    def events(self) -> int:
        """How many received events the entries contain."""
        return spool_load(self._stored).events

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Append entries."""
        self._bounds.check(spool_load(self._stored), spool_load(entries))
        for entry in entries:
            self._last += 1
            self._stored.append(structs.replace(entry, position=self._last))

    async def after(self, position: int, limit: int) -> list[SpoolEntry]:
        """The first entries after a position."""
        return [entry for entry in self._stored if entry.position > position][:limit]

    async def drop(self, positions: Sequence[int]) -> None:
        """Remove entries by position."""
        gone = set(positions)
        self._stored = [entry for entry in self._stored if entry.position not in gone]

    async def secret(self) -> bytes | None:
        """The store's secret that was stored last."""
        return self._secret

    async def keep_secret(self, secret: bytes) -> None:
        """Store the store's secret, for a start without the store."""
        self._secret = secret

    async def ready(self) -> str | None:
        """The reason why nothing more can be appended; None if more can."""
        return self._bounds.full(spool_load(self._stored))

    async def close(self) -> None:
        """Do nothing: there is no file."""
