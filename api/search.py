"""Search over HTTP: one address for each kind of document."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from msgspec import Meta, Struct

from api.access.directory import mask_of
from api.access.guard import require_role
from api.access.guessing import require_no_guessing
from api.access.option import access
from api.access.principal import principal_of
from api.description.operation import Operation, Parameter, json_answer, operations
from api.documents.record import PAGES
from api.serialize import serialize_record
from engine.ports.kinds import AUDIT, SEARCHABLE
from engine.ports.store import Searches
from engine.ports.world import Clock
from engine.problem import ProblemError, did_you_mean
from engine.project.project import Project
from engine.search.field import Searchable
from engine.search.page import DEFAULT_LIMIT, MAX_LIMIT, BadCursor
from engine.search.parse import parse
from engine.search.query import Query
from engine.tracking.intake.payload import Refusal

QUERY: Final = "The query, see docs/search.md; without it, all documents"
LIMIT: Final = f"How many documents a page has at most: 1 to {MAX_LIMIT}"
AFTER: Final = "The `after` of the page before"


class Found(Struct, frozen=True):
    """A page, newest first. `after` leads to the next one, which there may be though this one is short; else null."""

    items: list[dict[str, Any]]
    after: str | None


def search_handler(store: Searches, project: Callable[[], Project], clock: Clock) -> HTTPRouteHandler:
    """`GET /search/KIND`."""

    @get("/search/{kind:str}", opt=access("viewer") | operations(*map(searching, SEARCHABLE)))
    async def search(
        request: Request[Any, Any, Any],
        kind: FromPath[str],
        q: FromQuery[str] = "",
        limit: FromQuery[int] = DEFAULT_LIMIT,
        after: FromQuery[str] = "",
    ) -> Found:
        if kind == AUDIT.name:
            require_role(principal_of(request), "admin")
        if not 1 <= limit <= MAX_LIMIT:
            raise Refusal("malformed", f"`limit` is between 1 and {MAX_LIMIT}")
        query, mask = parsed_query(q, searchable_of(kind), project(), clock.now()), mask_of(request)
        require_no_guessing(query, mask)
        try:
            page = await store.search(query, limit, after or None)
        except BadCursor as bad:
            raise Refusal("malformed", str(bad)) from bad
        found = [mask.view(kind, serialize_record(one, query.declared)) for one in page.items]
        return Found(found, page.after)

    return search


def searching(kind: str) -> Operation:
    """Return the operation of searching one kind of document: each kind has an answer of its own."""
    page, item = PAGES[kind]
    return Operation(
        method="GET",
        path=f"/search/{kind}",
        id=f"search{kind.title().replace('_', '')}",
        tag="reading",
        summary=f"Search {kind}",
        parameters=(
            Parameter("q", "query", QUERY),
            Parameter("limit", "query", LIMIT, default=DEFAULT_LIMIT, type=Annotated[int, Meta(ge=1, le=MAX_LIMIT)]),
            Parameter("after", "query", AFTER),
        ),
        answers={200: json_answer(page, {"items": [item], "after": None}, "A page of what was found")},
        problems=(401, 403, 429),
        security=("adminKey",),
    )


def searchable_of(name: str) -> Searchable:
    """Return the kind of document that a path names. Raises `NotFoundException`."""
    searchable = SEARCHABLE.get(name)
    if searchable is None:
        raise NotFoundException(f"`{name}` is no kind of document: {did_you_mean(name, SEARCHABLE)}")
    return searchable


def parsed_query(text: str, searchable: Searchable, project: Project, now: int) -> Query:
    """Return the query of a request. Raises `Refusal`, with the place of the mistake."""
    try:
        return parse(text, searchable, now, project.settings.fields)
    except ProblemError as failure:
        found = failure.problem
        error = {
            "code": found.code,
            "message": found.message,
            "offset": found.offset,
            "length": found.length,
            "help": found.help,
        }
        detail = f"`q` at {(found.offset or 0) + 1}: {found.message}"
        raise Refusal("malformed", f"{detail}; {found.help}" if found.help else detail, errors=[error]) from failure
