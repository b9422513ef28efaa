"""`headrace search`: finds events, profiles, sessions, runs and rejected events; prints a table, or lines of JSON."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import without_controls
from cli.document import Document, write_line
from cli.location import DataLocation
from cli.store import (
    CommandError,
    report_error,
)
from cli.stored_pages import opened_pages
from cli.traces import short
from engine.language.path import parse_path, read
from engine.ports.kinds import SEARCHABLE
from engine.problem import Problem, ProblemError, did_you_mean
from engine.search.field import Searchable
from engine.search.page import MAX_LIMIT

ResultPage = tuple[list[Document], str | None]  # documents, and the cursor of the next page; None for the last one
FetchPage = Callable[[int, str | None], Awaitable[ResultPage]]  # by the limit and the cursor of a page


class SearchRequest(Struct, frozen=True):
    """A query for one kind of document, and how many to print at most; `limit` 0: all."""

    kind: str
    text: str
    location: DataLocation
    limit: int
    json: bool


def _event(event: str | Document) -> str:
    """The event of a run: its id, and its type where the run has a trace."""
    return event if isinstance(event, str) else f"{event['type']} {event['id']}"


def _reason(reason: str | Document) -> str:
    """Why a run failed, or did nothing."""
    return reason if isinstance(reason, str) else str(reason.get("why") or reason["expression"])


# The columns of the table for each kind of document, after the one with its time.
COLUMNS: dict[str, dict[str, Callable[[Document], str]]] = {
    "events": {
        "type": lambda event: event["type"],
        "id": lambda event: event["id"],
        "source": lambda event: event["source"],
        "profile": lambda event: event.get("profile") or "",
        "properties": lambda event: short(event.get("properties", {})),
    },
    "profiles": {
        "id": lambda profile: profile["id"],
        "segments": lambda profile: ", ".join(map(str, profile["segments"])),
        "traits": lambda profile: short(profile["traits"]),
    },
    "sessions": {
        "id": lambda session: session["id"],
        "source": lambda session: session["source"],
        "profile": lambda session: session.get("profile") or "",
        "properties": lambda session: short(session.get("properties", {})),
    },
    "runs": {
        "flow": lambda run: run["flow"],
        "outcome": lambda run: run["outcome"],
        "why": lambda run: _reason(run.get("reason") or ""),
        "event": lambda run: _event(run["event"]),
        "id": lambda run: run["id"],
    },
    "rejected": {
        "source": lambda rejected: rejected["source"],
        "reason": lambda rejected: rejected["reason"],
        "body": lambda rejected: short(rejected["body"]),
    },
}


def columns_of(searchable: Searchable) -> dict[str, Callable[[Document], str]]:
    """Return the columns of a kind of document; a kind that is not listed above shows each of its word fields."""
    words = [name for name, type in searchable.fields.items() if type in {"word", "prose"}]
    return COLUMNS.get(searchable.name) or {name: partial(_word, name) for name in words}


def _word(name: str, document: Document) -> str:
    value = document.get(name)
    return "" if value is None else str(value)


def search(request: SearchRequest, console: Console, error: Console) -> int:
    """Print the documents that match, newest first. Exit code 2: the query is invalid, or the store unreadable."""
    try:
        searchable = SEARCHABLE.get(request.kind)
        if searchable is None:
            raise CommandError(f"`{request.kind}` is not a kind of document: {did_you_mean(request.kind, SEARCHABLE)}")
        return asyncio.run(_search(request, searchable, console, error))
    except ProblemError as invalid:
        error.print(marked_query(request.text, invalid.problem), soft_wrap=True)
        return 2
    except CommandError as failure:
        return report_error(error, str(failure))


def marked_query(text: str, problem: Problem) -> Text:
    """A query with carets under its mistake, and below them the message and the remedy."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    at = problem.offset or 0
    carets = " " * cell_len(printable[:at]) + "^" * max(1, cell_len(printable[at : at + problem.length]))
    marked = Text.assemble(f"  {printable}\n  ", (carets, "red"), f"\n{problem.message}")
    return marked.append(f"\nhelp: {problem.help}") if problem.help else marked


async def _search(request: SearchRequest, searchable: Searchable, console: Console, error: Console) -> int:
    table = Table(searchable.newest, *columns_of(searchable), box=None, header_style="bold", pad_edge=False)
    count, after = 0, None
    async with opened_pages(request.location, searchable, request.text, error) as fetch_page:
        with error.status("Searching", spinner="line") if error.is_terminal else nullcontext():
            while True:
                wanted = min(request.limit - count, MAX_LIMIT) if request.limit else MAX_LIMIT
                documents, after = await fetch_page(wanted, after)
                count += len(documents)
                for document in documents:
                    if request.json:
                        write_line(document)
                    else:
                        _add_row(table, searchable, document)
                if after is None or count == request.limit:
                    break
    if not count:
        error.print("Nothing found.")
    elif not request.json:
        console.print(table)
    if after is not None:
        error.print(f"These are the newest {count}; --limit says how many to show, 0 for all.", highlight=False)
    return 0


def _add_row(table: Table, searchable: Searchable, document: Document) -> None:
    moment = datetime.fromtimestamp(read(document, parse_path(searchable.newest)) / 1000, UTC)
    cells = [Text(without_controls(cell(document))) for cell in columns_of(searchable).values()]
    table.add_row(f"{moment:%Y-%m-%d %H:%M:%S}", *cells)
