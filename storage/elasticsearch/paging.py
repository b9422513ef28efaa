"""Pages of searches: Elasticsearch finds documents that may match, in an order without ties; `matches` decides.

A cursor is the place of a document in that order, which never changes: the server keeps no state for it, it is valid
for ever, and documents that are stored meanwhile come before it.
"""

from typing import Any, Final

from msgspec import Struct, json

from engine.search.match import matches
from engine.search.page import CursorValue, Page, read_cursor, write_cursor
from engine.search.query import Query
from engine.search.translation import translate
from storage.elasticsearch.dsl import DslTranslation
from storage.elasticsearch.names import Names
from storage.elasticsearch.search import Search
from storage.elasticsearch.searched_index import SearchedIndex
from storage.encoding import decode_profile, decode_session

AT_ONCE: Final = 200  # documents of one request
MAX_READ: Final = 10_000  # documents for one page
MAX_BYTES: Final = 16 * 1024 * 1024  # of a page


def searched_index(names: Names, name: str) -> SearchedIndex:
    """How the documents that a search calls `name` are read: neither tombstones nor claims."""
    if name == "profiles":
        return SearchedIndex(names.profiles, {"created": int, "id": str}, decode_profile, {"term": {"live": True}})
    if name == "sessions":
        order = {"created": int, "id": str, "source": str}
        return SearchedIndex(names.sessions, order, decode_session, {"range": {"version": {"gte": 1}}})
    return names.called(name).searched


async def page_of(search: Search, names: Names, query: Query, limit: int, after: str | None) -> Page:
    """A page of the documents that match. The first page has all that was written before."""
    name = query.searchable.name
    index = searched_index(names, name)
    place: tuple[CursorValue, ...] = ()
    if after is None:
        await search.refresh(index.name)
    else:
        place = read_cursor(after, name, *index.order.values())
    possible, _ = translate(query.node, DslTranslation(query.searchable, numbers=index.numbers))
    wanted = {"bool": {"filter": [possible] if index.only is None else [index.only, possible]}}
    sort = [{field: "desc"} for field in index.order]
    found: list[Struct] = []
    last, looked, weight, size = place, 0, 0, min(limit + 1, AT_ONCE)
    while looked < MAX_READ:
        hits = await search.hits(index.name, wanted, sort, size, after=place, source=["doc", *index.order])
        for hit in hits:
            fields: dict[str, Any] = json.decode(hit.source)
            place = tuple([fields.get(field, type()) for field, type in index.order.items()])
            document = index.decode(fields["doc"])
            if matches(query, document):
                weight += len(fields["doc"])
                if len(found) == limit or (found and weight > MAX_BYTES):
                    return Page(tuple(found), write_cursor(name, *last))
                found.append(document)
                last = place
        if len(hits) < size:
            return Page(tuple(found))
        looked, size = looked + len(hits), AT_ONCE
    return Page(tuple(found), write_cursor(name, *place))
