"""Routes by which a file is imported through a running server: a small one as a whole, a large one in parts.

The server reads a request as a whole, so that its memory is bounded. So a client reads a large file, and sends its rows
in parts, each behind the last one that the ledger says is done. The command `headrace import --url` does that.
"""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from api.access.audit import audited
from api.access.option import access
from api.description.operation import described
from api.documents.importing import ANSWER, FILE, PART, STATE, ImportAnswer, ImportState
from api.problem import HttpProblem
from api.unmerge import no_foreign_page
from effects.rows.parts import parts_of
from effects.rows.reading import read_rows
from effects.rows.stream import RowStream
from engine.ports.rows import BadRow, Row, UnreadableFile
from engine.project.import_mapping import PLAIN, ImportMapping
from engine.project.source import Source
from engine.tracking.importing.history import ImportPipelines
from engine.tracking.importing.importing import ImportJob, ImportProgress, NothingTaken, advanced, import_rows
from engine.tracking.importing.ledger import AlreadyImported, ImportLedger, ImportRecord, OtherImport
from engine.tracking.pipeline.pipeline import Pipeline
from flows.import_mapping import read_import, shipped_import
from flows.reader import read_yaml

SourceName = Annotated[str, QueryParameter(description="The source of the events")]
MappingName = Annotated[str | None, QueryParameter(description="A mapping of the project, or mixpanel or amplitude")]
FileName = Annotated[str, QueryParameter(name="file", description="The name of the file, which says its format")]
Flows = Annotated[bool, QueryParameter(description="Whether flows run on the events")]
Again = Annotated[bool, QueryParameter(description="Whether a file is imported that has been imported before")]

UNNAMED: Final = "a file"
_DIGESTS: Final = {"digest": "0" * 64}
_IMPORT: Final = {"source": "history", "file": "orders.csv"}
_BEGIN: Final = {"source": "history", "file": "orders.csv"}
_DIGEST: Final = frozenset("0123456789abcdef")


class ImportedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a part: its `value`, or the `reason` for which it cannot be read, with its text."""

    number: int
    line: int
    value: dict[str, Any] | None = None
    raw: str = ""
    reason: str = ""


class ImportPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an import. `by` is what its beginning returned, `mapping` a name, and `mapping_text` a file's text."""

    source: str
    file: str
    mapping: str | None = None
    mapping_text: str | None = None
    flows: bool = False
    again: bool = False
    by: str = ""
    rows: list[ImportedRow] = []
    last: bool = False


def import_router(pipeline: Pipeline, pipelines: ImportPipelines) -> Router:
    """Return the routes."""
    server = _Server(pipeline, pipelines)

    @post(
        "/import",
        status_code=200,
        summary="Import a small file",
        guards=[no_page],
        opt=access("admin")
        | described("importFile", ImportAnswer, 403, 404, 409, example=ANSWER, sends=FILE, parameters=_IMPORT),
    )
    async def import_file(
        request: Request[Any, Any, Any],
        source: SourceName,
        mapping: MappingName = None,
        file: FileName = UNNAMED,
        flows: Flows = False,
        again: Again = False,
    ) -> dict[str, Any]:
        """Import the rows of the body, CSV, JSON, NDJSON or Avro, gzip or not. The answer is the summary."""
        part = ImportPart(source=source, mapping=mapping, file=file, flows=flows, again=again)
        async with audited(request, "import a file", f"source/{source}") as notes:
            done = await server.whole(await request.body(), part)
            notes.detail = f"{done['stored']} events"
        return done

    @get(
        "/import/{digest:str}",
        summary="How far the imports of a file have come",
        opt=access("admin") | described("readImports", list[ImportState], 400, example=[STATE], parameters=_DIGESTS),
    )
    async def progress(digest: FromPath[str]) -> list[dict[str, Any]]:
        """The digest is the SHA-256 (hex) of the file."""
        records = await server.ledger.records(_checked(digest))
        return [serialize_import(record) for record in records.values()]

    @post(
        "/import/{digest:str}/begin",
        status_code=200,
        summary="Begin an import in parts",
        guards=[no_foreign_page],
        opt=access("admin")
        | described("beginImport", ImportState, 400, 403, 404, 409, example=STATE, body=_BEGIN, parameters=_DIGESTS),
    )
    async def begin(
        request: Request[Any, Any, Any], digest: FromPath[str], data: JSONBody[ImportPart]
    ) -> dict[str, Any]:
        """The answer says how many rows are done already, and the `by` that the parts carry."""
        job = server.job(_checked(digest), data)
        async with audited(request, "import a file", f"source/{data.source}", f"import/{digest[:12]}"):
            return serialize_import(await server.begun(job, data))

    @post(
        "/import/{digest:str}/rows",
        status_code=200,
        summary="Import the next part",
        guards=[no_foreign_page],
        opt=access("admin")
        | described("importRows", ImportAnswer, 400, 403, 404, 409, example=ANSWER, body=PART, parameters=_DIGESTS),
    )
    async def rows(digest: FromPath[str], data: JSONBody[ImportPart]) -> dict[str, Any]:
        """The rows follow on those that are done. With `last` the import is finished."""
        return await server.part(server.job(_checked(digest), data), data)

    return Router("/", route_handlers=[import_file, progress, begin, rows], tags=["imports"])


def no_page(connection: Any, handler: Any) -> None:
    """A guard: no page imports a file."""
    if connection.headers.get("origin") is not None:
        raise HttpProblem(403, "pages may not do this")


