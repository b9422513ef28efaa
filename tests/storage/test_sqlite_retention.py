"""Retention in SQLite: the rows that are left, beyond the contract."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from engine.ports.records import StoredEvent, Unit
from engine.project.retention import Dropped, Keep
from storage.sqlite import retention
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, mark, write


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(retention, "CHUNK", 7)
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


def numbers(path: Path, sql: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute(sql)]


def received(time: int, id: str | None = None) -> StoredEvent:
    return structs.replace(event(id or f"e-{time}"), received=time)


async def test_many_documents_are_dropped_some_at_a_time(store: SqliteStore, tmp_path: Path) -> None:
    await store.commit(Unit(profiles=(write("ann"),), events=tuple(received(n) for n in range(1, 41))))
    reports: list[Dropped] = []
    assert await store.expired(Keep(events=25)) == Dropped(events=24)
    assert await store.retain(Keep(events=25), reports.append) == Dropped(events=24)
    assert [dropped["events"] for dropped in reports] == [7, 14, 21, 24]
    assert numbers(tmp_path / "store.db", "SELECT seq FROM events") == list(range(25, 41))
    assert [e.received for e in await store.events_of("ann", 99)] == list(range(40, 24, -1))
    assert (await store.counts())["events"] == 16


async def test_an_old_record_after_a_newer_one_is_kept_until_that_is_dropped(store: SqliteStore) -> None:
    await store.commit(Unit(events=tuple(received(n) for n in (1, 2, 9, 3, 10))))
    assert await store.retain(Keep(events=5)) == Dropped(events=2)
    assert (await store.counts())["events"] == 3
    assert await store.retain(Keep(events=10)) == Dropped(events=2)


async def test_forgotten_marks_of_dropped_events_are_dropped(store: SqliteStore, tmp_path: Path) -> None:
    times = range(1, 21)
    await store.commit(Unit(events=tuple(received(n) for n in times), marks=tuple(mark(f"e-{n}", at=n) for n in times)))
    await store.forget_marks(15)
    await store.retain(Keep(events=11))
    left = "SELECT stored FROM marks ORDER BY seq"
    assert numbers(tmp_path / "store.db", left) == list(range(11, 21))
    await store.retain(Keep(events=18))  # marks 15 to 17 still count
    assert numbers(tmp_path / "store.db", left) == list(range(15, 21))
    await store.forget_marks(21)
    await store.retain(Keep(events=18))
    assert numbers(tmp_path / "store.db", left) == [18, 19, 20]
    assert [e.id for e in [await store.event(f"e-{n}") for n in range(18, 21)] if e] == ["e-18", "e-19", "e-20"]


async def test_numbers_of_dropped_events_are_not_used_again_after_a_restart(store: SqliteStore, tmp_path: Path) -> None:
    await store.commit(Unit(events=(received(1), received(2))))
    await store.retain(Keep(events=5))
    await store.close()
    again = SqliteStore.open(tmp_path / "store.db")
    await again.commit(Unit(events=(received(9),)))
    await again.close()
    assert numbers(tmp_path / "store.db", "SELECT seq FROM events") == [3]


async def test_migrating_a_new_file_reports_that_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    store = SqliteStore.open(path)
    assert [await store.migrate(), await store.migrate()] == [[f"made {path} (schema 5)"], []]
    await store.close()
    again = SqliteStore.open(path)
    assert await again.migrate() == []
    await again.close()
