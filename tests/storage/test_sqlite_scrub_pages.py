"""Scrubbing overwrites the remains of moved cells, and nothing else."""

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.ports.records import Unit
from storage.sqlite.schema import WRITING, connect
from storage.sqlite.scrub_pages import scrub_pages
from storage.sqlite.store import SqliteStore
from tests.storage.build import write
from tests.storage.erasing_contract import visit

TOKEN = "the token of a profile"


@pytest.fixture
def worn(tmp_path: Path) -> Path:
    """A file with trees that were balanced often, from which every row with the token has been deleted."""
    chance = random.Random(7)
    path = tmp_path / "worn.db"
    with closing(connect(path, 0, WRITING)) as connection:
        connection.execute("CREATE TABLE docs (id TEXT PRIMARY KEY, doc TEXT)")
        connection.execute("CREATE TABLE words (id TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID")
        for _ in range(4_000):
            theirs = chance.random() < 0.3
            id = f"{chance.getrandbits(64):x}{TOKEN if theirs else 'x' * chance.randrange(90)}"
            doc = (TOKEN if theirs else "y" * 21) * chance.randrange(1, 300 if chance.random() < 0.02 else 30)
            for table in ("docs", "words"):
                connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (id, doc))  # noqa: S608
        for table in ("docs", "words"):
            connection.execute(f"DELETE FROM {table} WHERE id LIKE ?", (f"%{TOKEN}",))  # noqa: S608
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def contents(path: Path) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        rows = [connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in ("docs", "words")]  # noqa: S608
        return [sound, *rows]


@pytest.fixture
def file(worn: Path) -> Iterator[int]:
    number = os.open(worn, os.O_RDWR)
    yield number
    os.close(number)


def test_copies_of_deleted_cells_are_overwritten_and_nothing_else(worn: Path, file: int) -> None:
    before = contents(worn)
    assert before[0] == "ok"
    assert TOKEN.encode() in worn.read_bytes()  # else SQLite leaves nothing, and there is no need to scrub
    assert scrub_pages(file) > 0
    assert TOKEN.encode() not in worn.read_bytes()
    assert contents(worn) == before
    assert scrub_pages(file) == 0


async def test_expunging_scrubs_the_file_of_a_store(tmp_path: Path) -> None:
    chance = random.Random(6)  # with which there is something to scrub
    store = SqliteStore.open(tmp_path / "store.db")
    theirs: list[str] = []
    for _ in range(400):
        own = chance.random() < 0.3
        who = f"{chance.getrandbits(64):x}{TOKEN if own else 'x' * chance.randrange(60)}"
        theirs += [who] if own else []
        visits = tuple(visit(f"{chance.getrandbits(64):x} of {who}", who) for _ in range(3))
        await store.commit(Unit(profiles=(write(who, note=who * chance.randrange(1, 60)),), sessions=visits))
    subject = await store.data_subject(frozenset(theirs))
    for who in theirs:
        await store.remove(who, 1)
    await store.erase(subject)
    await store.expunge()
    assert not found(tmp_path)
    for n in range(500):
        await store.commit(Unit(profiles=(write(f"{chance.getrandbits(64):x}", note="z" * n),)))
    await store.close()
    assert not found(tmp_path)


def found(place: Path) -> bool:
    return any(TOKEN.encode() in file.read_bytes() for file in place.iterdir())
