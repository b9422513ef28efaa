import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.ports.records import Unit
from storage.sqlite import checkpoint
from storage.sqlite.descriptor import Descriptor
from storage.sqlite.store import SqliteStore
from tests.storage.build import cells, event, write

MAX_COMMITS = 2000  # of 5,000 bytes each: 25 times as many as begin a checkpoint


@pytest.fixture(params=[200_000, 1], ids=["soon finished", "finished by waiting"])
def few(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int) -> AsyncIterator[SqliteStore]:
    """A store that begins a checkpoint every few units."""
    monkeypatch.setattr(checkpoint, "MANY", 400_000)
    monkeypatch.setattr(checkpoint, "FEW", few)
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


async def test_the_log_starts_anew_while_units_are_written(store: SqliteStore, tmp_path: Path) -> None:
    async def caller(id: str) -> None:
        for version in range(100):
            await store.commit(Unit(profiles=(write(id, version, text="x" * 900, n=version),), events=(event(id, id),)))

    await asyncio.gather(*[caller(f"p-{n}") for n in range(20)])
    assert [cells(await store.profile(f"p-{n}"))["n"] for n in range(20)] == [99] * 20
    log = (tmp_path / "store.db-wal").stat().st_size
    await store.close()
    assert log < 3_000_000, "never moved, it would be more than five million bytes"
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (2000,)


async def test_a_write_reaches_the_database_file_while_the_store_is_open(store: SqliteStore, tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    await store.commit(Unit(profiles=(write("ann", text="look for me"),)))
    assert b"look for me" not in file.read_bytes()
    for version in range(MAX_COMMITS):
        await store.commit(Unit(profiles=(write("bob", version, text="x" * 5000),)))
        if b"look for me" in file.read_bytes():
            break
    assert b"look for me" in file.read_bytes(), f"no checkpoint was made in {MAX_COMMITS} commits"


def test_stores_of_one_file_share_its_descriptor(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.touch()
    other.touch()
    first, second, third = Descriptor(path), Descriptor(path), Descriptor(other)
    assert first.number == second.number != third.number
    first.close()
    os.fstat(second.number)
    second.close()
    third.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(second.number)
