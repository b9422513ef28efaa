"""`headrace import`: reads files, and stores their rows as events."""

import asyncio
import hashlib
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.console import print_lines
from cli.import_target import ImportOptions, ImportTarget, server_target, store_target
from cli.location import LEAVE_TO_SERVER, DataLocation
from cli.store import CommandError, exclusive_access, load_and_report, report_error, store_url
from effects.rows.parts import parts_of
from effects.rows.reading import read_rows
from effects.rows.stream import RowStream
from engine.ports.rows import BadRow, Row, UnreadableFile
from engine.project.import_mapping import PLAIN, ImportMapping
from engine.project.project import Project
from engine.project.row_format import RowFormat
from engine.project.source import Source
from engine.tracking.foreign.row import RowTranslation
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.importing.importing import ImportJob, PartResult, RefusedRow
from engine.tracking.importing.ledger import ImportRecord
from flows.diagnostic import diagnose, render
from flows.import_mapping import read_import, shipped_import, shipped_imports
from flows.reader import read_yaml

STDIN = "-"
SHOWN_REASONS = 10
SHOWN_EVENTS = 3
ACCEPTS = "write `accepts: [track, import]` in its file"
BLOCK = 1 << 20


class ImportRequest(Struct, frozen=True, kw_only=True):
    """The files of a command, and how it imports them. `mapping` is a name or a path.

    `shipped` is the name of a mapping that comes with the package.
    """

    files: tuple[str, ...]
    location: DataLocation
    source: str | None = None
    mapping: str | None = None
    shipped: str | None = None
    format: RowFormat = RowFormat()
    flows: bool = False
    again: bool = False
    rate: float | None = None  # rows a second
    dry_run: bool = False
    json: bool = False


class Summary(Struct, kw_only=True):
    """The end of the import of one file."""

    file: str
    rows: int = 0
    before: int = 0  # rows that an earlier run has done
    stored: int = 0
    refused: int = 0
    repeated: int = 0  # of those stored, events that were known before
    forgotten: int = 0  # of persons who were forgotten
    seconds: float = 0.0
    reasons: list[RefusedRow] = []
    error: str = ""


def import_files(request: ImportRequest, console: Console, error: Console) -> int:
    """Import files. Exit code 1 when rows were refused, or a file cannot be read to its end; 2 when none was begun."""
    try:
        project, url = _project(request, error)
        mapping = _mapping(request, project, error)
        source = _source(request, mapping, project)
        if request.dry_run:
            return _dry_run(request, project, source, mapping, console)
        with _access(request, url):
            summaries = asyncio.run(_Import(request, project, url, source, mapping, console, error).run())
    except CommandError as failure:
        return report_error(error, str(failure))
    return 1 if any(summary.refused or summary.error for summary in summaries) else 0


def _project(request: ImportRequest, error: Console) -> tuple[Project, str]:
    loaded = load_and_report(request.location.root, error, whole=False)
    return loaded.project, store_url(loaded, request.location.store)


@contextmanager
def _access(request: ImportRequest, url: str) -> Iterator[None]:
    with nullcontext() if request.location.url else exclusive_access(url, request.location.root, LEAVE_TO_SERVER):
        yield


def _mapping(request: ImportRequest, project: Project, error: Console) -> ImportMapping:
    """Return the mapping that a command names. Raises `CommandError`."""
    if request.shipped is not None:
        try:
            return shipped_import(request.shipped)
        except LookupError:
            known = ", ".join(shipped_imports())
            raise CommandError(f"--from knows {known}, not {request.shipped}.") from None
    if request.mapping is None:
        return PLAIN
    if request.mapping in project.imports:
        return project.imports[request.mapping]
    path = Path(request.mapping)
    if not path.is_file():
        known = ", ".join(sorted(project.imports)) or "none"
        raise CommandError(f"there is no mapping {request.mapping}: the project's imports/ has {known}.")
    document = read_yaml(path.read_text("utf-8"), str(path))
    mapping, problems = read_import(document.data, document.text) if isinstance(document.data, dict) else (None, [])
    found = [*diagnose(document, document.problems), *diagnose(document, problems)]
    if found:
        report = render(found, {str(path): document.text}, colour=False)
        error.print(report, markup=False, highlight=False, soft_wrap=True)
    if mapping is None or document.failed:
        raise CommandError(f"the mapping {path} cannot be used.")
    return mapping


