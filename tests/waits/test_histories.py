"""Histories of waits: each ends exactly once, in time, and hears the first event that fits; nothing comes back.

With merges, unmerges, proofs, forgetting and crashes in between, and two processes that look for what is due side by
side. `HEADRACE_HISTORIES` is how many are tried on each store, in place of the usual number; `HEADRACE_SEED` which.
"""

import os
import random
import uuid
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest
from msgspec import structs

from engine.ports.records import ProfileWrite, Unit
from engine.ports.store import Store
from engine.profile.document import Profile
from storage.elasticsearch.store import ElasticsearchStore
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.fast import cases
from tests.storage.elasticsearch_requests import dropped
from tests.waits.history import History, random_history, shortest, wrong
from tests.waits.world import Refresh, World

SECRET = b"the same for all histories, so that they can be tried again"
SOAK = pytest.mark.soak

Begin = Callable[[History], World]


@pytest.fixture
def seed() -> int:
    """In CI always the same histories."""
    return int(os.environ.get("HEADRACE_SEED", 0 if "CI" in os.environ else random.randrange(2**32)))


def usual(histories: int) -> range:
    """The numbers of the histories that are tried."""
    return range(int(os.environ.get("HEADRACE_HISTORIES", cases(histories))))


def shared(stores: Sequence[Store], refresh: Refresh | None = None) -> Begin:
    """Worlds on stores that are views of one; their names keep them apart."""
    names = count()
    return lambda history: World(stores, SECRET, f"h{next(names)}h", history.policy, refresh)


def in_memory(store: type[MemoryStore]) -> Begin:
    """Worlds with a store of their own."""
    return lambda history: World([store()], SECRET, "h", history.policy)


async def all_hold(begin: Begin, seed: int, numbers: range) -> None:
    """Try histories; of one that fails, report the shortest part that fails."""
    for number in numbers:
        history = random_history(random.Random(f"{seed} {number}"))
        if await wrong(begin, history) is not None:
            short, error = await shortest(begin, history)
            operations = "\n".join(map(str, short.operations))
            raise AssertionError(f"history {number} of seed {seed} ({short.policy}) fails by\n{operations}") from error


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [1_500, pytest.param(100_000, marks=SOAK)])
async def test_on_memory(seed: int, histories: int) -> None:
    await all_hold(in_memory(MemoryStore), seed, usual(histories))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [300, pytest.param(10_000, marks=SOAK)])
async def test_on_sqlite(tmp_path: Path, seed: int, histories: int) -> None:
    stores = [SqliteStore.open(tmp_path / "headrace.db") for _ in range(2)]
    try:
        await all_hold(shared(stores), seed, usual(histories))
    finally:
        for store in stores:
            await store.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [40, pytest.param(1_500, marks=SOAK)])
async def test_on_elasticsearch(elasticsearch_url: str, seed: int, histories: int) -> None:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    stores = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]

    async def refresh() -> None:
        await stores[0]._search.refresh(stores[0]._names.profiles)

    try:
        await all_hold(shared(stores, refresh), seed, usual(histories))
    finally:
        for store in stores:
            await store.close()
        await dropped(elasticsearch_url, prefix)


class Forgetful(MemoryStore):
    """Loses the waits of a profile that is written over another one."""

    async def commit(self, unit: Unit) -> None:
        merges = any(write.profile.merged_into is not None for write in unit.profiles)
        profiles = [structs.replace(write, profile=_without(write, merges)) for write in unit.profiles]
        await super().commit(structs.replace(unit, profiles=tuple(profiles)))


class Late(MemoryStore):
    """Finds profiles only half a minute after they are due."""

    async def due(self, before: int, limit: int) -> list[str]:
        return await super().due(before - 30_000, limit)


class Doubled(MemoryStore):
    """Leaves the waits of a resumed run where they are."""

    async def commit(self, unit: Unit) -> None:
        await super().commit(unit if unit.events else structs.replace(unit, changes=()))


def _without(write: ProfileWrite, merges: bool) -> Profile:
    return structs.replace(write.profile, waits=()) if merges else write.profile


@pytest.mark.parametrize("store", [Forgetful, Late, Doubled])
async def test_a_wrong_store_is_caught(store: type[MemoryStore]) -> None:
    with pytest.raises(AssertionError, match="fails by"):
        await all_hold(in_memory(store), 0, range(300))
