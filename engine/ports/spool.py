"""The Protocol of a spool: a durable queue on this machine for units that the store cannot take now."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class SpoolEntry(Struct, frozen=True):
    """What a spool keeps: an encoded document with `events` received events in it, at a `place` in the order."""

    doc: bytes
    events: int
    position: int = 0


class Spool(Protocol):
    """A durable queue on this machine, for what is accepted while the store is away. One process has it at a time.

    Every method but the properties may raise `Unavailable`.
    """

    @property
    def entries(self) -> int:
        """How many parcels it holds, with those that are just being put in."""

    @property
    def events(self) -> int:
        """How many received events are in them."""

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        """Keep parcels at its end, durably, all or none. Parcels are in the order of these calls."""

    async def after(self, place: int, limit: int) -> list[SpoolEntry]:
        """The first parcels beyond a place, at most `limit`, and fewer where they are large; [] only at the end."""

    async def drop(self, places: Sequence[int]) -> None:
        """Let go of parcels."""

    async def secret(self) -> bytes | None:
        """The store's secret, as it was kept last."""

    async def keep_secret(self, secret: bytes) -> None:
        """Keep the store's secret, for a start without the store."""

    async def ready(self) -> str | None:
        """None when more can be put in; else why not."""

    async def close(self) -> None:
        """Finish what was begun and let go of the file. May be called twice."""
