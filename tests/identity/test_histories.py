"""Histories of identities: whatever is done, by whichever process, at the same time and with crashes, fits the rules.

And a proven visitor is answered and shows what she would without those who are strangers to her: `strangers.py`.

`HEADRACE_HISTORIES` is how many are tried on each store, in place of the usual number; `HEADRACE_SEED` says which, as a
failure tells it.
"""

import os
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from msgspec import structs

from engine.ports.records import Unit
from engine.ports.store import Conflict, Store
from storage.elasticsearch.store import ElasticsearchStore
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.fast import cases
from tests.identity.flows import Sender
from tests.identity.history import Batch, History, Operation
from tests.identity.simulation import Simulation
from tests.identity.trial import Trial
from tests.storage.elasticsearch_requests import dropped

SECRET = b"the same for all histories, so that they can be tried again"
SIDE_BY_SIDE = 64
A_FILE = 100  # histories in one file: to forget goes through all that is there
SOAK = pytest.mark.soak


def claims(*names: tuple[str, str, str]) -> History:
    """Return a history of sessions that name e-mail addresses, by a claim or by a proof."""
    operations = [
        Operation("identify", Sender("pages", session), ({"email": address}, ("email",) if how == "proof" else ()))
        for session, address, how in names
    ]
    return History(tuple(Batch((operation,)) for operation in operations))


# Histories that failed once, with none of the reads in between that a smaller test has.
FAILED_BEFORE = (
    claims(
        ("d", "x", "claim"),
        ("b", "y", "claim"),
        ("c", "y", "claim"),
        ("d", "y", "claim"),
        ("d", "x", "proof"),
        ("b", "x", "claim"),
        ("b", "x", "claim"),
    ),
)


@pytest.fixture
def seed() -> int:
    """In CI always the same histories."""
    return int(os.environ.get("HEADRACE_SEED", 0 if "CI" in os.environ else random.randrange(2**32)))


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is one."""
    shared = Path("/dev/shm")  # noqa: S108
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


def usual(histories: int) -> range:
    """The numbers of the histories that are tried."""
    return range(int(os.environ.get("HEADRACE_HISTORIES", cases(histories, divisor=100))))


def shared(stores: Sequence[Store], forget_every: int = 1) -> Callable[[int, History], Simulation]:
    """Simulations on stores that are views of one; their names keep them apart."""
    names = count()

    def begin(number: int, history: History) -> Simulation:
        forgets = number % forget_every == 0
        return Simulation(stores, SECRET, f"h{next(names)}h", history.most_per_key, forgets=forgets)

    return begin


def in_memory(store: type[MemoryStore]) -> Callable[[int, History], Simulation]:
    """Simulations with a store of their own."""
    return lambda _, history: Simulation([store()], SECRET, "h", history.most_per_key)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [10_000, pytest.param(100_000, marks=SOAK)])
async def test_on_memory(seed: int, histories: int) -> None:
    await Trial(in_memory(MemoryStore), seed).many(usual(histories))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [1_000, pytest.param(10_000, marks=SOAK)])
async def test_on_sqlite(quick: Path, seed: int, histories: int) -> None:
    numbers = usual(histories)
    for first in numbers[::A_FILE]:
        stores = [SqliteStore.open(quick / f"{first}.db") for _ in range(2)]
        try:
            await Trial(shared(stores), seed).many(numbers[first : first + A_FILE], SIDE_BY_SIDE)
        finally:
            await closed(stores)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [500, pytest.param(5_000, marks=SOAK)])
async def test_on_elasticsearch(elasticsearch_url: str, seed: int, histories: int) -> None:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    stores = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]
    try:
        # Forgetting searches nine indices, again and again, and each search wants a refresh.
        trial = Trial(shared(stores, forget_every=6), seed)
        for history in FAILED_BEFORE:
            await trial.one(0, history)
        await trial.many(usual(histories), SIDE_BY_SIDE)
    finally:
        await closed(stores)
        await dropped(elasticsearch_url, prefix)


async def closed(stores: Sequence[Store]) -> None:
    """Close them."""
    for store in stores:
        await store.close()


class Keyless(MemoryStore):
    """Loses merge keys."""

    async def commit(self, unit: Unit) -> None:
        await super().commit(structs.replace(unit, keys=()))


class Careless(MemoryStore):
    """Says that a unit is written that came too late."""

    async def commit(self, unit: Unit) -> None:
        with suppress(Conflict):
            await super().commit(unit)


class Greedy(MemoryStore):
    """Leaves the keys of those who are set apart where they are."""

    async def commit(self, unit: Unit) -> None:
        await super().commit(structs.replace(unit, left_keys=()))


def is_of_the_model(error: AssertionError) -> bool:
    """Whether it was a comparison with the model that failed, as opposed to an error in these tests."""
    return isinstance(error.__cause__, AssertionError)


@pytest.mark.parametrize("store", [Keyless, Careless, Greedy])
async def test_a_wrong_store_is_caught_and_reported_by_a_few_batches(store: type[MemoryStore]) -> None:
    trial = Trial(in_memory(store), seed=0)
    with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match="fails by(\nBatch.*){1,4}$", check=is_of_the_model)):
        await trial.many(range(300))
