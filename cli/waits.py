"""`headrace waits`: lists the runs that wait, shows one, and cancels some."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.call import RemoteServer, call
from cli.console import print_lines, without_controls
from cli.document import Document, to_document, write_document
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.store import CommandError, exclusive_access, opened_store, report_error, report_not_found, store_kind
from cli.traces import short
from effects.clock import SystemClock
from engine.ports.resolve import NotFound
from engine.ports.store import Store
from engine.tracking.operations.waits import cancel_each, cancel_stored, failed_runs, open_wait, open_waits

Columns = dict[str, Callable[[Document], str]]

OPEN: Columns = {
    "until": lambda wait: _time(wait["due"]),
    "for": lambda wait: "an event that has arrived" if wait.get("arrived") else ", ".join(wait.get("on", ())),
    "flow": lambda wait: wait["flow"],
    "version": lambda wait: wait["version"],
    "id": lambda wait: wait["id"],
}
MORE: Columns = {
    "since": lambda wait: _time(wait["began"]),
    "profile": lambda wait: wait["profile"],
    "event": lambda wait: f"{wait['event']} of {wait['source']}",
}
FAILED: Columns = {
    "at": lambda run: _time(run["at"]),
    "flow": lambda run: run["flow"],
    "version": lambda run: run["version"],
    "outcome": lambda run: run["outcome"],
    "why": lambda run: _reason(run.get("reason")),
    "run": lambda run: run["id"],
}


WHOLE = ("until", "at", "version", "id", "run")  # columns that are never broken


class Choice(Struct, frozen=True):
    """Which waits are listed or cancelled: of a flow, of a version that begins so; `limit` 0: all."""

    flow: str = ""
    version: str = ""
    failed: bool = False
    limit: int = 100


def list_waits(choice: Choice, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Print the open waits, or with `failed` the runs that failed after one; the newest first."""
    try:
        found = _list(choice, location, error)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(found)
        return 0
    if not found:
        error.print("No run has failed after a wait." if choice.failed else "No run waits.")
        return 0
    console.print(_table(FAILED if choice.failed else OPEN, found))
    if len(found) == choice.limit:
        error.print(f"These are the newest {len(found)}; --limit says how many to show, 0 for all.", highlight=False)
    return 0


def show(id: str, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Print one open wait. Exit code 1 when there is none with that id."""
    try:
        found = _show(id, location, error)
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(found)
    else:
        print_lines(console, [Text(f"  {name}: {cell(found)}") for name, cell in (OPEN | MORE).items()])
    return 0


def cancel(ids: list[str], choice: Choice, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Cancel waits by their ids, or all of a flow or a version. Exit code 1 when one of them could not be cancelled."""
    try:
        done = _cancel(ids, choice, location, error)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(done)
    else:
        print_lines(
            console, [Text(f"Cancelled: {wait['id']} of the flow {wait['flow']}.") for wait in done["cancelled"]]
        )
        print_lines(error, [Text(f"Not cancelled: {reason}.") for reason in done["failed"].values()])
    if not ids and not done["cancelled"]:
        error.print("No run waits.")
    return 1 if done["failed"] else 0


# ---- a server, or a store ------------------------------------------------------------------------------------------


def _list(choice: Choice, location: DataLocation, error: Console) -> list[Document]:
    if (server := location.server()) is not None:
        return _list_served(server, choice)
    _, url = project_and_store(location, error)

    async def read() -> list[Document]:
        async with opened_store(url, location.root) as store:
            return await _list_stored(store, choice)

    return asyncio.run(read())


def _list_served(server: RemoteServer, choice: Choice) -> list[Document]:
    asked = {"flow": choice.flow, "version": choice.version, "failed": str(choice.failed).lower()}
    answer: list[Document] = call(server, "GET", f"/waits?{urlencode({**asked, 'limit': choice.limit})}")
    return answer


async def _list_stored(store: Store, choice: Choice) -> list[Document]:
    found: list[Document] = []
    waits: AsyncIterator[Any] = open_waits(store, choice.flow, choice.version)
    if choice.failed:
        waits = failed_runs(store, choice.flow, choice.version)
    async for one in waits:
        found.append(to_document(one))
        if len(found) == choice.limit:
            break
    return found


def _show(id: str, location: DataLocation, error: Console) -> Document:
    if (server := location.server()) is not None:
        answer: Document = call(server, "GET", f"/waits/{quote(id, safe='')}")
        return answer
    _, url = project_and_store(location, error)

    async def read() -> Document:
        async with opened_store(url, location.root) as store:
            return to_document(await open_wait(store, id))

    return asyncio.run(read())


def _cancel(ids: list[str], choice: Choice, location: DataLocation, error: Console) -> Document:
    if (server := location.server()) is not None:
        body = {"ids": ids, "flow": choice.flow, "version": choice.version}
        answer: Document = call(server, "POST", "/waits/cancel", body)
        return answer
    project, url = project_and_store(location, error)

    async def cancel_all() -> Document:
        async with opened_store(url, location.root) as store:
            chosen = ids or [wait["id"] for wait in await _list_stored(store, choice)]
            return to_document(await cancel_each(chosen, partial(cancel_stored, store, project, SystemClock())))

    with exclusive_access(url, location.root, LEAVE_TO_SERVER) if store_kind(url) == "sqlite" else nullcontext():
        return asyncio.run(cancel_all())


# ---- showing --------------------------------------------------------------------------------------------------------


def _table(columns: Columns, documents: list[Document]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=name in WHOLE)
    for document in documents:
        table.add_row(*[Text(without_controls(cell(document))) for cell in columns.values()])
    return table


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _reason(reason: Any) -> str:
    if isinstance(reason, dict):
        reason = reason.get("why") or reason.get("expression") or short(reason)
    return "" if reason is None else str(reason)
