"""Searches, for users and for upkeep: they find what was written before the last refresh, and ask for one first.

No decision while events are processed rests on a search.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct, field, json

from engine.ports.store import Unavailable
from storage.elasticsearch.backoff import Backoff
from storage.elasticsearch.connection import Answer, Connection, Lost
from storage.elasticsearch.error_cause import cause_of, may_pass
from storage.elasticsearch.operation import Written
from storage.encoding import encode

Query = Mapping[str, Any]
ALL: Query = {"match_all": {}}
NEWEST: Sequence[Query] = ({"stamp": "desc"}, {"nth": "desc"})
OLDEST: Sequence[Query] = ({"stamp": "asc"}, {"nth": "asc"})
BUDGET = 3.0  # seconds of tries
_ABSENT = "ignore_unavailable=true&allow_no_indices=true"


class Hit(Struct, frozen=True):
    """A document that a search found."""

    index: str = field(name="_index")
    id: str = field(name="_id")
    source: Raw = field(default_factory=lambda: Raw(b"{}"), name="_source")
    sort: list[int | str] = field(default_factory=list)
    seq_no: int = field(default=0, name="_seq_no")
    term: int = field(default=0, name="_primary_term")

    @property
    def at(self) -> Written:
        """The position of the document when it was found."""
        return Written(self.seq_no, self.term)


class _Hits(Struct, frozen=True):
    hits: list[Hit] = field(default_factory=list)


class _Shards(Struct, frozen=True):
    failed: int = 0


class _Found(Struct, frozen=True):
    hits: _Hits = field(default_factory=_Hits)
    shards: _Shards = field(default_factory=_Shards, name="_shards")
    timed_out: bool = False


class _Counted(Struct, frozen=True):
    count: int = 0
    shards: _Shards = field(default_factory=_Shards, name="_shards")


class _Row(Struct, frozen=True):
    index: str


_found = json.Decoder(_Found).decode
_counted = json.Decoder(_Counted).decode
_rows = json.Decoder(list[_Row]).decode


class Search:
    """Searches whole indices, by their names, patterns or aliases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def refresh(self, *names: str) -> None:
        """Let searches find all that has been written."""
        await self.ask("POST", f"/{','.join(names)}/_refresh?{_ABSENT}")

    async def hits(
        self,
        name: str,
        query: Query,
        sort: Sequence[Query],
        size: int,
        *,
        after: Sequence[str | int] = (),
        source: Sequence[str] = (),
    ) -> list[Hit]:
        """The first documents of an order that a query finds, from behind a place in it; whole, or some fields."""
        if size <= 0:
            return []
        wanted = {"query": query, "sort": list(sort), "size": min(size, 10_000), "track_total_hits": False}
        wanted |= {"seq_no_primary_term": True}
        wanted |= {"search_after": list(after)} if after else {}
        wanted |= {"_source": list(source)} if source else {}
        pauses = Backoff(BUDGET)
        while True:
            found = _found((await self.ask("POST", f"/{name}/_search?{_ABSENT}", encode(wanted))).body)
            if not (found.shards.failed or found.timed_out):
                return found.hits.hits
            await _once_more(pauses, name)

    async def count(self, name: str, query: Query = ALL) -> int:
        """How many documents a query finds."""
        pauses = Backoff(BUDGET)
        while True:
            counted = _counted((await self.ask("POST", f"/{name}/_count?{_ABSENT}", encode({"query": query}))).body)
            if not counted.shards.failed:
                return counted.count
            await _once_more(pauses, name)

    async def indices(self, pattern: str) -> list[str]:
        """The names of indices."""
        answer = await self.ask("GET", f"/_cat/indices/{pattern}?format=json&h=index&{_ABSENT}")
        return sorted([row.index for row in _rows(answer.body)])

    async def drop(self, index: str) -> None:
        """Delete an index."""
        await self.ask("DELETE", f"/{index}?ignore_unavailable=true")

    async def ask(self, method: str, path: str, body: bytes | None = None, seconds: float | None = None) -> Answer:
        """The answer to a request; repeated while the server cannot answer it, because its shards are starting."""
        pauses = Backoff(BUDGET)
        while True:
            try:
                answer = await self._connection.request(method, path, body, seconds=seconds)
            except Lost as lost:
                raise Unavailable(str(lost)) from lost
            if answer.good or (method == "DELETE" and answer.status == 404):
                return answer
            cause = cause_of(answer)
            if not (may_pass(answer.status, cause) and pauses.left):
                raise Unavailable(str(cause))
            await pauses.next()


async def _once_more(pauses: Backoff, name: str) -> None:
    """Wait for the shards that did not answer. Raises `Unavailable` when that has taken long enough."""
    if not pauses.left:
        raise Unavailable(f"a part of {name} did not answer")
    await pauses.next()
