import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.ports.kinds import KINDS
from engine.ports.records import Unit
from engine.ports.store import Overloaded, Store, TooLarge, Unavailable
from storage.sqlite import writer
from storage.sqlite.layout import Layouts
from storage.sqlite.schema import APPLICATION, UnusableFile, prepare
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, everything, mark, profile, whole_unit, write
from tests.storage.contract import StoreContract
from tests.storage.erasing_contract import ErasingContract
from tests.storage.expunging_contract import ExpungingContract, Written
from tests.storage.file_contents import found_in
from tests.storage.following_contract import FollowingContract
from tests.storage.identity_contract import IdentityContract
from tests.storage.kinds import ALL_KINDS
from tests.storage.kinds_contract import KindsContract
from tests.storage.learning_contract import LearningContract
from tests.storage.reminding_contract import RemindingContract
from tests.storage.search_contract import SearchContract


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(path, busy_ms=300)
    yield store
    await store.close()


class TestSqliteStore(
    FollowingContract,
    StoreContract,
    IdentityContract,
    RemindingContract,
    LearningContract,
    ErasingContract,
    ExpungingContract,
):
    @pytest.fixture
    async def store(self, path: Path) -> AsyncIterator[Store]:
        store = SqliteStore.open(path)
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, path: Path) -> AsyncIterator[Store]:
        second = SqliteStore.open(path)
        yield second
        await second.close()

    @pytest.fixture
    def written(self, path: Path) -> Written:
        async def counts_of(text: str) -> dict[str, int]:
            return found_in(text, path.parent)

        return counts_of


class TestKindsInSqlite(KindsContract):
    @pytest.fixture
    async def store(self, path: Path) -> AsyncIterator[Store]:
        store = SqliteStore.open(path, kinds=ALL_KINDS)
        yield store
        await store.close()

    @pytest.fixture
    async def second(self, store: Store, path: Path) -> AsyncIterator[Store]:
        second = SqliteStore.open(path, kinds=ALL_KINDS)
        yield second
        await second.close()


class TestSearchInSqlite(SearchContract):
    @pytest.fixture
    async def store(self, path: Path) -> AsyncIterator[Store]:
        store = SqliteStore.open(path)
        yield store
        await store.close()


async def test_the_files_contain_no_erased_or_overwritten_document(path: Path, store: SqliteStore) -> None:
    for nth in range(4):  # documents larger than a page, and each version in place of the one before
        await store.commit(
            Unit(profiles=(write("ann", nth, text="SECRET of ann" * 900), write("bo", nth, text="KEPT")))
        )
    assert found(path, b"SECRET of ann") > 0
    await store.remove("ann", 4)
    await store.expunge()
    assert found(path, b"SECRET of ann") == 0
    assert found(path, b"KEPT") > 0


def found(path: Path, text: bytes) -> int:
    """How often a text is in the files of a store."""
    return sum(file.read_bytes().count(text) for file in path.parent.iterdir() if file.is_file())


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


async def test_a_reopened_store_contains_the_committed_documents(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.commit(whole_unit())
    before, secret = await everything(store), await store.secret()
    await store.close()
    again = SqliteStore.open(path)
    assert await everything(again) == before
    assert await again.secret() == secret
    await again.close()


async def test_closing_completes_the_queued_writes_and_leaves_one_file(path: Path) -> None:
    store = SqliteStore.open(path)
    waiting = [asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),)))) for n in range(600)]
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), store.close())
    assert await asyncio.gather(*waiting) == [None] * 600
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    connection = raw(path)
    assert connection.execute("SELECT count(*) FROM profiles").fetchone() == (600,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_a_closed_store_reports_that_it_is_closed(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.close()
    assert "is closed" in str(await store.ready())
    for call in (store.commit(Unit()), store.counts(), store.profile("ann"), store.forget_marks(1)):
        with pytest.raises(Unavailable, match="closed"):
            await call


async def test_the_writing_connection_flushes_every_commit_to_disk(store: SqliteStore, path: Path) -> None:
    connection = store._writer._connection
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_file_is_its_owners_alone(path: Path) -> None:
    prepare(path, 100, Layouts(KINDS))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_of_a_newer_schema_is_refused(path: Path) -> None:
    connection = raw(path)
    connection.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 99; CREATE TABLE x (y);")
    connection.close()
    with pytest.raises(UnusableFile, match="schema 99 is newer than"):
        SqliteStore.open(path)


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    connection = raw(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UnusableFile, match="another program"):
        SqliteStore.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [
    pytest.param(b"hello, I am a text file\n" * 100, id="no database"),
    pytest.param(b"SQLite format 3\x00" + b"\xff" * 4096, id="a damaged header"),
])  # fmt: skip
def test_an_error_names_the_damaged_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=re.escape(str(path))):
        SqliteStore.open(path)


def test_an_error_names_the_path_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableFile, match=r"file/store\.db"):
        SqliteStore.open(tmp_path / "file" / "store.db")


def damage(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * page :] = b"\xa5" * len(content[4096 * page :])
    path.write_bytes(content)


