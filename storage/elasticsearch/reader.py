"""The coalescing reader: real-time gets by id; those that arrive during a request share the next `_mget`."""

import asyncio
from collections.abc import Iterable
from itertools import islice

from msgspec import Raw, Struct, field, json

from engine.ports.store import Overloaded, Unavailable
from storage.elasticsearch.backoff import Backoff
from storage.elasticsearch.connection import Connection, Lost, Silent
from storage.elasticsearch.document_id import IndexedId
from storage.elasticsearch.error_cause import NO_INDEX, Cause, cause_of, may_pass
from storage.elasticsearch.operation import Written

MAX_PLACES = 1000  # in one request
QUEUED_PLACES = 50_000
AT_ONCE = 2  # requests
BUDGET = 1.6  # seconds of tries: senders wait two for a store


class FoundDocument(Struct, frozen=True):
    """A stored document, encoded, and its position."""

    source: Raw
    at: Written


class _Item(Struct, frozen=True):
    found: bool = False
    source: Raw = field(default_factory=lambda: Raw(b"null"), name="_source")
    seq_no: int = field(default=0, name="_seq_no")
    term: int = field(default=0, name="_primary_term")
    error: Cause | None = None


class _Told(Struct, frozen=True):
    docs: list[_Item]


_decode = json.Decoder(_Told).decode
_encode = json.Encoder().encode
_PATH = "/_mget?filter_path=docs.found,docs._source,docs._seq_no,docs._primary_term,docs.error"

Wanted = dict[IndexedId, "asyncio.Future[FoundDocument | None]"]


class Reader:
    """Owns all gets by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wanted: Wanted = {}
        self._lost = False  # the last request did not reach the servers
        self._working = 0
        self._tasks: set[asyncio.Task[None]] = set()  # so that they are not lost

    async def get(self, index: str, id: str) -> FoundDocument | None:
        """A document as it is now or later, never as it was before the call."""
        return await asyncio.shield(self._want((index, id)))  # others may wait for the same

    async def many(self, places: Iterable[IndexedId]) -> list[FoundDocument | None]:
        """Documents, as by `get`."""
        wanted = [self._want(place) for place in places]
        if len(wanted) > 1:
            await asyncio.wait(wanted)
        return [await each for each in wanted]

    def _want(self, place: IndexedId) -> "asyncio.Future[FoundDocument | None]":
        future = self._wanted.get(place)
        if future is None or future.done():  # done: its caller was cancelled
            if len(self._wanted) >= QUEUED_PLACES:
                raise Overloaded(f"{len(self._wanted)} reads wait for Elasticsearch")
            future = self._wanted[place] = asyncio.get_running_loop().create_future()
            if self._working < AT_ONCE:
                self._working += 1
                task = asyncio.create_task(self._work())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return future

    async def _work(self) -> None:
        try:
            while self._wanted:
                some = dict(islice(self._wanted.items(), MAX_PLACES))
                for place in some:
                    del self._wanted[place]
                await self._answer(some)
        finally:
            self._working -= 1

    async def _answer(self, some: Wanted) -> None:
        pauses = Backoff(BUDGET)
        try:
            while some := {place: future for place, future in some.items() if not future.done()}:
                try:
                    why = await self._request(some)
                except Silent as silent:
                    _fail({**some, **self._wanted}, str(silent))
                    return
                if why is None:
                    return
                if not pauses.left:
                    if self._lost:
                        self._connection.give_up()
                    _fail(some, why)
                    return
                await pauses.next()
        finally:
            _fail(some, "the store is closed")

    async def _request(self, some: Wanted) -> str | None:
        """Answer the reads; returns the reason if some have no answer yet, else None. Raises `Silent`."""
        self._lost = False
        body = _encode({"docs": [{"_index": index, "_id": id} for index, id in some]})
        try:
            answer = await self._connection.attended("POST", _PATH, body)
            if not answer.good:
                cause = cause_of(answer)
                if not may_pass(answer.status, cause):
                    _fail(some, str(cause))
                return str(cause)
            items = _decode(answer.body).docs
        except Silent:
            raise
        except Lost as lost:
            self._lost = True
            return str(lost)
        except ValueError as error:
            return f"Elasticsearch sent an answer that cannot be read: {error}"
        if len(items) != len(some):
            return f"Elasticsearch answered {len(items)} of {len(some)} reads"
        why = None
        for future, item in zip(some.values(), items, strict=True):
            if item.error is not None and item.error.type != NO_INDEX:
                why = str(item.error)
            elif not future.done():
                future.set_result(FoundDocument(item.source, Written(item.seq_no, item.term)) if item.found else None)
        return why


def _fail(some: Wanted, why: str) -> None:
    for future in some.values():
        if not future.done():
            future.set_exception(Unavailable(why))
            future.exception()  # its caller may be gone
