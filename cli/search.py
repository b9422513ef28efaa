"""`headrace search`: what a store holds, as a table or as lines of JSON."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.serialize import serialize_record
from cli.call import call
from cli.profile import Where
from cli.store import CannotStart, cannot, file_of, kind_of, load, opened, shown, url_of
from cli.traces import short
from effects.clock import SystemClock
from engine.language.path import parse_path, read
from engine.ports.kinds import SEARCHABLE
from engine.ports.store import Unavailable
from engine.problem import Problem, ProblemError, did_you_mean
from engine.search.field import Searchable
from engine.search.page import MAX_LIMIT, Page
from engine.search.parse import parse
from engine.search.query import Query
from storage.sqlite.schema import UnusableFile
from storage.sqlite.search import Searcher

Record = dict[str, Any]


Found = tuple[list[Record], str | None]  # documents, and where the next page begins
Ask = Callable[[int, str | None], Awaitable[Found]]


class Task(Struct, frozen=True):
    """What is asked of which store, or of the server at `url`. `limit` 0: everything."""

    kind: str
    text: str
    where: Where
    limit: int
    json: bool


class Searching(Protocol):
    """A store, or as much of one as is needed."""

    async def search(self, query: Query, limit: int, after: str | None = None) -> Page:
        """As `engine.ports.store.Store`."""


def _event(event: str | Record) -> str:
    """A run's event: a trace also tells the type."""
    return event if isinstance(event, str) else f"{event['type']} {event['id']}"


def _reason(reason: str | Record) -> str:
    """Why a run failed, or did nothing."""
    return reason if isinstance(reason, str) else str(reason.get("why") or reason["expression"])


# What a line of the table says of a document, beside its time.
COLUMNS: dict[str, dict[str, Callable[[Record], str]]] = {
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


def columns_of(searchable: Searchable) -> dict[str, Callable[[Record], str]]:
    """The columns of a kind of document; those that are not listed above show each of their words."""
    words = [name for name, type in searchable.fields.items() if type in {"word", "prose"}]
    return COLUMNS.get(searchable.name) or {name: partial(_word, name) for name in words}


def _word(name: str, record: Record) -> str:
    value = record.get(name)
    return "" if value is None else str(value)


def search(task: Task, console: Console, error: Console) -> int:
    """Print what is found, newest first. Exit code 2 for a query that is not understood, or nobody to ask."""
    try:
        searchable = SEARCHABLE.get(task.kind)
        if searchable is None:
            raise CannotStart(f"`{task.kind}` is no kind of document: {did_you_mean(task.kind, SEARCHABLE)}")
        return asyncio.run(_found(task, searchable, console, error))
    except ProblemError as refused:
        error.print(pointed(task.text, refused.problem), soft_wrap=True)
        return 2
    except CannotStart as refused:
        return cannot(error, str(refused))


def pointed(text: str, problem: Problem) -> Text:
    """What is wrong with a query, with a mark under the place."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    at = problem.offset or 0
    mark = " " * cell_len(plain[:at]) + "^" * max(1, cell_len(plain[at : at + problem.length]))
    told = Text.assemble(f"  {plain}\n  ", (mark, "red"), f"\n{problem.message}")
    return told.append(f"\nhelp: {problem.help}") if problem.help else told


@asynccontextmanager
async def _asking(task: Task, searchable: Searchable, error: Console) -> AsyncIterator[Ask]:
    """Whom to ask: the server at `url`, else the store. Raises `ProblemError` and `CannotStart`."""
    now = SystemClock().now()
    if task.where.url is not None:
        parse(task.text, searchable, now)  # so that what is not understood is pointed at
        yield partial(_of_server, task.where.url, searchable.name, task.text)
        return
    loaded = load(task.where.root, error, whole=False)
    query = parse(task.text, searchable, now, loaded.project.settings.fields)
    async with _reading(url_of(loaded, task.where.store), task.where.root) as store:
        yield partial(_of_store, store, query)


async def _of_server(url: str, kind: str, text: str, limit: int, after: str | None) -> Found:
    asked = urlencode({"q": text, "limit": limit, "after": after or ""})
    page = await asyncio.to_thread(call, url, "GET", f"/search/{kind}?{asked}")
    return page["items"], page["after"]


async def _of_store(store: Searching, query: Query, limit: int, after: str | None) -> Found:
    page = await store.search(query, limit, after)
    return [serialize_record(one, query.declared) for one in page.items], page.after


@asynccontextmanager
async def _reading(url: str, root: Path) -> AsyncIterator[Searching]:
    """The store, only read where it is a file: its server may go on. Raises `CannotStart`."""
    if kind_of(url) == "memory":
        raise CannotStart("`memory:` holds nothing when no server runs; ask yours with --url, or name its --store.")
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
        raise CannotStart(f"{unusable}. Name the store that your server uses by --store.") from unusable
    except Unavailable as unavailable:
        raise CannotStart(f"The store {shown(url)} cannot be read now: {unavailable.reason}.") from unavailable


async def _found(task: Task, searchable: Searchable, console: Console, error: Console) -> int:
    table = Table(searchable.newest, *columns_of(searchable), box=None, header_style="bold", pad_edge=False)
    count, after = 0, None
    async with _asking(task, searchable, error) as ask:
        with error.status("Searching", spinner="line") if error.is_terminal else nullcontext():
            while True:
                found, after = await ask(min(task.limit - count, MAX_LIMIT) if task.limit else MAX_LIMIT, after)
                count += len(found)
                for record in found:
                    _tell(task, searchable, record, table)
                if after is None or count == task.limit:
                    break
    if not count:
        error.print("Nothing found.")
    elif not task.json:
        console.print(table)
    if after is not None:
        error.print(f"These are the newest {count}; --limit says how many to show, 0 for all.", highlight=False)
    return 0


def _tell(task: Task, searchable: Searchable, record: Record, table: Table) -> None:
    if task.json:
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
        return
    moment = datetime.fromtimestamp(read(record, parse_path(searchable.newest)) / 1000, UTC)
    cells = [Text(told(record)) for told in columns_of(searchable).values()]
    table.add_row(f"{moment:%Y-%m-%d %H:%M:%S}", *cells)
