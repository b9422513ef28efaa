"""Counts of runs: each run of a committed unit is counted once, whatever is kept of it.

A process counts in memory, by the minute of the unit; `api.run_counting` writes the counts to the store every few
seconds. So a process that is killed loses the counts of its last seconds, and nothing else.
"""

from collections import Counter
from typing import Final

from msgspec import Struct, structs

MAX_KEYS: Final = 5_000  # different keys in a minute; further ones are counted without reason and path
OTHER: Final = "other"
MINUTE: Final = 60_000  # ms


class RunKey(Struct, frozen=True):
    """The properties of a run by which it is counted.

    `ports` are the ports by which its nodes left, by their index in the flow; empty or None of a node that did not run.
    `node`, `port` and `reason` are of the first node that left by a failure port; the reason is a shape.
    """

    flow: str
    version: str
    outcome: str
    ports: tuple[str | None, ...] = ()
    node: str = ""
    port: str = ""
    reason: str = ""
    level: str = ""  # the highest of its logs, if that is a warning or an error


class RunCounter:
    """The counts of this process that are not taken yet, by the beginning of their minute (ms since the epoch)."""

    __slots__ = ("minutes",)

    def __init__(self) -> None:
        self.minutes: dict[int, Counter[RunKey]] = {}

    def count(self, runs: tuple[RunKey, ...], at: int) -> None:
        """Count the runs of a unit; `at` is the time of the unit (ms)."""
        minute = at - at % MINUTE
        counts = self.minutes.get(minute)
        if counts is None:
            counts = self.minutes[minute] = Counter()
        for run in runs:
            if len(counts) >= MAX_KEYS and run not in counts:
                run = structs.replace(run, ports=(), reason=run.reason and OTHER)  # noqa: PLW2901
            counts[run] += 1

    def take(self) -> dict[int, Counter[RunKey]]:
        """Return the counts since the last call, and begin again."""
        taken, self.minutes = self.minutes, {}
        return taken
