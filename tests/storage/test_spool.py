"""Spools: one contract for both kinds; then the failures that the file survives, and the folder of files."""

import asyncio
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from engine.ports.spool import Spool, SpoolEntry
from engine.ports.store import Unavailable
from storage.spool.bounds import USUAL, Bounds
from storage.spool.durable import DurableSpool
from storage.spool.file import SpoolFile, UnusableSpool
from storage.spool.folder import own_spool
from storage.spool.memory import MemorySpool
from tests.storage.file_contents import found_in

NO_ROOM = """
CREATE TRIGGER room BEFORE INSERT ON entries WHEN length(new.doc) > 100
BEGIN SELECT raise(ABORT, 'database or disk is full'); END
"""

Opener = Callable[[Bounds], Spool]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def entries_of(*docs: str, events: int = 1) -> list[SpoolEntry]:
    return [SpoolEntry(doc.encode(), events) for doc in docs]


async def docs(spool: Spool, position: int = 0, limit: int = 1000) -> list[str]:
    return [entry.doc.decode() for entry in await spool.after(position, limit)]


@pytest.fixture(params=["memory", "file"])
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[Spool] = []

    def open_spool(bounds: Bounds) -> Spool:
        file = tmp_path / "1.spool"
        spool = MemorySpool(bounds) if request.param == "memory" else DurableSpool(SpoolFile(file), bounds)
        opened.append(spool)
        return spool

    yield open_spool
    for spool in opened:
        await spool.close()


@pytest.fixture
def spool(opener: Opener) -> Spool:
    return opener(USUAL)


# ---- the contract ---------------------------------------------------------------------------------------------------


async def test_entries_are_read_in_the_order_in_which_they_were_appended(spool: Spool) -> None:
    await spool.put(entries_of("a", "b"))
    await spool.put(entries_of("c"))
    assert await docs(spool) == ["a", "b", "c"]
    first, second = await spool.after(0, 2)
    assert first.position < second.position
    assert await docs(spool, position=second.position) == ["c"]


async def test_concurrent_puts_keep_the_order_of_their_calls(spool: Spool) -> None:
    await asyncio.gather(*(spool.put(entries_of(f"{i:03d}")) for i in range(300)))
    assert await docs(spool) == [f"{i:03d}" for i in range(300)]


async def test_dropped_entries_are_removed_and_the_others_stay(spool: Spool) -> None:
    await spool.put(entries_of("a", "b", "c", events=2))
    positions = [entry.position for entry in await spool.after(0, 10)]
    await spool.drop([positions[0], positions[2]])
    await spool.drop([positions[0]])
    await spool.drop([])
    assert await docs(spool) == ["b"]
    assert (spool.entries, spool.events) == (1, 2)


async def test_a_position_is_never_used_twice(spool: Spool) -> None:
    await spool.put(entries_of("a"))
    (first,) = await spool.after(0, 10)
    await spool.drop([first.position])
    await spool.put(entries_of("b"))
    (second,) = await spool.after(0, 10)
    assert second.position > first.position


async def test_entries_count_while_they_are_being_appended(spool: Spool) -> None:
    put = asyncio.ensure_future(spool.put(entries_of("a", events=3)))
    await asyncio.sleep(0)
    assert (spool.entries, spool.events) == (1, 3)
    await put


@pytest.mark.parametrize("bounds", [Bounds(entries=3), Bounds(bytes=3 * 60)], ids=["entries", "bytes"])
async def test_a_full_spool_refuses_entries_until_others_are_dropped(opener: Opener, bounds: Bounds) -> None:
    spool = opener(bounds)
    await spool.put(entries_of("a" * 10, "b" * 10))
    with pytest.raises(Unavailable, match="full") as full:
        await spool.put(entries_of("c" * 10, "d" * 10))
    assert full.value.retry_after > 1
    assert await spool.ready() is None
    await spool.put(entries_of("c" * 10))
    assert "full" in str(await spool.ready())
    assert await docs(spool) == ["a" * 10, "b" * 10, "c" * 10]
    await spool.drop([(await spool.after(0, 1))[0].position])
    assert await spool.ready() is None
    await spool.put(entries_of("d" * 10))


async def test_the_spool_returns_the_secret_that_was_stored_last(spool: Spool) -> None:
    assert await spool.secret() is None
    await spool.keep_secret(b"\x00one")
    await spool.keep_secret(b"\xfftwo")
    assert await spool.secret() == b"\xfftwo"


async def test_a_cancelled_put_appends_all_entries_or_none(spool: Spool) -> None:
    put = asyncio.ensure_future(spool.put(entries_of("a", "b")))
    await asyncio.sleep(0)
    put.cancel()
    await asyncio.wait([put])
    await spool.put(entries_of("c"))
    assert await docs(spool) in (["a", "b", "c"], ["c"])
    assert spool.entries == len(await docs(spool))


# ---- the file -------------------------------------------------------------------------------------------------------


