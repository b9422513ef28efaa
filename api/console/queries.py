"""Queries of pages: parsed with the grammar of `headrace search`, and searched page by page."""

from msgspec import Struct

from api.console.site import Site
from engine.ports.kinds import SEARCHABLE
from engine.problem import Problem, ProblemError
from engine.search.page import BadCursor, Page
from engine.search.parse import parse
from engine.search.query import Query

ROWS = 50


class Asked(Struct, frozen=True):
    """The result of a query, or the mistake in it."""

    page: Page = Page()
    problem: Problem | None = None


async def ask(site: Site, kind: str, text: str, after: str = "", limit: int = ROWS) -> Asked:
    """Return a page of documents of a kind. Raises `Unavailable`."""
    try:
        return Asked(await site.store.search(query_of(site, kind, text), limit, after or None))
    except ProblemError as failure:
        return Asked(problem=failure.problem)
    except BadCursor:
        return Asked(await site.store.search(query_of(site, kind, text), limit))


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
