"""Retention: drops records by their age, months at a time where there is an index for each month."""

from typing import Any

from engine.project.retention import Dropped, Keep, ReportProgress
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.kind_index import KindIndex
from storage.elasticsearch.names import Names
from storage.elasticsearch.operation import delete
from storage.elasticsearch.periods import over_before
from storage.elasticsearch.search import Query, Search
from storage.elasticsearch.writer import Writer

CHUNK = 1000  # documents that are deleted together


class Retention:
    """Counts and drops the records that are older than what is kept. Every method raises `Unavailable`."""

    def __init__(self, search: Search, writer: Writer, finisher: Finisher, names: Names) -> None:
        self._search = search
        self._writer = writer
        self._finisher = finisher
        self._names = names

    async def expired(self, keep: Keep) -> Dropped:
        """Count the records that `retain` would drop now, by kind."""
        await self._finisher.idle()
        dropped = Dropped()
        for index, before in self._kept(keep):
            if index.monthly:
                for month in await self._months(index, before):
                    dropped[index.kind.name] += await self._count(month)
            else:
                await self._search.refresh(index.name)
                dropped[index.kind.name] += await self._search.count(index.name, _old(index, before))
        return +dropped

    async def retain(self, keep: Keep, tell: ReportProgress) -> Dropped:
        """Drop months of which all is older, and older records of kinds that are not kept by the month."""
        await self._finisher.idle()
        dropped = Dropped()
        for index, before in self._kept(keep):
            if index.monthly:
                for month in await self._months(index, before):
                    count = await self._count(month)
                    await self._search.drop(month)
                    dropped[index.kind.name] += count
                    tell(+dropped)
            else:
                dropped[index.kind.name] += await drop_found(
                    self._search, self._writer, index.name, _old(index, before)
                )
                tell(+dropped)
        return +dropped

    def _kept(self, keep: Keep) -> list[tuple[KindIndex[Any], int]]:
        return [(self._names.called(name), before) for name, before in keep.items()]

    async def _months(self, index: KindIndex[Any], before: int) -> list[str]:
        return over_before(await self._search.indices(f"{index.name}-*"), before)

    async def _count(self, index: str) -> int:
        await self._search.refresh(index)
        return await self._search.count(index)


async def drop_found(search: Search, writer: Writer, name: str, query: Query) -> int:
    """Delete the documents that a query finds, but for those that change meanwhile; returns how many."""
    dropped = 0
    await search.refresh(name)
    while hits := await search.hits(name, query, [{"_doc": "asc"}], CHUNK, source=["id"]):
        outcomes = await writer.send([delete(hit.index, hit.id, hit.at) for hit in hits])
        dropped += len(outcomes) - outcomes.count(None)
        if not any(outcomes):
            break
        await search.refresh(name)
    return dropped


def _old(index: KindIndex[Any], before: int) -> Query:
    """Records from before a time (ms); not those whose document has still something to finish."""
    old = {"range": {index.field(index.kind.time): {"lt": before}}}
    return {"bool": {"filter": [old], "must_not": [{"exists": {"field": "unfinished"}}]}}
