"""Following: events and runs as they are stored, read on from a place, so that nothing is left out.

A *place* is a text that says up to where a reader has come. Any process of the same store reads on from it.

A store that numbers its records in the order of its commits is `Numbered`: a place has the last number of each kind,
and each record comes exactly once. Numbers of runs that were erased just now, with the newest ones among them, may be
used again; runs that get such a number between two reads are left out.

In any other store (Elasticsearch) a record may become visible after later ones. Places are times there, and each read
goes `BACK_MS` back: what was read before is dropped by its id. A record comes late, once, never not at all, if its time
is not longer ago than that when it becomes visible; those of a spool that is drained later are. A follower that begins
at a place has not read anything before, so its caller drops what it has by id (`kind` and `id` of a `Row`).

A follower is pulled: it reads nothing that its caller has not asked for.
"""

import re
from collections.abc import Mapping, Sequence
from heapq import merge
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct, structs

from engine.ports.kind import AnyKind
from engine.ports.kinds import EVENTS, RUNS
from engine.ports.store import Searches
from engine.ports.world import Clock
from engine.search.field import Field
from engine.search.query import AllOf, Query, Within

BACK_MS: Final = 120_000
PAGE: Final = 1_000  # records of one search
MAX_READ: Final = 20_000  # records of the last `BACK_MS`; further ones are counted as left out
FOLLOWED: Final[Mapping[str, AnyKind]] = {EVENTS.name: EVENTS, RUNS.name: RUNS}

_PLACE: Final = re.compile(r"(?P<way>n|t)\.(?P<first>\d{1,18})(?:\.(?P<second>\d{1,18}))?")


class BadPlace(ValueError):
    """A text that is no place of this store."""

    def __init__(self) -> None:
        super().__init__("`after` is no place of this server's store: leave it out to begin with what is stored next")


class Followed(Struct, frozen=True):
    """Records of one kind in the order of their numbers. All up to `reached` were looked at; `last` is the newest."""

    records: tuple[tuple[int, Struct], ...]
    reached: int
    last: int


@runtime_checkable
class Numbered(Protocol):
    """A store that numbers appended records in the order of its commits. May raise `Unavailable`."""

    async def last_number(self, kind: AnyKind) -> int:
        """The number of the newest record of a kind; 0 if there is none."""

    async def numbered_after(self, query: Query, after: int, limit: int) -> Followed:
        """The matching records behind a number, at most `limit`, the earliest first."""


class Row(Struct, frozen=True):
    """A record that was stored, and the place behind it."""

    kind: str
    record: Any
    place: str

    @property
    def id(self) -> str:
        """The id of the record."""
        return FOLLOWED[self.kind].id_of(self.record)


class Rows(Struct, frozen=True):
    """The result of one read, in order; the place behind it; and whether there is more to be read at once.

    `left_out` is how many records were not read since there were too many.
    """

    rows: tuple[Row, ...]
    place: str
    more: bool = False
    left_out: int = 0


class Follower(Protocol):
    """Reads on and on. For one caller."""

    place: str

    async def read(self, limit: int) -> Rows:
        """Read at most about `limit` further records. Raises `Unavailable`."""


async def newest_place(store: Searches, clock: Clock) -> str:
    """Return the place behind all that is stored now. Raises `Unavailable`."""
    if isinstance(store, Numbered):
        return _numbers(await store.last_number(EVENTS), await store.last_number(RUNS))
    return f"t.{clock.now()}"


async def following(store: Searches, queries: Mapping[str, Query], clock: Clock, after: str | None = None) -> Follower:
    """Return a follower of the records that the queries find, by kind, behind a place, or behind all that is stored.

    Raises `BadPlace` and `Unavailable`.
    """
    found = None if after is None else _PLACE.fullmatch(after)
    if after is not None and (found is None or (found["way"] == "n") != isinstance(store, Numbered)):
        raise BadPlace
    if isinstance(store, Numbered):
        if found is not None and found["second"] is None:
            raise BadPlace
        return NumberedFollower(store, queries, after or await newest_place(store, clock))
    if found is not None and found["second"] is not None:
        raise BadPlace
    follower = TimedFollower(store, queries, clock, int(found["first"]) if found is not None else clock.now())
    if after is None:
        await follower.skip()
    return follower


