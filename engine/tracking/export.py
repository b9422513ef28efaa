"""Exporting a profile: all that is stored of it, for whom it is about.

That is the profile, its sessions, events and runs under any id that was ever its own, and the rejected events of its
sessions.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec import Struct

from engine.search.field import Field, Kind
from engine.search.query import AllOf, AnyOf, Exists, Is, Node, Not, Query
from engine.tracking.erasure import Belongings
from engine.tracking.ports import Store
from engine.tracking.whose import somebody_at

PAGE: Final = 500
AT_ONCE: Final = 50  # ids or sessions in one query

Exported = tuple[Kind, Struct]


async def export(store: Store, id: str) -> AsyncIterator[Exported]:
    """The records of the profile that `id` leads to: its own, then sessions, events, runs, rejected events.

    Raises `Unknown` when nobody has the id, and `Unavailable`.
    """
    person = await somebody_at(store, id)
    yield "profiles", person
    whose = await store.belongings(frozenset({id, *person.ids}))
    for source, name in sorted(whose.sessions):
        session = await store.session(source, name)
        if session is not None:
            yield "sessions", session
    for kind, node in _queries(whose):
        async for record in _found(store, Query(kind, node)):
            yield kind, record


def _queries(whose: Belongings) -> list[tuple[Kind, Node]]:
    ids = _parts(sorted(whose.ids))
    visits = [(source, some) for source, all in whose.sessions_by_source().items() for some in _parts(all)]
    nobodys = Not(Exists(Field("profile")))
    found: list[tuple[Kind, Node]] = [("events", _is("profile", some)) for some in ids]
    found += [("events", AllOf((_is("source", [source]), _is("session", some), nobodys))) for source, some in visits]
    found += [("runs", _is("profile", some)) for some in ids]
    found += [("rejected", AllOf((_is("source", [source]), _is("session", some)))) for source, some in visits]
    return found


async def _found(store: Store, query: Query) -> AsyncIterator[Struct]:
    page = await store.search(query, PAGE)
    while True:
        for item in page.items:
            yield item
        if page.after is None:
            return
        page = await store.search(query, PAGE, page.after)


def _is(name: str, texts: Sequence[str]) -> Node:
    return AnyOf(tuple([Is(Field(name), (text,)) for text in texts]))


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
