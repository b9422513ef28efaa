"""Where `headrace import` puts rows: into a store that it opens itself, or through a running server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import msgspec
from msgspec import Struct

from api.imports import already_imported
from api.tracking.foreign import LARGE_BODY
from cli.call import RemoteServer, request_json
from cli.store import CommandError, opened_store
from effects.clock import SystemClock
from effects.http import HttpPerformer
from effects.ids import new_id
from engine.ports.rows import BadRow, Row
from engine.project.project import Project
from engine.tracking.importing.history import ImportPipelines
from engine.tracking.importing.importing import (
    Importing,
    ImportJob,
    NothingTaken,
    PartResult,
    RefusedRow,
    advanced,
)
from engine.tracking.importing.ledger import AlreadyImported, ImportLedger, ImportRecord, OtherImport
from engine.tracking.pipeline.pipeline import Pipeline

PART_SECONDS = 600  # for a server to store one part


class ImportOptions(Struct, frozen=True, kw_only=True):
    """How a file is imported. `mapping_text` is that of a mapping's file; None for rows that are events."""

    flows: bool = False
    again: bool = False
    mapping_text: str | None = None


class ImportTarget(Protocol):
    """Takes the rows of files. Its methods raise `CommandError`."""

    async def begin(self, job: ImportJob, options: ImportOptions) -> ImportRecord:
        """Begin an import, or go on with one; returns how far it has come."""

    async def add(
        self, job: ImportJob, options: ImportOptions, record: ImportRecord, part: Sequence[Row | BadRow], *, last: bool
    ) -> tuple[ImportRecord, PartResult]:
        """Store the next part; with `last` the import is finished. Returns how far it has come."""


class _Unbounded:
    """Slots without a bound: no other request waits in this process."""

    def take_slots(self, wanted: int) -> int:
        """Return all that are wanted."""
        return wanted

    def return_slots(self, count: int) -> None:
        """Take slots back."""


class StoreTarget:
    """A store that this process has opened."""

    def __init__(self, pipeline: Pipeline, pipelines: ImportPipelines) -> None:
        self._pipeline = pipeline
        self._pipelines = pipelines
        self._ledger = ImportLedger(pipeline.store)
        self._importing: dict[bool, Importing] = {}

    async def begin(self, job: ImportJob, options: ImportOptions) -> ImportRecord:
        """Begin an import in the ledger of the store."""
        try:
            now = self._pipeline.clock.now()
            return await self._ledger.begin(job.key, job.file, now, new_id(), again=options.again)
        except AlreadyImported as imported:
            raise CommandError(already_imported(job.file, imported.record).replace("`again`", "--again")) from None

    async def add(
        self, job: ImportJob, options: ImportOptions, record: ImportRecord, part: Sequence[Row | BadRow], *, last: bool
    ) -> tuple[ImportRecord, PartResult]:
        """Store the next part, and advance the ledger."""
        if options.flows not in self._importing:
            self._importing[options.flows] = await self._pipelines.importing(flows=options.flows)
        result = await self._importing[options.flows].do(job, part)
        try:
            after = advanced(record, result, self._pipeline.clock.now() if last else None)
            return await self._ledger.advance(job.key, record, after), result
        except NothingTaken as nothing:
            raise CommandError(f"{job.file}: {nothing}. Correct that, and repeat the command.") from None
        except OtherImport:
            raise CommandError(f"another process goes on with the import of {job.file}.") from None


@asynccontextmanager
async def store_target(project: Project, url: str, root: Path) -> AsyncIterator[StoreTarget]:
    """Open a store for imports. Raises `CommandError`."""
    clock = SystemClock()
    async with opened_store(url, root, small=True) as store, HttpPerformer(project.targets, clock) as performer:
        await store.migrate()
        pipeline = Pipeline(project, store, performer, clock, new_id)
        await pipeline.start()
        yield StoreTarget(pipeline, ImportPipelines(pipeline, _Unbounded()))


class ServerTarget:
    """A running server."""

    def __init__(self, server: RemoteServer, client: aiohttp.ClientSession) -> None:
        self._server = server
        self._client = client

    async def begin(self, job: ImportJob, options: ImportOptions) -> ImportRecord:
        """Have the server begin an import."""
        return _record(await self._post(job, "begin", _members(job, options)))

    async def add(
        self, job: ImportJob, options: ImportOptions, record: ImportRecord, part: Sequence[Row | BadRow], *, last: bool
    ) -> tuple[ImportRecord, PartResult]:
        """Send the next part to the server, in halves if it is too large for one request."""
        members = _members(job, options) | {"by": record.by, "rows": [*map(_sent, part)], "last": last}
        if len(part) > 1 and len(msgspec.json.encode(members)) > LARGE_BODY:
            half = len(part) // 2
            record, first = await self.add(job, options, record, part[:half], last=False)
            record, second = await self.add(job, options, record, part[half:], last=last)
            return record, first + second
        answer = await self._post(job, "rows", members)
        after = _record(answer)
        refused = tuple(RefusedRow(each["number"], each["line"], each["reason"]) for each in answer["refused_rows"])
        stored, bad = after.stored - record.stored, after.refused - record.refused
        repeated, forgotten = after.repeated - record.repeated, after.forgotten - record.forgotten
        return after, PartResult(len(part), stored, bad, refused, repeated, forgotten)

    async def _post(self, job: ImportJob, what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await request_json(
            self._client, self._server, "POST", f"/import/{job.digest}/{what}", body
        )
        return answer


@asynccontextmanager
async def server_target(server: RemoteServer) -> AsyncIterator[ServerTarget]:
    """Open a connection to a server."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PART_SECONDS)) as client:
        yield ServerTarget(server, client)


def _members(job: ImportJob, options: ImportOptions) -> dict[str, Any]:
    return {"source": job.source.source, "file": job.file} | {
        name: value for name, value in msgspec.structs.asdict(options).items() if value
    }


def _sent(row: Row | BadRow) -> dict[str, Any]:
    if isinstance(row, Row):
        return {"number": row.number, "line": row.line, "value": msgspec.Raw(row.raw)}
    raw = row.raw[:10_000].decode("utf-8", "replace")
    return {"number": row.number, "line": row.line, "raw": raw, "reason": row.reason}


def _record(answer: dict[str, Any]) -> ImportRecord:
    return ImportRecord(
        file=answer["file"],
        begun=answer["begun"],
        by=answer["by"],
        rows=answer["rows"],
        stored=answer["stored"],
        refused=answer["refused"],
        repeated=answer["repeated"],
        forgotten=answer["forgotten"],
        finished=answer["finished"],
    )
