"""The load of a spool (entries, events, bytes) and its bounds."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.ports.spool import SpoolEntry, SpoolUnavailable

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
        """Add another load to this one."""
        self.entries += other.entries
        self.events += other.events
        self.bytes += other.bytes

    def subtract(self, other: "SpoolLoad") -> None:
        """Subtract another load from this one."""
        self.entries -= other.entries
        self.events -= other.events
        self.bytes -= other.bytes


@dataclass(frozen=True)
class Bounds:
    """The largest load that a spool accepts."""

    entries: int = MAX_ENTRIES
    bytes: int = MAX_BYTES

    def excess(self, load: SpoolLoad) -> str | None:
        """The reason why a load exceeds the bounds; None if it does not."""
        if load.entries > self.entries:
            return f"the spool is full: it holds {self.entries} entries at most"
        if load.bytes > self.bytes:
            return f"the spool is full: it holds {self.bytes} bytes at most"
        return None

    def check(self, held: SpoolLoad, more: SpoolLoad) -> None:
        """Raise `SpoolUnavailable` if `more` does not fit beside `held`."""
        both = SpoolLoad(held.entries + more.entries, held.events + more.events, held.bytes + more.bytes)
        excess = self.excess(both)
        if excess is not None:
            raise SpoolUnavailable(excess, retry_after=RETRY_SECONDS)

    def full(self, held: SpoolLoad) -> str | None:
        """The reason why not even an empty entry fits; None if one does."""
        return self.excess(SpoolLoad(held.entries + 1, held.events, held.bytes + ROW_BYTES))


USUAL = Bounds()


def spool_load(entries: Iterable[SpoolEntry]) -> SpoolLoad:
    """The load that these entries add to a spool."""
    load = SpoolLoad()
    for entry in entries:
        load.add(SpoolLoad(1, entry.events, len(entry.doc) + ROW_BYTES))
    return load