class _Server:
    """The imports of one server."""

    def __init__(self, pipeline: Pipeline, pipelines: ImportPipelines) -> None:
        self._pipeline = pipeline
        self._pipelines = pipelines
        self.ledger = ImportLedger(pipeline.store)

    def job(self, digest: str, part: ImportPart) -> ImportJob:
        """Return what is to be imported. Raises `HttpProblem` (400, 404)."""
        return ImportJob(digest=digest, file=part.file, source=self._source(part), mapping=self._mapping(part))

    async def begun(self, job: ImportJob, part: ImportPart) -> ImportRecord:
        """Return the record of an import that begins, or goes on. Raises `HttpProblem` (409)."""
        now, by = self._pipeline.clock.now(), self._pipeline.new_id()
        try:
            return await self.ledger.begin(job.key, job.file, now, by, again=part.again)
        except AlreadyImported as imported:
            raise HttpProblem(409, already_imported(job.file, imported.record)) from None

    async def part(self, job: ImportJob, part: ImportPart) -> dict[str, Any]:
        """Import one part. Raises `HttpProblem` (400, 409) and `Unavailable`."""
        record = await self.ledger.record(job.key)
        if record is None or record.by != part.by:
            raise HttpProblem(409, "another process goes on with this import, or it was never begun: begin it again")
        read = [_read(row) for row in part.rows]
        if [row.number for row in read] != [*range(record.rows + 1, record.rows + 1 + len(read))]:
            raise HttpProblem(
                409, f"{record.rows} rows are done: the next part begins behind them, and leaves out none"
            )
        importing = await self._pipelines.importing(flows=part.flows)
        result = await importing.do(job, read)
        try:
            after = advanced(record, result, self._pipeline.clock.now() if part.last else None)
            return serialize_progress(ImportProgress(await self.ledger.advance(job.key, record, after), result))
        except NothingTaken as nothing:
            raise HttpProblem(400, str(nothing)) from None
        except OtherImport:
            raise HttpProblem(409, "another process goes on with this import") from None

    async def whole(self, body: bytes, part: ImportPart) -> dict[str, Any]:
        """Import a body as a whole. Raises `HttpProblem` (400, 404, 409) and `Unavailable`."""
        job = self.job(hashlib.sha256(body).hexdigest(), part)
        record = await self.begun(job, part)
        importing = await self._pipelines.importing(flows=part.flows)
        rows = read_rows(RowStream(_Body(body)), job.mapping.format, job.file)
        refused: list[dict[str, Any]] = []
        try:
            async for progress in import_rows(importing, self.ledger, job, record, parts_of(rows, record.rows)):
                record = progress.record
                refused += serialize_progress(progress)["refused_rows"]
        except NothingTaken as nothing:
            raise HttpProblem(400, str(nothing)) from None
        except UnreadableFile as unreadable:
            raise HttpProblem(400, f"{job.file}, behind row {record.rows}: {unreadable}") from None
        except OtherImport:
            raise HttpProblem(409, "another process imports the same file") from None
        finished = msgspec.structs.replace(record, finished=self._pipeline.clock.now())
        return serialize_import(await self.ledger.advance(job.key, record, finished)) | {"refused_rows": refused[:10]}

    def _source(self, part: ImportPart) -> Source:
        source = self._pipeline.project.sources.get(part.source)
        if source is None or not source.enabled:
            raise HttpProblem(404, f"there is no source `{part.source}`")
        if "import" not in source.accepts:
            raise HttpProblem(403, f"the source `{part.source}` accepts no imports: {ACCEPT_IMPORTS}")
        return source

    def _mapping(self, part: ImportPart) -> ImportMapping:
        if part.mapping_text is not None:
            document = read_yaml(part.mapping_text, part.mapping or "mapping")
            mapping, problems = read_import(document.data, document.text) if not document.failed else (None, [])
            if mapping is None:
                reason = problems[0].message if problems else "it is no YAML"
                raise HttpProblem(400, f"the mapping cannot be used: {reason}")
            return mapping
        if part.mapping is None:
            return PLAIN
        try:
            return self._pipeline.project.imports.get(part.mapping) or shipped_import(part.mapping)
        except LookupError:
            raise HttpProblem(404, f"there is no mapping `{part.mapping}`") from None


ACCEPT_IMPORTS: Final = "write `accepts: [track, import]` in its file"


class _Body:
    """A body as a file."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        self._at += size
        return self._body[self._at - size : self._at]


def already_imported(file: str, record: ImportRecord) -> str:
    """Return why a file is not imported again."""
    return (
        f"{file} was imported on {_day(record.finished)} as {record.file}: {record.rows} rows, {record.stored} events. "
        "Say `again` to import it again: rows whose ids are known still count once"
    )


def serialize_import(record: ImportRecord) -> dict[str, Any]:
    """Return how far an import has come."""
    return {
        "file": record.file,
        "by": record.by,
        "begun": record.begun,
        "finished": record.finished,
        "rows": record.rows,
        "stored": record.stored,
        "refused": record.refused,
        "repeated": record.repeated,
        "forgotten": record.forgotten,
    }


def serialize_progress(progress: ImportProgress) -> dict[str, Any]:
    """Return how far an import has come after a part, with the first rows of it that were refused."""
    refused = [{"number": row.number, "line": row.line, "reason": row.reason} for row in progress.part.refused]
    return serialize_import(progress.record) | {"refused_rows": refused}


def _read(row: ImportedRow) -> Row | BadRow:
    if row.value is None:
        return BadRow(row.number, row.line, row.raw.encode(), row.reason or "the row cannot be read")
    return Row(row.number, row.line, msgspec.json.encode(row.value), row.value)


def _checked(digest: str) -> str:
    if len(digest) != 64 or not _DIGEST.issuperset(digest):
        raise HttpProblem(400, "a digest is the SHA-256 of the file, 64 hexadecimal digits")
    return digest


def _day(moment: int | None) -> str:
    return datetime.fromtimestamp((moment or 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