def _source(request: ImportRequest, mapping: ImportMapping, project: Project) -> Source:
    """Return the source of the events. Raises `CommandError`."""
    name = request.source or mapping.source
    if name is None:
        raise CommandError("name the source of the events with --source, or in the mapping.")
    source = project.sources.get(name)
    if source is None:
        known = ", ".join(sorted(project.sources)) or "none"
        raise CommandError(f"there is no source {name}: the project has {known}.")
    if "import" not in source.accepts:
        raise CommandError(f"the source {name} accepts no imports: {ACCEPTS}.")
    return source


class _Import:
    """One run of the command."""

    def __init__(
        self,
        request: ImportRequest,
        project: Project,
        url: str,
        source: Source,
        mapping: ImportMapping,
        console: Console,
        error: Console,
    ) -> None:
        self._request = request
        self._project = project
        self._url = url
        self._source = source
        self._mapping = mapping
        self._console, self._error = console, error
        self._options = ImportOptions(
            flows=request.flows,
            again=request.again,
            mapping_text=mapping.text if mapping is not PLAIN else None,
        )

    async def run(self) -> list[Summary]:
        """Import the files, one after another. Raises `CommandError`."""
        location = self._request.location
        server = location.server()
        opened = server_target(server) if server else store_target(self._project, self._url, location.root)
        async with opened as target:
            return [await self._file(target, file) for file in self._request.files]

    async def _file(self, target: ImportTarget, file: str) -> Summary:
        summary = Summary(file=file)
        began = time.monotonic()
        with _opened(file) as stream, _bar(self._error, file) as bar:
            job = ImportJob(digest=_digest(file), file=_name(file), source=self._source, mapping=self._mapping)
            record = await target.begin(job, self._options)
            summary.before = record.rows
            if record.rows:
                print_lines(self._error, [Text(f"{file}: going on behind row {record.rows:,}")])
            try:
                await self._rows(target, job, record, stream, summary, bar)
            except UnreadableFile as unreadable:
                summary.error = str(unreadable)
            except asyncio.CancelledError:
                stopped = f"{file}: stopped; the same command goes on behind row {summary.rows:,}"
                print_lines(self._error, [Text(stopped)])
                raise
        summary.seconds = time.monotonic() - began
        self._print(summary)
        return summary

    async def _rows(
        self, target: ImportTarget, job: ImportJob, record: ImportRecord, file: BinaryIO, summary: Summary, bar: "_Bar"
    ) -> None:
        """Import the rows of a file. Raises `UnreadableFile` and `CommandError`."""
        stream = RowStream(file)
        rows = read_rows(stream, _format(self._request.format, self._mapping.format), job.file)
        began, failure = time.monotonic(), None
        summary.rows = record.rows
        try:
            async for part in parts_of(rows, record.rows):
                record, result = await target.add(job, self._options, record, part, last=False)
                _count(summary, record, result)
                bar.show(stream.size, record)
                await self._pace(record.rows - summary.before, began)
        except UnreadableFile as unreadable:
            failure = unreadable
        if failure is not None:
            raise failure
        record, _ = await target.add(job, self._options, record, [], last=True)
        _count(summary, record, None)

    async def _pace(self, rows: int, began: float) -> None:
        """Wait until so many rows may have been imported."""
        if self._request.rate:
            await asyncio.sleep(max(0.0, began + rows / self._request.rate - time.monotonic()))

    def _print(self, summary: Summary) -> None:
        if self._request.json:
            sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
            return
        rate = (summary.rows - summary.before) / summary.seconds if summary.seconds else 0
        known = f" ({summary.repeated:,} of them known before)" if summary.repeated else ""
        line = f"{summary.file}: {summary.rows:,} rows, {summary.stored:,} events{known}, {summary.refused:,} refused"
        line += f", {summary.forgotten:,} of persons who were forgotten" if summary.forgotten else ""
        print_lines(self._console, [Text(f"{line} ({summary.seconds:.1f} s, {rate:,.0f} rows/s)")])
        table = Table("line", "reason", box=None, header_style="bold")
        for row in summary.reasons:
            table.add_row(str(row.line), Text(row.reason))
        if summary.reasons:
            self._console.print(table)
            self._console.print(Text("`headrace search rejected` shows all refused rows."))
        if summary.error:
            print_lines(self._error, [Text(f"{summary.file}: {summary.error}. What is before that is imported.")])


