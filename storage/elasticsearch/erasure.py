"""Erases the documents that belong to forgotten profiles.

A profile's own document is deleted by compare-and-set, so that no commit overwrites it; the pending writes that it
carries are deleted with it. The other documents are found by searches, after a refresh, and deleted only as they were
found: a key, a mark or a record may belong to another profile a moment later. A deleted document stays in the files
until its segment is merged, and in the log of operations until that is trimmed: `expunge` does both.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec import Struct, json

from engine.ports.erasure import DataSubject, Erased
from engine.ports.kinds import EVENTS
from engine.ports.store import Conflict
from storage.elasticsearch.document_id import IndexedId, id_of
from storage.elasticsearch.documents import amended
from storage.elasticsearch.expunge import expunge
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.kind_index import KindIndex
from storage.elasticsearch.loader import MAX_CONFUSED, Loader, overtaken
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import delete, replace
from storage.elasticsearch.search import Hit, Query, Search
from storage.elasticsearch.sweeper import Sweeper
from storage.elasticsearch.writer import Writer

PAGE = 1000
NAMES = ("id", "source", "received")
AT_ONCE = 500  # ids in one query
TIMES_AT_ONCE = 200  # queries in one request: three clauses each, of a thousand and more that a server takes

Groups = Sequence[Sequence[Query]]  # of queries, of which each group is asked at once


class _Named(Struct, frozen=True):
    id: str = ""
    source: str = ""
    received: int = 0


_named = json.Decoder(_Named).decode


class Erasure:
    """Finds and erases the documents that belong to profiles. Every method raises `Unavailable`."""

    def __init__(
        self, search: Search, writer: Writer, loader: Loader, finisher: Finisher, sweeper: Sweeper, names: Names
    ) -> None:
        self._search = search
        self._writer = writer
        self._loader = loader
        self._finisher = finisher
        self._sweeper = sweeper
        self._names = names

    async def data_subject(self, ids: frozenset[str]) -> DataSubject:
        """The ids with all that lead to them, and their sessions.

        An open tombstone does not lead there yet: it is not known whether its profile is the same person's.
        """
        await self._finisher.idle()
        await self._search.refresh(self._names.profiles, self._names.sessions)
        more = ids
        while more:
            leading = [_closed(_any("merged_into", part)) for part in _parts(more)]
            found = await self._all(self._names.profiles, leading, ("id",))
            more = frozenset(_named(hit.source).id for hit in found) - ids
            ids |= more
        theirs = [_any("profile", part) for part in _parts(ids)]
        found = await self._all(self._names.sessions, theirs, ("id", "source"))
        sessions = [_named(hit.source) for hit in found]
        return DataSubject(ids, frozenset((each.source, each.id) for each in sessions))

    async def remove(self, id: str, version: int) -> None:
        """Erase the document of a profile or a tombstone. Raises `Conflict` when it is not at that version."""
        for _ in range(MAX_CONFUSED):
            there = await self._loader.node(id)
            if there.source is None:
                return
            if there.version != version:
                raise Conflict("profile", id)
            self._loader.memory.drop(id)
            if await self._writer.one(delete(self._names.profiles, id_of(id), there.at)) is not None:
                return
        raise overtaken()

    async def erase(self, subject: DataSubject) -> Erased:
        """Erase all documents that belong to these, except those of the profiles themselves.

        Events are deleted last: records and marks that do not name the profile are found by them, also after a crash in
        between. Only the events that were read are deleted; others may have been stored meanwhile.
        """
        await self._finisher.idle()
        await self._sweeper.clear()  # else a process finishes, or repeats, writes of these
        names = self._names
        await self._search.refresh(names.keys, names.sessions, names.marks, *[index.name for index in names.kinds])
        owned = Owned(subject)
        indices = [index for index in names.kinds if index.kind is not EVENTS]
        events = await self._all(names.of(EVENTS).name, owned.of(names.of(EVENTS)), ("stamp", "nth", "id", "source"))
        events_of = [_named(hit.source) for hit in events]
        wanted: dict[str, tuple[str, Groups]] = {
            "keys": (names.keys, [owned.terms("id")]),
            "sessions": (names.sessions, [owned.terms("profile")]),
            "marks": (names.marks, [[*owned.terms("profile"), *owned.visits()], *_in_groups(events_of, _mark_of)]),
        }
        for index in indices:
            groups: Groups = [queries] if (queries := owned.of(index)) else []
            if index.kind.event is not None:
                groups = [*groups, *_in_groups(events_of, partial(_caused_by, index))]
            wanted[index.kind.name] = index.name, groups
        erased = await asyncio.gather(*[self._erase(*each) for each in wanted.values()])
        for versioned in names.versioned:
            await self._unclaim(versioned.name, owned.terms("on"))
        for start in range(0, len(events), PAGE):
            await self._writer.send([delete(hit.index, hit.id, hit.at) for hit in events[start : start + PAGE]])
        return +Erased(events=len(events), **dict(zip(wanted, erased, strict=True)))

    async def _unclaim(self, name: str, queries: Sequence[Query]) -> None:
        """Remove the claims of records that name these profiles: their documents commit nothing any more."""
        while hits := await self._search.hits(name, _or(queries), [{"_doc": "asc"}], PAGE):
            bare = [amended(hit.source, on=None, by=None) for hit in hits]
            operations = [replace(hit.index, hit.id, source, hit.at) for hit, source in zip(hits, bare, strict=True)]
            await self._writer.send(operations)
            await self._search.refresh(name)

    async def expunge(self) -> None:
        """Have segments with deleted documents rewritten, and the log of operations trimmed."""
        await self._finisher.idle()
        await expunge(self._search, f"{self._names.prefix}-*")

    async def _erase(self, name: str, groups: Groups) -> int:
        """Delete the documents that any of these queries finds, one group of queries at a time; returns how many."""
        found: set[IndexedId] = set()
        for queries in groups:
            found |= await self._erase_group(name, queries)
        return len(found)

    async def _erase_group(self, name: str, queries: Sequence[Query]) -> set[IndexedId]:
        """Delete a page of documents at a time. Those that changed since they were found are searched for again."""
        found: set[IndexedId] = set()
        stuck = 0
        while hits := await self._search.hits(name, _or(queries), [{"_doc": "asc"}], PAGE, source=NAMES):
            outcomes = await self._writer.send([delete(hit.index, hit.id, hit.at) for hit in hits])
            found.update((hit.index, hit.id) for hit in hits)
            stuck = 0 if any(outcomes) else stuck + 1
            if stuck == MAX_CONFUSED:
                raise overtaken()
            await self._search.refresh(name)
            if len(hits) < PAGE and None not in outcomes:
                break
        return found

    async def _all(self, name: str, queries: Sequence[Query], fields: Sequence[str]) -> list[Hit]:
        """The documents that any of these queries finds; `fields` identify each."""
        found: list[Hit] = []
        order = [{each: "asc"} for each in fields]
        after: Sequence[str | int] = ()
        while hits := await self._search.hits(name, _or(queries), order, PAGE, after=after, source=NAMES):
            found += hits
            after = hits[-1].sort
            if len(hits) < PAGE:
                break
        return found


def _or(queries: Sequence[Query]) -> Query:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}} if queries else {"match_none": {}}


def _parts(ids: "frozenset[str] | set[str]") -> list[list[str]]:
    ordered = sorted(ids)
    return [ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE)]


def _any(field: str, values: list[str]) -> Query:
    return {"terms": {field: values}}


def _closed(query: Query) -> Query:
    return {"bool": {"filter": [query], "must_not": [{"term": {"open": True}}]}}


def _in_groups(events: Sequence[_Named], query_of: Callable[[list[_Named]], Query]) -> Groups:
    """Queries from events to other documents, one for the events of one source and time.

    Their ids alone are not enough: they may be used again, by others and later.
    """
    together: dict[tuple[str, int], list[_Named]] = {}
    for event in events:
        together.setdefault((event.source, event.received), []).append(event)
    some = [of[start : start + AT_ONCE] for of in together.values() for start in range(0, len(of), AT_ONCE)]
    queries = [query_of(each) for each in some]
    return [queries[start : start + TIMES_AT_ONCE] for start in range(0, len(queries), TIMES_AT_ONCE)]


def _caused_by(index: KindIndex[Any], events: list[_Named]) -> Query:
    kind, source, at = index.kind, events[0].source, events[0].received
    names = [{"term": {"source": source}}, _any(index.field(kind.event or ""), [event.id for event in events])]
    return {"bool": {"filter": [*names, {"term": {index.field(kind.time): at}}]}}


def _mark_of(events: list[_Named]) -> Query:
    ids = {"ids": {"values": [id_of(event.source, event.id) for event in events]}}
    return {"bool": {"filter": [ids, {"term": {"at": events[0].received}}]}}


class Owned:
    """Queries for what belongs to a data subject."""

    def __init__(self, subject: DataSubject) -> None:
        self._ids = _parts(subject.ids)
        self._visits = [
            (source, ids[start : start + AT_ONCE])
            for source, ids in subject.sessions_by_source().items()
            for start in range(0, len(ids), AT_ONCE)
        ]

    def terms(self, field: str) -> list[Query]:
        """Documents that have one of the profiles' ids in a field."""
        return [_any(field, part) for part in self._ids]

    def visits(self, session: str = "session", profile: str | None = "profile") -> list[Query]:
        """Documents with one of the sessions in the field `session`, and nothing in the field `profile`, if given."""
        absent = [] if profile is None else [{"exists": {"field": profile}}]
        return [
            {"bool": {"filter": [{"term": {"source": source}}, _any(session, ids)], "must_not": absent}}
            for source, ids in self._visits
        ]

    def of(self, index: KindIndex[Any]) -> list[Query]:
        """The records of a kind; see `engine.ports.erasure.belongs`."""
        owners, found = index.kind.owners, list[Query]()
        for field in (owners.profile, owners.others):
            if field is not None:
                found += self.terms(index.field(field))
        if owners.session is not None:
            profile = None if owners.named or owners.profile is None else index.field(owners.profile)
            found += self.visits(index.field(owners.session), profile)
        return found
