"""The files of processes that are killed or have a full disk: child processes write them, the tests check them."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.sqlite.store import SqliteStore

ROOT = Path(__file__).parent.parent.parent

# Commits pairs of profiles (each unit writes two) from many tasks and prints what was acknowledged.
COMMIT_FOR_EVER = """
import asyncio, os, sys
from pathlib import Path
from engine.ports.records import Unit
from storage.sqlite import checkpoint
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, mark, write

checkpoint.MANY, checkpoint.FEW = 50_000, 10_000  # so that some kills meet one

async def caller(store, run, task):
    n = 0
    while True:
        id = f"{run}-{task}-{n}"
        n += 1
        await store.commit(Unit(
            profiles=(write("left " + id), write("right " + id)), events=(event(id, "left " + id),), marks=(mark(id),)
        ))
        os.write(1, (id + "\\n").encode())

async def main(path, run):
    store = SqliteStore.open(Path(path))
    await asyncio.gather(*[caller(store, run, task) for task in range(16)])

asyncio.run(main(*sys.argv[1:]))
"""

# Commits until the disk is full, makes room, and goes on. Files may not grow beyond a limit that is lifted later.
FILL_THE_DISK = """
import asyncio, resource, sys
from pathlib import Path
from engine.ports.store import Unavailable
from engine.ports.records import Unit
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, write

async def main(path):
    store = SqliteStore.open(Path(path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    acknowledged, n = [], 0
    try:
        while True:
            ids = [f"p-{n + k}" for k in range(10)]
            n += 10
            results = await asyncio.gather(*[
                store.commit(Unit(profiles=(write("left " + id, text="x" * 2000), write("right " + id)))) for id in ids
            ], return_exceptions=True)
            acknowledged += [id for id, result in zip(ids, results) if result is None]
            for result in results:
                if result is not None:
                    raise result
    except Unavailable as full:
        print("full:", full.reason)
    print("ready while little is left:", await store.ready())
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    print("ready:", await store.ready())
    for id in acknowledged:
        assert await store.profile("left " + id) is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("ready again:", await store.ready())
    await store.commit(Unit(profiles=(write("left last"), write("right last"))))
    counts = await store.counts()
    print("kept:", counts["profiles"] == 2 * (len(acknowledged) + 1), len(acknowledged) > 0)
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


def child(program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )


@pytest.mark.parametrize("counts", [(1, 1500), (40, 90), (300, 700), (1000, 17), (555, 2)], ids=str)
async def test_acknowledged_units_survive_a_kill(tmp_path: Path, counts: tuple[int, int]) -> None:
    path = tmp_path / "store.db"
    for run, enough in enumerate(counts):  # the second run starts on what the first left
        process = child(COMMIT_FOR_EVER, str(path), str(run))
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().decode().strip() for _ in range(enough)]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().decode()  # closed by the kill; the last line may be torn
        acknowledged += rest.split("\n")[:-1]
        process.stdout.close()
        process.wait()

        store = SqliteStore.open(path)
        lost = [id for id in acknowledged if await store.event(id) is None or not await store.marks("web", (id,))]
        halves = [
            id for id in acknowledged if not (await store.profile("left " + id) and await store.profile("right " + id))
        ]
        held = await store.counts()
        await store.close()
        assert (lost, halves) == ([], [])
        assert held["profiles"] == 2 * held["events"], "a unit was written by half"
        assert held["events"] >= len(acknowledged)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
def test_a_store_on_a_full_disk_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    process = child(FILL_THE_DISK, str(tmp_path / "store.db"))
    printed = process.communicate(timeout=60)[0].decode().splitlines()
    assert process.returncode == 0
    assert printed[0].startswith("full: ")
    assert printed[1] != "ready while little is left: None"
    assert printed[2] != "ready: None"
    assert printed[3:] == ["ready again: None", "kept: True True"]
