"""Queries of pages: parsed with the grammar of `headrace search`, and searched page by page."""

from typing import Any

from litestar import Request
from msgspec import Struct

from api.access.directory import mask_of
from api.access.guessing import require_no_guessing
from api.console.site import Site
from engine.ports.kinds import SEARCHABLE
from engine.problem import Problem, ProblemError
from engine.search.page import BadCursor, Page
from engine.search.parse import parse
from engine.search.query import Query

ROWS = 50
GO_ON = 0.3  # seconds


class Asked(Struct, frozen=True):
    """The result of a query, or the mistake in it."""

    page: Page = Page()
    problem: Problem | None = None


async def ask(
    site: Site,
    kind: str,
    text: str,
    after: str = "",
    limit: int = ROWS,
    request: Request[Any, Any, Any] | None = None,
) -> Asked:
    """Return a page of documents of a kind. Raises `Unavailable`.

    A query that a sender has written comes with its `request`: raises `HttpProblem` (403) for one by which masked data
    could be guessed.
    """
    try:
        query = query_of(site, kind, text)
    except ProblemError as failure:
        return Asked(problem=failure.problem)
    if request is not None:
        require_no_guessing(query, mask_of(request))
    try:
        return Asked(await _searched(site, query, limit, after or None))
    except BadCursor:
        return Asked(await _searched(site, query, limit, None))


async def _searched(site: Site, query: Query, limit: int, after: str | None) -> Page:
    """Return a page: a store may answer short ones, and then the search goes on for `GO_ON` seconds."""
    clock = site.clock
    begun = clock.ticks()
    page = await site.store.search(query, limit, after)
    items = page.items
    while page.after is not None and len(items) < limit and clock.ticks() - begun < GO_ON:
        page = await site.store.search(query, limit - len(items), page.after)
        items += page.items
    return Page(items, page.after)


def query_of(site: Site, kind: str, text: str) -> Query:
    """Return a parsed query over a kind. Raises `ProblemError`."""
    return parse(text, SEARCHABLE[kind], site.clock.now(), site.project.settings.fields)


def quoted_word(word: str) -> str:
    """Return a word as the grammar of queries reads it, whatever characters it has."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def narrowed(query: str, field: str, word: str) -> str:
    """Return a query that also asks for a word in a field."""
    more = f"{field}:{quoted_word(word)}"
    return f"({query}) {more}" if " OR " in query else f"{query} {more}".strip()