def _numbers(event: int, run: int) -> str:
    return f"n.{event}.{run}"


class NumberedFollower:
    """Follows a store that numbers its records."""

    def __init__(self, store: Numbered, queries: Mapping[str, Query], place: str) -> None:
        self._store = store
        self._queries = queries
        self.place = place
        _, event, run = place.split(".")
        self._reached = {EVENTS.name: int(event), RUNS.name: int(run)}

    async def read(self, limit: int) -> Rows:
        """Read on, in the order of the numbers of each kind, and of the records' times between the kinds."""
        reached, more = dict(self._reached), False
        found: list[list[tuple[int, int, str, Struct]]] = []
        for name, query in self._queries.items():
            kind = FOLLOWED[name]
            followed = await self._store.numbered_after(query, reached[name], limit)
            reached[name] = followed.reached
            more = more or followed.reached < followed.last
            found.append([(kind.time_of(record), number, name, record) for number, record in followed.records])
        rows = []
        for _, number, name, record in merge(*found, key=lambda one: one[0]):
            self._reached[name] = number
            rows.append(Row(name, record, self._written()))
        self._reached = reached
        self.place = self._written()
        return Rows(tuple(rows), self.place, more)

    def _written(self) -> str:
        return _numbers(self._reached[EVENTS.name], self._reached[RUNS.name])


class TimedFollower:
    """Follows a store in which a record may become visible after later ones."""

    def __init__(self, store: Searches, queries: Mapping[str, Query], clock: Clock, at: int) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock
        self._at = at  # ms: nothing from `BACK_MS` before is left out from here on
        self._read: dict[tuple[str, str], int] = {}  # the records that were read, with their times
        self.place = f"t.{at}"

    async def skip(self) -> None:
        """Take all that is stored for read."""
        found, _ = await self._found()
        self._read = {key: time for time, key, _ in found}

    async def read(self, limit: int) -> Rows:
        """Read what has become visible, the earliest first."""
        began = self._clock.now()
        found, left_out = await self._found()
        fresh = [one for one in found if one[1] not in self._read]
        rows = []
        for time, key, record in fresh[:limit]:
            self._read[key] = time
            rows.append(Row(key[0], record, self.place))
        more = len(fresh) > limit
        if not more:
            self._at = max(self._at, began)
            self.place = f"t.{self._at}"
            self._read = {key: time for key, time in self._read.items() if time >= self._at - 2 * BACK_MS}
        return Rows(tuple(rows), self.place, more, left_out)

    async def _found(self) -> tuple[list[tuple[int, tuple[str, str], Any]], int]:
        """Return the records from `BACK_MS` before the place on, the earliest first, and whether some are missing."""
        found: list[tuple[int, tuple[str, str], Any]] = []
        left_out = 0
        for name, query in self._queries.items():
            kind = FOLLOWED[name]
            records, cut = await self._recent(kind, query)
            left_out += cut
            found += [(kind.time_of(record), (name, kind.id_of(record)), record) for record in records]
        return sorted(found, key=lambda one: one[:2]), left_out

    async def _recent(self, kind: AnyKind, query: Query) -> tuple[Sequence[Struct], int]:
        since = Within(Field(kind.time, "", "moment"), low=self._at - BACK_MS)
        recent = structs.replace(query, node=AllOf((query.node, since)))
        records: list[Struct] = []
        after: str | None = None
        while len(records) < MAX_READ:
            page = await self._store.search(recent, PAGE, after)
            records += page.items
            after = page.after
            if after is None:
                return records, 0
        return records, 1
