"""The ledger: every received event ends in exactly one place, and is counted there."""

from dataclasses import dataclass

from msgspec import Struct


class Counted(Struct, frozen=True):
    """How many events of a unit have ended in which place."""

    stored: int = 0
    processed: int = 0  # not to be saved
    rejected: int = 0
    duplicate: int = 0


@dataclass(slots=True)
class Ledger:
    """Counts of the events since the process started, and of those that waited in the spool then.

    `received = stored + processed + rejected + duplicate + queued` between units.
    """

    received: int = 0
    stored: int = 0
    processed: int = 0  # not to be saved
    rejected: int = 0
    duplicate: int = 0
    queued: int = 0  # wait in the spool

    def count(self, counted: Counted) -> None:
        """Count the events of one unit, all at once."""
        self.received += counted.stored + counted.processed + counted.rejected + counted.duplicate
        self.stored += counted.stored
        self.processed += counted.processed
        self.rejected += counted.rejected
        self.duplicate += counted.duplicate

    def queue(self, events: int) -> None:
        """Count events that are put into the spool; a negative number are taken out, to be counted where they end."""
        self.received += events
        self.queued += events
