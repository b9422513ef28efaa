"""The meter: numbers of a running server for those who watch it, in memory that its processes may share.

Each process of a server has a slot with all cells of the families. It writes its own slot only, so no lock is needed,
and any process answers for all: it joins the cells of all slots, by their sum or by the largest. What is in a slot
stays when its process ends, and the one that takes its place counts on. Gauges stay until then, too.

What happens with each event is counted in plain numbers first, since writing memory that is shared costs ten times as
much. `flush` adds them to the slot; it is called once a second, so a process that is killed loses a second of them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from engine.tracking.unit.families import (
    ANSWERS,
    ATTEMPT_OUTCOMES,
    BUCKETS,
    COMMITS,
    FAMILIES,
    LOOKUP_OUTCOMES,
    NODE_FAILURES,
    OTHER,
    OUTCOMES,
    REQUESTS,
    RUNS,
    Family,
    Labels,
    Names,
    places_of,
    slot_cells,
)
from engine.tracking.unit.run_counter import RunKey

CELL_BYTES: Final = 8
NO_NAMES: Final = Names()


class Cell:
    """One number of this process."""

    __slots__ = ("_cells", "_place")

    def __init__(self, cells: memoryview, place: int) -> None:
        self._cells = cells
        self._place = place

    def add(self, count: int = 1) -> None:
        """Count so many more."""
        self._cells[self._place] += count

    def put(self, value: int) -> None:
        """Set the number."""
        self._cells[self._place] = value


class Histogram:
    """The durations of one thing in this process: they are kept here until the meter is flushed."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration."""
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def take(self) -> list[int]:
        """Return what has been counted since the last time, as cells."""
        cells = [*self._counts, round(self._sum * 1_000_000)]
        self._counts, self._sum = [0] * (len(BUCKETS) + 1), 0.0
        return cells


class Reading(Struct, frozen=True):
    """The cells of a family for one combination of labels, joined over all processes."""

    family: Family
    labels: Labels
    cells: tuple[int, ...]


class Meter:
    """The numbers of this process, in its slot of `memory`, numbered from 0; without `memory`, for itself alone.

    `memory` has `slot_cells(names)` cells of `CELL_BYTES` for each process, zeros at first.
    """

    def __init__(self, names: Names = NO_NAMES, memory: memoryview | None = None, slot: int = 0) -> None:
        self.names = names
        self._size = size = slot_cells(names)
        self._all = (memoryview(bytearray(CELL_BYTES * size)) if memory is None else memory).cast("q")
        self._own = self._all[slot * size : (slot + 1) * size]
        self._places = places = places_of(names)
        self._runs = {labels: place for (family, labels), place in places.items() if family == RUNS.name}
        self._nodes = {labels: place for (family, labels), place in places.items() if family == NODE_FAILURES.name}
        self._histograms: dict[int, Histogram] = {}  # by the places of their first cells
        self._ran: defaultdict[tuple[str, str, str], int] = defaultdict(int)  # flow, outcome, node
        self.answers = [0] * 10  # to requests with events, since the last flush, by the first digit of their status
        self.requests = self.histogram(REQUESTS)
        self.commits = self.histogram(COMMITS)

    def cell(self, family: Family, *labels: str) -> Cell:
        """Return a number of this process. A value that is no name of the project's stands for all such."""
        place = self._places.get((family.name, labels))
        return Cell(self._own, self._places[family.name, _others(family, labels)] if place is None else place)

    def histogram(self, family: Family, *labels: str) -> Histogram:
        """Return a histogram of this process, likewise."""
        place = self._places.get((family.name, labels))
        if place is None:
            place = self._places[family.name, _others(family, labels)]
        return self._histograms.setdefault(place, Histogram())

    def count_runs(self, runs: Sequence[RunKey]) -> None:
        """Count runs whose unit is stored."""
        ran = self._ran
        for run in runs:
            ran[run.flow, run.outcome, run.node] += 1

    def flush(self) -> None:
        """Add what has been counted since the last time to the slot."""
        own = self._own
        for place, histogram in self._histograms.items():
            for cell, count in enumerate(histogram.take(), place):
                own[cell] += count
        for digit in range(2, 6):
            own[self._places[ANSWERS.name, (f"{digit}xx",)]] += self.answers[digit]
            self.answers[digit] = 0
        for run, count in self._ran.items():
            for place in self._places_of_run(*run):
                own[place] += count
        self._ran.clear()

    def _places_of_run(self, flow: str, outcome: str, node: str) -> Iterator[int]:
        known = flow if (flow, OTHER) in self._runs else OTHER
        yield self._runs[known, outcome if outcome in OUTCOMES else OTHER]
        if node:
            yield self._nodes.get((flow, node.partition("[")[0]), self._nodes[OTHER, OTHER])

    def readings(self) -> Iterator[Reading]:
        """Yield all numbers, those of all processes joined; this one is flushed first."""
        self.flush()
        slots = [self._all[start : start + self._size] for start in range(0, len(self._all), self._size)]
        by_name = {family.name: family for family in FAMILIES}
        for (name, labels), place in self._places.items():
            family = by_name[name]
            join = sum if family.join == "sum" else max
            cells = range(place, place + family.cells)
            yield Reading(family, labels, tuple([join([slot[cell] for slot in slots]) for cell in cells]))


def _others(family: Family, labels: Labels) -> Labels:
    """Return the labels under which unknown names are counted; a known outcome stays."""
    known = {*OUTCOMES, *LOOKUP_OUTCOMES, *ATTEMPT_OUTCOMES}
    pairs = zip(family.labels, labels, strict=True)
    return tuple([value if name == "outcome" and value in known else OTHER for name, value in pairs])
