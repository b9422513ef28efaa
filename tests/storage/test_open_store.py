from pathlib import Path

import pytest

from storage import UnknownStore, open_store
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore


async def test_memory_is_opened_by_its_name(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:", tmp_path), MemoryStore)


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
async def test_an_sqlite_path_is_relative_to_the_project(tmp_path: Path, absolute: bool) -> None:
    path = tmp_path / "data" / "my store.db"
    store = open_store(f"sqlite:{path if absolute else 'data/my store.db'}", tmp_path)
    assert isinstance(store, SqliteStore)
    await store.close()
    assert path.is_file()


@pytest.mark.parametrize("url", ["mongo:x", "sqlite", "", ":memory:", "SQLITE:x"])
def test_an_unknown_store_is_refused_with_the_known_kinds(tmp_path: Path, url: str) -> None:
    with pytest.raises(UnknownStore, match="`memory:`, `sqlite:`") as refusal:
        open_store(url, tmp_path)
    assert f"`{url}`" in str(refusal.value)
