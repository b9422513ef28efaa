"""Importing: rows of a file become stored events, part by part.

A part is some rows in a row of one file. Its events are grouped by who sent them, and the groups run side by side, as
those of any request with many persons do; the rows of one person keep their order, within a part and from part to part.
A part is done when each of its rows is stored, is recorded as rejected, or is left out by the mapping. Then the ledger
advances, and the next part begins.

An event without an id of its own gets one from the file's digest, its row and its type, so a part that is done twice
counts once, and two mappings may make different events of the same rows.
A store that is away is tried again for a while; then the import ends with `Unavailable`, and can go on later.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Final

from msgspec import Struct, structs

from engine.ports.backoff import BackoffFormula
from engine.ports.ids import short_hash
from engine.ports.rows import BadRow, Row
from engine.ports.store import Unavailable
from engine.project.import_mapping import ImportMapping
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup
from engine.tracking.foreign.row import RowTranslation
from engine.tracking.foreign.senders import grouping_steps
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.importing.ledger import ImportKey, ImportLedger, ImportRecord
from engine.tracking.intake.payload import Options, RejectedEvent
from engine.tracking.pipeline.foreign_processing import ForeignProcessing, Slots
from engine.tracking.pipeline.tracker import PayloadTracker

PROTOCOL: Final = "import"
MAX_TRIES: Final = 12  # of a part, while the store is away: about a minute
BACKOFF: Final = BackoffFormula(first=0.1, longest=10.0)
FEWEST_REFUSED: Final = 20  # rows of a first part that show by being refused, all of them, that none will be taken
MAX_REASONS: Final = 10  # that a result of a part names

_WITHOUT_SESSION: Final = Options(saveSession=False)

Part = Sequence[Row | BadRow]
PlacedEvent = tuple[int, ForeignEvent | RejectedEvent]  # with the place of its row in the part


class ImportJob(Struct, frozen=True, kw_only=True):
    """A file that is to be imported. `digest` is its SHA-256 (hex), or what stands for it where it is not known."""

    digest: str
    file: str  # its name, for messages
    source: Source
    mapping: ImportMapping

    @property
    def key(self) -> ImportKey:
        """The key of the import in the ledger."""
        return ImportKey(self.digest, self.mapping.digest, self.source.source)


class RefusedRow(Struct, frozen=True):
    """A row that is now in the rejected store, and why."""

    number: int
    line: int
    reason: str


class PartResult(Struct, frozen=True):
    """The result of a part: `refused` are the first `MAX_REASONS` of its `bad` rows.

    `stored` rows are events now, of which `repeated` were so before. The events of `forgotten` rows were dropped, since
    their persons were forgotten. The mapping has left out the other rows.
    """

    rows: int
    stored: int
    bad: int
    refused: tuple[RefusedRow, ...] = ()
    repeated: int = 0
    forgotten: int = 0

    def __add__(self, other: "PartResult") -> "PartResult":
        """Return the result of this part and the next one."""
        return PartResult(
            self.rows + other.rows,
            self.stored + other.stored,
            self.bad + other.bad,
            (*self.refused, *other.refused)[:MAX_REASONS],
            self.repeated + other.repeated,
            self.forgotten + other.forgotten,
        )


class NothingTaken(Exception):
    """All rows of the first part were refused: the mapping or the project is wrong, and the import does not go on."""

    def __init__(self, result: PartResult) -> None:
        first = result.refused[0]
        super().__init__(f"all of the first {result.rows} rows were refused; line {first.line}: {first.reason}")


class Importing:
    """Imports rows through one pipeline. `history`: as facts about the past, without sessions."""

    def __init__(self, tracker: PayloadTracker, slots: Slots, *, history: bool) -> None:
        self._tracker = tracker
        self._processing = ForeignProcessing(tracker, slots)
        self._history = history

    async def do(self, job: ImportJob, part: Part) -> PartResult:
        """Store the rows of a part. Raises `Unavailable` after some tries."""
        translated = await self._tracker.pipeline.slices.run(self._translated(job, part))
        source = structs.replace(job.source, times="occurred") if self._history else job.source
        for attempt in range(1, MAX_TRIES + 1):
            try:
                return await self._tried(job, source, part, translated)
            except Unavailable as unavailable:
                if attempt == MAX_TRIES:
                    raise
                self._tracker.pipeline.report(unavailable)
                await asyncio.sleep(BACKOFF.pause(attempt, 0.5))
        raise AssertionError("not reached")

    def _translated(self, job: ImportJob, part: Part) -> Generator[None, None, list[PlacedEvent]]:
        """Return the events of a part, each with the place of its row in it; yield between two rows."""
        pipeline = self._tracker.pipeline
        translation = RowTranslation(job.mapping.mapping, pipeline.project.settings, job.file, pipeline.clock.now())
        found: list[PlacedEvent] = []
        for place, row in enumerate(part):
            event = translation.event(row)
            if isinstance(event, ForeignEvent) and event.id is None:
                event = structs.replace(event, id=short_hash(PROTOCOL, job.digest, str(row.number), event.type))
            elif isinstance(event, RejectedEvent):
                event = structs.replace(event, index=len(found), reason=f"{job.file}, line {row.line}: {event.reason}")
            if event is not None:
                found.append((place, event))
            yield
        return found

    async def _tried(self, job: ImportJob, source: Source, part: Part, translated: list[PlacedEvent]) -> PartResult:
        pipeline = self._tracker.pipeline
        translation = Translation(events=tuple([event for _, event in translated]))
        steps = grouping_steps(translation, source, PROTOCOL, pipeline.project.settings.keys)
        groups = await pipeline.slices.run(steps)
        if self._history:
            groups = [_without_session(group) for group in groups]
        processed = await self._processing.process(groups, source)
        refused = []
        for error in processed.errors[:MAX_REASONS]:
            row = part[translated[error.index][0]]
            prefix = f"{job.file}, line {row.line}: "
            refused.append(RefusedRow(row.number, row.line, error.reason.removeprefix(prefix)))
        bad = len(processed.errors)
        stored = len(translated) - bad - processed.forgotten
        return PartResult(len(part), stored, bad, tuple(refused), processed.repeated, processed.forgotten)


class ImportProgress(Struct, frozen=True):
    """How far an import has come after a part, and the result of that part."""

    record: ImportRecord
    part: PartResult


async def import_rows(
    importing: Importing, ledger: ImportLedger, job: ImportJob, record: ImportRecord, parts: AsyncIterator[Part]
) -> AsyncIterator[ImportProgress]:
    """Import the parts that follow on what `record` says, and yield after each.

    Raises `Unavailable` and `OtherImport`.
    """
    async for part in parts:
        result = await importing.do(job, part)
        record = await ledger.advance(job.key, record, advanced(record, result))
        yield ImportProgress(record, result)


def advanced(record: ImportRecord, result: PartResult, finished: int | None = None) -> ImportRecord:
    """Return a record after a part. `finished` is the time (ms) if it was the last one.

    Raises `NothingTaken` if the first part has many rows, and all of them were refused.
    """
    if not record.rows and result.bad == result.rows >= FEWEST_REFUSED:
        raise NothingTaken(result)
    return structs.replace(
        record,
        rows=record.rows + result.rows,
        stored=record.stored + result.stored,
        refused=record.refused + result.bad,
        repeated=record.repeated + result.repeated,
        forgotten=record.forgotten + result.forgotten,
        finished=finished,
    )


def _without_session(group: IntakeGroup) -> IntakeGroup:
    return [structs.replace(one, intake=structs.replace(one.intake, options=_WITHOUT_SESSION)) for one in group]
