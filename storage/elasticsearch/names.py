"""Names: which index a document is in, and under which id.

Ids that strangers choose are hashed: a document's id has at most 512 bytes. Months and weeks are those of UTC.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from msgspec import json

DAY = 86_400_000  # ms
WEEK = 7 * DAY
WINDOW = WEEK  # of deduplication: marks are looked for in the weeks that it covers
SKEW = 300_000  # ms by which the clocks of processes may differ
_LAST = 253_402_300_799_000  # the last ms with a year of four digits

IndexedId = tuple[str, str]  # index and id

_encode = json.Encoder().encode


def id_of(*names: str) -> str:
    """The document id for names that strangers may have chosen."""
    return blake2b(_encode(names), digest_size=16).hexdigest()


class Names:
    """The names of a store's indices."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.profiles = f"{prefix}-profiles"
        self.sessions = f"{prefix}-sessions"
        self.keys = f"{prefix}-keys"
        self.cache = f"{prefix}-cache"
        self.meta = f"{prefix}-meta"
        self.marks = f"{prefix}-marks"  # an alias, as are the next three
        self.events = f"{prefix}-events"
        self.runs = f"{prefix}-runs"
        self.rejected = f"{prefix}-rejected"

    def marks_at(self, time: int, now: int) -> str:
        """The index of a mark of that time. One whose time is far from now goes where readers look."""
        return f"{self.marks}-{_week(time // WEEK if now - WINDOW <= time <= now + SKEW else now // WEEK)}"

    def marks_now(self, now: int) -> list[str]:
        """The indices that marks are looked for in."""
        return [f"{self.marks}-{_week(week)}" for week in range((now - WINDOW) // WEEK, (now + SKEW) // WEEK + 1)]

    def events_at(self, time: int) -> str:
        """The index of events that were received at that time."""
        return f"{self.events}-{month(time)}"

    def runs_at(self, time: int) -> str:
        """The index of runs of that time."""
        return f"{self.runs}-{month(time)}"

    def rejected_at(self, time: int) -> str:
        """The index of events that were rejected at that time."""
        return f"{self.rejected}-{month(time)}"


def month(time: int) -> str:
    """The month of a time, as six digits."""
    return _month(min(max(time, 0), _LAST) // DAY)


def over_before(indices: Iterable[str], time: int) -> list[str]:
    """Of indices by month, those whose month ended before a time."""
    now = month(time)
    return [index for index in indices if index.rpartition("-")[2] < now]


def weeks_over_before(indices: Iterable[str], time: int) -> list[str]:
    """Of indices by week, those whose week ended before a time."""
    now = _week(time // WEEK)
    return [index for index in indices if index.rpartition("-")[2] < now]


@lru_cache(maxsize=64)
def _month(day: int) -> str:
    return datetime.fromtimestamp(day * DAY / 1000, UTC).strftime("%Y%m")


@lru_cache(maxsize=64)
def _week(number: int) -> str:
    """Weeks begin on Thursday, as time did; named by the ISO week of their first day, which is unlike any other's."""
    year, week, _ = datetime.fromtimestamp(number * WEEK / 1000, UTC).isocalendar()
    return f"{year}w{week:02}"
