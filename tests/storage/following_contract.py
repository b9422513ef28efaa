"""The contract of stores that are followed: nothing is left out, nothing comes twice, whatever store it is."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from effects.clock import SystemClock
from engine.ports.following import BadPlace, Follower, Row, following, newest_place
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.store import Store
from engine.search.parse import parse
from engine.search.query import Query
from tests.storage.build import event, run

BOTH = {"events": Query(SEARCHABLE["events"]), "runs": Query(SEARCHABLE["runs"])}
CLOCK = SystemClock()


def unit(number: int) -> Unit:
    """An event with a run."""
    now = CLOCK.now()
    of_event = structs.replace(event(f"e{number}"), received=now)
    return Unit(events=(of_event,), runs=(structs.replace(run(f"r{number}", f"e{number}"), at=now),))


async def read_until(follower: Follower, count: int, limit: int = 50) -> list[Row]:
    """Read on until so many rows have come."""
    found: list[Row] = []
    while len(found) < count:
        found += (await follower.read(limit)).rows
        await asyncio.sleep(0)
    return found


def names(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.kind, row.id) for row in rows]


def ids(*numbers: int) -> set[tuple[str, str]]:
    return {(kind, f"{kind[0]}{number}") for number in numbers for kind in BOTH}


class FollowingContract:
    """To be inherited; `store` and `second` are fixtures of the adapter."""

    async def test_what_is_stored_later_comes_once(self, store: Store) -> None:
        await store.commit(unit(0))
        follower = await following(store, BOTH, CLOCK)
        for number in range(1, 4):
            await store.commit(unit(number))
        found = await read_until(follower, 6)
        found += (await follower.read(50)).rows
        assert set(names(found)) - ids(0) == ids(1, 2, 3), "a store may show the first one late"
        assert len(found) == len(set(names(found)))

    async def test_another_process_reads_on_from_the_place_of_any_row(self, store: Store, second: Store) -> None:
        follower = await following(store, BOTH, CLOCK, await newest_place(store, CLOCK))
        for number in range(5):
            await store.commit(unit(number))
        first = await read_until(follower, 10)
        for at in range(10):
            after = await following(second, BOTH, CLOCK, first[at].place)
            known = set(names(first[: at + 1]))
            rest: set[tuple[str, str]] = set()
            while len(rest | known) < 10:
                rest |= set(names(list((await after.read(3)).rows)))
            assert rest | known == ids(*range(5))

    async def test_only_what_the_query_finds_comes_and_the_place_moves_on(self, store: Store) -> None:
        queries = {"events": parse("id:e3", SEARCHABLE["events"], CLOCK.now())}
        follower = await following(store, queries, CLOCK)
        begun = follower.place
        for number in range(5):
            await store.commit(unit(number))
        assert names(await read_until(follower, 1)) == [("events", "e3")]
        rows = await follower.read(50)
        assert rows.rows == ()
        assert rows.place != begun

    async def test_a_store_is_read_while_others_write(self, store: Store) -> None:
        follower = await following(store, BOTH, CLOCK)
        writing = asyncio.gather(*[store.commit(unit(number)) for number in range(100)])
        found = await read_until(follower, 200, limit=7)
        await writing
        assert set(names(found)) == ids(*range(100))
        assert len(found) == 200

    @pytest.mark.parametrize("after", ["", "n", "n.1", "t", "x.1.2", "n.-1.2", "t.1.2", "n.1.2.3", "n.1.2 ", "t.9e9"])
    async def test_a_text_that_is_no_place_is_refused(self, store: Store, after: Any) -> None:
        with pytest.raises(BadPlace, match="leave it out"):
            await following(store, BOTH, CLOCK, after)
