"""The Protocol of a spool: a durable queue on this machine for units that the store cannot take now."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from engine.ports.store import Unavailable


class SpoolUnavailable(Unavailable):
    """The spool cannot be read or written now, or it is full; nothing was acknowledged."""


class SpoolEntry(Struct, frozen=True):
    """An encoded document that contains `events` received events; its `position` says where it is in the order."""

    doc: bytes
    events: int
    position: int = 0


class Spool(Protocol):
    """A durable queue on this machine for events accepted while the store is away. One process uses it at a time.

    Every method but the properties may raise `SpoolUnavailable`.
    """

    @property
    def entries(self) -> int:
        """How many entries it holds, with those that are being appended."""

    @property
    def events(self) -> int:
        """How many received events the entries contain."""

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Append entries durably, all or none. Entries are in the order of these calls."""

    async def after(self, position: int, limit: int) -> list[SpoolEntry]:
        """The first entries after a position, at most `limit`, and fewer if they are large; [] only at the end."""

    async def drop(self, positions: Sequence[int]) -> None:
        """Remove entries by position."""

    async def secret(self) -> bytes | None:
        """The store's secret that was stored last; None if none was."""

    async def keep_secret(self, secret: bytes) -> None:
        """Store the store's secret, for a start without the store."""

    async def ready(self) -> str | None:
        """None if more can be appended; otherwise the reason why not."""

    async def close(self) -> None:
        """Complete the pending writes and close the file. May be called twice."""
