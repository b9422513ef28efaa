"""Pages of searches: Elasticsearch finds what may match, in an order without ties; `matches` has the last word.

A cursor is the place of a document in that order, which never changes: it needs no state on the server, is good for
ever, and what is stored meanwhile comes before it.
"""

from typing import Any, Final

from msgspec import Struct, json

from engine.search.match import matches
from engine.search.page import CursorValue, Page, read_cursor, write_cursor
from engine.search.query import Query
from engine.search.translation import translate
from storage.elasticsearch.dsl import Dsl, DslTranslation
from storage.elasticsearch.names import Names
from storage.elasticsearch.search import Search
from storage.encoding import decode_event, decode_profile, decode_rejected, decode_run, decode_session

AT_ONCE: Final = 200  # documents of one request
MAX_READ: Final = 10_000  # documents for one page
MAX_BYTES: Final = 16 * 1024 * 1024  # of a page

Order = dict[str, type[CursorValue]]  # fields, the first counts most; all descending

COMMITTED: Final[Order] = {"stamp": int, "nth": int, "id": str}
ORDERS: Final[dict[str, Order]] = {
    "events": COMMITTED,
    "profiles": {"created": int, "id": str},
    "sessions": {"created": int, "id": str, "source": str},
    "runs": COMMITTED,
    "rejected": COMMITTED,
}
# Neither tombstones nor claims.
ONLY: Final[dict[str, Dsl]] = {
    "profiles": {"term": {"live": True}},
    "sessions": {"range": {"version": {"gte": 1}}},
}
DECODE: Final[dict[str, Any]] = {
    "events": decode_event,
    "profiles": decode_profile,
    "sessions": decode_session,
    "runs": decode_run,
    "rejected": decode_rejected,
}


class _Told(Struct, frozen=True):
    """What of a document a page needs: its record, and what places it."""

    doc: str
    id: str
    stamp: int = 0
    nth: int = 0
    created: int = 0
    source: str = ""


_decode = json.Decoder(_Told).decode


async def page_of(search: Search, names: Names, query: Query, limit: int, after: str | None) -> Page:
    """A page of what matches. The first of them sees all that has been written."""
    kind = query.searchable.name
    order = ORDERS[kind]
    index: str = getattr(names, kind)
    place: tuple[CursorValue, ...] = ()
    if after is None:
        await search.refresh(index)
    else:
        place = read_cursor(after, kind, *order.values())
    possible, _ = translate(query.node, DslTranslation(query.searchable))
    wanted = {"bool": {"filter": [ONLY[kind], possible] if kind in ONLY else [possible]}}
    found: list[Struct] = []
    last, looked, weight, size = place, 0, 0, min(limit + 1, AT_ONCE)
    while looked < MAX_READ:
        hits = await search.hits(
            index, wanted, [{name: "desc"} for name in order], size, after=place, source=["doc", *order]
        )
        for hit in hits:
            told = _decode(hit.source)
            place = tuple(getattr(told, name) for name in order)
            document = DECODE[kind](told.doc)
            if matches(query, document):
                weight += len(told.doc)
                if len(found) == limit or (found and weight > MAX_BYTES):
                    return Page(tuple(found), write_cursor(kind, *last))
                found.append(document)
                last = place
        if len(hits) < size:
            return Page(tuple(found))
        looked, size = looked + len(hits), AT_ONCE
    return Page(tuple(found), write_cursor(kind, *place))
