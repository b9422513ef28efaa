"""How much a spool holds, and how much it may."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.ports.store import Parcel, Unavailable

MOST_ENTRIES = 1_000_000
MOST_BYTES = 1024 * 1024 * 1024
ROW_BYTES = 50  # rough cost of an entry beside its document
RETRY_SECONDS = 5  # a full spool does not empty at once


@dataclass(slots=True)
class Load:
    """Entries, the events in them, and their bytes."""

    entries: int = 0
    events: int = 0
    bytes: int = 0

    def add(self, other: "Load") -> None:
        """More of it."""
        self.entries += other.entries
        self.events += other.events
        self.bytes += other.bytes

    def take(self, other: "Load") -> None:
        """Less of it."""
        self.entries -= other.entries
        self.events -= other.events
        self.bytes -= other.bytes


@dataclass(frozen=True)
class Bounds:
    """What a spool may hold."""

    entries: int = MOST_ENTRIES
    bytes: int = MOST_BYTES

    def excess(self, load: Load) -> str | None:
        """Why a load is too much, None when it is not."""
        if load.entries > self.entries:
            return f"the spool is full: it holds {self.entries} entries at most"
        if load.bytes > self.bytes:
            return f"the spool is full: it holds {self.bytes} bytes at most"
        return None

    def check(self, held: Load, more: Load) -> None:
        """Raise `Unavailable` where `more` does not fit."""
        both = Load(held.entries + more.entries, held.events + more.events, held.bytes + more.bytes)
        excess = self.excess(both)
        if excess is not None:
            raise Unavailable(excess, retry_after=RETRY_SECONDS)

    def full(self, held: Load) -> str | None:
        """Why not even a small parcel fits, None when one does."""
        return self.excess(Load(held.entries + 1, held.events, held.bytes + ROW_BYTES))


USUAL = Bounds()


def load_of(parcels: Iterable[Parcel]) -> Load:
    """What some parcels weigh."""
    load = Load()
    for parcel in parcels:
        load.add(Load(1, parcel.events, len(parcel.doc) + ROW_BYTES))
    return load
