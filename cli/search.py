"""`headrace search`: what a store holds, as a table or as lines of JSON."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.shown import shown_record
from cli.store import CannotBegin, cannot, file_of, kind_of, load, opened, shown, url_of
from cli.traces import short
from effects.clock import SystemClock
from engine.problem import Problem, Wrong, did_you_mean
from engine.search.field import KINDS, NEWEST, Kind
from engine.search.match import moment_of
from engine.search.page import MOST, Page
from engine.search.parse import parse
from engine.search.query import Query
from engine.tracking.ports import Unavailable
from storage.sqlite.schema import UnusableFile
from storage.sqlite.search import Searcher

Record = dict[str, Any]


class Task(Struct, frozen=True):
    """What is asked of which store. `limit` 0: everything."""

    kind: str
    text: str
    root: Path
    store: str | None
    limit: int
    json: bool


class Searching(Protocol):
    """A store, or as much of one as is needed."""

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """As `engine.tracking.ports.Store`."""


def _event(event: str | Record) -> str:
    """A run's event: a trace also tells the type."""
    return event if isinstance(event, str) else f"{event['type']} {event['id']}"


def _reason(reason: str | Record) -> str:
    """Why a run failed, or did nothing."""
    return reason if isinstance(reason, str) else str(reason.get("why") or reason["expression"])


# What a line of the table says of a document, beside its time.
COLUMNS: dict[Kind, dict[str, Callable[[Record], str]]] = {
    "events": {
        "type": lambda one: one["type"],
        "id": lambda one: one["id"],
        "source": lambda one: one["source"],
        "profile": lambda one: one.get("profile") or "",
        "properties": lambda one: short(one.get("properties", {})),
    },
    "profiles": {
        "id": lambda one: one["id"],
        "segments": lambda one: ", ".join(map(str, one["segments"])),
        "traits": lambda one: short(one["traits"]),
    },
    "sessions": {
        "id": lambda one: one["id"],
        "source": lambda one: one["source"],
        "profile": lambda one: one.get("profile") or "",
        "properties": lambda one: short(one.get("properties", {})),
    },
    "runs": {
        "flow": lambda one: one["flow"],
        "outcome": lambda one: one["outcome"],
        "why": lambda one: _reason(one.get("reason", "")),
        "event": lambda one: _event(one["event"]),
        "id": lambda one: one["id"],
    },
    "rejected": {
        "source": lambda one: one["source"],
        "reason": lambda one: one["reason"],
        "body": lambda one: short(one["body"]),
    },
}


def search(task: Task, console: Console, wrong: Console) -> int:
    """Print what is found, newest first. Exit code 2 for a query that is not understood, or no store to read."""
    try:
        query, url = _asked(task, wrong)
        return asyncio.run(_found(task, query, url, console, wrong))
    except Wrong as refused:
        wrong.print(pointed(task.text, refused.problem), soft_wrap=True)
        return 2
    except CannotBegin as refused:
        return cannot(wrong, str(refused))


def pointed(text: str, problem: Problem) -> Text:
    """What is wrong with a query, with a mark under the place."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    at = problem.offset or 0
    mark = " " * cell_len(plain[:at]) + "^" * max(1, cell_len(plain[at : at + problem.length]))
    told = Text.assemble(f"  {plain}\n  ", (mark, "red"), f"\n{problem.message}")
    return told.append(f"\nhelp: {problem.help}") if problem.help else told


def _asked(task: Task, wrong: Console) -> tuple[Query, str]:
    kind = next((kind for kind in KINDS if kind == task.kind), None)
    if kind is None:
        raise CannotBegin(f"`{task.kind}` is no kind of document: {did_you_mean(task.kind, KINDS)}")
    loaded = load(task.root, wrong, whole=False)
    return parse(task.text, kind, SystemClock().now(), loaded.project.settings.fields), url_of(loaded, task.store)


@asynccontextmanager
async def _reading(url: str, root: Path) -> AsyncIterator[Searching]:
    """The store, only read where it is a file: its server may go on. Raises `CannotBegin`."""
    if kind_of(url) == "memory":
        raise CannotBegin("`memory:` holds nothing when no server runs; ask yours at /search, or name its --store.")
    file = file_of(url, root)
    if file is None:
        async with opened(url, root) as store:
            yield store
        return
    try:
        searcher = Searcher(file)
        try:
            yield searcher
        finally:
            await searcher.close()
    except UnusableFile as unusable:
        raise CannotBegin(f"{unusable}. Name the store that your server uses by --store.") from unusable
    except Unavailable as unavailable:
        raise CannotBegin(f"The store {shown(url)} cannot be read now: {unavailable.reason}.") from unavailable


async def _found(task: Task, query: Query, url: str, console: Console, wrong: Console) -> int:
    table = Table(NEWEST[query.kind], *COLUMNS[query.kind], box=None, header_style="bold", pad_edge=False)
    count, after = 0, None
    async with _reading(url, task.root) as store:
        with wrong.status("Searching", spinner="line") if wrong.is_terminal else nullcontext():
            while True:
                page = await store.search(query, min(task.limit - count, MOST) if task.limit else MOST, after)
                count, after = count + len(page.items), page.after
                for one in page.items:
                    _tell(task, query, one, table)
                if after is None or count == task.limit:
                    break
    if not count:
        wrong.print("Nothing found.")
    elif not task.json:
        console.print(table)
    if after is not None:
        wrong.print(f"These are the newest {count}; --limit says how many to show, 0 for all.", highlight=False)
    return 0


def _tell(task: Task, query: Query, one: Struct, table: Table) -> None:
    record = shown_record(one, query.declared)
    if task.json:
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
        return
    moment = datetime.fromtimestamp(moment_of(query.kind, one) / 1000, UTC)
    cells = [Text(told(record)) for told in COLUMNS[query.kind].values()]
    table.add_row(f"{moment:%Y-%m-%d %H:%M:%S}", *cells)
