"""How long documents are kept. Profiles, sessions, keys and flow versions are kept for ever."""

from collections.abc import Callable
from typing import Literal, get_args

from msgspec import Struct

Kind = Literal["events", "runs", "rejected"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Keep(Struct, frozen=True, kw_only=True):
    """From which time on documents are kept, in ms since the epoch; None keeps all.

    It is the time of receiving that counts for events and rejected events, and that of the run for runs.
    """

    events: int | None = None
    runs: int | None = None
    rejected: int | None = None

    def of(self, kind: Kind) -> int | None:
        """That of one kind of document."""
        time: int | None = getattr(self, kind)
        return time


class Dropped(Struct, frozen=True, kw_only=True):
    """How many documents went, or would go."""

    events: int = 0
    runs: int = 0
    rejected: int = 0

    def of(self, kind: Kind) -> int:
        """Those of one kind."""
        count: int = getattr(self, kind)
        return count

    @property
    def total(self) -> int:
        """All of them."""
        return self.events + self.runs + self.rejected


class Retention(Struct, frozen=True, kw_only=True):
    """For how long documents are kept, in ms; None keeps them for ever."""

    events: int | None = None
    runs: int | None = None
    rejected: int | None = None

    def of(self, kind: Kind) -> int | None:
        """That of one kind of document."""
        age: int | None = getattr(self, kind)
        return age

    def keep(self, now: int) -> Keep:
        """What is kept at `now`."""
        return Keep(**{kind: now - age for kind in KINDS if (age := self.of(kind)) is not None})

    def __bool__(self) -> bool:
        """Whether anything is ever dropped."""
        return any(self.of(kind) is not None for kind in KINDS)


ReportProgress = Callable[[Dropped], None]


def ignore_progress(dropped: Dropped) -> None:
    """Tells nobody."""
