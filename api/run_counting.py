"""Writing the counts of runs: every few seconds, and when the server stops.

A process writes documents of its own for the current minute and hour. If a write fails, its counts are added to the
next one, so none is lost unless the process is killed meanwhile. A unit may be committed long after its minute: from
the spool, or after a conflict. Then the document of that minute is read first, and the counts are added to it.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import structlog

from effects.ids import new_id
from effects.recurring_work import RecurringWork
from engine.ports.records import RecordDelete, RecordWrite, Unit
from engine.ports.run_counts import (
    HOURS_KEPT,
    LENGTH,
    MINUTES_KEPT,
    RUN_COUNTS,
    PortCount,
    RunCount,
    Span,
    StoredRunCounts,
    stored_counts,
)
from engine.ports.store import Conflict, Unavailable
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.run_counter import RunKey

SECONDS: Final = 2.0  # between two writes
log = structlog.get_logger("headrace.runs")

_SAID: Final = {"failed": "runs failed", "error": "runs logged an error", "warning": "runs logged a warning"}
DROP_SECONDS: Final = 3_600.0
DROP_AT_ONCE: Final = 200
MAX_ROWS: Final = 5_000  # of a document; further kinds of failures are counted without their reasons


class CountsOfSpan:
    """The counts of this process in one minute or hour, and the version at which they are stored."""

    def __init__(self, id: str, at: int, span: Span) -> None:
        self.id, self.at, self.span = id, at, span
        self.version = 0
        self.read = False  # what this process has stored before is among the counts
        self.changed = False  # since it was written last
        self.runs: Counter[tuple[str, ...]] = Counter()
        self.ports: Counter[tuple[str, str, int, str]] = Counter()

    def add(self, counts: Counter[RunKey]) -> None:
        """Add counts of runs."""
        self.changed = True
        for run, count in counts.items():
            key = (run.flow, run.version, run.outcome, run.node, run.port, run.reason)
            if len(self.runs) >= MAX_ROWS and key not in self.runs:
                key = (run.flow, run.version, run.outcome, "", "", "")
            self.runs[key] += count
            for index, port in enumerate(run.ports):
                if port:
                    self.ports[run.flow, run.version, index, port] += count

    def add_stored(self, stored: StoredRunCounts | None) -> None:
        """Add the counts of the stored document, if there is one, and go on from its version."""
        self.read = True
        if stored is not None:
            self.version = stored.version
            self.runs.update({run.key: run.count for run in stored.runs})
            self.ports.update({port.key: port.count for port in stored.ports})

    def write(self) -> RecordWrite:
        """Return the write of all counts."""
        record = StoredRunCounts(
            self.id,
            self.at,
            self.span,
            self.version + 1,
            tuple([RunCount(count, *key) for key, count in self.runs.items()]),
            tuple([PortCount(count, *key) for key, count in self.ports.items()]),
        )
        return RecordWrite(RUN_COUNTS, record, self.version)


def log_failures(counts: Counter[RunKey]) -> None:
    """Write a line to the server's log for each cause of failures, with the number of runs; without data of persons."""
    found: Counter[tuple[str, ...]] = Counter()
    for run, count in counts.items():
        if run.node or run.outcome == "failed":
            found[run.outcome, run.flow, run.version[:8], run.node, run.port, run.reason] += count
        elif run.level:
            found[run.level, run.flow, run.version[:8], "", "", ""] += count
    for (what, flow, version, node, port, reason), count in found.items():
        about = {"flow": flow, "version": version, "node": node, "port": port, "reason": reason, "runs": count}
        about = {name: value for name, value in about.items() if value}
        log.warning(_SAID.get(what, "runs went on after a failure"), **about)  # an error is one of this program


class RunCounting:
    """Writes the counts of a pipeline's process."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._store = pipeline.store
        self._counter = pipeline.ledger.runs
        self._clock = pipeline.clock
        self._process = new_id()
        self._open: dict[str, CountsOfSpan] = {}

    async def write(self) -> None:
        """Write what was counted since the last time. Raises `Unavailable`; then it is written the next time."""
        for minute, counts in self._counter.take().items():
            log_failures(counts)
            for span in LENGTH:
                self._counts_of(span, minute).add(counts)
        for each in self._open.values():
            if each.changed:
                await self._put(each)
        now = self._clock.now()
        self._open = {id: each for id, each in self._open.items() if each.at + 2 * LENGTH[each.span] > now}

    async def drop(self) -> None:
        """Delete minutes and hours that are too old. Raises `Unavailable`."""
        now = self._clock.now()
        ages: dict[Span, int] = {"minute": MINUTES_KEPT, "hour": HOURS_KEPT}
        for span, age in ages.items():
            old = [each async for each in stored_counts(self._store, span, None, now - age)]
            for begin in range(0, len(old), DROP_AT_ONCE):
                deletes = [
                    RecordDelete(RUN_COUNTS, each.id, each.version) for each in old[begin : begin + DROP_AT_ONCE]
                ]
                with suppress(Conflict):  # another process drops them as well
                    await self._store.commit(Unit(changes=tuple(deletes)))

    def _counts_of(self, span: Span, minute: int) -> CountsOfSpan:
        at = minute - minute % LENGTH[span]
        id = f"{span}-{at}-{self._process}"
        if id not in self._open:
            self._open[id] = CountsOfSpan(id, at, span)
        return self._open[id]

    async def _put(self, counts: CountsOfSpan) -> None:
        """Write a document. A write without an answer may have been made: then it is at the version after."""
        if not counts.read:
            counts.add_stored(await self._store.record(RUN_COUNTS, counts.id))
        try:
            await self._store.commit(Unit(changes=(counts.write(),)))
        except Conflict:
            stored = await self._store.record(RUN_COUNTS, counts.id)
            counts.version = stored.version if stored is not None else 0
            await self._store.commit(Unit(changes=(counts.write(),)))
        counts.version += 1
        counts.changed = False


def run_counting(pipeline: Pipeline, *, drops: bool) -> AbstractAsyncContextManager[None]:
    """Write the counts of this process as long as the context is open, and a last time at its end."""
    counting, recurring = RunCounting(pipeline), RecurringWork(pipeline.report)
    recurring.every("counting runs", SECONDS, counting.write, first=SECONDS)
    if drops:
        recurring.every("dropping old counts of runs", DROP_SECONDS, counting.drop, first=60)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        try:
            async with recurring:
                yield
        finally:
            with suppress(Unavailable):
                await counting.write()

    return running()
