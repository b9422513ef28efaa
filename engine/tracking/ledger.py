"""The ledger: every received event ends in exactly one place, and this is where it is counted."""

from msgspec import Struct


class Totals(Struct, frozen=True):
    """`received = stored + processed + rejected + duplicate`, at any moment between units."""

    received: int = 0
    stored: int = 0
    processed: int = 0  # not to be saved
    rejected: int = 0
    duplicate: int = 0


class Ledger:
    """Counts events since the process started."""

    def __init__(self) -> None:
        self.totals = Totals()

    def count(
        self, received: int = 0, stored: int = 0, processed: int = 0, rejected: int = 0, duplicate: int = 0
    ) -> None:
        """Count the events of one unit, all at once."""
        old = self.totals
        self.totals = Totals(
            old.received + received,
            old.stored + stored,
            old.processed + processed,
            old.rejected + rejected,
            old.duplicate + duplicate,
        )
