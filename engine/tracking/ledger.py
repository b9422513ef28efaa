"""The ledger: every received event ends in exactly one place, and this is where it is counted."""

from dataclasses import dataclass


@dataclass(slots=True)
class Ledger:
    """Events since the process started: `received = stored + processed + rejected + duplicate` between units."""

    received: int = 0
    stored: int = 0
    processed: int = 0  # not to be saved
    rejected: int = 0
    duplicate: int = 0

    def count(self, stored: int = 0, processed: int = 0, rejected: int = 0, duplicate: int = 0) -> None:
        """Count the events of one unit, all at once."""
        self.received += stored + processed + rejected + duplicate
        self.stored += stored
        self.processed += processed
        self.rejected += rejected
        self.duplicate += duplicate
