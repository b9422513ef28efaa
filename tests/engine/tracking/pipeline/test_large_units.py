"""Units of one profile that are too large for one commit, together or alone."""

import asyncio
from typing import Any

import pytest

from engine.ports.records import Unit
from engine.ports.store import Store, TooLarge
from engine.tracking.pipeline.profile_queue import MAX_TOGETHER
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.pipeline.test_profile_queue import COUNT, GatedStore, Shop, hits, waiting
from tests.projects import payload, project


class SmallStore(GatedStore):
    """A gated store that refuses units whose events have more than `LIMIT` characters of properties."""

    LIMIT = 1000

    async def commit(self, unit: Unit) -> None:
        if sum(len(str(event.properties)) for event in unit.events) > self.LIMIT:
            raise TooLarge("more than a document may hold")
        await super().commit(unit)


def large(characters: int) -> dict[str, Any]:
    return payload({"type": "hit", "properties": {"text": "." * characters}})


@pytest.fixture
async def small_store(store: Store) -> SmallStore:
    gate = SmallStore(store)
    gate.open.set()
    await Collector(project(COUNT), gate).track(payload("hit"))
    gate.units.clear()
    return gate


async def test_units_that_are_too_large_together_are_committed_one_by_one(small_store: SmallStore) -> None:
    shop = Shop(project(COUNT), small_store)
    tasks = await waiting(small_store, shop, [large(600) for _ in range(MAX_TOGETHER + 1)])
    small_store.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in small_store.units] == [1] * (MAX_TOGETHER + 1)
    assert await hits(shop) == MAX_TOGETHER + 2
    assert list(shop.queues.active) == []


async def test_units_after_those_that_were_too_large_share_a_commit_again(small_store: SmallStore) -> None:
    shop = Shop(project(COUNT), small_store)
    tasks = await waiting(small_store, shop, [*[large(600)] * 3, *[large(1)] * (MAX_TOGETHER - 2), *[large(1)] * 5])
    small_store.open.set()
    await asyncio.gather(*tasks)
    assert [len(unit.events) for unit in small_store.units] == [1] * (MAX_TOGETHER + 1) + [5]
    assert await hits(shop) == MAX_TOGETHER + 7


@pytest.mark.parametrize("position", [0, 3, 5])
async def test_a_unit_that_is_too_large_alone_fails_and_those_behind_it_are_stored(
    small_store: SmallStore, position: int
) -> None:
    shop = Shop(project(COUNT), small_store)
    bodies = [large(1), *[large(1001 if n == position else 600) for n in range(6)]]
    tasks = await waiting(small_store, shop, bodies)
    small_store.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, TooLarge) for outcome in outcomes] == [n == position + 1 for n in range(7)]
    assert await hits(shop) == 7


async def test_units_behind_a_first_one_that_is_too_large_are_stored(small_store: SmallStore) -> None:
    small_store.failures.append(TooLarge("more than a document may hold"))
    shop = Shop(project(COUNT), small_store)
    tasks = await waiting(small_store, shop, [large(1) for _ in range(4)])
    small_store.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, TooLarge) for outcome in outcomes] == [True, False, False, False]
    assert await hits(shop) == 4
