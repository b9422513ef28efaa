"""`headrace runs`: lists kept runs with the exact counts of all, groups them, and shows one with its trace."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import without_controls
from cli.document import Document, write_document, write_line
from cli.location import DataLocation
from cli.search import marked_query
from cli.store import CommandError, report_error
from cli.stored_pages import found_documents
from cli.traces import BAD, QUIET, event_block, path, short
from effects.clock import SystemClock
from engine.language.duration import read_duration
from engine.ports.run_counts import FIELDS, HOUR, MINUTES_KEPT, RunTotals, Span, StoredRunCounts
from engine.problem import ProblemError

GROUPS: Final = FIELDS
KEPT: Final = (
    "Kept are all runs that failed, in which a node left by a failure port, that logged a warning or an error, or that "
    "were debugged; of the others a share, as `runs:` in headrace.yaml and `keep:` of a flow say."
)


class RunsRequest(Struct, frozen=True):
    """A query over kept runs, how many to print, and the properties by which all runs are grouped, if any."""

    text: str
    location: DataLocation
    since: str
    limit: int
    groups: tuple[str, ...]
    json: bool


def list_runs(request: RunsRequest, console: Console, error: Console) -> int:
    """Print kept runs, newest first, below the counts of all. Exit code 2: the query is invalid or nothing readable."""
    try:
        asyncio.run(_group(request, console, error) if request.groups else _list(request, console, error))
    except ProblemError as invalid:
        error.print(marked_query(request.text, invalid.problem), soft_wrap=True)
        return 2
    except CommandError as failure:
        return report_error(error, str(failure))
    return 0


def show_run(id: str, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Print a run with its trace, as `headrace demo` does. Exit code 2: there is none, or it cannot be read."""

    async def find() -> Document | None:
        quoted = id.replace("\\", "\\\\").replace('"', '\\"')
        async for run in found_documents(location, "runs", f'id:"{quoted}"', error, 1):
            return run
        return None

    try:
        run = asyncio.run(find())
    except CommandError as failure:
        return report_error(error, str(failure))
    if run is None:
        return report_error(error, f"There is no run {id}. It was not kept, or it is older than the retention.")
    if json:
        write_document(run)
        return 0
    event = run["event"] if isinstance(run["event"], dict) else {"id": run["event"]}
    shown = {"type": event.get("type", ""), "disposition": "stored", "runs": [run], "origin": "client"}
    console.print(event_block(str(event["id"]), shown, run["flow"]))
    facts = [f"run {run['id']}", f"version {run['version'][:8]}", f"source {run['source']}"]
    profile = run["profile"]["id"] if isinstance(run["profile"], dict) else run["profile"]
    facts += [f"profile {profile}"] if profile else []
    facts += [f"kept: {run['kept']}"] if run.get("kept") else []
    facts += [f"does run {run['replay_of']} again"] if run.get("replay_of") else []
    console.print(Text(", ".join(facts), style=QUIET), soft_wrap=True)
    return 0


async def totals_since(location: DataLocation, since: int, now: int, error: Console) -> RunTotals:
    """Return the counts of all runs since a time (ms). Raises `CommandError`."""
    span: Span = "minute" if since >= now - MINUTES_KEPT + HOUR else "hour"
    totals = RunTotals(since, now, span)
    text = f"span:{span} at:[{since} TO {now}]"
    async for document in found_documents(location, "run_counts", text, error):
        totals.add(msgspec.convert(document, StoredRunCounts))
    return totals


async def _list(request: RunsRequest, console: Console, error: Console) -> None:
    now = SystemClock().now()
    since = now - _milliseconds(request.since)
    totals = await totals_since(request.location, since - since % 60_000, now, error)
    table = Table("at", "outcome", "flow", "path, and why it failed", box=None, header_style="bold", pad_edge=False)
    table.add_column("run", no_wrap=True)
    count = 0
    async for run in found_documents(request.location, "runs", request.text, error, request.limit):
        count += 1
        if request.json:
            write_line(run)
        else:
            table.add_row(*_cells(run))
    if request.json:
        return
    if not request.text:
        counted = ", ".join(f"{number:,} {outcome}" for (outcome,), number in totals.by("outcome").most_common())
        said = f"{totals.total():,} runs in the last {request.since}, counted exactly: {counted or 'none'}."
        console.print(said, highlight=False)
    console.print(Text(KEPT, style=QUIET))
    if count:
        console.print(table)
    else:
        console.print("No run is kept that this query finds." if request.text else "No run is kept.")
    if count == request.limit:
        error.print(f"These are the newest {count}; --limit says how many to show, 0 for all.", highlight=False)


async def _group(request: RunsRequest, console: Console, error: Console) -> None:
    if request.text:
        raise CommandError("Groups count all runs, kept or not, so they take no query: leave it out, or --group.")
    now = SystemClock().now()
    since = now - _milliseconds(request.since)
    totals = await totals_since(request.location, since - since % 60_000, now, error)
    groups = totals.by(*request.groups).most_common(request.limit or None)
    if request.json:
        for names, count in groups:
            write_line({**dict(zip(request.groups, names, strict=True)), "runs": count})
        return
    console.print(f"{totals.total():,} runs in the last {request.since}, counted exactly.", highlight=False)
    table = Table(*request.groups, box=None, header_style="bold", pad_edge=False)
    table.add_column("runs", justify="right")
    for names, count in groups:
        table.add_row(*[Text(without_controls(name) or "–") for name in names], f"{count:,}")
    console.print(table)


def _cells(run: Document) -> Sequence[Text]:
    event = run["event"] if isinstance(run["event"], dict) else {"id": run["event"]}
    what = Text(without_controls(f"{event.get('type', '')} {short(event['id'])}"), style=QUIET)
    way = path(run) if run.get("steps") else Text("")
    if run.get("node"):
        style = BAD if run["outcome"] == "failed" else "yellow"
        way.append(f"\n{run['node']}: {short(_reason(run))}", style=style)
    return (
        Text(_time(run["at"])),
        Text(run["outcome"], style=BAD if run["outcome"] == "failed" else ""),
        Text(without_controls(run["flow"])),
        Text.assemble(what, "\n", way) if way else what,
        Text(run["id"]),
    )


def _reason(run: Document) -> str:
    failed = [step for step in run.get("steps", ()) if step["node"] == run.get("node")]
    reason: Any = failed[0].get("error") if failed else run.get("reason", "")
    return reason if isinstance(reason, str) else ""


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%m-%d %H:%M:%S}"


def _milliseconds(text: str) -> int:
    """Return a duration such as `24h`. Raises `CommandError`."""
    found = read_duration(text)
    if found is None:
        raise CommandError(f"`{text}` is no duration: write e.g. 15m, 24h or 7d.")
    return found
