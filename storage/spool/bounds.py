"""How much a spool holds, and how much it may."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.ports.spool import SpoolEntry
from engine.ports.store import Unavailable

MAX_ENTRIES = 1_000_000
MAX_BYTES = 1024 * 1024 * 1024
ROW_BYTES = 50  # rough cost of an entry beside its document
RETRY_SECONDS = 5  # a full spool does not empty at once


@dataclass(slots=True)
class SpoolLoad:
    """Entries, the events in them, and their bytes."""

    entries: int = 0
    events: int = 0
    bytes: int = 0

    def add(self, other: "SpoolLoad") -> None:
        """More of it."""
        self.entries += other.entries
        self.events += other.events
        self.bytes += other.bytes

    def take(self, other: "SpoolLoad") -> None:
        """Less of it."""
        self.entries -= other.entries
        self.events -= other.events
        self.bytes -= other.bytes


@dataclass(frozen=True)
class Bounds:
    """What a spool may hold."""

    entries: int = MAX_ENTRIES
    bytes: int = MAX_BYTES

    def excess(self, load: SpoolLoad) -> str | None:
        """Why a load is too much, None when it is not."""
        if load.entries > self.entries:
            return f"the spool is full: it holds {self.entries} entries at most"
        if load.bytes > self.bytes:
            return f"the spool is full: it holds {self.bytes} bytes at most"
        return None

    def check(self, held: SpoolLoad, more: SpoolLoad) -> None:
        """Raise `Unavailable` where `more` does not fit."""
        both = SpoolLoad(held.entries + more.entries, held.events + more.events, held.bytes + more.bytes)
        excess = self.excess(both)
        if excess is not None:
            raise Unavailable(excess, retry_after=RETRY_SECONDS)

    def full(self, held: SpoolLoad) -> str | None:
        """Why not even a small parcel fits, None when one does."""
        return self.excess(SpoolLoad(held.entries + 1, held.events, held.bytes + ROW_BYTES))


USUAL = Bounds()


def spool_load(entries: Iterable[SpoolEntry]) -> SpoolLoad:
    """What some parcels weigh."""
    load = SpoolLoad()
    for entry in entries:
        load.add(SpoolLoad(1, entry.events, len(entry.doc) + ROW_BYTES))
    return load
