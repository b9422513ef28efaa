"""Keys that several units of one batch write: each unit finds what the others have written."""

from collections.abc import AsyncIterator, Sequence
from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from engine.ports.records import IdentityKey, Unit
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.storage.contract import outcomes

IDS = ("ann", "bo", "nul\x00inside", "")
KEYS = ("j", "k")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


async def test_units_that_put_a_key_over_one_another_may_be_committed_at_once(store: SqliteStore) -> None:
    await store.commit(Unit(keys=(IdentityKey("k", "0"),)))
    units = [Unit(keys=(IdentityKey("k", str(n), (str(n - 1),)),)) for n in range(1, 20)]
    assert await outcomes(store, units) == ["done"] * 19
    assert await store.key("k") == IdentityKey("k", "19")


async def test_a_unit_puts_a_key_over_the_id_that_another_unit_of_the_batch_left_it_to(store: SqliteStore) -> None:
    await store.commit(Unit(keys=(IdentityKey("k", "ann"),)))
    units = [
        Unit(left_keys=(IdentityKey("k", "bo", ("ann",)),)),
        Unit(keys=(IdentityKey("k", "cy", ("bo",)),)),
        Unit(left_keys=(IdentityKey("k", "dan", ("cy",)),)),
        Unit(left_keys=(IdentityKey("k", "eve", ("ann", "dan")),)),
    ]
    assert await outcomes(store, units) == ["done"] * 4
    assert await store.key("k") == IdentityKey("k", "eve")


async def test_units_of_a_batch_of_which_each_would_have_to_be_the_first_are_refused(store: SqliteStore) -> None:
    await store.commit(Unit(keys=(IdentityKey("j", "ann"), IdentityKey("k", "ann"))))
    units = [
        Unit(keys=(IdentityKey("j", "bo", ("ann",)), IdentityKey("k", "bo"))),
        Unit(keys=(IdentityKey("j", "bo"), IdentityKey("k", "bo", ("ann",)))),
    ]
    assert await outcomes(store, units) == ["key", "key"]


async def test_a_batch_has_the_effect_of_its_units_in_some_order(store: SqliteStore) -> None:
    for seed in range(150):
        rng = Random(seed)
        held = [IdentityKey(f"{key} {seed}", rng.choice(IDS)) for key in KEYS if rng.random() < 0.8]
        units = [drawn(rng, seed) for _ in range(4)]
        await store.commit(Unit(keys=tuple(held)))
        found = await outcomes(store, units), [await store.key(f"{key} {seed}") for key in KEYS]
        possible = [await in_order(held, units, order, seed) for order in permutations(range(4))]
        assert found in possible, seed


def drawn(rng: Random, seed: int) -> Unit:
    """A unit with up to two keys and up to two keys that it leaves."""

    def keys() -> tuple[IdentityKey, ...]:
        over = [tuple(rng.sample(IDS, rng.randrange(4))) for _ in range(rng.randrange(3))]
        return tuple([IdentityKey(f"{rng.choice(KEYS)} {seed}", rng.choice(IDS), each) for each in over])

    return Unit(keys=keys(), left_keys=keys())


async def in_order(
    held: Sequence[IdentityKey], units: Sequence[Unit], order: Sequence[int], seed: int
) -> tuple[list[str], list[IdentityKey | None]]:
    """The outcomes of the units one after the other in a store in memory, and what the keys are then."""
    store = MemoryStore()
    await store.commit(Unit(keys=tuple(held)))
    found = {number: (await outcomes(store, [units[number]]))[0] for number in order}
    return [found[number] for number in range(len(units))], [await store.key(f"{key} {seed}") for key in KEYS]
