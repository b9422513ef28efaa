"""`headrace replay`: runs kept runs again, prints what differs, and with --apply does failed ones again, once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.replays import AT_ONCE, DRY_AT_ONCE, applied_runs, found_runs
from cli.call import RemoteServer, call
from cli.console import without_controls
from cli.document import Document, write_document
from cli.location import LEAVE_TO_SERVER, DataLocation
from cli.search import marked_query
from cli.store import CommandError, exclusive_access, load_and_report, opened_store, report_error, store_url
from cli.stored_pages import opened_searchable
from cli.traces import BAD, GOOD, QUIET, short
from effects.clock import SystemClock
from effects.http import HttpPerformer
from effects.ids import new_id
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import RunRecord
from engine.ports.store import Searches
from engine.problem import ProblemError
from engine.project.project import Project
from engine.search.field import Field
from engine.search.parse import parse
from engine.search.query import AnyOf, Is, Query
from engine.tracking.operations.replaying import DryReplays, Refused
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker

SHOWN: Final = 20  # runs whose difference is printed in full
LINES: Final = 6  # of one side of a difference


class ReplayRequest(Struct, frozen=True):
    """Runs by their ids, or by a query; the project whose flows run, if it is another one; and whether to apply."""

    runs: tuple[str, ...]
    where: str | None
    location: DataLocation
    other: Path | None
    apply: bool
    limit: int
    json: bool


def replay_runs(request: ReplayRequest, console: Console, error: Console) -> int:
    """Print the difference, or what was done again. Exit code 1: a run was refused; 2: nothing could be done."""
    try:
        if request.apply and request.other is not None:
            raise CommandError("--apply runs the flows that are served: leave out --with.")
        report = asyncio.run(_dry(request, error))
        if not request.apply:
            return _show(report, request, console)
        return _applied(asyncio.run(_apply(request, _ids(report, request), error)), request, console)
    except ProblemError as invalid:
        error.print(marked_query(request.where or "", invalid.problem), soft_wrap=True)
        return 2
    except CommandError as failure:
        return report_error(error, str(failure))


# ---- dry ------------------------------------------------------------------------------------------------------------


async def _dry(request: ReplayRequest, error: Console) -> Document:
    """Return the report of the dry replays. Raises `ProblemError` and `CommandError`."""
    server = request.location.server()
    if server is not None:
        if request.other is not None:
            raise CommandError("--with reads the store itself: leave out --url, or --with.")
        body: dict[str, Any] = {"runs": request.runs} if request.runs else {"where": request.where or ""}
        limit = min(request.limit or DRY_AT_ONCE, DRY_AT_ONCE)
        return dict(await asyncio.to_thread(call, server, "POST", "/replays", {**body, "limit": limit}))
    loaded = load_and_report(request.location.root, error, whole=False)
    flows: Project = loaded.project
    if request.other is not None:
        flows = load_and_report(request.other, error, whole=False).project
    replays = DryReplays({flow.name: flow for flow in flows.flows}, flows.settings.hash_keys)
    seen: set[str] = set()
    with error.status("Replaying", spinner="line") if error.is_terminal else nullcontext() as status:
        async with opened_searchable(store_url(loaded, request.location.store), request.location.root) as store:
            async for run in _runs(store, request, loaded.project):
                seen.add(run.id)
                replays.add(run)
                if status is not None and len(seen) % 100 == 0:
                    status.update(f"Replaying: {len(seen):,} runs")
    report = replays.report()
    missing = tuple([Refused(id, "gone", f"there is no run {id}") for id in request.runs if id not in seen])
    whole = msgspec.structs.replace(report, refused=(*missing, *report.refused))
    return dict(msgspec.to_builtins(whole))


async def _runs(store: Searches, request: ReplayRequest, project: Project) -> AsyncIterator[RunRecord]:
    searchable, now = SEARCHABLE["runs"], SystemClock().now()
    if request.runs:
        query = Query(searchable, AnyOf(tuple([Is(Field("id"), (id,)) for id in request.runs])))
    else:
        query = parse(request.where or "", searchable, now, project.settings.fields)
    async for run in found_runs(store, query, request.limit or DRY_AT_ONCE):
        yield run


def _show(report: Document, request: ReplayRequest, console: Console) -> int:
    if request.json:
        write_document(report)
    else:
        _print_report(report, console)
    return 1 if report["refused"] else 0


def _print_report(report: Document, console: Console) -> None:
    differing = report["differing"]
    said = f"{report['replayed']:,} runs replayed, {len(differing):,} differ. Nothing was written, nothing was sent."
    console.print(said, highlight=False)
    if report["table"]:
        table = Table("then", "now", box=None, header_style="bold", pad_edge=False)
        table.add_column("runs", justify="right")
        table.add_column("that differ", justify="right")
        for row in report["table"]:
            table.add_row(row["then"], row["now"], f"{row['count']:,}", f"{row['differing']:,}")
        console.print(table)
    for one in differing[:SHOWN]:
        console.print(_difference(one))
    if len(differing) > SHOWN:
        console.print(f"and {len(differing) - SHOWN:,} more that differ; --json has all of them", style=QUIET)
    for refused in report["refused"]:
        console.print(Text(without_controls(refused["reason"]), style="yellow"))


def _difference(one: Document) -> Text:
    head = Text.assemble(
        (one["run"][:8], "bold"), f"  {one['flow']}  {without_controls(one['type'])} {short(one['event'])}"
    )
    for each in one["differences"]:
        head.append(f"\n  {each['what']}", style="cyan")
        for sign, side, style in (("−", each["before"], BAD), ("+", each["after"], GOOD)):
            for line in side[:LINES]:
                head.append(f"\n    {sign} {without_controls(short(line))}", style=style)
            if len(side) > LINES:
                head.append(f"\n    {sign} … {len(side) - LINES} more", style=QUIET)
    if one["unrecorded"]:
        head.append(f"\n  asked what was not recorded: {', '.join(one['unrecorded'])}", style="yellow")
    return head


# ---- applied --------------------------------------------------------------------------------------------------------


def _ids(report: Document, request: ReplayRequest) -> Sequence[str]:
    """Return the runs to apply: those that were named, or the failed ones that the query has found."""
    return request.runs or report["failed"]


async def _apply(request: ReplayRequest, runs: Sequence[str], error: Console) -> Document:
    """Do failed runs again, in parts. Returns what was done. Raises `CommandError`."""
    applied: list[Document] = []
    refused: list[Document] = []
    async with _applier(request, error) as apply:
        with error.status("Applying", spinner="line") if error.is_terminal else nullcontext() as status:
            for begin in range(0, len(runs), AT_ONCE):
                done = await apply(runs[begin : begin + AT_ONCE])
                applied += done["applied"]
                refused += done["refused"]
                if status is not None:
                    status.update(f"Applying: {len(applied) + len(refused):,} of {len(runs):,} runs")
    return {"applied": applied, "refused": refused}


@asynccontextmanager
async def _applier(request: ReplayRequest, error: Console) -> AsyncIterator[Any]:
    """Yields a function that does some runs again, at the server or on the store, if that is not served."""
    server = request.location.server()
    if server is not None:
        yield _RemoteApplier(server)
        return
    root = request.location.root
    loaded = load_and_report(root, error, whole=False)
    url = store_url(loaded, request.location.store)
    with exclusive_access(url, root, LEAVE_TO_SERVER):
        async with opened_store(url, root) as store:
            clock = SystemClock()
            client = HttpPerformer(loaded.project.targets, clock)
            pipeline = Pipeline(loaded.project, store, client, clock, new_id)
            try:
                await Tracker(pipeline).start()
                yield _LocalApplier(pipeline)
            finally:
                await client.close()


class _RemoteApplier:
    def __init__(self, server: RemoteServer) -> None:
        self._server = server

    async def __call__(self, runs: Sequence[str]) -> Document:
        body = {"runs": list(runs)}
        return dict(await asyncio.to_thread(call, self._server, "POST", "/replays/apply", body))


class _LocalApplier:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def __call__(self, runs: Sequence[str]) -> Document:
        return dict(msgspec.to_builtins(await applied_runs(self._pipeline, runs, "headrace replay")))


def _applied(done: Document, request: ReplayRequest, console: Console) -> int:
    if request.json:
        write_document(done)
        return 1 if done["refused"] else 0
    console.print(f"{len(done['applied']):,} runs were done again.", highlight=False)
    for one in done["applied"]:
        style = BAD if one["outcome"] == "failed" else GOOD
        console.print(Text.assemble(f"  {one['run'][:8]} → {one['new_run'][:8]}  ", (one["outcome"], style)))
    for refused in done["refused"]:
        console.print(Text(without_controls(refused["reason"]), style="yellow"))
    return 1 if done["refused"] else 0
