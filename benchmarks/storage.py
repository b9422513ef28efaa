"""Measures how many units a store commits in a second, beside raw batches of the same rows in the same run.

    python benchmarks/storage.py [--preload 1000000] [--ids server|client] [--callers 1,16,64,256] [--seconds 3]

A unit updates a profile of about 1 KB, inserts an event of about 400 bytes and reads one session; with
`--ids client` the event's id is random and marked for deduplication. `raw` writes such rows by `executemany` in
transactions of 64 units, without an event loop and without any check.
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


from engine.ports.records import ProcessedEvent, ProfileWrite, Session, SessionRead, SessionWrite, StoredEvent, Unit
from engine.profile.document import Part, Profile
from storage.encoding import encode
from storage.sqlite.store import SqliteStore

CELLS = {f"traits.field_{n}": f"value number {n}" for n in range(24)}
PROPERTIES = {f"property_{n}": n * 1.5 for n in range(9)}


def profile_of(id: str, version: int) -> Profile:
    return Profile(id=id, created=1, version=version, parts={id: Part(id=id, created=1, base=1, last=1, cells=CELLS)})


def event_of(id: str, profile: str) -> StoredEvent:
    return StoredEvent(
        id=id, type="order-paid", source="web", received=1, session=profile, profile=profile, properties=PROPERTIES
    )


def event_ids(kind: str) -> Iterator[str]:
    drawn = random.Random(7)
    number = 0
    while True:
        number += 1
        by_client = kind == "client"
        yield (
            str(uuid.UUID(int=drawn.getrandbits(128)))
            if by_client
            else f"0193{number:016x}{drawn.getrandbits(48):012x}"
        )


def unit_of(profile: str, expected: int, event: str, marked: bool) -> Unit:
    return Unit(
        profiles=(ProfileWrite(profile_of(profile, expected + 1), expected),),
        session_reads=(SessionRead("web", profile, 1),),
        marks=(ProcessedEvent("web", event, 1, profile, profile),) if marked else (),
        events=(event_of(event, profile),),
    )


async def preload(store: SqliteStore, profiles: list[str], events: int, ids: Iterator[str], marked: bool) -> None:
    for start in range(0, len(profiles), 250):
        await asyncio.gather(
            *[
                store.commit(
                    Unit(
                        profiles=(ProfileWrite(profile_of(id, 1), 0),),
                        sessions=(SessionWrite(Session("web", id, 1, profile=id, version=1), 0),),
                    )
                )
                for id in profiles[start : start + 250]
            ]
        )
    for _ in range(0, events, 5000):
        some = [event_of(next(ids), random.choice(profiles)) for _ in range(5000)]
        marks = [ProcessedEvent("web", event.id, 1, event.profile, event.profile) for event in some] if marked else []
        await store.commit(Unit(events=tuple(some), marks=tuple(marks)))


async def measure(
    store: SqliteStore, versions: dict[str, int], ids: Iterator[str], marked: bool, callers: int, seconds: float
) -> str:
    profiles = list(versions)
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(own: list[str]) -> None:
        while (started := time.perf_counter()) < end:
            id = random.choice(own)
            await store.commit(unit_of(id, versions[id], next(ids), marked))
            versions[id] += 1
            waits.append(time.perf_counter() - started)

    random.shuffle(profiles)
    own_time = time.thread_time()
    started = time.perf_counter()
    await asyncio.gather(*[caller(profiles[n::callers]) for n in range(callers)])
    took = time.perf_counter() - started
    own_time = time.thread_time() - own_time
    waits.sort()
    return (
        f"{callers:4} callers {len(waits) / took:8.0f} units/s   p50 {waits[len(waits) // 2] * 1e3:6.2f} ms"
        f"   p99 {waits[int(len(waits) * 0.99)] * 1e3:6.2f} ms   max {waits[-1] * 1e3:4.0f} ms"
        f"   caller's thread {own_time / len(waits) * 1e6:4.1f} us/unit"
    )


def raw(path: Path, versions: dict[str, int], ids: Iterator[str], marked: bool, seconds: float) -> str:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 40000")
    connection.execute("PRAGMA cache_size = -65536")
    profiles = list(versions)
    units = 0
    started = time.perf_counter()
    while time.perf_counter() < started + seconds:
        some = [(id, next(ids)) for id in random.sample(profiles, 64)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE profiles SET version = version + 1, doc = ? WHERE id = ?",
            [(encode(profile_of(id, versions[id] + 1)).decode(), id) for id, _ in some],
        )
        connection.executemany(
            "INSERT INTO events (id, doc) VALUES (?, ?)",
            [(None if marked else event, encode(event_of(event, id)).decode()) for id, event in some],
        )
        if marked:
            connection.executemany(
                "INSERT INTO marks (event, source, at, session, profile) VALUES (?, 'web', 1, ?, ?)",
                [(event, id, id) for id, event in some],
            )
        connection.execute("COMMIT")
        for id, _ in some:
            versions[id] += 1
        units += 64
    took = time.perf_counter() - started
    connection.close()
    return f" raw batches of 64 {units / took:8.0f} units/s"


async def main(arguments: argparse.Namespace) -> None:
    marked = arguments.ids == "client"
    ids = event_ids(arguments.ids)
    print(
        f"profile {len(encode(profile_of('p' * 36, 1)))} bytes, event {len(encode(event_of('e' * 36, 'p' * 36)))} bytes"
    )
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        path = Path(folder) / "store.db"
        store = SqliteStore.open(path)
        profiles = [str(uuid.uuid4()) for _ in range(max(4000, arguments.preload // 5))]
        await preload(store, profiles, arguments.preload, ids, marked)
        versions = dict.fromkeys(profiles, 1)
        print(f"{arguments.preload} events, {len(profiles)} profiles, {arguments.ids} ids")
        for callers in arguments.callers:
            print(await measure(store, versions, ids, marked, callers, arguments.seconds), flush=True)
        started = time.perf_counter()
        for id in random.choices(profiles, k=20_000):
            await store.profile(id)
        print(f"     profile by id {20_000 / (time.perf_counter() - started):8.0f} reads/s, in the caller's thread")
        started = time.perf_counter()
        await store.counts()
        print(f"     counts in {(time.perf_counter() - started) * 1e3:.0f} ms")
        print(raw(path, versions, ids, marked, arguments.seconds))
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", type=int, default=0, help="events that the store holds beforehand")
    parser.add_argument("--ids", choices=("server", "client"), default="server")
    parser.add_argument("--callers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 16, 64, 256])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--dir", type=Path, default=None, help="where the file is made; the disk counts")
    asyncio.run(main(parser.parse_args()))
