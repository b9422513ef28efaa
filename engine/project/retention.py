"""How long records are kept, by the names of their kinds (`engine/ports/kinds.py`).

Profiles, sessions, keys and flow versions are kept for ever.
"""

from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

Keep = dict[str, int]  # from which time (ms since the epoch) on records of a kind are kept; all of a kind without one
Dropped = Counter[str]  # how many records of a kind were dropped, or would be


class Retention(Struct, frozen=True):
    """For how long records of a kind are kept, in ms; those of a kind without an age for ever."""

    ages: dict[str, int] = field(default_factory=dict)

    def of(self, kind: str) -> int | None:
        """The age of one kind; None if its records are kept for ever."""
        return self.ages.get(kind)

    def keep(self, now: int) -> Keep:
        """From which times on records are kept at `now`."""
        return {kind: now - age for kind, age in self.ages.items()}

    def __bool__(self) -> bool:
        """Whether anything is ever dropped."""
        return bool(self.ages)


ReportProgress = Callable[[Dropped], None]  # it gets the records dropped so far


def ignore_progress(dropped: Dropped) -> None:
    """Do nothing: the `ReportProgress` of callers that report no progress."""
