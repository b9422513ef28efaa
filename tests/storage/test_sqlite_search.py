"""Searching in SQLite: as in memory, in small steps, and beside a process that serves the file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.ports.store import Store
from engine.search.page import Page
from engine.search.parse import parse
from storage.memory import MemoryStore
from storage.sqlite import search
from storage.sqlite.schema import UnusableFile
from storage.sqlite.search import Searcher
from storage.sqlite.store import SqliteStore
from tests.engine.search.random_queries import NOW, query, unit
from tests.fast import cases
from tests.storage.build import event, mark, write
from tests.storage.search_contract import SearchContract, ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(path)
    yield store
    await store.close()


class TestSearchInSmallSteps(SearchContract):
    @pytest.fixture
    async def store(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
        monkeypatch.setattr(search, "AT_ONCE", 2)
        monkeypatch.setattr(search, "STRETCH", 3)
        store = SqliteStore.open(path)
        yield store
        await store.close()


class TestSearchInShortPages(SearchContract):
    @pytest.fixture
    async def store(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
        monkeypatch.setattr(search, "STRETCH", 2)
        monkeypatch.setattr(search, "MAX_SCANNED", 5)
        monkeypatch.setattr(search, "MAX_READ", 5)
        store = SqliteStore.open(path)
        yield store
        await store.close()


@settings(max_examples=cases(40))
@given(st.integers(0, 2**32), st.sampled_from(sorted(SEARCHABLE)))
async def test_sqlite_finds_the_same_documents_as_the_memory_store(seed: int, kind: str) -> None:
    rng = Random(seed)
    with TemporaryDirectory() as directory:
        memory, sqlite = MemoryStore(), SqliteStore.open(Path(directory) / "store.db")
        for n in range(8):
            one = unit(rng, n)
            for store in (memory, sqlite):
                await store.commit(one)
        for _ in range(10):
            text = query(rng, kind)
            asked = parse(text, SEARCHABLE[kind], NOW)
            assert (await sqlite.search(asked, 100)).items == (await memory.search(asked, 100)).items, text
        await sqlite.close()


async def test_a_page_that_scans_too_many_rows_ends_short_with_a_cursor(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(Unit(events=tuple(event(f"e{n}", rare=n == 0) for n in range(20))))
    monkeypatch.setattr(search, "STRETCH", 5)
    monkeypatch.setattr(search, "MAX_SCANNED", 8)
    asked = parse("properties.rare:true", SEARCHABLE["events"], NOW)
    page = await store.search(asked, 10)
    assert page.items == ()
    assert page.after is not None
    assert await ids(store, "properties.rare:true") == ["e0"]


async def test_a_page_holds_no_more_than_so_many_bytes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.commit(Unit(events=tuple(event(f"e{n}", text="x" * 1000) for n in range(5))))
    monkeypatch.setattr(search, "MAX_BYTES", 2500)
    page = await store.search(parse("", SEARCHABLE["events"], NOW), 10)
    assert len(page.items) == 2
    assert page.after is not None
    assert len(await ids(store, "")) == 5


@pytest.mark.parametrize("text", ["id:e1", "id:e2", "profile:ann type:order-paid", "e1 AND id:(e1 OR e2) AND id:e1"])
async def test_an_indexed_query_scans_only_the_rows_of_its_index(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    many = tuple(event(f"x{n}", profile=None) for n in range(100))
    await store.commit(Unit(profiles=(write("ann"),), events=(event("e1"), event("e2")), marks=(mark("e1"),)))
    await store.commit(Unit(events=many))
    monkeypatch.setattr(search, "STRETCH", 5)
    monkeypatch.setattr(search, "MAX_SCANNED", 5)
    page = await store.search(parse(text, SEARCHABLE["events"], NOW), 10)
    assert page.items
    assert page.after is None


async def test_the_event_loop_goes_on_during_a_search(store: SqliteStore) -> None:
    await store.commit(Unit(events=tuple(event(f"e{n}", n=n) for n in range(5_000))))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    assert len(await ids(store, "properties.n:<5")) == 5
    turning.cancel()
    assert turns > 5_000 / search.AT_ONCE


async def test_a_file_that_is_being_served_can_be_searched(store: SqliteStore, path: Path) -> None:
    await store.commit(Unit(events=(event("e1"),)))
    searcher = Searcher(path)
    assert await ids(searcher, "") == ["e1"]
    await store.commit(Unit(events=(event("e2"),)))
    assert await ids(searcher, "") == ["e2", "e1"]
    await searcher.close()


def test_a_search_creates_no_file(path: Path) -> None:
    with pytest.raises(UnusableFile, match="no such file"):
        Searcher(path)
    assert not path.exists()


@pytest.mark.parametrize(
    "program", [pytest.param(None, id="text"), pytest.param("CREATE TABLE meta (x)", id="database")]
)
def test_a_file_of_another_program_is_not_searched(path: Path, program: str | None) -> None:
    if program is None:
        path.write_text("hello, I am a text file\n" * 100)
    else:
        connection = sqlite3.connect(path)
        connection.execute(program)
        connection.close()
    with pytest.raises(UnusableFile):
        Searcher(path)


async def test_an_empty_page_has_no_cursor(store: SqliteStore) -> None:
    assert await store.search(parse("type:x", SEARCHABLE["events"], NOW), 1) == Page()
