"""The ledger: every received event ends in exactly one place, and is counted there.

    received = stored + processed + rejected + duplicate + queued

Each process of a server has a slot of counters, one for each place. The slots of all processes are in one piece of
memory, which they may share: each process writes its own slot only, so no lock is needed, and anyone can add up all.
`received` is not a counter but the sum, so that the equation holds at every moment, also after a process was killed
between two counters.
"""

from msgspec import Struct

from engine.tracking.unit.meter import Meter
from engine.tracking.unit.run_counter import RunCounter, RunKey

STORED, PROCESSED, REJECTED, DUPLICATE, QUEUED = range(5)
COUNTERS = 5  # in a slot
SLOT_BYTES = 8 * COUNTERS


class Counted(Struct, frozen=True):
    """How many events of a unit have ended in which place, and the runs of the unit."""

    stored: int = 0
    processed: int = 0  # not to be saved
    rejected: int = 0
    duplicate: int = 0
    runs: tuple[RunKey, ...] = ()  # the runs of the unit
    at: int = 0  # the time of the unit (ms), if it has runs

    def __add__(self, other: "Counted") -> "Counted":
        """Return the sums."""
        return Counted(
            self.stored + other.stored,
            self.processed + other.processed,
            self.rejected + other.rejected,
            self.duplicate + other.duplicate,
            (*self.runs, *other.runs),
            max(self.at, other.at),
        )


class Totals(Struct, frozen=True):
    """The counters of all processes of a server since it started, with the events that waited in its spools then."""

    received: int
    stored: int
    processed: int
    rejected: int
    duplicate: int
    queued: int


class Ledger:
    """Counts the events of this process in its slot of `memory`, numbered from 0; without `memory`, for itself alone.

    `memory` has `SLOT_BYTES` for each process, zeros at first. What a process has counted stays when it ends, and the
    one that takes its place counts on. Runs are counted by the `meter`.
    """

    __slots__ = ("_all", "_own", "meter", "runs")

    def __init__(self, memory: memoryview | None = None, slot: int = 0, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self._all = (memoryview(bytearray(SLOT_BYTES)) if memory is None else memory).cast("q")
        self._own = self._all[slot * COUNTERS : (slot + 1) * COUNTERS]
        self.runs = RunCounter()  # of this process

    def count(self, counted: Counted) -> None:
        """Count the events of one unit."""
        own = self._own
        if counted.stored:
            own[STORED] += counted.stored
        if counted.processed:
            own[PROCESSED] += counted.processed
        if counted.rejected:
            own[REJECTED] += counted.rejected
        if counted.duplicate:
            own[DUPLICATE] += counted.duplicate
        if counted.runs:
            self.meter.count_runs(counted.runs)
            self.runs.count(counted.runs, counted.at)

    def queue(self, events: int) -> None:
        """Count events that are put into the spool; a negative number are taken out, to be counted where they end."""
        self._own[QUEUED] += events

    def start_queue(self, events: int) -> None:
        """Count the events that are in the spool of this process when it starts, whatever was counted before it."""
        self._own[QUEUED] = events

    def totals(self) -> Totals:
        """Add up the counters of all processes."""
        places = [sum(self._all[place::COUNTERS].tolist()) for place in range(COUNTERS)]
        return Totals(sum(places), *places)
