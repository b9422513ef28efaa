from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.ports.spool import Spool
from engine.ports.store import Store
from storage.memory import MemoryStore
from storage.spool.durable import DurableSpool
from storage.spool.file import SpoolFile
from storage.spool.memory import MemorySpool
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.shop_project import SHOPPING
from tests.engine.tracking.unavailable_store import AwayStore, Shop

Opener = Callable[[], Store]
Opening = Callable[[], Spool]


@pytest.fixture(params=["memory", "sqlite"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the same data again, as another process would: another SQLite store on the file; memory is shared."""
    memory = MemoryStore()
    async with AsyncExitStack() as stack:

        def opening() -> Store:
            store = memory if request.param == "memory" else SqliteStore.open(tmp_path / "store.db")
            stack.push_async_callback(store.close)
            return store

        yield opening


@pytest.fixture
def store(opened: Opener) -> Store:
    return opened()


@pytest.fixture(params=["memory", "file"])
async def opening(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opening]:
    """Opens the same spool again, as the next process does."""
    memory = MemorySpool()
    opened: list[Spool] = []

    def open_spool() -> Spool:
        file = tmp_path / "1.spool"
        opened.append(memory if request.param == "memory" else DurableSpool(SpoolFile(file)))
        return opened[-1]

    yield open_spool
    for spool in opened:
        await spool.close()


@pytest.fixture
def shop(store: Store, opening: Opening) -> Shop:
    return Shop(SHOPPING, AwayStore(store), opening())
