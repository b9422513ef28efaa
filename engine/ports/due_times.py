"""The port to the calendar: when a schedule is due."""

from typing import Protocol

from engine.flow.schedule import Schedule


class DueTimes(Protocol):
    """Computes due times. They are nominal: without jitter, and the same in every process."""

    def after(self, schedule: Schedule, time: int, timezone: str) -> int:
        """Return the first due time (ms) after `time` (ms). `timezone` counts where the schedule names none.

        A time of day that the zone skips is due at the end of the gap, and one that comes twice the first time. Spans
        of time are counted from the start of 1970 (UTC).
        """