async def test_an_error_names_the_file_if_damage_is_found_later(path: Path) -> None:
    store = SqliteStore.open(path)
    await asyncio.gather(*[store.commit(Unit(profiles=(write(f"p-{n}", text="x" * 900),))) for n in range(200)])
    await store.close()
    damage(path, page=60)
    store = SqliteStore.open(path)
    reads = [store.profile(f"p-{n}") for n in range(200)]
    writes = [store.commit(Unit(profiles=(write(f"p-{n}", 1),))) for n in range(200)]
    for calls in (reads, writes):
        results = await asyncio.gather(*calls, return_exceptions=True)
        troubles = {str(result) for result in results if isinstance(result, Unavailable)}
        assert [trouble for trouble in troubles if str(path) in trouble and "malformed" in trouble] != []
    await store.close()


async def test_a_commit_waits_for_a_locked_file(path: Path) -> None:
    store = SqliteStore.open(path, busy_ms=20_000)
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    commit = asyncio.create_task(store.commit(Unit(profiles=(write("ann"),))))
    assert await store.profile("ann") is None  # readers do not wait
    await asyncio.wait([commit], timeout=0.05)
    assert not commit.done()
    other.execute("COMMIT")
    await commit
    assert await store.profile("ann") == profile("ann")
    other.close()
    await store.close()


async def test_a_file_that_stays_locked_is_unavailable_until_it_is_released(store: SqliteStore, path: Path) -> None:
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked") as refusal:
        await store.commit(Unit(profiles=(write("ann"),)))
    assert refusal.value.retry_after == 1
    assert "locked" in str(await store.ready())
    other.execute("COMMIT")
    other.close()
    assert await store.ready() is None
    await store.commit(Unit(profiles=(write("ann"),)))


async def test_a_full_queue_refuses_units_and_writes_the_queued_ones(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUEUED_CHANGES", 5)
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    commits = [asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),)))) for n in range(8)]
    await asyncio.sleep(0)
    other.execute("COMMIT")
    other.close()
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert results[:5] == [None] * 5
    assert [type(result) for result in results[5:]] == [Overloaded] * 3
    await store.commit(Unit(profiles=(write("p-9"),)))


async def test_a_unit_larger_than_the_queue_is_too_large(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUED_BYTES", 10_000)
    with pytest.raises(TooLarge, match="bytes is too large"):
        await store.commit(Unit(profiles=(write("ann", text="x" * 10_000),)))
    await store.commit(Unit(profiles=(write("ann", text="x"),)))


async def test_a_unit_that_sqlite_cannot_store_fails_alone(store: SqliteStore) -> None:
    good = [store.commit(Unit(profiles=(write(f"p-{n}"),))) for n in range(3)]
    bad = store.commit(Unit(profiles=(write("p-3"),), marks=(mark("e", at=2**70),)))
    results = await asyncio.gather(*good, bad, return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [OverflowError]
    assert await store.profile("p-3") is None


async def test_a_unit_that_violates_a_constraint_fails_alone(store: SqliteStore, path: Path) -> None:
    other = raw(path)
    other.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON profiles WHEN new.id = 'p-1' BEGIN SELECT raise(ABORT, 'p-1'); END"
    )
    other.close()
    commits = [store.commit(Unit(profiles=(write(f"p-{n}"),))) for n in range(3)]
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), sqlite3.IntegrityError, type(None)]
    assert [await store.profile(f"p-{n}") is None for n in range(3)] == [False, True, False]
    assert await store.ready() is None


async def test_the_writer_goes_on_with_a_new_connection_after_a_failure(store: SqliteStore, path: Path) -> None:
    connection = store._writer._connection
    assert connection is not None
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    units = [Unit(profiles=(write(f"p-{n}", text="x" * 5000),), events=(event(f"e-{n}"),)) for n in range(9)]
    results = await asyncio.gather(*[store.commit(unit) for unit in units], return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 9
    assert "full" in str(results[0])
    assert (await store.counts())["profiles"] == 0
    for unit in units:
        await store.commit(unit)
    assert await store.ready() is None
    assert store._writer._connection is not connection


async def test_closing_stops_the_threads(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.counts()
    own = [thread for thread in threading.enumerate() if path.name in thread.name]
    assert len(own) == 2
    await store.close()
    assert [thread for thread in own if thread.is_alive()] == []


async def test_few_indexes_are_large(store: SqliteStore, path: Path) -> None:
    """An index whose keys do not grow with time costs a random page for each row: adding one is a decision."""
    connection = raw(path)
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'events'")
    assert [name for (name,) in found] == ["events_id"]
    connection.close()


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 1025])
async def test_a_unit_may_have_any_number_of_rows(store: SqliteStore, count: int) -> None:
    events = tuple(event(f"e-{n}") for n in range(count))
    await store.commit(Unit(profiles=(write("ann"),), events=events, marks=tuple(mark(e.id) for e in events[::2])))
    assert [e.id for e in await store.events_of("ann", count + 1)] == [e.id for e in reversed(events)]
    assert (await store.counts())["events"] == count
    for n in (0, count // 2, count - 1):
        assert await store.event(f"e-{n}") == events[n]
