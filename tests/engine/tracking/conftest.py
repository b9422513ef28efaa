from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.tracking.ports import Store
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore

Opener = Callable[[], Store]


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
