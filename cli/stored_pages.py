"""Stored documents that a query finds, page by page: from a running server, or from the store, which is only read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from rich.console import Console

from api.serialize import serialize_record
from cli.call import RemoteServer, call
from cli.document import Document
from cli.location import DataLocation
from cli.store import (
    CommandError,
    load_and_report,
    opened_store,
    sqlite_file,
    store_kind,
    store_url,
    without_credentials,
)
from effects.clock import SystemClock
from engine.ports.kinds import SEARCHABLE
from engine.ports.store import Searches, Unavailable
from engine.search.field import Searchable
from engine.search.page import MAX_LIMIT
from engine.search.parse import parse
from engine.search.query import Query
from storage.sqlite.schema import UnusableFile
from storage.sqlite.search import Searcher

ResultPage = tuple[list[Document], str | None]  # documents, and the cursor of the next page; None for the last one
FetchPage = Callable[[int, str | None], Awaitable[ResultPage]]  # by the limit and the cursor of a page


async def found_documents(
    location: DataLocation, kind: str, text: str, error: Console, limit: int = 0
) -> AsyncIterator[Document]:
    """Yield the documents that a query finds, newest first, at most `limit`; 0: all.

    Raises `ProblemError` for an invalid query, and `CommandError`.
    """
    count, after = 0, None
    async with opened_pages(location, SEARCHABLE[kind], text, error) as fetch_page:
        while True:
            documents, after = await fetch_page(min(limit - count, MAX_LIMIT) if limit else MAX_LIMIT, after)
            count += len(documents)
            for document in documents:
                yield document
            if after is None or count == limit:
                return


@asynccontextmanager
async def opened_pages(
    location: DataLocation, searchable: Searchable, text: str, error: Console
) -> AsyncIterator[FetchPage]:
    """Yields a function that fetches a page, from the server or the store. Raises `ProblemError` and `CommandError`."""
    now = SystemClock().now()
    if (server := location.server()) is not None:
        parse(text, searchable, now)  # an invalid query is marked here, rather than answered by the server
        yield partial(_page_of_server, server, searchable.name, text)
        return
    loaded = load_and_report(location.root, error, whole=False)
    query = parse(text, searchable, now, loaded.project.settings.fields)
    async with opened_searchable(store_url(loaded, location.store), location.root) as store:
        yield partial(_page_of_store, store, query)


async def _page_of_server(server: RemoteServer, kind: str, text: str, limit: int, after: str | None) -> ResultPage:
    parameters = urlencode({"q": text, "limit": limit, "after": after or ""})
    page = await asyncio.to_thread(call, server, "GET", f"/search/{kind}?{parameters}")
    return page["items"], page["after"]


async def _page_of_store(store: Searches, query: Query, limit: int, after: str | None) -> ResultPage:
    page = await store.search(query, limit, after)
    return [serialize_record(record, query.declared) for record in page.items], page.after


@asynccontextmanager
async def opened_searchable(url: str, root: Path) -> AsyncIterator[Searches]:
    """The store; a SQLite file read-only, so that its server may run meanwhile. Raises `CommandError`."""
    if store_kind(url) == "memory":
        raise CommandError("`memory:` holds nothing when no server runs; ask yours with --url, or name its --store.")
    file = sqlite_file(url, root)
    if file is None:
        async with opened_store(url, root) as store:
            yield store
        return
    try:
        searcher = Searcher(file)
        try:
            yield searcher
        finally:
            await searcher.close()
    except UnusableFile as unusable:
        raise CommandError(f"{unusable}. Name the store that your server uses by --store.") from unusable
    except Unavailable as unavailable:
        address = without_credentials(url)
        raise CommandError(f"The store {address} cannot be read now: {unavailable.reason}.") from unavailable