async def test_another_process_reads_the_entries(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    await spool.put(entries_of("a", "b", events=5))
    await spool.keep_secret(b"key")
    again = DurableSpool(SpoolFile(tmp_path / "1.spool"))  # while the first one is open, as after a kill
    assert (await docs(again), again.entries, again.events) == (["a", "b"], 2, 10)
    assert await again.secret() == b"key"
    await spool.close()
    await again.close()


async def test_only_its_owner_may_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "spool"
    with own_spool(folder) as spool:
        await spool.put(entries_of("a"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert "1.spool-wal" in modes
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        await spool.close()


async def test_a_dropped_entry_is_erased_from_the_file(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    await spool.put(entries_of("ann@example.com"))
    await spool.drop([(await spool.after(0, 1))[0].position])
    await spool.close()
    assert names(tmp_path) == ["1.spool"]
    assert b"ann@example.com" not in (tmp_path / "1.spool").read_bytes()


async def test_a_file_without_entries_shrinks(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    await spool.put(entries_of(*["x" * 500_000] * 20))
    while found := await spool.after(0, 1000):
        await spool.drop([entry.position for entry in found])
    await spool.close()
    assert (tmp_path / "1.spool").stat().st_size < 100_000


async def test_the_files_of_an_empty_spool_contain_no_dropped_entry(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    await spool.put(entries_of(*[f"{n} SECRET of ann" * (1 + n % 9) for n in range(200)]))
    assert found_in("SECRET of ann", tmp_path) != {}
    await spool.drop([entry.position for entry in await spool.after(0, 1000)])
    assert await spool.after(0, 1) == []
    assert found_in("SECRET of ann", tmp_path) == {}
    await spool.close()


async def test_large_entries_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    await spool.put(entries_of(*["x" * 1_000_000] * 40))
    assert 1 <= len(await spool.after(0, 256)) < 40
    await spool.close()


async def test_a_put_on_a_full_disk_is_refused_and_later_ones_succeed(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "1.spool")
    spool = DurableSpool(file)
    file.run_one(lambda connection: connection.execute("PRAGMA max_page_count = 20"))
    with pytest.raises(Unavailable, match="full"):
        await spool.put(entries_of("x" * 1_000_000))
    assert spool.entries == 0
    file.failure = "for a test: the disk was full"
    assert await spool.ready() is None
    await spool.put(entries_of("small"))
    assert await docs(spool) == ["small"]
    await spool.close()


def remove(path: Path) -> None:
    path.unlink()


def remove_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def remove_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


@pytest.mark.parametrize("take_away", [remove, remove_the_log, remove_the_folder, replace])
async def test_nothing_is_appended_to_a_file_that_was_removed_or_replaced(
    tmp_path: Path, take_away: Callable[[Path], None]
) -> None:
    path = tmp_path / "spool" / "1.spool"
    spool = DurableSpool(SpoolFile(path))
    await spool.put(entries_of("before"))
    take_away(path)
    for _ in range(3):
        with pytest.raises(Unavailable, match="removed or replaced"):
            await spool.put(entries_of("after"))
        assert "removed or replaced" in str(await spool.ready())
        assert await docs(spool) == ["before"], "what it holds can still be drained"
    await spool.close()


async def test_a_file_that_is_put_back_takes_entries_again(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = DurableSpool(SpoolFile(folder / "1.spool"))
    await spool.put(entries_of("before"))
    folder.rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="removed or replaced"):
        await spool.put(entries_of("meanwhile"))
    (tmp_path / "away").rename(folder)
    assert await spool.ready() is None
    await spool.put(entries_of("after"))
    await spool.close()
    again = DurableSpool(SpoolFile(folder / "1.spool"))
    assert await docs(again) == ["before", "after"]
    await again.close()


async def test_a_job_that_fails_does_not_fail_the_others_of_its_batch(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "1.spool")
    spool = DurableSpool(file)
    file.run_one(lambda connection: connection.execute(NO_ROOM))
    puts = [spool.put(entries_of("a")), spool.put(entries_of("x" * 1000)), spool.put(entries_of("b"))]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "SpoolUnavailable", "NoneType"]
    assert (await docs(spool), spool.entries) == (["a", "b"], 2)
    await spool.close()


async def test_a_closed_spool_refuses_entries(tmp_path: Path) -> None:
    spool = DurableSpool(SpoolFile(tmp_path / "1.spool"))
    put = asyncio.ensure_future(spool.put(entries_of("a")))
    await asyncio.sleep(0)
    await spool.close()
    await put
    await spool.close()
    with pytest.raises(Unavailable, match="closed"):
        await spool.put(entries_of("b"))


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes (text)")
    with pytest.raises(UnusableSpool, match="another program"):
        SpoolFile(tmp_path / "other.db")
    (tmp_path / "text").write_text("no database, but long enough to be looked at " * 100)
    with pytest.raises(UnusableSpool):
        SpoolFile(tmp_path / "text")


# ---- the folder -----------------------------------------------------------------------------------------------------


async def left_behind(folder: Path, *names: str) -> None:
    """Spools of ended processes, with one entry each, which were in use at the same time."""
    with ExitStack() as stack:
        for name in names:
            spool = stack.enter_context(own_spool(folder))
            await spool.put(entries_of(name))
            await spool.close()


async def test_each_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    with own_spool(tmp_path) as first, own_spool(tmp_path) as second:
        await first.put(entries_of("a"))
        assert await docs(second) == []
        await first.close()
        await second.close()
    assert names(tmp_path) == ["1.spool", "1.spool.lock", "2.spool", "2.spool.lock"]


async def test_a_new_process_adopts_the_entries_of_ended_processes(tmp_path: Path) -> None:
    await left_behind(tmp_path, "a", "b", "c")
    with own_spool(tmp_path) as spool:
        assert (await docs(spool), spool.entries) == (["a", "b", "c"], 3)
        await spool.close()
    with own_spool(tmp_path) as spool:
        assert await docs(spool) == ["a", "b", "c"]
        await spool.close()


async def test_no_process_adopts_the_entries_of_a_living_one(tmp_path: Path) -> None:
    await left_behind(tmp_path, "a", "b")
    with own_spool(tmp_path) as first, own_spool(tmp_path) as second:
        assert (await docs(first), await docs(second)) == (["a", "b"], [])
        await first.close()
        await second.close()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    dying = (
        "import os, sys, pathlib, storage.spool.folder as f\nwith f.own_spool(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", dying, tmp_path], check=False).returncode == 9
    with own_spool(tmp_path):
        assert "2.spool" not in names(tmp_path)
