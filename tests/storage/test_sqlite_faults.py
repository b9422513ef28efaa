"""A SQLite file that is removed, replaced, damaged or locked while it is served, and a writer that hangs."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.ports.records import Unit
from engine.ports.store import Unavailable
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, write

LONGEST = 2.2  # seconds until a caller is answered, with some for a busy machine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(path)
    await store.commit(Unit(profiles=(write("first"),)))
    yield store
    await store.close()


async def refused(store: SqliteStore, id: str = "ann") -> Unavailable:
    with pytest.raises(Unavailable) as refusal:
        await store.commit(Unit(profiles=(write(id),)))
    return refusal.value


# ---- removed and replaced -------------------------------------------------------------------------------------------


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def move(path: Path, to: Path) -> None:
    path.rename(to)


def remove(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for file in path.parent.glob("store.db*"):
        file.unlink()


def remove_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def replace_by_an_empty_file(path: Path) -> None:
    path.unlink()
    path.touch()


def rename_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize(
    "take_away", [remove, remove_all, remove_the_log, replace, replace_by_an_empty_file, rename_the_folder]
)
async def test_nothing_is_acknowledged_once_the_file_is_removed_or_replaced(
    store: SqliteStore, path: Path, take_away: Callable[[Path], None]
) -> None:
    take_away(path)
    before = content(path)
    assert "removed or replaced" in str(await store.ready())
    for _ in range(3):  # also with a new connection
        assert "removed or replaced" in (await refused(store)).reason
    assert "removed or replaced" in str(await store.ready())
    assert content(path) == before, "another file was written to"


async def test_a_file_that_is_put_back_is_served_again(store: SqliteStore, path: Path) -> None:
    away = path.with_name("away")
    move(path, away)
    await refused(store, "ann")
    move(away, path)
    assert await store.ready() is None
    await store.commit(Unit(profiles=(write("bob"),)))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM profiles WHERE id = 'bob'").fetchone() == (1,)


async def test_a_reason_names_no_path(store: SqliteStore, path: Path) -> None:
    remove(path)
    refusal = await refused(store)
    assert (str(path) in str(refusal), str(path.parent) in refusal.reason) == (True, False)
    assert str(path.parent) not in str(await store.ready())


# ---- damaged --------------------------------------------------------------------------------------------------------


def damage(path: Path) -> bytes:
    """Overwrite all but the first pages, where each table and index begins. Returns the content before."""
    with closing(sqlite3.connect(path)) as file:
        (pages,) = file.execute("SELECT max(rootpage) FROM sqlite_schema").fetchone()
    sound = path.read_bytes()
    kept = pages * 4096
    overwrite(path, sound[:kept] + b"\xa5" * (len(sound) - kept))
    return sound


def overwrite(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


async def test_damage_that_was_found_is_reported_until_the_file_is_sound(path: Path) -> None:
    store = SqliteStore.open(path)
    events = tuple(event(f"e-{n}", text="x" * 900) for n in range(300))
    await asyncio.gather(*[store.commit(Unit(events=(one,))) for one in events])
    await store.close()
    sound = damage(path)
    store = SqliteStore.open(path)
    assert await store.ready() is None
    found = await asyncio.gather(*[store.event(one.id) for one in events], return_exceptions=True)
    assert any(isinstance(each, Unavailable) for each in found)
    assert "damaged" in str(await store.ready())
    overwrite(path, sound)
    while await store.ready() is not None:
        await store.counts()
    await store.close()


# ---- locked and hanging ---------------------------------------------------------------------------------------------


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def seconds_of(work: Callable[[], object]) -> float:
    """How long callers wait until all of them are refused."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = work()
    assert asyncio.isfuture(result)
    for outcome in await result:
        assert isinstance(outcome, Unavailable), outcome
    return loop.time() - started


async def test_callers_wait_for_a_locked_file_for_two_seconds_at_most(store: SqliteStore, path: Path) -> None:
    def commits() -> object:
        waiting = [store.commit(Unit(profiles=(write(f"p-{n}"),))) for n in range(600)]  # more than two batches
        return asyncio.gather(*waiting, return_exceptions=True)

    with locked(path):
        assert await seconds_of(commits) < LONGEST
        assert "locked" in str(await store.ready())
    assert await store.ready() is None
    assert (await store.counts())["profiles"] == 1


@contextmanager
def hanging(store: SqliteStore) -> Iterator[asyncio.Future[None]]:
    """The writer thread makes no progress, as with a disk that hangs. Yields the future of what it hangs in."""
    go_on = threading.Event()
    started = threading.Event()

    def hang(_: sqlite3.Connection) -> None:
        started.set()
        go_on.wait()

    future = store._writer.perform(hang)
    try:
        yield future
    finally:
        go_on.set()


async def test_callers_of_a_store_that_hangs_are_refused_within_two_seconds_and_it_goes_on(store: SqliteStore) -> None:
    with hanging(store) as hung:
        loop = asyncio.get_running_loop()
        started = loop.time()
        early = [asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),)))) for n in range(20)]
        await asyncio.sleep(1)  # the caller that comes so much later waits so much less
        late = asyncio.create_task(store.commit(Unit(profiles=(write("late"),))))
        outcomes = await asyncio.gather(*early, late, return_exceptions=True)
        assert loop.time() - started < LONGEST
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert "does not answer" in (await refused(store, "later")).reason
        assert "does not answer" in str(await store.ready())
        assert not hung.done()
    await hung
    assert await store.ready() is None
    await store.commit(Unit(profiles=(write("after"),)))
    assert await store.profile("late") is None, "its caller was refused before it was tried"
    assert (store._writer._changes_in, store._writer._bytes_in) == (
        store._writer._changes_out,
        store._writer._bytes_out,
    )