def _count(summary: Summary, record: ImportRecord, result: PartResult | None) -> None:
    summary.rows, summary.stored, summary.refused = record.rows, record.stored, record.refused
    summary.repeated, summary.forgotten = record.repeated, record.forgotten
    if result is not None:
        summary.reasons += result.refused[: SHOWN_REASONS - len(summary.reasons)]


def _dry_run(request: ImportRequest, project: Project, source: Source, mapping: ImportMapping, console: Console) -> int:
    """Print the first events that files would become, and which rows would be refused; store nothing."""
    failed = False
    for file in request.files:
        translation = RowTranslation(mapping.mapping, project.settings, _name(file), int(time.time() * 1000))
        events = refused = left_out = 0
        with _opened(file) as stream:
            for row in _readable(stream, request, mapping, file, console):
                made = translation.event(row)
                if isinstance(made, ForeignEvent):
                    events += 1
                    if events <= SHOWN_EVENTS:
                        print_lines(console, [Text(f"line {row.line}: {_shown(made)}")])
                elif made is None:
                    left_out += 1
                else:
                    refused += 1
                    if refused <= SHOWN_REASONS:
                        print_lines(console, [Text(f"line {row.line} is refused: {made.reason}", style="red")])
        line = f"{file}: {events:,} events of {source.source}, {refused:,} refused, {left_out:,} left out. "
        print_lines(console, [Text(line + "Nothing was stored.")])
        failed = failed or bool(refused)
    return 1 if failed else 0


def _readable(
    stream: BinaryIO, request: ImportRequest, mapping: ImportMapping, file: str, console: Console
) -> Iterator[Row | BadRow]:
    """Yield the rows up to where the file cannot be read; then say so."""
    try:
        yield from read_rows(RowStream(stream), _format(request.format, mapping.format), _name(file))
    except UnreadableFile as unreadable:
        console.print(Text(f"{file}: {unreadable}", style="red"))


def _shown(event: ForeignEvent) -> str:
    names = ("type", "id", "time", "user", "visitor", "previous", "session", "properties", "context")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(event, name)) not in (None, {})}
    return msgspec.json.encode(given).decode()


def _format(asked: RowFormat, mapped: RowFormat) -> RowFormat:
    """Return the format of a file: what the command says goes before what the mapping says."""
    return RowFormat(
        type=asked.type or mapped.type,
        delimiter=asked.delimiter or mapped.delimiter,
        header=asked.header or mapped.header,
    )


def _name(file: str) -> str:
    return "standard input" if file == STDIN else Path(file).name


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Open a file. Raises `CommandError`."""
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb", buffering=0) as stream:
            yield stream
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error


def _digest(file: str) -> str:
    """Return the digest of a file; of standard input, which cannot be read twice, a random one."""
    if file == STDIN:
        return secrets.token_hex(32)
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Bar:
    """The progress bar of one file; it shows nothing where there is no terminal."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    def show(self, size: int, record: ImportRecord) -> None:
        """Show how many bytes have been read, and what came of the rows."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=size, rows=record.rows, refused=record.refused)


@contextmanager
def _bar(console: Console, file: str) -> Iterator[_Bar]:
    if not console.is_terminal or file == STDIN:
        yield _Bar(None, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[refused]:,} refused"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, progress.add_task(_name(file), total=Path(file).stat().st_size, rows=0, refused=0))
